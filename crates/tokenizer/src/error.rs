//! What can go wrong while a tokenizer is read. Encoding itself cannot fail.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file breaks its format, or contradicts itself.
    Corrupt,
    /// The file is sound but asks for something this crate does not do.
    Unsupported,
    /// There is no such file.
    NotFound,
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
    /// The system refused to read the file.
    Io,
}

/// A tokenizer could not be read.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    path: Option<PathBuf>,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// The kind of error, for code that reacts to it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LimitReached, message)
    }

    pub(crate) fn json(source: serde_json::Error) -> Self {
        let message = format!("no tokenizer.json: {source}");
        Self {
            source: Some(Arc::new(source)),
            ..Self::corrupt(message)
        }
    }

    pub(crate) fn io(source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        Self {
            source: Some(Arc::new(source)),
            ..Self::new(kind, "")
        }
    }

    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            path: None,
            message: message.into(),
            source: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read tokenizer")?;
        if let Some(path) = &self.path {
            write!(f, " `{}`", path.display())?;
        }
        match (&self.source, self.message.as_str()) {
            (Some(source), "") => write!(f, ": {source}"),
            (_, message) => write!(f, ": {message}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
