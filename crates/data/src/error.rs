//! What stops a run. A bad record does not: it is [rejected](crate::Reject) and the run goes on.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Any error, as the functions that users hand to a pipeline return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The pipeline or its plan makes no sense; the message says where.
    InvalidInput,
    /// A tokenizer file, or what an earlier stage has put aside, is broken.
    Corrupt,
    /// A kind of file, model or column that no step handles.
    Unsupported,
    /// The source or a file that a step needs is not there.
    NotFound,
    /// A limit of [`limits`](crate::limits) is reached.
    LimitReached,
    /// Another node of the run has not done its part in time.
    TimedOut,
    /// The system refused to read or write.
    Io,
    /// A storage does not let who asks read or write.
    Denied,
    /// A storage does not answer, or says that it cannot now: try later.
    Unavailable,
    /// A file is not the one any more that it was when the run began.
    Changed,
    /// A function of the user, or a stream of Arrow, returned an error, which is the
    /// [`source`](std::error::Error::source).
    Function,
    /// The run was [cancelled](crate::Cancel).
    Cancelled,
}

/// Why a run did not start or did not end.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<BoxError>,
}

impl Error {
    /// The kind of error, for code that reacts to it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to try next, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Takes the error of the user's function out.
    pub fn into_source(self) -> Option<BoxError> {
        self.source
    }

    /// An error of a [`Storage`](crate::storage::Storage). The message says what was attempted, and on
    /// what.
    pub fn storage(kind: ErrorKind, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            hint: hint.map(str::to_owned),
            ..Self::new(kind, message)
        }
    }

    /// Makes it an error of reading that ends the run, and does not only set a file aside.
    pub fn into_io(self) -> std::io::Error {
        std::io::Error::other(Fatal {
            message: self.to_string(),
            error: Mutex::new(Some(self)),
        })
    }

    /// Takes out what [`into_io`](Self::into_io) has put there.
    pub(crate) fn taken_from(error: &std::io::Error) -> Option<Self> {
        let fatal = error.get_ref()?.downcast_ref::<Fatal>()?;
        let mut error = fatal.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.take()
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

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the run was cancelled")
    }

    /// `doing` is a verb: ``cannot {doing} `{path}`: ...``.
    pub(crate) fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        if let Some(error) = Self::taken_from(&source) {
            return error;
        }
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let message = format!("cannot {doing} `{}`: {source}", path.display());
        Self {
            source: Some(Box::new(source)),
            ..Self::new(kind, message)
        }
    }

    pub(crate) fn function(step: &str, source: BoxError) -> Self {
        let message = format!("step `{step}` failed: {source}");
        Self {
            source: Some(source),
            ..Self::new(ErrorKind::Function, message)
        }
    }

    pub(crate) fn tokenizer(source: nexus_tokenizer::Error) -> Self {
        use nexus_tokenizer::ErrorKind as Kind;
        let kind = match source.kind() {
            Kind::Corrupt => ErrorKind::Corrupt,
            Kind::NotFound => ErrorKind::NotFound,
            Kind::LimitReached => ErrorKind::LimitReached,
            Kind::Io => ErrorKind::Io,
            _ => ErrorKind::Unsupported,
        };
        Self {
            source: Some(Box::new(source)),
            ..Self::new(kind, "")
        }
    }

    pub(crate) fn text(source: nexus_text::Error) -> Self {
        use nexus_text::ErrorKind as Kind;
        let kind = match source.kind() {
            Kind::Corrupt => ErrorKind::Corrupt,
            Kind::NotFound => ErrorKind::NotFound,
            Kind::LimitReached => ErrorKind::LimitReached,
            Kind::Io => ErrorKind::Io,
            _ => ErrorKind::Unsupported,
        };
        Self {
            source: Some(Box::new(source)),
            ..Self::new(kind, "")
        }
    }

    pub(crate) fn dedup(step: &str, source: nexus_dedup::Error) -> Self {
        use nexus_dedup::ErrorKind as Kind;
        let kind = match source.kind() {
            Kind::InvalidInput => ErrorKind::InvalidInput,
            Kind::Corrupt => ErrorKind::Corrupt,
            Kind::LimitReached => ErrorKind::LimitReached,
            Kind::Io => ErrorKind::Io,
            _ => ErrorKind::Unsupported,
        };
        let hint = source.hint().map(str::to_owned);
        let message = format!("step `{step}`: {source}");
        let error = Self {
            source: Some(Box::new(source)),
            ..Self::new(kind, message)
        };
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// `what` was to be made.
    pub(crate) fn image(what: &str, source: nexus_image::Error) -> Self {
        use nexus_image::ErrorKind as Kind;
        let kind = match source.kind() {
            Kind::InvalidInput => ErrorKind::InvalidInput,
            Kind::Corrupt => ErrorKind::Corrupt,
            Kind::LimitReached => ErrorKind::LimitReached,
            _ => ErrorKind::Unsupported,
        };
        let hint = source.hint();
        let message = format!("{what}: {source}");
        let error = Self {
            source: Some(Box::new(source)),
            ..Self::new(kind, message)
        };
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    pub(crate) fn safetensors(path: &Path, source: nexus_safetensors::SafeTensorError) -> Self {
        let message = format!("cannot write `{}`: {source}", path.display());
        Self {
            source: Some(Box::new(source)),
            ..Self::new(ErrorKind::Io, message)
        }
    }

    pub(crate) fn arrow(doing: &str, source: arrow_schema::ArrowError) -> Self {
        let message = format!("cannot {doing}: {source}");
        Self {
            source: Some(Box::new(source)),
            ..Self::invalid(message)
        }
    }

    pub(crate) fn caused_by(self, source: BoxError) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// An error on its way through readers and writers that know only those of the system.
#[derive(Debug)]
struct Fatal {
    message: String,
    error: Mutex<Option<Error>>,
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fatal {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.message.as_str()) {
            (Some(source), "") => write!(f, "{source}"),
            (_, message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
