//! What can go wrong: a document is too large for one profile.

use crate::limits::TEXT_SIZE_MAX;
use std::fmt;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
}

/// A document could not be profiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    size: usize,
}

impl Error {
    /// The kind of error, for code that reacts to it.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::LimitReached
    }

    pub(crate) fn too_large(size: usize) -> Self {
        Self { size }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot profile a document of {} bytes: TEXT_SIZE_MAX is {TEXT_SIZE_MAX}; cut it into parts",
            self.size
        )
    }
}

impl std::error::Error for Error {}
