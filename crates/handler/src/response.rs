//! What a handler answers.

use alloc::boxed::Box;
use alloc::string::String;
use bytes::Bytes;

/// One response: a status, a body and what the handler says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    body: Bytes,
    status: u16,
    content_type: Option<Box<str>>,
    custom_attributes: Option<Box<str>>,
}

impl Response {
    /// A response with status 200, this body and no media type.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            status: 200,
            content_type: None,
            custom_attributes: None,
        }
    }

    /// A response of type `application/json`; `body` is JSON text already.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::new(body).with_content_type("application/json")
    }

    /// A response of type `text/plain; charset=utf-8`.
    pub fn text(body: impl Into<String>) -> Self {
        Self::new(body.into()).with_content_type("text/plain; charset=utf-8")
    }

    /// The same response with another status code.
    ///
    /// A host sends a status that is not 200 to 299 as the model's failure.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same response with a media type, as in the header `Content-Type`.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Box<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The same response with attributes, as in `X-Amzn-SageMaker-Custom-Attributes`.
    #[must_use]
    pub fn with_custom_attributes(mut self, attributes: impl Into<Box<str>>) -> Self {
        self.custom_attributes = Some(attributes.into());
        self
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, without a copy.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The status code; 200 unless the handler chose another.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body's media type, if the handler named one.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The handler's own words to the caller, passed through unread.
    pub fn custom_attributes(&self) -> Option<&str> {
        self.custom_attributes.as_deref()
    }
}
