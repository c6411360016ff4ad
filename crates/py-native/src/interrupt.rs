//! Work that Ctrl-C ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use pyo3::prelude::*;

/// How long Ctrl-C waits at most to be looked at.
pub(crate) const SIGNALS: Duration = Duration::from_millis(50);

/// Does `work` on another thread while this one looks for signals and calls `tell`. An exception of
/// either calls `stop`, once; the work then ends as soon as it can.
///
/// # Errors
/// What the handler of a signal or `tell` raises.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    tell: impl Fn(Python<'_>) -> PyResult<()> + Sync,
    stop: impl Fn() + Sync,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    let (outcome, interrupt) = py.detach(|| {
        // Nothing is sent: that the sender is gone says that the work is done.
        let (working, done) = mpsc::channel::<()>();
        let mut interrupt = None;
        let outcome = std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                let _working = working;
                work()
            });
            while let Err(RecvTimeoutError::Timeout) = done.recv_timeout(SIGNALS) {
                if interrupt.is_none() {
                    let look = |py: Python<'_>| py.check_signals().and_then(|()| tell(py));
                    interrupt = Python::attach(look).err();
                    if interrupt.is_some() {
                        stop();
                    }
                }
            }
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        (outcome, interrupt)
    });
    interrupt.map_or(Ok(outcome), Err)
}

/// [`interruptible`] for work that heeds a flag.
///
/// # Errors
/// What the handler of a signal raises.
pub(crate) fn until_signal<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(Arc<AtomicBool>) -> T + Send,
) -> PyResult<T> {
    let flag = Arc::new(AtomicBool::new(false));
    let stop = || flag.store(true, Ordering::Relaxed);
    interruptible(py, |_| Ok(()), stop, || work(flag.clone()))
}
