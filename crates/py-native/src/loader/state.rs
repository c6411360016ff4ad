//! States as dictionaries, and what loaders of tokens and of images do alike.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use nexus_loader::{Error, Loader, Maker, Next, State};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::exception;
use crate::interrupt::SIGNALS;

/// The version of `state_dict`.
const VERSION: u64 = 1;

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

    /// The next batch; `None` at the end of an epoch, once.
    pub(super) fn next(&self, py: Python<'_>) -> PyResult<Option<M::Batch>> {
        let mut next = self.ready();
        while let None | Some(Ok(Next::Waiting)) = next {
            if next.is_some() {
                py.check_signals()?;
            }
            next = Some(py.detach(|| self.lock().next_within(SIGNALS)));
        }
        match next {
            Some(Ok(Next::Batch(batch))) => Ok(Some(batch)),
            Some(Err(error)) => Err(exception(py, &error)),
            _ => Ok(None),
        }
    }

    pub(super) fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, self.with(py, |loader| loader.state()))
    }

    pub(super) fn state_at<'py>(
        &self,
        py: Python<'py>,
        epoch: u64,
        steps: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, self.with(py, |loader| loader.state_at(epoch, steps)))
    }

    pub(super) fn load(&self, py: Python<'_>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        let state = of_dict(state)?;
        self.with(py, |loader| loader.set_state(&state))
            .map_err(|error| exception(py, &error))
    }
}

fn to_dict(py: Python<'_>, state: State) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, number) in [
        ("version", VERSION),
        ("seed", state.seed),
        ("epoch", state.epoch),
        ("cursor", state.cursor),
        ("rows", state.rows),
        ("fingerprint", state.fingerprint),
    ] {
        dict.set_item(name, number)?;
    }
    Ok(dict)
}

fn of_dict(state: &Bound<'_, PyDict>) -> PyResult<State> {
    let number = |name: &str| -> PyResult<u64> {
        let value = state.get_item(name)?;
        let missing = || {
            let message = format!("cannot load a state without `{name}`");
            PyValueError::new_err(message)
        };
        value.ok_or_else(missing)?.extract()
    };
    let version = number("version")?;
    if version != VERSION {
        let message = format!("cannot load a state of version {version}: {VERSION} is known");
        return Err(PyValueError::new_err(message));
    }
    Ok(State {
        seed: number("seed")?,
        epoch: number("epoch")?,
        cursor: number("cursor")?,
        rows: number("rows")?,
        fingerprint: number("fingerprint")?,
    })
}
