//! A named handler: loading, then answering.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use nexus_handler::{Dispatch, Handler, Request};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::queue::{Answer, Queue, call};
use crate::{Error, ErrorKind, Limits, Result};

/// What makes an endpoint's handler, once, in the background.
pub(crate) type Loader = Box<dyn FnOnce() -> nexus_handler::Result<Box<dyn Handler>> + Send>;

/// A name and, once it is loaded, the handler behind it.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    runner: OnceLock<Runner>,
}

/// A loaded handler and the threads it runs on.
enum Runner {
    Inline(Arc<dyn Handler>),
    Queued(Queue),
}

impl Endpoint {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            runner: OnceLock::new(),
        }
    }

    /// Runs the loader; afterwards the endpoint answers.
    pub(crate) fn load(&self, loader: Loader, limits: &Limits) -> Result<()> {
        let fail = |reason: &str| {
            let name = &self.name;
            Error::new(
                ErrorKind::Load,
                format!("cannot load endpoint {name}: {reason}"),
            )
        };
        let handler: Arc<dyn Handler> = match catch_unwind(AssertUnwindSafe(loader)) {
            Ok(Ok(handler)) => handler.into(),
            Ok(Err(error)) => return Err(fail(&error.to_string()).with_source(error)),
            Err(_reported_by_the_panic_hook) => return Err(fail("its loader panicked")),
        };
        let (threads, batch_max) = match handler.dispatch() {
            Dispatch::Inline => {
                self.runner.get_or_init(|| Runner::Inline(handler));
                return Ok(());
            }
            Dispatch::Blocking { threads } => (threads, 1),
            Dispatch::Batched { max_requests } => (1, max_requests),
        };
        let queue = Queue::start(&handler, threads, batch_max, limits.queue_len_max)
            .map_err(|error| fail(&error.to_string()).with_source(error))?;
        self.runner.get_or_init(|| Runner::Queued(queue));
        Ok(())
    }

    /// Answers one request, on this thread or on a worker.
    pub(crate) async fn answer(&self, request: Request, limits: &Limits) -> Answer {
        let queue = match self.runner.get() {
            Some(Runner::Inline(handler)) => return call(&**handler, request),
            Some(Runner::Queued(queue)) => queue,
            None => {
                return Err(Fault::NotReady {
                    name: self.name.clone(),
                });
            }
        };
        let answer = queue.push(request)?;
        match timeout(limits.answer_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_worker_ended)) => Err(Fault::NotReady {
                name: self.name.clone(),
            }),
            Err(_elapsed) => Err(Fault::answer_timed_out(limits.answer_timeout.as_secs_f64())),
        }
    }

    /// Whether the handler is loaded.
    pub(crate) fn is_ready(&self) -> bool {
        self.runner.get().is_some()
    }
}
