//! The class `TensorStream`: tensors one after the other, while a thread reads ahead.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use nexus_safetensors::{Checkpoint, Loaded, Plan, Stream};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::error::{Doing, to_exception};
use super::framework::Importer;
use crate::raw::Memory;

/// Bytes read so far, and bytes to read.
type Progressed = (u64, u64);

/// A stream and the function that is told how far it is.
pub(super) struct Reading {
    path: PathBuf,
    stream: Option<Stream>,
    latest: Arc<Mutex<Progressed>>,
    progress: Option<Py<PyAny>>,
    told: Progressed,
}

impl Reading {
    /// Starts to read ahead.
    pub(super) fn start(
        py: Python<'_>,
        path: PathBuf,
        checkpoint: &Checkpoint,
        plan: &Plan,
        budget_bytes: usize,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let latest = Arc::new(Mutex::new((0, 0)));
        let seen = latest.clone();
        let plan = plan.clone().on_progress(move |done, total| {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = (done, total);
        });
        let stream = py.detach(|| checkpoint.stream(&plan, budget_bytes));
        let stream =
            stream.map_err(|error| to_exception(py, Doing::Other("load", &path), &error))?;
        Ok(Self {
            path,
            stream: Some(stream),
            latest,
            progress,
            told: (0, 0),
        })
    }

    /// Waits for the next tensor: at most as long as one piece of 32 MiB or one large tensor takes.
    /// Signals are heeded after that.
    pub(super) fn next(&mut self, py: Python<'_>) -> PyResult<Option<Loaded>> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let next = py.detach(|| stream.next());
        py.check_signals()?;
        self.tell(py)?;
        next.transpose()
            .map_err(|error| to_exception(py, Doing::Other("load", &self.path), &error))
    }

    fn tell(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(progress) = &self.progress else {
            return Ok(());
        };
        let now = *self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if now != self.told {
            self.told = now;
            progress.call1(py, now)?;
        }
        Ok(())
    }

    /// Stops the thread.
    fn close(&mut self, py: Python<'_>) {
        let stream = self.stream.take();
        py.detach(|| drop(stream));
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // The thread is waited for, but not with the interpreter in hand.
        Python::try_attach(|py| self.close(py));
    }
}

/// An iterator of names and tensors in the order of the files. A thread reads ahead.
///
/// Leaving it as a context manager, `close` and dropping it stop the thread.
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct TensorStream {
    state: Mutex<State>,
    importer: Importer,
}

enum State {
    Ready(Reading),
    /// A thread waits for the next tensor.
    Busy,
    Closed,
}

impl TensorStream {
    pub(super) fn new(reading: Reading, importer: Importer) -> Self {
        Self {
            state: Mutex::new(State::Ready(reading)),
            importer,
        }
    }

    /// Changes the state at once, so that nobody waits for the lock with the interpreter in hand.
    /// A stream that was closed stays so.
    fn replace(&self, new: State) -> State {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed => State::Closed,
            _ => std::mem::replace(&mut state, new),
        }
    }
}

#[pymethods]
impl TensorStream {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<(String, Bound<'py, PyAny>)>> {
        let mut reading = match self.replace(State::Busy) {
            State::Ready(reading) => reading,
            State::Busy => {
                return Err(PyValueError::new_err(
                    "another thread waits for the next tensor: give each thread its own stream",
                ));
            }
            State::Closed => return Ok(None),
        };
        let next = reading.next(py);
        let state = match &next {
            Ok(Some(_)) => State::Ready(reading),
            _ => State::Closed,
        };
        self.replace(state);
        let Some(loaded) = next? else {
            return Ok(None);
        };
        let memory = Memory::of_region(loaded.region);
        let tensor = self
            .importer
            .tensor(py, loaded.dtype, &loaded.shape, memory)?;
        Ok(Some((loaded.name, tensor)))
    }

    /// Stop reading. Tensors that were handed out stay.
    fn close(&self) {
        self.replace(State::Closed);
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (_exc_type, _exc_value, _traceback))]
    fn __exit__(
        &self,
        _exc_type: &Bound<'_, PyAny>,
        _exc_value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close();
    }

    /// The class itself: what it is generic in is known to type checkers only.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        _item: &Bound<'py, PyAny>,
    ) -> Bound<'py, PyType> {
        cls.clone()
    }
}
