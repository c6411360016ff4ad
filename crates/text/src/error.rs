//! What can go wrong: a document is too large for one profile, or a file of ours or of others is not
//! what it should be.

use crate::limits::TEXT_SIZE_MAX;
use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file breaks its format, or contradicts itself.
    Corrupt,
    /// The settings contradict each other, or the file is sound but of another kind.
    Unsupported,
    /// There is no such file.
    NotFound,
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
    /// The system refused to read the file.
    Io,
}

/// A document could not be profiled, or a model or list could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
}

impl Error {
    /// The kind of error, for code that reacts to it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn too_large(size: usize) -> Self {
        Self::limit(format!(
            "cannot profile a document of {size} bytes: TEXT_SIZE_MAX is {TEXT_SIZE_MAX}; cut it into parts"
        ))
    }

    pub(crate) fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::LimitReached, message)
    }

    pub(crate) fn corrupt(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn io(what: &str, path: &Path, source: &std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Self::new(
            kind,
            format!("cannot read {what} `{}`: {source}", path.display()),
        )
    }

    /// The same error, with the file it is about.
    pub(crate) fn at(self, path: &Path) -> Self {
        Self::new(
            self.kind,
            format!("{} in `{}`", self.message, path.display()),
        )
    }

    fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
