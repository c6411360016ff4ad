//! What ends a server, or keeps it from starting.

use std::fmt;
use std::sync::Arc;

/// The result of starting, awaiting or stopping a server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a server did not start, did not become ready, or did not end well.
///
/// Failures of single requests are not errors of the server; they are answered (see
/// [`fault`](crate::fault)).
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<&'static str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What can be done about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server was configured wrongly: a bad endpoint name, no endpoint, a bad port.
    InvalidInput,
    /// Another program listens on this address.
    AddressInUse,
    /// The operating system refused something else.
    Io,
    /// An endpoint's handler could not be loaded.
    Load,
    /// The server was not ready in the given time; it may still become so.
    Unavailable,
    /// The drain's deadline passed while requests were in flight.
    LimitReached,
    /// The server was stopped before it was ready, or a second signal cut the drain short.
    Interrupted,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    pub(crate) fn io(attempt: &str, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{attempt}: {source}")).with_source(source)
    }

    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What can be done about it, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What can be done about it, for people: a sentence to print after `hint:`.
    pub fn hint(&self) -> Option<&str> {
        self.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
