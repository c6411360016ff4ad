//! Search as a handler: `{"query": "...", "k": 5}` in, `{"hits": [...]}` out.

use crate::error::{Error, ErrorKind};
use crate::limits::QUERIES_TOGETHER_MAX;
use crate::query::{Hit, Searcher, check};
use nexus_handler::{Dispatch, Handler, Request, Response};
use serde::{Deserialize, Serialize};

/// Answers requests of type `application/json`. Queries that wait together are embedded together.
pub struct SearchHandler {
    searcher: Searcher,
}

impl SearchHandler {
    /// A handler that answers from `searcher`.
    pub fn new(searcher: Searcher) -> Self {
        Self { searcher }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    query: String,
    #[serde(default = "five")]
    k: usize,
}

fn five() -> usize {
    5
}

#[derive(Serialize)]
struct Answer {
    hits: Vec<Hit>,
}

impl Handler for SearchHandler {
    fn handle(&self, request: Request) -> nexus_handler::Result<Response> {
        let mut answers = self.handle_batch(vec![request]);
        answers.pop().expect("one answer for one request")
    }

    fn handle_batch(&self, requests: Vec<Request>) -> Vec<nexus_handler::Result<Response>> {
        let questions: Vec<_> = requests.iter().map(parse).collect();
        let queries: Vec<(&str, usize)> = questions
            .iter()
            .flatten()
            .map(|question| (&question.query[..], question.k))
            .collect();
        let mut answers = match self.searcher.search(&queries) {
            Ok(hits) => hits.into_iter(),
            // Every query was checked: what fails now is the index, for all of them.
            Err(error) => {
                let failed = |_| nexus_handler::Error::internal(error.to_string());
                return questions
                    .into_iter()
                    .map(|question| Err(question.map_or_else(|own| own, failed)))
                    .collect();
            }
        };
        let mut answer = || {
            let hits = answers.next().expect("one answer for one query");
            Response::json(serde_json::to_vec(&Answer { hits }).expect("hits are JSON"))
        };
        questions
            .iter()
            .map(|question| match question {
                Ok(_) => Ok(answer()),
                Err(error) => Err(nexus_handler::Error::new(error.kind(), error.to_string())),
            })
            .collect()
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::Batched {
            max_requests: QUERIES_TOGETHER_MAX,
        }
    }
}

fn parse(request: &Request) -> nexus_handler::Result<Question> {
    request.expect_content_type("application/json")?;
    let question: Question = serde_json::from_slice(request.body()).map_err(|error| {
        nexus_handler::Error::invalid_input(format!("cannot read the request: {error}"))
    })?;
    check(&question.query, question.k)?;
    Ok(question)
}

impl From<Error> for nexus_handler::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::InvalidInput => nexus_handler::ErrorKind::InvalidInput,
            ErrorKind::LimitReached => nexus_handler::ErrorKind::TooLarge,
            ErrorKind::NotFound => nexus_handler::ErrorKind::NotFound,
            ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::Cancelled => {
                nexus_handler::ErrorKind::Internal
            }
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
