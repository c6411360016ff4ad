//! Where a computation runs: here, without the interpreter lock, or on a thread that Ctrl-C leaves behind.

use crate::raw::{State, detached};
use pyo3::prelude::*;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Multiplications that cost less than giving the lock away and getting it back.
const WORK_WITH_LOCK_MAX: f64 = 2e4;

/// Multiplications that take some 50 ms at worst, after which Ctrl-C is looked at.
const WORK_WITHOUT_SIGNALS_MAX: f64 = 5e7;

/// How long Ctrl-C waits at most to be looked at.
const SIGNALS: Duration = Duration::from_millis(50);

/// Does `work`, which costs about `cost` multiplications. A long one goes on after an interrupt, alone, and its
/// result is dropped.
///
/// # Errors
/// What `work` returns, and what the handler of a signal raises.
pub(crate) fn run<R: Send + 'static>(
    py: Python<'_>,
    cost: f64,
    work: impl FnOnce() -> PyResult<R> + Send + 'static,
) -> PyResult<R> {
    if cost <= WORK_WITH_LOCK_MAX {
        return work();
    }
    if cost <= WORK_WITHOUT_SIGNALS_MAX {
        return without_lock(py, work);
    }
    let (sender, result) = mpsc::sync_channel(1);
    let worker = thread::Builder::new()
        .name("nexus-linalg-call".to_owned())
        .spawn(move || {
            // Nobody listens after an interrupt.
            detached(|| drop(sender.send(work())));
        })?;
    // A receiver is of one thread at a time, which a lock proves.
    let result = Mutex::new(result);
    let wait = || {
        let result = result.lock().unwrap_or_else(PoisonError::into_inner);
        result.recv_timeout(SIGNALS)
    };
    loop {
        match py.detach(wait) {
            Ok(result) => {
                State::current(py).give_back(py);
                return result;
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals()?,
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => unreachable!("a worker sends before it ends"),
            },
        }
    }
}

/// Does short `work` here, which may borrow what it works on; `None` where it costs so much that Ctrl-C must be
/// heard.
#[inline]
pub(crate) fn run_short<R: Send>(
    py: Python<'_>,
    cost: f64,
    work: impl FnOnce() -> R + Send,
) -> Option<R> {
    if cost <= WORK_WITH_LOCK_MAX {
        Some(work())
    } else if cost <= WORK_WITHOUT_SIGNALS_MAX {
        Some(without_lock(py, work))
    } else {
        None
    }
}

/// Does `work` while other threads may have the interpreter, and gives back what it has dropped.
fn without_lock<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
    let result = py.detach(|| detached(work));
    State::current(py).give_back(py);
    result
}
