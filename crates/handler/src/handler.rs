//! The trait that a handler implements.

use alloc::vec::Vec;

use crate::{Error, ErrorKind, Request, Response, Result};

/// A model, or anything else that answers requests.
///
/// A host loads a handler once and calls it from several threads, so a handler keeps its changing
/// state behind locks of its own. `Box<dyn Handler>` is a handler of any type.
pub trait Handler: Send + Sync + 'static {
    /// Loads the handler from the folder that holds its model.
    ///
    /// A handler that is made in another way keeps this default, which refuses.
    ///
    /// # Errors
    /// What the handler finds wrong with the folder; [`ErrorKind::Unsupported`] by default.
    fn load(model_dir: &str) -> Result<Self>
    where
        Self: Sized,
    {
        let _ = model_dir;
        Err(Error::new(
            ErrorKind::Unsupported,
            "this handler is not loaded from a folder",
        ))
    }

    /// Answers one request.
    ///
    /// # Errors
    /// What the handler finds wrong with the request, or itself; the kind becomes a status code.
    fn handle(&self, request: Request) -> Result<Response>;

    /// Answers several requests at once: one result for each, in their order.
    ///
    /// The default answers one after the other. A handler that gains from batches overrides it and
    /// asks for [`Dispatch::Batched`]. A request that fails does not fail its neighbours.
    fn handle_batch(&self, requests: Vec<Request>) -> Vec<Result<Response>> {
        requests
            .into_iter()
            .map(|request| self.handle(request))
            .collect()
    }

    /// Where the host is to run this handler. It is asked once, after loading.
    fn dispatch(&self) -> Dispatch {
        Dispatch::Blocking { threads: 1 }
    }
}

/// Where and how a host runs a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// On the thread that reads the socket: no queue, no hand-over, the lowest latency.
    ///
    /// For handlers that answer within about 100 µs and never wait: meanwhile the thread serves
    /// nobody else, not even health checks.
    Inline,
    /// On worker threads, one request at a time each. Up to `threads` (at least 1) calls overlap.
    Blocking {
        /// How many worker threads call the handler.
        threads: usize,
    },
    /// On one worker thread, all the requests that wait at once, at most `max_requests` (at least
    /// 1) together. Nothing is delayed for a fuller batch: the next one forms while one runs.
    Batched {
        /// The most requests that one call of [`Handler::handle_batch`] gets.
        max_requests: usize,
    },
}

/// A handler made of a closure; see [`from_fn`].
#[derive(Debug, Clone)]
pub struct FromFn<F> {
    answer: F,
    dispatch: Dispatch,
}

/// Makes a handler of a closure, which runs as [`Dispatch::Blocking`] on one thread unless
/// [`FromFn::with_dispatch`] says otherwise.
///
/// ```
/// use nexus_handler::{Handler, Request, Response, from_fn};
///
/// let count = from_fn(|request| Ok(Response::text(request.body().len().to_string())));
/// assert_eq!(&count.handle(Request::new("four"))?.body()[..], b"4");
/// # Ok::<(), nexus_handler::Error>(())
/// ```
pub fn from_fn<F>(answer: F) -> FromFn<F>
where
    F: Fn(Request) -> Result<Response> + Send + Sync + 'static,
{
    FromFn {
        answer,
        dispatch: Dispatch::Blocking { threads: 1 },
    }
}

impl<F> FromFn<F> {
    /// The same handler, run in another way.
    #[must_use]
    pub fn with_dispatch(mut self, dispatch: Dispatch) -> Self {
        self.dispatch = dispatch;
        self
    }
}

impl<F> Handler for FromFn<F>
where
    F: Fn(Request) -> Result<Response> + Send + Sync + 'static,
{
    fn handle(&self, request: Request) -> Result<Response> {
        (self.answer)(request)
    }

    fn dispatch(&self) -> Dispatch {
        self.dispatch
    }
}
