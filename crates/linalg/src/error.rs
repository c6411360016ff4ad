//! The one error of the crate.

use crate::ViewError;
use std::fmt;

/// What went wrong, in terms of what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The arguments do not fit together: change them.
    InvalidInput,
    /// A pivot is exactly zero: there is no inverse, and a system has no or many solutions.
    Singular {
        /// Where elimination ended: this row of the triangular factor, counted from 0, has a zero diagonal.
        pivot: usize,
    },
    /// A symmetric matrix is not positive definite.
    NotPositiveDefinite {
        /// The order of the first leading minor that is not positive, counted from 1.
        minor: usize,
    },
    /// The matrix holds an infinity, which has no decomposition.
    Infinite {
        /// Row and column.
        at: (usize, usize),
    },
    /// The matrix holds NaN, and the result has no way to say so.
    NotANumber {
        /// Row and column.
        at: (usize, usize),
    },
    /// An iteration did not end within its limit.
    NoConvergence,
    /// The caller, or an operator that the caller made, ended the work.
    Cancelled,
}

/// An operation that could not be done.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<ViewError>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            source: None,
        }
    }

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
        Self::new(ErrorKind::InvalidInput, message)
    }

    pub(crate) fn invalid(message: String) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<ViewError> for Error {
    fn from(source: ViewError) -> Self {
        Self {
            kind: ErrorKind::InvalidInput,
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
