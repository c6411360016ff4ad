//! Pipelines that run in the background and hand out their batches: as rows, or as Arrow's C stream
//! (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>).

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use nexus_data::{Cancel, Error, Pipeline, RunOptions};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyCapsule, PyDict, PyTuple};

use super::columns::Columns;
use super::{Report, exception, granted};
use crate::interrupt::SIGNALS;

/// Batches that wait for the consumer, besides those that the threads work on.
const WAITING_MAX: usize = 1;

/// A run in a thread of its own. Dropped, it is cancelled.
struct Background {
    running: Arc<Running>,
    /// Gives the report of a run that came to its end.
    worker: Option<JoinHandle<Option<nexus_data::Report>>>,
    report: Option<nexus_data::Report>,
}

/// What a run shares with who waits for it.
struct Running {
    /// None when nobody wants batches any longer.
    batches: Mutex<Option<Receiver<Result<RecordBatch, Error>>>>,
    cancel: Cancel,
    is_over: Mutex<bool>,
    over: Condvar,
    /// Who has started it: the child of a fork has none of its threads.
    process: u32,
}

/// All runs that may not be over.
static ALL: Mutex<Vec<Weak<Running>>> = Mutex::new(Vec::new());

/// How long the end of the program waits for functions of users at most.
const EXIT_MAX: Duration = Duration::from_secs(10);

impl Running {
    /// Ends the run as soon as its threads have done what they are at.
    fn stop(&self) {
        self.cancel.cancel();
        if self.process == std::process::id() {
            // A thread that hands over a batch waits for this.
            drop(lock(&self.batches).take());
        }
    }
}

/// Says that a run is over, be it by a panic.
struct Over(Arc<Running>);

impl Drop for Over {
    fn drop(&mut self) {
        *lock(&self.0.is_over) = true;
        self.0.over.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets the program's end wait for functions of users in pipelines: a thread that calls Python when the
/// interpreter is gone would end the process by a signal.
pub(crate) fn end_at_exit(py: Python<'_>) -> PyResult<()> {
    let end = |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        Python::attach(|py| py.detach(end_all));
    };
    let end = PyCFunction::new_closure(py, None, None, end)?;
    py.import("atexit")?.call_method1("register", (end,))?;
    Ok(())
}

fn end_all() {
    let all = std::mem::take(&mut *lock(&ALL));
    let own = |run: &Arc<Running>| run.process == std::process::id();
    let all: Vec<_> = all.iter().filter_map(Weak::upgrade).filter(own).collect();
    for run in &all {
        run.stop();
    }
    for run in all {
        let is_over = lock(&run.is_over);
        drop(
            run.over
                .wait_timeout_while(is_over, EXIT_MAX, |is_over| !*is_over),
        );
    }
}

impl Background {
    fn start(pipeline: &Pipeline, options: RunOptions) -> Self {
        let (sender, batches) = sync_channel(WAITING_MAX);
        let running = Arc::new(Running {
            batches: Mutex::new(Some(batches)),
            cancel: options.cancel.clone(),
            is_over: Mutex::new(false),
            over: Condvar::new(),
            process: std::process::id(),
        });
        let mut all = lock(&ALL);
        all.retain(|run| run.strong_count() > 0);
        all.push(Arc::downgrade(&running));
        drop(all);
        let (pipeline, over) = (pipeline.clone(), Over(running.clone()));
        let worker = std::thread::spawn(move || {
            let _over = over;
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
            running,
            worker: Some(worker),
            report: None,
        }
    }

    /// Waits for the next batch; `None` at the end.
    fn next(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        if self.running.process != std::process::id() {
            let message = "the rows are those of a run in another process: iterate over the pipeline \
                           in this one";
            return Err(PyRuntimeError::new_err(message));
        }
        loop {
            let batches = &self.running.batches;
            let received = py.detach(|| match &*lock(batches) {
                Some(batches) => batches.recv_timeout(SIGNALS),
                None => Err(RecvTimeoutError::Disconnected),
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
        self.running.stop();
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
