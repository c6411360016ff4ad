//! What a handler reports when it cannot answer.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// The result of loading or calling a handler.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a handler could not load or answer: a kind for programs, a one-line message for people.
///
/// ```
/// use nexus_handler::{Error, ErrorKind};
///
/// let error = Error::invalid_input("`inputs` is missing");
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert_eq!(error.status(), 400);
/// assert_eq!(error.to_string(), "`inputs` is missing");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is malformed; sending it again does not help. Status 400.
    InvalidInput,
    /// What the request names does not exist. Status 404.
    NotFound,
    /// None of the content types in `Accept` can be produced. Status 406.
    NotAcceptable,
    /// The request is larger than the handler takes. Status 413.
    TooLarge,
    /// The handler does not read this content type. Status 415.
    UnsupportedMediaType,
    /// A limit on the caller's use is reached; try again later. Status 429.
    LimitReached,
    /// The handler failed; the request may be fine. Status 500.
    Internal,
    /// The handler does not offer this operation. Status 501.
    Unsupported,
    /// The handler cannot answer now; try again later. Status 503.
    Unavailable,
    /// The answer was not ready in time. Status 504.
    TimedOut,
}

impl ErrorKind {
    /// The HTTP status code that tells a client the same thing (RFC 9110, section 15).
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidInput => 400,
            Self::NotFound => 404,
            Self::NotAcceptable => 406,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::LimitReached => 429,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Unavailable => 503,
            Self::TimedOut => 504,
        }
    }

    /// The kind that an HTTP status code stands for, if there is one.
    pub fn from_status(status: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.status() == status)
    }

    const ALL: [Self; 10] = [
        Self::InvalidInput,
        Self::NotFound,
        Self::NotAcceptable,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::LimitReached,
        Self::Internal,
        Self::Unsupported,
        Self::Unavailable,
        Self::TimedOut,
    ];
}

impl Error {
    /// An error of `kind`. The message is lower case and says what was attempted, on what.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// An error of kind [`ErrorKind::InvalidInput`].
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// An error of kind [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error, caused by `source`. Clients see the message only; logs show both.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn core::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Shorthand for `self.kind().status()`.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
