//! Requests that wait for a handler's worker threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use nexus_handler::{Handler, Request, Response};
use tokio::sync::oneshot;

use crate::fault::Fault;

/// What becomes of one request.
pub(crate) type Answer = Result<Response, Fault>;

/// A bounded queue before the workers of one handler. Dropping it ends the workers.
pub(crate) struct Queue {
    waiting: Arc<Waiting>,
    len_max: usize,
}

struct Waiting {
    line: Mutex<Line>,
    changed: Condvar,
}

struct Line {
    jobs: VecDeque<Job>,
    open: bool,
}

struct Job {
    request: Request,
    reply: oneshot::Sender<Answer>,
}

impl Queue {
    /// Starts `threads` workers, each of which takes at most `batch_max` requests together.
    pub(crate) fn start(
        handler: &Arc<dyn Handler>,
        threads: usize,
        batch_max: usize,
        len_max: usize,
    ) -> std::io::Result<Self> {
        let line = Line {
            jobs: VecDeque::new(),
            open: true,
        };
        let waiting = Arc::new(Waiting {
            line: Mutex::new(line),
            changed: Condvar::new(),
        });
        let queue = Self {
            waiting: Arc::clone(&waiting),
            len_max,
        };
        for _ in 0..threads.max(1) {
            let (handler, waiting) = (Arc::clone(handler), Arc::clone(&waiting));
            thread::Builder::new()
                .name("nexus-handler".into())
                .spawn(move || work(&*handler, &waiting, batch_max.max(1)))?;
        }
        Ok(queue)
    }

    /// Puts a request at the end. The answer comes through the receiver; dropping the receiver
    /// withdraws a request that no worker has taken yet.
    pub(crate) fn push(&self, request: Request) -> Result<oneshot::Receiver<Answer>, Fault> {
        let (reply, answer) = oneshot::channel();
        let mut line = self.waiting.lock();
        if line.jobs.len() >= self.len_max {
            // Withdrawn requests take no place from the living.
            line.jobs.retain(|job| !job.reply.is_closed());
        }
        if line.jobs.len() >= self.len_max {
            return Err(Fault::QueueFull {
                len_max: self.len_max,
            });
        }
        line.jobs.push_back(Job { request, reply });
        drop(line);
        self.waiting.changed.notify_one();
        Ok(answer)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.waiting.lock().open = false;
        self.waiting.changed.notify_all();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Line> {
        // No code under this lock panics half-way through a change.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests that wait, at most `count_max` of them; none once the queue is closed.
    fn take(&self, count_max: usize) -> Option<Vec<Job>> {
        let mut line = self.lock();
        loop {
            line.jobs.retain(|job| !job.reply.is_closed());
            if !line.jobs.is_empty() {
                let count = line.jobs.len().min(count_max);
                return Some(line.jobs.drain(..count).collect());
            }
            if !line.open {
                return None;
            }
            line = self
                .changed
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(handler: &dyn Handler, waiting: &Waiting, batch_max: usize) {
    while let Some(mut jobs) = waiting.take(batch_max) {
        if jobs.len() == 1 {
            let Job { request, reply } = jobs.remove(0);
            tell(reply, call(handler, request));
            continue;
        }
        let (requests, replies): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.request, job.reply)).unzip();
        for (reply, answer) in replies.into_iter().zip(call_batch(handler, requests)) {
            tell(reply, answer);
        }
    }
}

fn tell(reply: oneshot::Sender<Answer>, answer: Answer) {
    // A client that went away meanwhile needs no answer.
    let _ = reply.send(answer);
}

/// Calls the handler with one request; a panic becomes a fault.
pub(crate) fn call(handler: &dyn Handler, request: Request) -> Answer {
    match catch_unwind(AssertUnwindSafe(|| handler.handle(request))) {
        Ok(result) => result.map_err(Fault::from),
        Err(_reported_by_the_panic_hook) => Err(Fault::panicked()),
    }
}

/// Calls the handler with several requests. If that panics, each is tried alone, so that only the
/// one at fault fails.
fn call_batch(handler: &dyn Handler, requests: Vec<Request>) -> Vec<Answer> {
    let spare = requests.clone();
    let count = requests.len();
    match catch_unwind(AssertUnwindSafe(|| handler.handle_batch(requests))) {
        Ok(answers) if answers.len() == count => answers
            .into_iter()
            .map(|answer| answer.map_err(Fault::from))
            .collect(),
        Ok(answers) => {
            let found = answers.len();
            let message = format!("the handler gave {found} answers to {count} requests");
            vec![Err(nexus_handler::Error::internal(message).into()); count]
        }
        Err(_reported_by_the_panic_hook) => spare
            .into_iter()
            .map(|request| call(handler, request))
            .collect(),
    }
}
