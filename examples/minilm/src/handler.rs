//! The model as a handler: `{"texts": ["..."]}` in, `{"vectors": [[...]]}` out.

use crate::{Error, ErrorKind, MiniLm};
use nexus_handler::{Dispatch, Handler, Request, Response};
use serde::{Deserialize, Serialize};
use std::num::NonZero;

/// The most texts in one request. With [`REQUESTS_MAX`] it bounds the time of one batch.
const TEXTS_MAX: usize = 64;

/// The most requests that are embedded together.
const REQUESTS_MAX: usize = 8;

/// Answers requests of type `application/json`. Requests that wait together are embedded together.
pub struct MiniLmHandler {
    model: MiniLm,
}

impl MiniLmHandler {
    /// A handler around a model that is already loaded.
    pub fn new(model: MiniLm) -> Self {
        Self { model }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    texts: Vec<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    vectors: Vec<&'a [f32]>,
}

impl Handler for MiniLmHandler {
    fn load(model_dir: &str) -> nexus_handler::Result<Self> {
        Ok(Self::new(MiniLm::open(model_dir)?))
    }

    fn handle(&self, request: Request) -> nexus_handler::Result<Response> {
        let mut answers = self.handle_batch(vec![request]);
        answers.pop().expect("one answer for one request")
    }

    fn handle_batch(&self, requests: Vec<Request>) -> Vec<nexus_handler::Result<Response>> {
        let questions: Vec<_> = requests.iter().map(parse).collect();
        let texts: Vec<&str> = questions
            .iter()
            .flatten()
            .flat_map(|question| &question.texts)
            .map(String::as_str)
            .collect();
        let vectors = self.model.embed(&texts, NonZero::<usize>::MIN);
        let mut rows = vectors.chunks_exact(self.model.dimensions());
        let mut answer = |question: Question| {
            let vectors = rows.by_ref().take(question.texts.len()).collect();
            let body = serde_json::to_vec(&Answer { vectors }).expect("finite numbers are JSON");
            Response::json(body)
        };
        questions
            .into_iter()
            .map(|question| question.map(&mut answer))
            .collect()
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::Batched {
            max_requests: REQUESTS_MAX,
        }
    }
}

fn parse(request: &Request) -> nexus_handler::Result<Question> {
    request.expect_content_type("application/json")?;
    let question: Question = serde_json::from_slice(request.body()).map_err(|error| {
        nexus_handler::Error::invalid_input(format!("cannot read the request: {error}"))
    })?;
    if question.texts.len() > TEXTS_MAX {
        let message = format!(
            "cannot embed {} texts at once: at most {TEXTS_MAX}",
            question.texts.len()
        );
        return Err(nexus_handler::Error::new(
            nexus_handler::ErrorKind::TooLarge,
            message,
        ));
    }
    Ok(question)
}

impl From<Error> for nexus_handler::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => nexus_handler::ErrorKind::NotFound,
            ErrorKind::InvalidInput => nexus_handler::ErrorKind::InvalidInput,
            ErrorKind::Corrupt => nexus_handler::ErrorKind::Internal,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
