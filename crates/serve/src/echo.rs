//! A handler that answers with what it was asked: for first steps, tests and benchmarks.

use nexus_handler::{Dispatch, Handler, Request, Response, Result};

/// Answers with the request's own body, content type and custom attributes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Echo;

impl Handler for Echo {
    fn load(_model_dir: &str) -> Result<Self> {
        Ok(Self)
    }

    fn handle(&self, request: Request) -> Result<Response> {
        let mut response = Response::new(request.body().clone());
        if let Some(content_type) = request.content_type() {
            response = response.with_content_type(content_type);
        }
        if let Some(attributes) = request.custom_attributes() {
            response = response.with_custom_attributes(attributes);
        }
        Ok(response)
    }

    fn dispatch(&self) -> Dispatch {
        Dispatch::Inline
    }
}
