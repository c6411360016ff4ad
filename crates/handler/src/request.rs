//! What a handler is asked.

use alloc::boxed::Box;
use alloc::format;
use bytes::Bytes;

use crate::{Error, ErrorKind, Result};

/// One request: a body and what the caller said about it.
///
/// A clone shares the body; it costs no copy of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    body: Bytes,
    content_type: Option<Box<str>>,
    accept: Option<Box<str>>,
    custom_attributes: Option<Box<str>>,
}

impl Request {
    /// A request with this body and nothing else said.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// The same request with a media type, as in the header `Content-Type`.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Box<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The same request with the wished media types, as in the header `Accept`.
    #[must_use]
    pub fn with_accept(mut self, accept: impl Into<Box<str>>) -> Self {
        self.accept = Some(accept.into());
        self
    }

    /// The same request with attributes, as in `X-Amzn-SageMaker-Custom-Attributes`.
    #[must_use]
    pub fn with_custom_attributes(mut self, attributes: impl Into<Box<str>>) -> Self {
        self.custom_attributes = Some(attributes.into());
        self
    }

    /// The body, as it was sent.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, without a copy.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// The body's media type with its parameters, if the caller named one.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The media types that the caller wishes for, if any.
    pub fn accept(&self) -> Option<&str> {
        self.accept.as_deref()
    }

    /// The caller's own words to the handler, passed through unread.
    pub fn custom_attributes(&self) -> Option<&str> {
        self.custom_attributes.as_deref()
    }

    /// Refuses a body of another media type than `expected` (lower case, without parameters).
    ///
    /// Parameters such as `charset` and the case are ignored (RFC 9110, section 8.3.1).
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedMediaType`] if the caller named another type or none.
    pub fn expect_content_type(&self, expected: &str) -> Result<()> {
        let sent = self.content_type.as_deref().unwrap_or("");
        let essence = sent.split(';').next().unwrap_or("").trim();
        if essence.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        let sent = if essence.is_empty() { "none" } else { essence };
        Err(Error::new(
            ErrorKind::UnsupportedMediaType,
            format!("expected content type {expected}, found {sent}"),
        ))
    }
}
