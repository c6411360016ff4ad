//! One request for bytes, and what may become of it.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use nexus_data::storage::without_secrets;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore};

use crate::limits::ERROR_LEN_MAX;
use crate::{Error, ErrorKind};

/// An answer as it comes.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, object_store::Error>> + Send>>;

/// What tells one version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) size: u64,
    tag: Tag,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tag {
    Entity(String),
    /// Seconds since 1970. Servers behind one name may disagree on it: it counts where nothing else does.
    Modified(i64),
}

impl Version {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self {
            size: meta.size,
            tag: match &meta.e_tag {
                Some(tag) => Tag::Entity(tag.clone()),
                None => Tag::Modified(meta.last_modified.timestamp()),
            },
        }
    }

    /// As text, but for the size.
    pub(crate) fn to_text(&self) -> String {
        match &self.tag {
            Tag::Entity(tag) => format!("tag {tag}"),
            Tag::Modified(seconds) => format!("time {seconds}"),
        }
    }

    /// What [`to_text`](Self::to_text) has written.
    pub(crate) fn from_text(size: u64, text: &str) -> Self {
        let tag = match text.strip_prefix("tag ") {
            Some(tag) => Tag::Entity(tag.to_owned()),
            None => Tag::Modified(
                text.strip_prefix("time ")
                    .and_then(|seconds| seconds.parse().ok())
                    .unwrap_or_default(),
            ),
        };
        Self { size, tag }
    }

    /// Whether both are of one version. Some servers list tags without the quotes that they answer with.
    fn is(&self, other: &Self) -> bool {
        let same = match (&self.tag, &other.tag) {
            (Tag::Entity(one), Tag::Entity(other)) => {
                one.trim_matches('"') == other.trim_matches('"')
            }
            (one, other) => one == other,
        };
        same && self.size == other.size
    }

    /// The tag, where servers can compare it, in quotes: weak ones never match (RFC 9110, 13.1.1).
    fn strong_tag(&self) -> Option<String> {
        match &self.tag {
            Tag::Entity(tag) if !tag.starts_with("W/") => {
                Some(format!("\"{}\"", tag.trim_matches('"')))
            }
            _ => None,
        }
    }
}

/// A file on a server.
#[derive(Clone)]
pub(crate) struct Request {
    /// What is said of it; holds no secret.
    pub(crate) name: Arc<str>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// The version to read; any if there is none.
    pub(crate) version: Option<Version>,
}

impl Request {
    /// Begins to read; without a range, the whole file.
    pub(crate) async fn begin(&self, range: Option<Range<u64>>) -> Result<GetResult, Error> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            if_match: self.version.as_ref().and_then(Version::strong_tag),
            ..GetOptions::default()
        };
        let answer = self.store.get_opts(&self.path, options).await;
        let answer = answer.map_err(|error| self.refused(&error))?;
        let version = Version::of(&answer.meta);
        let known = self.version.as_ref();
        if known.is_some_and(|known| !known.is(&version)) {
            return Err(self.error(ErrorKind::Changed, "it changed since it was opened"));
        }
        Ok(answer)
    }

    /// The bytes of a range, or those of it that there are, and the version that they are of.
    pub(crate) async fn send(&self, range: Range<u64>) -> Result<(Vec<u8>, Version), Error> {
        let answer = self.begin(Some(range)).await?;
        let version = Version::of(&answer.meta);
        let expected = answer.range.end - answer.range.start;
        let bytes = self.collect(answer.into_stream(), expected).await?;
        Ok((bytes, version))
    }

    /// The bytes of an answer, which has `expected` of them: an answer without a length could go on
    /// for ever.
    async fn collect(&self, mut answer: Chunks, expected: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = next(&mut answer).await {
            let chunk = chunk.map_err(|error| self.refused(&error))?;
            if bytes.len() as u64 + chunk.len() as u64 > expected {
                return Err(self.too_long(expected));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() as u64 == expected {
            return Ok(bytes);
        }
        let what = format!("{} bytes came instead of {expected}", bytes.len());
        Err(self.error(ErrorKind::Corrupt, what))
    }

    pub(crate) fn too_long(&self, expected: u64) -> Error {
        let what = format!("more bytes came than the {expected} asked for");
        self.error(ErrorKind::Corrupt, what)
    }

    pub(crate) fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("cannot read `{}`: {what}", self.name))
    }

    pub(crate) fn refused(&self, error: &object_store::Error) -> Error {
        refused("read", &self.name, "there is no such file", error)
    }
}

