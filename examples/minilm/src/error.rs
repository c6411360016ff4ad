//! The one error of the crate.

use nexus_safetensors::SafeTensorError;
use std::fmt;
use std::path::Path;

/// What went wrong, in terms of what the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The model folder or a file in it is missing or unreadable.
    NotFound,
    /// The files are there but are not this model.
    Corrupt,
    /// The request cannot be answered as it stands.
    InvalidInput,
}

/// A model that cannot be loaded, or a text that cannot be embedded.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

impl Error {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn invalid(message: String) -> Self {
        Self {
            kind: ErrorKind::InvalidInput,
            message,
            source: None,
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        let message = format!("cannot read {}: {source}", path.display());
        Self {
            kind: ErrorKind::NotFound,
            message,
            source: Some(source.into()),
        }
    }

    pub(crate) fn config(path: &Path, reason: &str) -> Self {
        let message = format!("cannot use the model config {}: {reason}", path.display());
        Self {
            kind: ErrorKind::Corrupt,
            message,
            source: None,
        }
    }

    pub(crate) fn weights(path: &Path, source: SafeTensorError) -> Self {
        let (kind, message) = if let SafeTensorError::File { .. } = source {
            // It names the file itself.
            (
                ErrorKind::NotFound,
                format!("cannot load the weights: {source}"),
            )
        } else {
            let path = path.display();
            (
                ErrorKind::Corrupt,
                format!("cannot load the weights {path}: {source}"),
            )
        };
        Self {
            kind,
            message,
            source: Some(source.into()),
        }
    }

    pub(crate) fn shape(path: &Path, name: &str, found: &str, expected: &[usize]) -> Self {
        let message = format!(
            "cannot load the weights {}: tensor `{name}` is {found}, not F32 {expected:?}",
            path.display()
        );
        Self {
            kind: ErrorKind::Corrupt,
            message,
            source: None,
        }
    }

    pub(crate) fn tokenizer(path: &Path, source: impl Into<Source>) -> Self {
        let source = source.into();
        let message = format!("cannot load the tokenizer {}: {source}", path.display());
        Self {
            kind: ErrorKind::Corrupt,
            message,
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
        self.source.as_deref().map(|source| source as _)
    }
}
