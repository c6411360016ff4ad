//! The one error of the crate.

use crate::ViewError;
use std::fmt;

/// What went wrong, in terms of what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments do not fit together: change them.
    InvalidInput,
}

/// An operation that could not be done.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<ViewError>,
}

impl Error {
    pub(crate) fn shapes(
        operation: &str,
        a: (usize, usize),
        b: (usize, usize),
        c: (usize, usize),
    ) -> Self {
        let show = |(m, n): (usize, usize)| format!("{m}x{n}");
        let message = format!(
            "cannot {operation} {} by {} into {}",
            show(a),
            show(b),
            show(c)
        );
        Self {
            message,
            source: None,
        }
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

impl From<ViewError> for Error {
    fn from(source: ViewError) -> Self {
        Self {
            message: source.to_string(),
            source: Some(source),
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