/// The next piece of an answer.
pub(crate) async fn next<T>(stream: &mut Pin<Box<dyn Stream<Item = T> + Send + '_>>) -> Option<T> {
    poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// Who gives credentials to the machines of clouds.
const METADATA_HOSTS: [&str; 3] = [
    "169.254.169.254",
    "169.254.170.2",
    "metadata.google.internal",
];

/// The error of a server that was asked to `do` something with `name`.
pub(crate) fn refused(
    doing: &str,
    name: &str,
    missing: &str,
    error: &object_store::Error,
) -> Error {
    use object_store::Error as Theirs;
    let said = chain(error);
    if METADATA_HOSTS.iter().any(|host| said.contains(host)) {
        let what = "there are no credentials, and this machine is given none";
        let message = format!("cannot {doing} `{name}`: {what}");
        return Error::new(ErrorKind::Denied, message).with_hint(
            "set those of the cloud in the environment: AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, \
             AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        );
    }
    let (kind, what) = match (error, status(&said)) {
        (Theirs::NotFound { .. }, _) | (Theirs::Generic { .. }, Some(404)) => {
            (ErrorKind::NotFound, missing.to_owned())
        }
        (Theirs::Precondition { .. }, _) => (
            ErrorKind::Changed,
            "it changed since it was opened".to_owned(),
        ),
        (Theirs::PermissionDenied { .. } | Theirs::Unauthenticated { .. }, _)
        | (Theirs::Generic { .. }, Some(401 | 403)) => (ErrorKind::Denied, refusal(&said)),
        _ if is_without_ranges(error, &said) => (
            ErrorKind::Unsupported,
            "the server does not answer range requests".to_owned(),
        ),
        (_, Some(416)) => (ErrorKind::Corrupt, "it is empty".to_owned()),
        _ => (ErrorKind::Unavailable, said),
    };
    Error::new(kind, format!("cannot {doing} `{name}`: {what}"))
}

/// Whether a server answers with the whole where a range was asked for.
fn is_without_ranges(error: &object_store::Error, said: &str) -> bool {
    matches!(error, object_store::Error::NotSupported { .. })
        || said.contains("non-partial response when range requested")
}

/// The status of an answer, which an error has in its text alone.
fn status(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// Why the server refuses, where it says so in the words of the clouds.
fn refusal(said: &str) -> String {
    let part = |name: &str| {
        let (_, rest) = said.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim())
    };
    let plain = "the server refuses to give it";
    match (part("Code"), part("Message")) {
        (Some(code), Some(message)) => format!("{plain}: {code}: {message}"),
        (Some(code), None) => format!("{plain}: {code}"),
        _ => plain.to_owned(),
    }
}

/// The text of an error and of its causes, without repetition. It may repeat what the server said:
/// only so much, nothing that would command a terminal, and no query of an address, which may be a
/// secret.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    let words = text.split(' ').map(|word| {
        if word.contains("://") {
            without_secrets(word)
        } else {
            word.to_owned()
        }
    });
    let text = words.collect::<Vec<_>>().join(" ");
    text.chars().take(ERROR_LEN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_the_first_one_that_is_said() {
        for (said, expected) in [
            (
                "Server returned non-2xx status code: 403 Forbidden: status code: 404",
                Some(403),
            ),
            ("status code: 4", None),
            ("nobody answers", None),
        ] {
            assert_eq!(status(said), expected, "{said}");
        }
    }

    #[test]
    fn tags_are_compared_without_quotes_and_sent_with_them() {
        let version = |text| Version::from_text(7, text);
        let tag = version("tag \"abc\"");
        assert!(tag.is(&version("tag abc")));
        assert!(!tag.is(&version("tag abd")));
        assert!(!tag.is(&version("time 5")));
        assert!(!tag.is(&Version::from_text(8, "tag abc")));
        for (text, expected) in [
            ("tag abc", Some("\"abc\"")),
            ("tag \"abc\"", Some("\"abc\"")),
            ("tag W/\"abc\"", None),
            ("time 5", None),
        ] {
            assert_eq!(version(text).strong_tag().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_version_is_read_as_it_was_written() {
        for text in ["tag \"abc\"", "time 1700000000"] {
            assert_eq!(Version::from_text(7, text).to_text(), text);
        }
    }
}
