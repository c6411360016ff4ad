//! What loaders of tokens and of images do alike.

use std::sync::Arc;

use nexus_loader::Maker;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::shared::Shared;
use super::state;

/// Batches of shuffled rows: what a `Loader` and an `ImageLoader` have in common.
///
/// Iterating gives the rest of an epoch; iterating again gives the next one.
#[pyclass(frozen, subclass, module = "nexus.data")]
pub(crate) struct AnyLoader {
    inner: Arc<dyn Steps>,
}

impl AnyLoader {
    pub(super) fn new<M: Given>(inner: Arc<Shared<M>>) -> Self {
        Self { inner }
    }
}

/// A maker of batches that have a form in Python.
pub(super) trait Given: Maker {
    fn give(py: Python<'_>, batch: Self::Batch) -> PyResult<Py<PyAny>>;
}

/// A loader of any kind.
trait Steps: Send + Sync {
    fn next(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>>;
    fn batches(&self, py: Python<'_>) -> u64;
    fn batches_left(&self, py: Python<'_>) -> u64;
    fn state(&self, py: Python<'_>) -> nexus_loader::State;
    fn state_at(&self, py: Python<'_>, epoch: u64, steps: u64) -> nexus_loader::State;
    fn set_state(&self, py: Python<'_>, state: &nexus_loader::State) -> PyResult<()>;
    fn set_epoch(&self, py: Python<'_>, epoch: u64);
    fn stop(&self, py: Python<'_>);
}

impl<M: Given> Steps for Shared<M> {
    fn next(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let batch = self.next(py)?;
        batch.map(|batch| M::give(py, batch)).transpose()
    }

    fn batches(&self, py: Python<'_>) -> u64 {
        self.with(py, |loader| loader.batches())
    }

    fn batches_left(&self, py: Python<'_>) -> u64 {
        self.with(py, |loader| loader.batches_left())
    }

    fn state(&self, py: Python<'_>) -> nexus_loader::State {
        self.with(py, |loader| loader.state())
    }

    fn state_at(&self, py: Python<'_>, epoch: u64, steps: u64) -> nexus_loader::State {
        self.with(py, |loader| loader.state_at(epoch, steps))
    }

    fn set_state(&self, py: Python<'_>, state: &nexus_loader::State) -> PyResult<()> {
        self.with(py, |loader| loader.set_state(state))
            .map_err(|error| super::exception(py, &error))
    }

    fn set_epoch(&self, py: Python<'_>, epoch: u64) {
        self.with(py, |loader| loader.set_epoch(epoch));
    }

    fn stop(&self, py: Python<'_>) {
        self.with(py, nexus_loader::Loader::stop);
    }
}

#[pymethods]
impl AnyLoader {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next batch. At the end of an epoch it raises `StopIteration`, once.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.inner.next(py)
    }

    /// How many batches an epoch has.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.inner.batches(py) as usize
    }

    /// How many batches are left of this epoch.
    #[getter]
    fn batches_left(&self, py: Python<'_>) -> u64 {
        self.inner.batches_left(py)
    }

    /// How many rows, or images, there are.
    #[getter]
    fn rows(&self, py: Python<'_>) -> u64 {
        self.inner.state(py).rows
    }

    /// The epoch of the next batch.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> u64 {
        self.inner.state(py).epoch
    }

    /// Where the loader is, as plain numbers. Batches that are prepared and not given do not count.
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        state::to_dict(py, self.inner.state(py))
    }

    /// The state after so many steps of an epoch, for those who count steps themselves.
    #[pyo3(signature = (epoch, steps, /))]
    fn state_at<'py>(
        &self,
        py: Python<'py>,
        epoch: u64,
        steps: u64,
    ) -> PyResult<Bound<'py, PyDict>> {
        state::to_dict(py, self.inner.state_at(py, epoch, steps))
    }

    /// Goes on where another loader stopped, whatever its batch size, ranks and workers were.
    #[pyo3(signature = (state, /))]
    fn load_state_dict(&self, py: Python<'_>, state: &Bound<'_, PyDict>) -> PyResult<()> {
        self.inner.set_state(py, &state::of_dict(state)?)
    }

    /// Goes to the start of an epoch; where the loader is in that epoch already, it stays.
    #[pyo3(signature = (epoch, /))]
    fn set_epoch(&self, py: Python<'_>, epoch: u64) {
        self.inner.set_epoch(py, epoch);
    }

    /// Ends the threads. The next batch starts them anew.
    fn close(&self, py: Python<'_>) {
        self.inner.stop(py);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) {
        self.inner.stop(py);
    }
}
