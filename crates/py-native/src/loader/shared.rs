//! A loader that threads of Python share.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use nexus_loader::{Error, Loader, Maker, Next};
use pyo3::prelude::*;

use super::exception;
use crate::interrupt::SIGNALS;

/// A loader that threads of Python share.
pub(super) struct Shared<M: Maker>(Mutex<Loader<M>>);

impl<M: Maker> Shared<M> {
    pub(super) fn new(loader: Loader<M>) -> Self {
        Self(Mutex::new(loader))
    }

    /// The loader. Who waits here must not hold the interpreter: who has it may want that.
    fn lock(&self) -> MutexGuard<'_, Loader<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the loader, or changes it.
    pub(super) fn with<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&mut Loader<M>) -> T + Send,
    ) -> T {
        py.detach(|| run(&mut self.lock()))
    }

    /// The next batch, if it is there already; then leaving the interpreter is not worth it.
    fn ready(&self) -> Option<Result<Next<M::Batch>, Error>> {
        let mut loader = match self.0.try_lock() {
            Ok(loader) => loader,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        loader.is_ready().then(|| loader.next_within(SIGNALS))
    }

    /// The next batch, if it can be had soon. Where this thread makes it itself, it looks for signals on the
    /// way.
    fn within(&self, py: Python<'_>) -> PyResult<Result<Next<M::Batch>, Error>> {
        let (next, interrupt) = py.detach(|| {
            let (interrupt, looked) = (Cell::new(None), Cell::new(Instant::now()));
            let stop = || {
                if looked.get().elapsed() >= SIGNALS {
                    let look = |py: Python<'_>| py.check_signals().err();
                    interrupt.set(Python::attach(look));
                    looked.set(Instant::now());
                }
                let raised = interrupt.take();
                let stops = raised.is_some();
                interrupt.set(raised);
                stops
            };
            let next = self.lock().next_unless(SIGNALS, &stop);
            (next, interrupt.take())
        });
        interrupt.map_or(Ok(next), Err)
    }

    /// The next batch; `None` at the end of an epoch, once.
    pub(super) fn next(&self, py: Python<'_>) -> PyResult<Option<M::Batch>> {
        let mut next = self.ready();
        while let None | Some(Ok(Next::Waiting)) = next {
            if next.is_some() {
                py.check_signals()?;
            }
            next = Some(self.within(py)?);
        }
        match next {
            Some(Ok(Next::Batch(batch))) => Ok(Some(batch)),
            Some(Err(error)) => Err(exception(py, &error)),
            _ => Ok(None),
        }
    }
}
