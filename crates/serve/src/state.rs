//! What the threads of one server share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use crate::endpoint::Endpoint;
use crate::limits::PAGES_MAX;
use crate::request_id::RequestIds;
use crate::{Error, ErrorKind, Limits, Result, Site};

/// The stages of a server's life, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections are accepted and kept alive.
    Serving,
    /// The socket is closed; each connection is closed after its next answer.
    Draining,
    /// Connections without a request are closed.
    Closing,
}

/// What the threads of one server share.
pub(crate) struct State {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) limits: Limits,
    pub(crate) site: Option<Arc<dyn Site>>,
    /// A permit for each page that is rendered or waits for a thread.
    pub(crate) pages: Arc<Semaphore>,
    pub(crate) request_ids: RequestIds,
    pub(crate) phase: watch::Sender<Phase>,
    draining: AtomicBool,
    outcome: Mutex<Outcome>,
    changed: Condvar,
}

#[derive(Default)]
struct Outcome {
    load_failure: Option<Error>,
    ended: Option<Result<()>>,
}

impl State {
    pub(crate) fn new(
        endpoints: Vec<Endpoint>,
        limits: Limits,
        site: Option<Arc<dyn Site>>,
    ) -> Self {
        Self {
            endpoints,
            limits,
            site,
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
            request_ids: RequestIds::new(),
            phase: watch::Sender::new(Phase::Serving),
            draining: AtomicBool::new(false),
            outcome: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.endpoints.iter().all(Endpoint::is_ready)
    }

    /// Whether the drain has begun. Cheaper than looking at the phase: asked for every answer.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Moves on to `phase`; never back.
    pub(crate) fn advance(&self, phase: Phase) {
        self.draining.store(true, Ordering::Release);
        self.phase.send_if_modified(|now| {
            let later = *now < phase;
            *now = phase.max(*now);
            later
        });
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Records how loading an endpoint went; a failure begins the drain.
    pub(crate) fn loaded(&self, result: Result<()>) {
        if let Err(error) = result {
            self.lock().load_failure.get_or_insert(error);
            self.advance(Phase::Draining);
        }
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Records how the server ended. A failed load comes before what followed from it.
    pub(crate) fn ended(&self, result: Result<()>) {
        let mut outcome = self.lock();
        let result = outcome.load_failure.clone().map_or(result, Err);
        outcome.ended = Some(result);
        drop(outcome);
        self.changed.notify_all();
    }

    /// Waits until everything is loaded (`Some(Ok)`), or never will be (`Some(Err)`), or `timeout`
    /// has passed (`None`).
    pub(crate) fn wait_loaded(&self, timeout: Duration) -> Option<Result<()>> {
        self.wait(timeout, |state, outcome| {
            match (&outcome.load_failure, &outcome.ended) {
                (Some(error), _) | (None, Some(Err(error))) => Some(Err(error.clone())),
                (None, _) if state.is_ready() => Some(Ok(())),
                (None, Some(Ok(()))) => Some(Err(stopped())),
                (None, None) => state.is_draining().then(|| Err(stopped())),
            }
        })
    }

    /// Waits until the server has ended, or `timeout` has passed (`None`).
    pub(crate) fn wait_ended(&self, timeout: Duration) -> Option<Result<()>> {
        self.wait(timeout, |_, outcome| outcome.ended.clone())
    }

    fn wait<T>(&self, timeout: Duration, done: impl Fn(&Self, &Outcome) -> Option<T>) -> Option<T> {
        let deadline = Instant::now().checked_add(timeout);
        let mut outcome = self.lock();
        loop {
            if let Some(value) = done(self, &outcome) {
                return Some(value);
            }
            let left = match deadline {
                Some(deadline) => deadline.checked_duration_since(Instant::now())?,
                None => Duration::MAX,
            };
            outcome = match self.changed.wait_timeout(outcome, left) {
                Ok((outcome, _)) => outcome,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outcome> {
        // No code under this lock panics half-way through a change.
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stopped() -> Error {
    Error::new(
        ErrorKind::Interrupted,
        "the server was stopped before it was ready",
    )
}
