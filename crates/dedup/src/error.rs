//! What stops a deduplication.

use std::fmt;
use std::path::Path;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter or an order of calls makes no sense.
    InvalidInput,
    /// A file is broken; the message says which and where.
    Corrupt,
    /// A file of another version, or made with other parameters.
    Unsupported,
    /// A folder or file is not there.
    NotFound,
    /// A limit of [`limits`](crate::limits) or the memory cap is reached.
    LimitReached,
    /// The system refused to read or write.
    Io,
}

/// Why a deduplication did not start or did not end.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<&'static str>,
    source: Option<std::io::Error>,
}

impl Error {
    /// The kind of error, for code that reacts to it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to try next, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
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

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LimitReached, message)
    }

    /// A broken file: `what` says what is wrong and where in the file.
    pub(crate) fn corrupt(path: &Path, what: impl fmt::Display) -> Self {
        let message = format!("cannot read `{}`: {what}", path.display());
        Self::new(ErrorKind::Corrupt, message)
            .with_hint("remove the file and run again, or take it from a backup")
    }

    /// `doing` is a verb: ``cannot {doing} `{path}`: ...``.
    pub(crate) fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let message = format!("cannot {doing} `{}`: {source}", path.display());
        Self {
            source: Some(source),
            ..Self::new(kind, message)
        }
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
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
        self.source.as_ref().map(|source| source as _)
    }
}
