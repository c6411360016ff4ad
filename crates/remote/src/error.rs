//! The one error of this crate.

use std::fmt;

use nexus_safetensors::SafeTensorError;

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL or a range makes no sense.
    InvalidInput,
    /// The server cannot do what is needed: ranges.
    Unsupported,
    /// The file is no sound safetensors file, or the server sent other bytes than it said.
    Corrupt,
    /// There is no such file or tensor.
    NotFound,
    /// The server wants to know who asks.
    Denied,
    /// The file changed since it was opened: open it anew.
    Changed,
    /// The server does not answer, or says that it cannot now: try later.
    Unavailable,
    /// A limit of [`limits`](crate::limits) or of the format is reached.
    LimitReached,
    /// The run was cancelled.
    Cancelled,
}

/// Why a remote file cannot be read.
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
        let hint = match kind {
            ErrorKind::Unsupported => Some("download the file and read the copy"),
            ErrorKind::Denied => Some("the file may be private: check who may read or write it"),
            ErrorKind::Changed => Some("open the file anew"),
            ErrorKind::Unavailable => Some("check address and network, or try later"),
            _ => None,
        };
        Self {
            kind,
            message: message.into(),
            hint,
            source: None,
        }
    }

    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        let hint = Some(hint);
        Self { hint, ..self }
    }

    pub(crate) fn with_source(
        self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// For a file at `url` that breaks the rules of the format.
    pub(crate) fn format(url: &str, error: SafeTensorError) -> Self {
        use nexus_safetensors::ErrorKind as Theirs;
        let kind = match error.kind() {
            Theirs::NotFound => ErrorKind::NotFound,
            Theirs::LimitReached => ErrorKind::LimitReached,
            Theirs::InvalidInput => ErrorKind::InvalidInput,
            _ => ErrorKind::Corrupt,
        };
        Self {
            hint: error.hint(),
            ..Self::new(kind, format!("cannot read `{url}`: {error}")).with_source(error)
        }
    }
}

impl From<Error> for nexus_data::Error {
    fn from(error: Error) -> Self {
        use nexus_data::ErrorKind as Theirs;
        let kind = match error.kind {
            ErrorKind::InvalidInput => Theirs::InvalidInput,
            ErrorKind::Unsupported => Theirs::Unsupported,
            ErrorKind::Corrupt => Theirs::Corrupt,
            ErrorKind::NotFound => Theirs::NotFound,
            ErrorKind::Denied => Theirs::Denied,
            ErrorKind::Changed => Theirs::Changed,
            ErrorKind::Unavailable => Theirs::Unavailable,
            ErrorKind::LimitReached => Theirs::LimitReached,
            ErrorKind::Cancelled => Theirs::Cancelled,
        };
        let hint = match error.kind {
            ErrorKind::Changed => Some("run again; with resume, the files must be as they were"),
            _ => error.hint,
        };
        Self::storage(kind, error.message, hint)
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
