//! The one error of this crate.

use std::fmt;
use std::io;
use std::path::Path;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments contradict each other or the data: mend them.
    InvalidInput,
    /// A file is not what its format asks for: fetch or write it anew.
    Corrupt,
    /// The file is sound, but of a kind that is not read.
    Unsupported,
    /// There is no such file, tensor, column or member.
    NotFound,
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
    /// The operating system refused or failed.
    Io,
    /// A [`Cancel`](crate::Cancel) was set.
    Cancelled,
}

/// Why shards cannot be read, packed or served.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<&'static str>,
    /// Whether it is about one sample, and not about the file that it is in.
    of_one: bool,
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
            of_one: false,
            source: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// `name` is the limit's name in [`limits`](crate::limits).
    pub(crate) fn limit(what: impl fmt::Display, name: &str, limit: impl fmt::Display) -> Self {
        let message = format!("{what}: the limit {name} is {limit}");
        Self::new(ErrorKind::LimitReached, message)
    }

    pub(crate) fn io(action: &str, path: &Path, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let message = format!("cannot {action} `{}`: {source}", path.display());
        Self {
            source: Some(source.into()),
            ..Self::new(kind, message)
        }
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    pub(crate) fn of_one(self) -> Self {
        Self {
            of_one: true,
            ..self
        }
    }

    pub(crate) fn is_of_one(&self) -> bool {
        self.of_one
    }

    /// Puts `what` and a colon before the message.
    pub(crate) fn within(self, what: impl fmt::Display) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
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
