//! The one error of this crate.

use std::fmt;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments contradict each other or the image: mend them.
    InvalidInput,
    /// The bytes are not what their format asks for: fetch or write the file anew.
    Corrupt,
    /// The file may be sound, but of a kind that is not read.
    Unsupported,
    /// A limit of [`Limits`](crate::Limits) or [`limits`](crate::limits) is reached.
    LimitReached,
}

/// Why an image cannot be decoded, resized or normalised.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<&'static str>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to try next, where there is something to try; one line for people.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
            .with_hint("open it with another program; if that fails too, fetch the file again")
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// `name` is the limit's name in [`limits`](crate::limits).
    pub(crate) fn limit(what: impl fmt::Display, name: &str, limit: impl fmt::Display) -> Self {
        let message = format!("{what}: the limit {name} is {limit}");
        Self::new(ErrorKind::LimitReached, message)
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    pub(crate) fn with_source(
        self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: Some(Box::new(source)),
            ..self
        }
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
