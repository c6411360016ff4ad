//! Why a request is not answered, and how each contract says so.
//!
//! | fault | container status | SageMaker status and type |
//! |---|---|---|
//! | unknown endpoint, malformed name | - | 400 `ValidationError` |
//! | header that is not text, broken body | 400 | 400 `ValidationError` |
//! | no such page or operation | 404 | 404 `UnknownOperationException` |
//! | wrong method | 405 | 405 `UnknownOperationException` |
//! | body too slow | 408 | 408 `ValidationError` |
//! | body too large | 413 | 413 `ValidationError` |
//! | not loaded yet, queue full | 503 | 503 `ServiceUnavailable` |
//! | the handler refuses, fails or is too slow | its status | 424 `ModelError` |

use std::fmt;

use nexus_handler::{Error, ErrorKind};
use serde_json::json;

use crate::limits::ORIGINAL_MESSAGE_SIZE_MAX;

/// Why a request is not answered. Its `Display` is the one-line reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No endpoint has this name.
    UnknownEndpoint {
        /// The name asked for.
        name: String,
    },
    /// No endpoint can have the name in the path.
    MalformedName,
    /// Not an operation of the SageMaker runtime that is served here.
    UnknownOperation,
    /// Not a page of the site.
    NoPage,
    /// The path exists, for other methods.
    WrongMethod {
        /// The methods that are served, as in the header `Allow`.
        allow: &'static str,
    },
    /// A header that the handler is to see is not visible ASCII.
    HeaderNotText {
        /// The header.
        name: &'static str,
    },
    /// The body is larger than [`Limits::body_size_max`](crate::Limits::body_size_max).
    BodyTooLarge {
        /// The limit.
        size_max: usize,
    },
    /// The body took longer than [`Limits::body_timeout`](crate::Limits::body_timeout).
    BodyTimedOut,
    /// The body's framing is broken.
    BodyBroken,
    /// The endpoint's handler is not loaded yet, or the server is about to end.
    NotReady {
        /// The endpoint.
        name: String,
    },
    /// [`Limits::queue_len_max`](crate::Limits::queue_len_max) requests wait already.
    QueueFull {
        /// The limit.
        len_max: usize,
    },
    /// The handler refused, failed, or answered with a status outside 200 to 299.
    Model {
        /// The status that the handler's error stands for, or its response's own.
        status: u16,
        /// The handler's reason.
        message: String,
    },
}

/// How the SageMaker runtime API says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// The HTTP status code.
    pub status: u16,
    /// The header `x-amzn-ErrorType`, which botocore shows as `Error.Code`.
    pub code: &'static str,
    /// The JSON body.
    pub body: String,
}

impl Fault {
    /// The HTTP status code outside of the SageMaker runtime API.
    pub fn status(&self) -> u16 {
        match self {
            Self::MalformedName | Self::HeaderNotText { .. } | Self::BodyBroken => 400,
            Self::UnknownEndpoint { .. } | Self::UnknownOperation | Self::NoPage => 404,
            Self::WrongMethod { .. } => 405,
            Self::BodyTimedOut => 408,
            Self::BodyTooLarge { .. } => 413,
            Self::NotReady { .. } | Self::QueueFull { .. } => 503,
            Self::Model { status, .. } => *status,
        }
    }

    /// The JSON body outside of the SageMaker runtime API: `{"error": reason}`.
    pub fn body(&self) -> String {
        json!({ "error": self.to_string() }).to_string()
    }

    /// Status, type and body as the SageMaker runtime API shapes them.
    ///
    /// Source: [`InvokeEndpoint`, section "Errors"](https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html#API_runtime_InvokeEndpoint_Errors).
    pub fn to_aws(&self) -> AwsError {
        let message = self.to_string();
        let (status, code) = match self {
            Self::Model { status, .. } => return model_error(*status, &message),
            Self::UnknownEndpoint { .. } => (400, "ValidationError"),
            Self::UnknownOperation | Self::NoPage | Self::WrongMethod { .. } => {
                (self.status(), "UnknownOperationException")
            }
            Self::NotReady { .. } | Self::QueueFull { .. } => (503, "ServiceUnavailable"),
            _ => (self.status(), "ValidationError"),
        };
        AwsError {
            status,
            code,
            body: json!({ "Message": message }).to_string(),
        }
    }

