//! The pipeline of `nexus.data`, and what it shares with the files beside it.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

mod columns;
mod pieces;
mod report;
mod settings;
mod stream;
mod tokenizer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use nexus_data::{BoxError, Error, ErrorKind, Format, Output, Progressed, RunOptions, TokenType};
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyCapsule, PyDict};

use columns::{Columns, with_text};
pub(crate) use pieces::{Decider, Ending, Pieces, Removals, UnitPieces, Wanted, shared_records};
pub(crate) use report::{Report, StepReport};
use settings::{Size, step};
pub(crate) use stream::Rows;
pub(crate) use tokenizer::{Encoding, Tokenizer};

use crate::interrupt::interruptible;

/// A source, steps, and what becomes of the result. Methods give a new pipeline.
///
/// >>> from pathlib import Path
/// >>> _ = Path("a.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"text": "one"}\n')
/// >>> pipeline = Pipeline("a.jsonl").dedup_exact()
/// >>> " ".join(row["text"] for row in pipeline)
/// 'one two'
/// >>> pipeline.write_jsonl("b.jsonl").run(threads=2).duplicates
/// 1
/// >>> print(pipeline.to_toml())
/// [source]
/// path = "a.jsonl"
/// <BLANKLINE>
/// [[steps]]
/// op = "dedup_exact"
/// <BLANKLINE>
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Pipeline {
    inner: nexus_data::Pipeline,
    /// The steps that call Python, in order: name and function.
    functions: Vec<(&'static str, Arc<Py<PyAny>>)>,
}

impl Pipeline {
    /// The pipeline with another step.
    fn then(&self, step: impl FnOnce(nexus_data::Pipeline) -> nexus_data::Pipeline) -> Self {
        Self {
            inner: step(self.inner.clone()),
            functions: self.functions.clone(),
        }
    }

    /// The pipeline with a step that calls `function`.
    fn then_python<F>(&self, name: &'static str, function: Arc<Py<PyAny>>, step: F) -> Self
    where
        F: Fn(RecordBatch) -> Result<RecordBatch, BoxError> + Send + Sync + 'static,
    {
        let mut functions = self.functions.clone();
        functions.push((name, function));
        Self {
            inner: self.inner.clone().map_batches(name, step),
            functions,
        }
    }

    /// The pipeline with another step, as plans have it.
    fn then_step(&self, op: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let plan = step(op, settings)?;
        let inner = self.inner.clone().step(&plan);
        // The one step of this plan has no line worth telling.
        inner
            .map(|inner| Self {
                inner,
                functions: self.functions.clone(),
            })
            .map_err(settings::exception)
    }

    fn options(&self) -> RunOptions {
        let defaults = RunOptions::default();
        // A run is cancelled between batches, and Python functions are slow.
        let batch_rows = if self.functions.is_empty() {
            defaults.batch_rows
        } else {
            64
        };
        RunOptions {
            batch_rows,
            ..defaults
        }
    }
}

/// A tokenizer, or the path of its file.
#[derive(FromPyObject)]
enum TokenizerOrPath {
    Tokenizer(Py<Tokenizer>),
    Path(PathBuf),
}

#[pymethods]
impl Pipeline {
    /// Reads a file, or all files below a folder.
    #[new]
    #[pyo3(signature = (source, /))]
    fn new(source: PathBuf) -> Self {
        Self {
            inner: nexus_data::Pipeline::read(source),
            functions: Vec::new(),
        }
    }

    /// Reads a plan.
    #[staticmethod]
    #[pyo3(signature = (plan, /))]
    fn from_toml(py: Python<'_>, plan: &str) -> PyResult<Self> {
        match nexus_data::Pipeline::from_toml(plan) {
            Ok(inner) => Ok(Self {
                inner,
                functions: Vec::new(),
            }),
            Err(error) => Err(exception(py, error)),
        }
    }

    /// Writes the plan that `from_toml` reads.
    fn to_toml(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.to_toml().map_err(|error| exception(py, error))
    }

    /// Gives all texts one form of line ends and white space.
    fn clean(&self) -> Self {
        self.then(nexus_data::Pipeline::clean)
    }

    /// Keeps documents of at least `chars` characters.
    #[pyo3(signature = (chars, /))]
    fn min_chars(&self, chars: usize) -> Self {
        self.then(|pipeline| pipeline.min_chars(chars))
    }

    /// Gives each text another form.
    #[pyo3(signature = (formatter, /, **settings))]
    fn format(&self, formatter: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step(formatter, settings)
    }

    /// Keeps the documents that a quality filter keeps.
    #[pyo3(signature = (filter, /, **settings))]
    fn quality(&self, filter: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step(filter, settings)
    }

    /// Keeps one of all documents that are equal.
    #[pyo3(signature = (**settings))]
    fn dedup_exact(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("dedup_exact", settings)
    }

    /// Keeps one of all documents that say nearly the same.
    #[pyo3(signature = (**settings))]
    fn dedup_near(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("dedup_near", settings)
    }

    /// Adds token ids and where each token stands in the text, in bytes of UTF-8.
    #[pyo3(signature = (tokenizer, /, **settings))]
    fn tokenize(
        &self,
        py: Python<'_>,
        tokenizer: TokenizerOrPath,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let path = match tokenizer {
            TokenizerOrPath::Path(path) => path,
            TokenizerOrPath::Tokenizer(tokenizer) => {
                if settings.is_some_and(|settings| !settings.is_empty()) {
                    return Err(PyValueError::new_err(
                        "settings of tokenize() go with the path of a tokenizer's file",
                    ));
                }
                return Ok(self.then(|pipeline| pipeline.tokenize(tokenizer.get().0.clone())));
            }
        };
        let settings = match settings {
            Some(settings) => settings.copy()?,
            None => PyDict::new(py),
        };
        settings.set_item("path", path)?;
        self.then_step("tokenize", Some(&settings))
    }

    /// Cuts tokenized documents into passages.
    #[pyo3(signature = (*, max_tokens = 256))]
    fn cut(&self, max_tokens: usize) -> Self {
        self.then(|pipeline| pipeline.cut(max_tokens))
    }

    /// Replaces each row's text by what `function` gives for the row.
    #[pyo3(signature = (function, /))]
    fn map(&self, function: Py<PyAny>) -> Self {
        let function = Arc::new(function);
        self.then_python("map", function.clone(), move |batch| {
            Python::attach(|py| -> PyResult<_> {
                let columns = Columns::new(py, &batch)?;
                let mut texts = Vec::with_capacity(batch.num_rows());
                for row in 0..batch.num_rows() {
                    let text = function.call1(py, (columns.row(py, row)?,))?;
                    texts.push(text.extract::<String>(py)?);
                }
                with_text(&batch, &texts)
            })
            .map_err(BoxError::from)
        })
    }

    /// Keeps the rows for which `function` is true.
    #[pyo3(signature = (function, /))]
    fn filter(&self, function: Py<PyAny>) -> Self {
        let function = Arc::new(function);
        self.then_python("filter", function.clone(), move |batch| {
            let keep = Python::attach(|py| -> PyResult<Vec<bool>> {
                let columns = Columns::new(py, &batch)?;
                (0..batch.num_rows())
                    .map(|row| function.call1(py, (columns.row(py, row)?,))?.is_truthy(py))
                    .collect()
            })?;
            Ok(arrow_select::filter::filter_record_batch(
                &batch,
                &keep.into(),
            )?)
        })
    }

    /// Lets `run` write the result: one file in the format of its ending, or a folder of shards.
    #[pyo3(signature = (path, /, *, format = None, shard_size_bytes = None, token_type = None, records = false))]
    fn write(
        &self,
        py: Python<'_>,
        path: PathBuf,
        format: Option<&str>,
        shard_size_bytes: Option<u64>,
        token_type: Option<&str>,
        records: bool,
    ) -> PyResult<Self> {
        let output = || {
            let mut output = Output::new(path);
            if let Some(name) = format {
                output = output.format(Format::from_name(name)?);
            }
            if let Some(name) = token_type {
                output = output.token_type(TokenType::from_name(name)?);
            }
            if records {
                output = output.records();
            }
            Ok(match shard_size_bytes {
                Some(size) => output.shard_size_bytes(size),
                None => output,
            })
        };
        let output = output().map_err(|error| exception(py, error))?;
        Ok(self.then(|pipeline| pipeline.write(output)))
    }

    /// Lets `run` write the result as JSON Lines.
    #[pyo3(signature = (path, /))]
    fn write_jsonl(&self, path: PathBuf) -> Self {
        self.then(|pipeline| pipeline.write_jsonl(path))
    }

    /// Lets a run write what it rejects as JSON Lines.
    #[pyo3(signature = (path, /))]
    fn write_rejects(&self, path: PathBuf) -> Self {
        self.then(|pipeline| pipeline.write_rejects(path))
    }

    /// Lets a run write down which documents its steps drop, and why, as JSON Lines.
    #[pyo3(signature = (path, /))]
    fn write_audit(&self, path: PathBuf) -> Self {
        self.then(|pipeline| pipeline.write_audit(path))
    }

    /// What a run would do, a line for each part of it.
    fn explain(&self, py: Python<'_>) -> PyResult<String> {
        self.inner
            .explain(&self.options())
            .map(|lines| lines.join("\n"))
            .map_err(|error| exception(py, error))
    }

    /// Runs the pipeline into its output file; without one, the rows are only counted.
    #[pyo3(signature = (*, threads = None, memory = None, work = None, resume = false, progress = None))]
    fn run(
        &self,
        py: Python<'_>,
        threads: Option<usize>,
        memory: Option<Size>,
        work: Option<PathBuf>,
        resume: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Report> {
        let latest = Arc::new(Mutex::new(Progressed::default()));
        let mut options = RunOptions {
            threads: threads.unwrap_or(0),
            memory_size_bytes: memory.map(|Size(size)| size),
            work,
            resume,
            ..self.options()
        };
        if progress.is_some() {
            let latest = latest.clone();
            let keep = move |progressed| {
                if let Ok(mut latest) = latest.lock() {
                    *latest = progressed;
                }
            };
            options.progress = Some(Arc::new(keep));
        }
        let tell = |py: Python<'_>| -> PyResult<()> {
            let now = latest
                .lock()
                .map_or(Progressed::default(), |latest| *latest);
            match &progress {
                Some(progress) => progress
                    .call1(py, (now.rows, now.bytes, now.bytes_total))
                    .map(drop),
                None => Ok(()),
            }
        };
        let stop = || options.cancel.cancel();
        let report = interruptible(py, tell, stop, || self.inner.run(&options))?;
        let report = report.map_err(|error| exception(py, error))?;
        tell(py)?;
        Ok(Report(report))
    }

    /// The pipeline on a Ray cluster.
    #[pyo3(signature = (*, workers = None, memory = None))]
    fn to_ray<'py>(
        slf: &Bound<'py, Self>,
        workers: Option<Bound<'py, PyAny>>,
        memory: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let adapter = py.import("nexus.data._ray")?.getattr("RayPipeline")?;
        let settings = [("workers", workers), ("memory", memory)].into_py_dict(py)?;
        adapter.call((slf,), Some(&settings))
    }

    /// The pipeline as it travels to another process.
    fn _carried(&self, py: Python<'_>) -> PyResult<pieces::Outline> {
        self.carried(py)
    }

    /// Runs the pipeline in the background and gives its rows in order.
    fn __iter__(&self) -> Rows {
        Rows::start(&self.inner, self.options())
    }

    /// Runs the pipeline in the background as a stream of Arrow batches.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol lets a producer give its own schema when it cannot give the requested one.
        drop(requested_schema);
        stream::export(py, &self.inner, self.options())
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.{:?}>", self.inner)
    }
}

/// The exception for an error: that of the user's function, or a built-in one with the hint as note.
fn exception(py: Python<'_>, error: Error) -> PyErr {
    let message = error.to_string();
    let hint = error.hint().map(|hint| format!("hint: {hint}"));
    let exception = match error.kind() {
        ErrorKind::Function => match error
            .into_source()
            .map(<dyn std::error::Error + Send + Sync>::downcast::<PyErr>)
        {
            Some(Ok(error)) => return *error,
            _ => PyRuntimeError::new_err(message),
        },
        ErrorKind::NotFound => PyFileNotFoundError::new_err(message),
        ErrorKind::Io => PyOSError::new_err(message),
        ErrorKind::Cancelled => PyRuntimeError::new_err(message),
        _ => PyValueError::new_err(message),
    };
    match hint.map(|hint| exception.value(py).call_method1("add_note", (hint,))) {
        Some(Err(error)) => error,
        _ => exception,
    }
}
