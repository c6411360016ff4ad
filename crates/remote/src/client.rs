//! Range requests to one address.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use object_store::http::{HttpBuilder, HttpStore};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore,
    RetryConfig,
};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;

use crate::guard::Guard;
use crate::limits::ERROR_LEN_MAX;
use crate::plan::{Fetch, plan};
use crate::{Error, ErrorKind, RemoteOptions};

/// A file on a server, as it was when it was opened.
pub(crate) struct Client {
    url: Arc<str>,
    store: Arc<HttpStore>,
    /// Only `None` while it is dropped.
    runtime: Option<Runtime>,
    concurrency: usize,
}

/// What tells one version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) size: u64,
    e_tag: Option<String>,
    modified: i64,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        Self {
            size: meta.size,
            e_tag: meta.e_tag.clone(),
            // Servers behind one name may disagree on the time: it counts where nothing else does.
            modified: match meta.e_tag {
                Some(_) => 0,
                None => meta.last_modified.timestamp(),
            },
        }
    }

    /// The tag, where servers can compare it: weak ones never match (RFC 9110, 13.1.1).
    fn strong_tag(&self) -> Option<String> {
        self.e_tag.clone().filter(|tag| !tag.starts_with("W/"))
    }
}

impl Client {
    pub(crate) fn new(url: &str, options: &RemoteOptions) -> Result<Self, Error> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            let message =
                format!("cannot open `{url}`: it starts with neither https:// nor http://");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        check_outside(url)?;
        install_tls();
        let client = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(options.timeout)
            .with_read_timeout(options.timeout)
            // A large answer on a slow line may take long, as long as something comes.
            .with_timeout_disabled();
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: options.attempts.get() - 1,
            retry_timeout: options
                .timeout
                .saturating_mul(options.attempts.get() as u32),
        };
        let store = HttpBuilder::new()
            .with_url(url)
            .with_client_options(client)
            .with_retry(retry)
            .with_http_connector(Guard)
            .build();
        let invalid = |error: String| {
            let message = format!("cannot open `{url}`: {error}");
            Error::new(ErrorKind::InvalidInput, message)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Ok(Self {
            url: url.into(),
            store: Arc::new(store.map_err(|error| invalid(error.to_string()))?),
            runtime: Some(runtime.map_err(|error| invalid(error.to_string()))?),
            concurrency: options.concurrency.get(),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The first `size` bytes, or all if there are fewer, and the version that they are of.
    pub(crate) fn first(&self, size: u64) -> Result<(Vec<u8>, Version), Error> {
        let request = Request {
            url: self.url.clone(),
            store: self.store.clone(),
            version: None,
        };
        self.block_on(async move { request.send(0..size).await })
    }

    /// The bytes of `runs`, one after the other: `size` in all.
    pub(crate) fn read(
        &self,
        version: &Version,
        runs: impl IntoIterator<Item = Range<u64>>,
        mut out: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let mut fetches = plan(runs).into_iter();
        self.block_on(async move {
            let mut running = JoinSet::new();
            loop {
                while running.len() < self.concurrency {
                    let Some(fetch) = fetches.next() else { break };
                    let request = Request {
                        url: self.url.clone(),
                        store: self.store.clone(),
                        version: Some(version.clone()),
                    };
                    running.spawn(async move {
                        let answer = request.send(fetch.range.clone()).await;
                        answer.map(|(bytes, _)| (fetch, bytes))
                    });
                }
                // The others are aborted when the set is dropped.
                let Some(answer) = running.join_next().await else {
                    return Ok(out);
                };
                let (Fetch { pieces, .. }, bytes) = answer.map_err(|error| {
                    let message = format!("cannot read `{}`: {error}", self.url);
                    Error::new(ErrorKind::Unavailable, message)
                })??;
                for piece in pieces {
                    let end = piece.source + piece.target.len();
                    out[piece.target].copy_from_slice(&bytes[piece.source..end]);
                }
            }
        })
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        check_outside(&self.url)?;
        let runtime = self.runtime.as_ref();
        runtime.expect("it is there until the drop").block_on(work)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Does not wait, so that it may be dropped inside of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Refuses to block another runtime.
fn check_outside(url: &str) -> Result<(), Error> {
    match Handle::try_current() {
        Ok(_) => {
            let message = format!("cannot read `{url}` inside of an asynchronous runtime");
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
        Err(_) => Ok(()),
    }
}

/// An answer as it comes.
type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, object_store::Error>> + Send>>;

struct Request {
    url: Arc<str>,
    store: Arc<HttpStore>,
    version: Option<Version>,
}

impl Request {
    async fn send(self, range: Range<u64>) -> Result<(Vec<u8>, Version), Error> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range)),
            if_match: self.version.as_ref().and_then(Version::strong_tag),
            ..GetOptions::default()
        };
        // The address is whole; there is no path below it.
        let answer = self.store.get_opts(&Path::default(), options).await;
        let answer: GetResult = answer.map_err(|error| self.refused(error))?;
        let version = Version::of(&answer.meta);
        if self.version.as_ref().is_some_and(|known| *known != version) {
            return Err(self.error(ErrorKind::Changed, "it changed since it was opened"));
        }
        let expected = answer.range.end - answer.range.start;
        let bytes = self.collect(answer.into_stream(), expected).await?;
        Ok((bytes, version))
    }

    /// The bytes of an answer, which has `expected` of them: an answer without a length could go on
    /// for ever.
    async fn collect(&self, mut answer: Chunks, expected: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = poll_fn(|context| answer.as_mut().poll_next(context)).await {
            let chunk = chunk.map_err(|error| self.refused(error))?;
            if bytes.len() as u64 + chunk.len() as u64 > expected {
                let what = format!("more bytes came than the {expected} asked for");
                return Err(self.error(ErrorKind::Corrupt, what));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() as u64 == expected {
            return Ok(bytes);
        }
        let what = format!("{} bytes came instead of {expected}", bytes.len());
        Err(self.error(ErrorKind::Corrupt, what))
    }

    fn error(&self, kind: ErrorKind, what: impl std::fmt::Display) -> Error {
        Error::new(kind, format!("cannot read `{}`: {what}", self.url))
    }

    fn refused(&self, error: object_store::Error) -> Error {
        use object_store::Error as Theirs;
        let (kind, what) = match &error {
            Theirs::NotFound { .. } => (ErrorKind::NotFound, "there is no such file".to_owned()),
            Theirs::Precondition { .. } => (
                ErrorKind::Changed,
                "it changed since it was opened".to_owned(),
            ),
            Theirs::PermissionDenied { .. } | Theirs::Unauthenticated { .. } => (
                ErrorKind::Denied,
                "the server refuses to give it".to_owned(),
            ),
            Theirs::NotSupported { .. } => (
                ErrorKind::Unsupported,
                "the server does not answer range requests".to_owned(),
            ),
            error if chain(error).contains("status code: 416") => {
                (ErrorKind::Corrupt, "it is empty".to_owned())
            }
            error => (ErrorKind::Unavailable, chain(error)),
        };
        self.error(kind, what).with_source(error)
    }
}

/// The text of an error and of its causes, without repetition. It may repeat what the server said:
/// only so much, and nothing that would command a terminal.
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
    text.chars().take(ERROR_LEN_MAX).map(plain).collect()
}

/// Chooses `ring` for TLS, unless the program has chosen.
fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
