//! Pipelines that run in the background and hand out their batches: as rows, or as Arrow's C stream
//! (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>).

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use nexus_data::{Cancel, Error, Pipeline, RunOptions};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use super::columns::Columns;
use super::{Report, exception, granted};
use crate::interrupt::SIGNALS;

/// Batches that wait for the consumer, besides those that the threads work on.
const WAITING_MAX: usize = 1;

/// A run in a thread of its own. Dropped, it is cancelled.
struct Background {
    batches: Mutex<Receiver<Result<RecordBatch, Error>>>,
    /// Gives the report of a run that came to its end.
    worker: Option<JoinHandle<Option<nexus_data::Report>>>,
    report: Option<nexus_data::Report>,
    cancel: Cancel,
    /// Who has started it: the child of a fork has none of its threads.
    process: u32,
}

impl Background {
    fn start(pipeline: &Pipeline, options: RunOptions) -> Self {
        let (sender, batches) = sync_channel(WAITING_MAX);
        let cancel = options.cancel.clone();
        let pipeline = pipeline.clone();
        let worker = std::thread::spawn(move || {
            // Sending fails when nobody listens any longer; that ends the run.
            match pipeline.for_each(&options, |batch| Ok(sender.send(Ok(batch))?)) {
                Ok(report) => Some(report),
                Err(error) => {
                    let _ = sender.send(Err(error));
                    None
                }
            }
        });
        Self {
            batches: Mutex::new(batches),
            worker: Some(worker),
            report: None,
            cancel,
            process: std::process::id(),
        }
    }

    /// Waits for the next batch; `None` at the end.
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        if self.process != std::process::id() {
            let message = "the rows are those of a run in another process: iterate over the pipeline \
                           in this one";
            return Err(PyRuntimeError::new_err(message));
        }
        loop {
            let batches = &mut self.batches;
            let received = py.detach(|| match batches.get_mut() {
                Ok(batches) => batches.recv_timeout(SIGNALS),
                Err(_) => Err(RecvTimeoutError::Disconnected),
            });
            match received {
                Ok(batch) => return batch.map(Some).map_err(|error| exception(py, error)),
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => return self.end(py).map(|()| None),
            }
        }
    }

    /// Keeps the report. The end of a run that panicked must not look like that of the data.
    fn end(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(worker) = self.worker.take() {
            let panicked = |_| PyRuntimeError::new_err("a thread of the pipeline panicked");
            self.report = py.detach(|| worker.join()).map_err(panicked)?;
        }
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The rows of a running pipeline.
#[pyclass(module = "nexus.data")]
pub(crate) struct Rows {
    run: Background,
    rows: std::vec::IntoIter<Py<PyDict>>,
}

impl Rows {
    pub(super) fn start(pipeline: &Pipeline, options: RunOptions) -> Self {
        Self {
            run: Background::start(pipeline, options),
            rows: Vec::new().into_iter(),
        }
    }
}

#[pymethods]
impl Rows {
    fn __iter__(rows: PyRef<'_, Self>) -> PyRef<'_, Self> {
        rows
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyDict>>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            let Some(batch) = self.run.next(py)? else {
                return Ok(None);
            };
            let columns = Columns::new(py, &batch)?;
            let row = |index| columns.row(py, index).map(Bound::unbind);
            let rows: Vec<_> = (0..batch.num_rows()).map(row).collect::<PyResult<_>>()?;
            self.rows = rows.into_iter();
        }
    }

    /// What the run did, once the last row is out.
    #[getter]
    fn report(&self) -> Option<Report> {
        self.run.report.clone().map(Report)
    }
}

/// A running pipeline as an Arrow stream.
pub(super) fn export<'py>(
    py: Python<'py>,
    pipeline: &Pipeline,
    options: RunOptions,
    requested: Option<&Schema>,
) -> PyResult<Bound<'py, PyCapsule>> {
    let schema = py
        .detach(|| pipeline.schema())
        .map_err(|error| exception(py, error))?;
    let unknown = || PyValueError::new_err("the pipeline's columns are not known beforehand");
    let schema = granted::granted(schema.ok_or_else(unknown)?, requested);
    let batches = Batches {
        schema,
        run: Background::start(pipeline, options),
    };
    PyCapsule::new_with_value(
        py,
        FFI_ArrowArrayStream::new(Box::new(batches)),
        crate::raw::STREAM,
    )
}

struct Batches {
    schema: SchemaRef,
    run: Background,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        // The consumer may hold the interpreter or not; functions in the pipeline need it.
        let next = Python::attach(|py| self.run.next(py));
        match next {
            Ok(batch) => batch.map(|batch| granted::grant(&batch, &self.schema)),
            // Consumers get the message as a text that ends with zero.
            Err(error) => Some(Err(ArrowError::CDataInterface(
                error.to_string().replace('\0', " "),
            ))),
        }
    }
}

impl RecordBatchReader for Batches {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
