//! Pages that a program shows besides its endpoints.

use std::borrow::Cow;

use bytes::Bytes;

/// The pages of a program: every `GET` path that the contracts do not claim comes here.
///
/// Pages are rendered on a thread of their own, so they may wait; endpoints go on meanwhile.
pub trait Site: Send + Sync + 'static {
    /// The page at `path` (as sent, percent-encoded), or none: then the server answers 404.
    /// `query` is what follows `?`, as sent; empty if there is none.
    fn get(&self, path: &str, query: &str) -> Option<Page>;
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The HTTP status code, 200 to 599.
    pub status: u16,
    /// The media type.
    pub content_type: Cow<'static, str>,
    /// The page itself.
    pub body: Bytes,
}

impl Page {
    /// A page of HTML with status 200.
    pub fn html(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            content_type: "text/html; charset=utf-8".into(),
            body: body.into(),
        }
    }
}