    /// Whether the same request may be answered if it is sent again in a second.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::NotReady { .. } | Self::QueueFull { .. })
    }
}

fn model_error(status: u16, message: &str) -> AwsError {
    let party = if (400..500).contains(&status) {
        "client"
    } else {
        "server"
    };
    let original = truncate(message, ORIGINAL_MESSAGE_SIZE_MAX);
    let body = json!({
        "Message": format!("Received {party} error ({status}) from primary with message \"{original}\"."),
        "OriginalStatusCode": status,
        "OriginalMessage": original,
        "LogStreamArn": "",
    });
    AwsError {
        status: 424,
        code: "ModelError",
        body: body.to_string(),
    }
}

/// At most `size_max` bytes of `text`, cut between characters.
fn truncate(text: &str, size_max: usize) -> &str {
    &text[..text.floor_char_boundary(size_max)]
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Model {
            status: error.status(),
            message: error.to_string(),
        }
    }
}

impl Fault {
    pub(crate) fn panicked() -> Self {
        Error::internal("the handler panicked; its message is on the server's standard error")
            .into()
    }

    pub(crate) fn answer_timed_out(seconds: f64) -> Self {
        let message = format!("the handler did not answer in {seconds} s");
        Error::new(ErrorKind::TimedOut, message).into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEndpoint { name } => write!(f, "endpoint {name} not found"),
            Self::MalformedName => f.write_str("the endpoint's name is malformed: expected 1 to 63 letters, digits and inner hyphens"),
            Self::UnknownOperation => f.write_str("unknown operation: expected POST /endpoints/{name}/invocations"),
            Self::NoPage => f.write_str("there is no page at this path"),
            Self::WrongMethod { allow } => write!(f, "wrong method: this path allows {allow}"),
            Self::HeaderNotText { name } => write!(f, "the header {name} is not visible ASCII"),
            Self::BodyTooLarge { size_max } => write!(f, "the body is larger than {size_max} bytes"),
            Self::BodyTimedOut => f.write_str("the body did not arrive in time"),
            Self::BodyBroken => f.write_str("the body's framing is broken"),
            Self::NotReady { name } => write!(f, "endpoint {name} is not ready"),
            Self::QueueFull { len_max } => write!(f, "{len_max} requests are waiting already"),
            Self::Model { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn each_fault_has_its_shape() {
        let name = || "a".to_string();
        for (fault, container, aws, code) in [
            (
                Fault::UnknownEndpoint { name: name() },
                404,
                400,
                "ValidationError",
            ),
            (Fault::MalformedName, 400, 400, "ValidationError"),
            (
                Fault::UnknownOperation,
                404,
                404,
                "UnknownOperationException",
            ),
            (Fault::NoPage, 404, 404, "UnknownOperationException"),
            (
                Fault::WrongMethod { allow: "POST" },
                405,
                405,
                "UnknownOperationException",
            ),
            (
                Fault::HeaderNotText { name: "accept" },
                400,
                400,
                "ValidationError",
            ),
            (
                Fault::BodyTooLarge { size_max: 9 },
                413,
                413,
                "ValidationError",
            ),
            (Fault::BodyTimedOut, 408, 408, "ValidationError"),
            (Fault::BodyBroken, 400, 400, "ValidationError"),
            (
                Fault::NotReady { name: name() },
                503,
                503,
                "ServiceUnavailable",
            ),
            (
                Fault::QueueFull { len_max: 2 },
                503,
                503,
                "ServiceUnavailable",
            ),
            (
                Fault::Model {
                    status: 400,
                    message: name(),
                },
                400,
                424,
                "ModelError",
            ),
            (Fault::panicked(), 500, 424, "ModelError"),
            (Fault::answer_timed_out(0.5), 504, 424, "ModelError"),
        ] {
            let shaped = fault.to_aws();
            assert_eq!(
                (fault.status(), shaped.status, shaped.code),
                (container, aws, code),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let fault = Fault::Model {
            status: 500,
            message: "é".repeat(4000),
        };
        let body: serde_json::Value = serde_json::from_str(&fault.to_aws().body).unwrap();
        assert_eq!(body["OriginalMessage"].as_str().unwrap(), "é".repeat(2048));
        assert_eq!(body["OriginalStatusCode"], 500);
    }
}
