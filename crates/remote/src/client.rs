//! Range requests to one address.

use std::ops::Range;
use std::sync::Arc;

use nexus_data::storage::without_secrets;
use object_store::ObjectStore;
use object_store::http::HttpBuilder;
use object_store::path::Path;
use tokio::task::JoinSet;

use crate::connect::{Patience, Waiting, check_outside, install_tls};
use crate::guard::Guard;
use crate::plan::{Fetch, plan};
use crate::request::{Request, Version};
use crate::{Error, ErrorKind, RemoteOptions};

/// A file on a server, as it was when it was opened.
pub(crate) struct Client {
    url: Arc<str>,
    store: Arc<dyn ObjectStore>,
    runtime: Waiting,
    concurrency: usize,
}

impl Client {
    pub(crate) fn new(url: &str, options: &RemoteOptions) -> Result<Self, Error> {
        let shown = without_secrets(url);
        if !url.starts_with("http://") && !url.starts_with("https://") {
            let message =
                format!("cannot open `{shown}`: it starts with neither https:// nor http://");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        check_outside(&shown)?;
        install_tls();
        let patience = Patience {
            timeout: options.timeout,
            attempts: options.attempts,
        };
        let store = HttpBuilder::new()
            .with_url(url)
            .with_client_options(patience.client().with_allow_http(true))
            .with_retry(patience.retry())
            .with_http_connector(Guard::silent())
            .build();
        let invalid = |error: String| {
            let message = format!("cannot open `{shown}`: {error}");
            Error::new(ErrorKind::InvalidInput, message)
        };
        let runtime = Waiting::start(&mut tokio::runtime::Builder::new_current_thread());
        Ok(Self {
            // The error may repeat the address, with what is secret in it.
            store: Arc::new(store.map_err(|_| invalid("it is no address".to_owned()))?),
            runtime: runtime.map_err(|error| invalid(error.to_string()))?,
            concurrency: options.concurrency.get(),
            url: shown.into(),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The first `size` bytes, or all if there are fewer, and the version that they are of.
    pub(crate) fn first(&self, size: u64) -> Result<(Vec<u8>, Version), Error> {
        let request = self.request(None);
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
                    let request = self.request(Some(version.clone()));
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
        self.runtime.runtime().block_on(work)
    }

    /// The address is whole; there is no path below it.
    fn request(&self, version: Option<Version>) -> Request {
        Request {
            name: self.url.clone(),
            store: self.store.clone(),
            path: Path::default(),
            version,
        }
    }
}
