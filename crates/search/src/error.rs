//! The one error of the crate.

use std::error::Error as StdError;
use std::fmt;
use std::path::Path;

/// What went wrong, in terms of what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request or the options cannot be used as they stand.
    InvalidInput,
    /// A file is missing, or the source holds no text.
    NotFound,
    /// The index or the model is not what it should be.
    Corrupt,
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
    /// The operating system refused something.
    Io,
    /// The caller asked for an end.
    Cancelled,
}

/// A build or a query that failed.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to try next, where there is something to try.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    pub(crate) fn index(path: &Path, reason: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Corrupt,
            format!("cannot use the index {}: {reason}", path.display()),
        )
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "stopped; nothing was written")
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<nexus_minilm::Error> for Error {
    fn from(source: nexus_minilm::Error) -> Self {
        let kind = match source.kind() {
            nexus_minilm::ErrorKind::NotFound => ErrorKind::NotFound,
            nexus_minilm::ErrorKind::InvalidInput => ErrorKind::InvalidInput,
            _ => ErrorKind::Corrupt,
        };
        Self::new(kind, source.to_string()).caused_by(source)
    }
}

impl From<nexus_data::Error> for Error {
    fn from(source: nexus_data::Error) -> Self {
        let kind = match source.kind() {
            nexus_data::ErrorKind::Cancelled => return Self::cancelled(),
            // The function is ours: what it says is the error.
            nexus_data::ErrorKind::Function => match source
                .into_source()
                .map(<dyn StdError + Send + Sync>::downcast)
            {
                Some(Ok(own)) => return *own,
                _ => return Self::new(ErrorKind::InvalidInput, "cannot collect the passages"),
            },
            nexus_data::ErrorKind::NotFound => ErrorKind::NotFound,
            nexus_data::ErrorKind::LimitReached => ErrorKind::LimitReached,
            nexus_data::ErrorKind::Io => ErrorKind::Io,
            _ => ErrorKind::InvalidInput,
        };
        let hint = source.hint().map(ToOwned::to_owned);
        Self {
            hint,
            ..Self::new(kind, source.to_string())
        }
        .caused_by(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
