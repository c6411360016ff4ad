//! The one error of this crate.

use std::fmt;
use std::io;
use std::path::Path;

use nexus_safetensors::SafeTensorError;

/// What a caller can do about an [`Error`]. `Unsupported` is what safetensors files cannot hold, and
/// what is not safe to read.
pub use nexus_safetensors::ErrorKind;

/// Why a file cannot be converted.
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

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
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
        Self::new(kind, message).with_source(source)
    }

    fn with_source(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
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

/// Errors of the writer.
impl From<SafeTensorError> for Error {
    fn from(error: SafeTensorError) -> Self {
        Self {
            hint: error.hint(),
            ..Self::new(error.kind(), error.to_string())
        }
        .with_source(error)
    }
}

/// Shapes and strides that cannot be.
impl From<nexus_tensor::Error> for Error {
    fn from(error: nexus_tensor::Error) -> Self {
        Self::corrupt(error.to_string())
    }
}
