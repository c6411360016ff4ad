//! The pipeline of `nexus.data`, and what it shares with the files beside it.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

mod columns;
mod estimate;
mod granted;
mod pieces;
mod pixels;
mod progress;
mod ragged;
mod record_batch;
mod report;
mod settings;
mod stream;
mod texts;
mod tokenizer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexus_data::{
    ArrowTable, BoxError, Error, ErrorKind, Files, Format, Formatting, Node, Output, Progressed,
    Quality, RunOptions, TokenType,
};
use nexus_remote::Objects;
use pyo3::exceptions::{
    PyConnectionError, PyFileNotFoundError, PyOSError, PyPermissionError, PyRuntimeError,
    PyTimeoutError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBool, PyCapsule, PyDict, PyString};

use columns::{Columns, with_text};
pub(crate) use estimate::{Estimate, Estimated, StepEstimate};
pub(crate) use pieces::{Decider, Ending, Pieces, Removals, UnitPieces, Wanted, shared_records};
pub(crate) use progress::Progress;
pub(crate) use ragged::Ragged;
pub(crate) use record_batch::RecordBatch;
pub(crate) use report::{Report, StepReport};
pub(crate) use settings::Size;
use settings::step;
pub(crate) use stream::{Rows, end_at_exit};
pub(crate) use tokenizer::{Encoding, Tokenizer};

use crate::interrupt::interruptible;
use crate::raw;

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
    /// The functions of its steps, in order: they have no form in plans.
    functions: Vec<Function>,
    /// Options of object stores.
    stores: Vec<(String, String)>,
}

/// A function of the user, and the method that made a step of it.
#[derive(Clone)]
struct Function {
    method: &'static str,
    /// Its name in reports, where it has another one.
    name: Option<String>,
    call: Arc<Py<PyAny>>,
}

impl Pipeline {
    /// The pipeline with another step.
    fn then(&self, step: impl FnOnce(nexus_data::Pipeline) -> nexus_data::Pipeline) -> Self {
        Self {
            inner: step(self.inner.clone()),
            functions: self.functions.clone(),
            stores: self.stores.clone(),
        }
    }

    /// The pipeline with a step that calls a function of the user.
    fn then_function(
        &self,
        function: Function,
        step: impl FnOnce(nexus_data::Pipeline) -> nexus_data::Pipeline,
    ) -> Self {
        let mut pipeline = self.then(step);
        pipeline.functions.push(function);
        pipeline
    }

    /// The pipeline with another step, as plans have it.
    fn then_step(&self, op: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let plan = step(op, settings)?;
        let inner = self.inner.clone().step(&plan);
        inner
            .map(|inner| self.then(|_| inner))
            .map_err(settings::exception)
    }

    /// The pipeline with these options of object stores.
    fn with_stores(&self, py: Python<'_>, stores: Vec<(String, String)>) -> PyResult<Self> {
        let mut objects = Objects::new();
        for (key, value) in &stores {
            objects = objects
                .with_option(key, value)
                .map_err(|error| exception(py, error.into()))?;
        }
        let pipeline = self.then(|pipeline| pipeline.storage(objects));
        Ok(Self { stores, ..pipeline })
    }

    fn options(&self) -> RunOptions {
        let defaults = RunOptions::default();
        // A run is cancelled between batches, and Python functions are slow.
        let mut functions = self.functions.iter();
        let batch_rows = if functions.any(|function| function.method != MAP_BATCHES) {
            64
        } else {
            defaults.batch_rows
        };
        RunOptions {
            batch_rows,
            ..defaults
        }
    }
}

impl Function {
    fn new(method: &'static str, call: Py<PyAny>) -> Self {
        Self {
            method,
            name: None,
            call: Arc::new(call),
        }
    }
}

/// The method whose functions get whole batches.
const MAP_BATCHES: &str = "map_batches";

/// A tokenizer, or the path of its file.
enum TokenizerOrPath {
    Tokenizer(Py<Tokenizer>),
    Path(PathBuf),
}

impl<'py> FromPyObject<'_, 'py> for TokenizerOrPath {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(tokenizer) = value.cast::<Tokenizer>() {
            return Ok(Self::Tokenizer(tokenizer.to_owned().unbind()));
        }
        value.extract().map(Self::Path).map_err(|_| {
            let kind = value.get_type();
            let message =
                format!("a tokenizer is a Tokenizer or the path of its file, not `{kind}`");
            PyTypeError::new_err(message)
        })
    }
}

#[pymethods]
impl Pipeline {
    /// Reads a file, or all files below a folder. `text` and `id` are the keys or columns of records.
    #[new]
    #[pyo3(signature = (source, /, *, text = "text", id = "id"))]
    fn new(source: PathBuf, text: &str, id: &str) -> Self {
        let files = Files::new(source).text(text).id(id);
        Self {
            inner: nexus_data::Pipeline::read(files).storage(Objects::new()),
            functions: Vec::new(),
            stores: Vec::new(),
        }
    }

    /// How the module `pickle` makes it anew: by its plan.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        if !slf.get().stores.is_empty() {
            return Err(PyTypeError::new_err(
                "cannot pickle a pipeline with options of object stores, which may be secret: give \
                 them to the environment",
            ));
        }
        let plan = slf.get().inner.to_toml().map_err(|error| {
            let reason = error.to_string();
            let reason = reason.trim_start_matches("cannot write the plan: ");
            PyTypeError::new_err(format!("cannot pickle a pipeline: {reason}"))
        })?;
        Ok((slf.getattr("from_toml")?, (plan,)))
    }

    /// Reads a table of another library, without a copy where its text lies as ours does.
    #[staticmethod]
    #[pyo3(signature = (table, /, *, text = "text", id = None))]
    fn from_arrow(table: &Bound<'_, PyAny>, text: &str, id: Option<String>) -> PyResult<Self> {
        raw::check(table)?;
        let object = table.clone().unbind();
        // An iterator, such as pyarrow's reader, looks empty when it was read.
        let is_once = table.hasattr("__next__")?;
        let is_used = AtomicBool::new(false);
        let open = move || {
            if is_used.swap(is_once, Ordering::Relaxed) {
                let error = PyValueError::new_err("the stream was used up by an earlier run");
                return Err(BoxError::from(error));
            }
            Python::attach(|py| raw::batches(object.bind(py))).map_err(BoxError::from)
        };
        let mut table = ArrowTable::new(open).text(text);
        if let Some(id) = id {
            table = table.id(id);
        }
        Ok(Self {
            inner: nexus_data::Pipeline::from_arrow(table),
            functions: Vec::new(),
            stores: Vec::new(),
        })
    }

    /// Reads a plan.
    #[staticmethod]
    #[pyo3(signature = (plan, /))]
    fn from_toml(py: Python<'_>, plan: &str) -> PyResult<Self> {
        match nexus_data::Pipeline::from_toml(plan) {
            Ok(inner) => Ok(Self {
                inner: inner.storage(Objects::new()),
                functions: Vec::new(),
                stores: Vec::new(),
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
        check_name("formatter", formatter, &Formatting::NAMES)?;
        self.then_step(formatter, settings)
    }

    /// Keeps the documents that a quality filter keeps.
    #[pyo3(signature = (filter, /, **settings))]
    fn quality(&self, filter: &str, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        check_name("filter", filter, &Quality::NAMES)?;
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

    /// Takes lines, paragraphs or sentences out of documents that an earlier document has.
    #[pyo3(signature = (**settings))]
    fn dedup_lines(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("dedup_lines", settings)
    }

    /// Takes text out of documents that stands anywhere earlier in the corpus.
    #[pyo3(signature = (**settings))]
    fn dedup_substrings(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("dedup_substrings", settings)
    }

    /// Reads the images of the source, and keeps the records whose image obeys the rules.
    #[pyo3(signature = (**settings))]
    fn images(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("images", settings)
    }

    /// Keeps the first of all images that look nearly the same.
    #[pyo3(signature = (**settings))]
    fn dedup_images(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("dedup_images", settings)
    }

    /// Puts tensors of one size in place of images.
    #[pyo3(signature = (**settings))]
    fn image_tensors(&self, settings: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        self.then_step("image_tensors", settings)
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
        let function = Function::new("map", function);
        let call = function.call.clone();
        let map = move |batch: arrow_array::RecordBatch| {
            Python::attach(|py| -> PyResult<_> {
                let columns = Columns::new(py, &batch)?;
                let mut texts = Vec::with_capacity(batch.num_rows());
                for row in 0..batch.num_rows() {
                    let row = columns.row(py, row)?;
                    let text = call.call1(py, (&row,))?;
                    texts.push(mapped(text.bind(py), &row)?);
                }
                with_text(&batch, &texts)
            })
            .map_err(BoxError::from)
        };
        self.then_function(function, |pipeline| pipeline.map_batches("map", map))
    }

    /// Keeps the rows for which `function` is true.
    #[pyo3(signature = (function, /))]
    fn filter(&self, function: Py<PyAny>) -> Self {
        let function = Function::new("filter", function);
        let call = function.call.clone();
        let keep = move |batch: &arrow_array::RecordBatch| {
            Python::attach(|py| -> PyResult<Vec<bool>> {
                let columns = Columns::new(py, batch)?;
                (0..batch.num_rows())
                    .map(|row| call.call1(py, (columns.row(py, row)?,))?.is_truthy(py))
                    .collect()
            })
            .map_err(BoxError::from)
        };
        self.then_function(function, |pipeline| pipeline.filter_batches("filter", keep))
    }

    /// Replaces each batch by what `function` makes of it.
    #[pyo3(signature = (function, /, *, name = None))]
    fn map_batches(&self, function: Py<PyAny>, name: Option<&str>) -> Self {
        let function = Function {
            name: name.map(str::to_owned),
            ..Function::new(MAP_BATCHES, function)
        };
        let call = function.call.clone();
        let map = move |batch| {
            Python::attach(|py| {
                let returned = call.call1(py, (RecordBatch(batch),))?;
                record_batch::returned(returned.bind(py))
            })
            .map_err(BoxError::from)
        };
        let name = name.unwrap_or(MAP_BATCHES);
        self.then_function(function, |pipeline| pipeline.map_batches(name, map))
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

    /// Sets options of object stores.
    #[pyo3(signature = (**options))]
    fn storage(&self, py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let option = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((key.extract::<String>()?, settings::text(&value)?))
        };
        let options = options.into_iter().flatten().map(option);
        self.with_stores(py, options.collect::<PyResult<_>>()?)
    }

    /// What a run would do, a line for each part of it.
    fn explain(&self, py: Python<'_>) -> PyResult<String> {
        let options = self.options();
        let lines = py.detach(|| self.inner.explain(&options));
        lines
            .map(|lines| lines.join("\n"))
            .map_err(|error| exception(py, error))
    }

    /// Runs the pipeline into its output file; without one, the rows are only counted.
    #[pyo3(signature = (*, threads = None, memory = None, work = None, resume = false, node = None, node_timeout = None, group_size = None, progress = None))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
    fn run(
        &self,
        py: Python<'_>,
        threads: Option<usize>,
        memory: Option<Size>,
        work: Option<PathBuf>,
        resume: bool,
        node: Option<(usize, usize)>,
        node_timeout: Option<f64>,
        group_size: Option<Size>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Report> {
        let node = node.map(|(index, count)| Node::new(index, count));
        let node_timeout = node_timeout.map(Duration::try_from_secs_f64);
        let bar = match &progress {
            Some(given) if given.bind(py).is_instance_of::<PyBool>() => {
                let is_wanted = given.is_truthy(py)?;
                let bar = || py.import("nexus.data._progress")?.call_method0("bar");
                is_wanted.then(bar).transpose()?.map(Bound::unbind)
            }
            _ => None,
        };
        let progress = match &bar {
            Some(bar) => Some(bar.clone_ref(py)),
            None => progress.filter(|given| !given.bind(py).is_instance_of::<PyBool>()),
        };
        let latest = Arc::new(Mutex::new(Progressed::default()));
        let mut options = RunOptions {
            threads: threads.unwrap_or(0),
            memory_size_bytes: memory.map(|Size(size)| size),
            work,
            resume,
            node: node.transpose().map_err(|error| exception(py, error))?,
            node_timeout: node_timeout
                .transpose()
                .map_err(|error| PyValueError::new_err(format!("node_timeout: {error}")))?,
            group_size_bytes: group_size.map(|Size(size)| size),
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
            let Some(progress) = &progress else {
                return Ok(());
            };
            let now = latest
                .lock()
                .map_or_else(|_| Progressed::default(), |now| now.clone());
            progress.call1(py, (Progress(now),)).map(drop)
        };
        let stop = || options.cancel.cancel();
        let report = interruptible(py, tell, stop, || self.inner.run(&options))
            .and_then(|report| report.map_err(|error| exception(py, error)))
            .and_then(|report| tell(py).map(|()| report));
        if let Some(bar) = bar {
            bar.call_method0(py, "close")?;
        }
        Ok(Report(report?))
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

    /// Estimates by a sample what `run` would do and cost. Writes nothing.
    #[pyo3(signature = (*, sample = None, threads = None, memory = None))]
    fn estimate(
        &self,
        py: Python<'_>,
        sample: Option<Size>,
        threads: Option<usize>,
        memory: Option<Size>,
    ) -> PyResult<Estimate> {
        let sample = sample.map_or(nexus_data::SAMPLE_SIZE, |Size(size)| size);
        let options = RunOptions {
            threads: threads.unwrap_or(0),
            memory_size_bytes: memory.map(|Size(size)| size),
            ..self.options()
        };
        let stop = || options.cancel.cancel();
        let work = || self.inner.estimate(&options, sample);
        let estimate = interruptible(py, |_| Ok(()), stop, work)?;
        estimate.map(Estimate).map_err(|error| exception(py, error))
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
        let requested = requested_schema
            .map(|schema| raw::requested(&schema))
            .transpose()?;
        stream::export(py, &self.inner, self.options(), requested.as_deref())
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.{:?}>", self.inner)
    }
}

/// Refuses steps of other kinds.
fn check_name(what: &str, name: &str, known: &[&str]) -> PyResult<()> {
    if known.contains(&name) {
        return Ok(());
    }
    let known = known.join(", ");
    let message = format!("there is no {what} `{name}`; known are {known}");
    Err(PyValueError::new_err(message))
}

/// What a function of `map` gives.
fn mapped(text: &Bound<'_, PyAny>, row: &Bound<'_, PyDict>) -> PyResult<String> {
    let Ok(text) = text.cast::<PyString>() else {
        let (kind, id) = (
            text.get_type().name()?,
            row.get_item(nexus_data::columns::ID)?,
        );
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        let message = format!("the function of `map` gave `{kind}` for the row `{id}`, not a str");
        return Err(PyTypeError::new_err(message));
    };
    text.extract()
}

/// The exception for an error: that of the user's function, or a built-in one with the hint as note.
fn exception(py: Python<'_>, error: Error) -> PyErr {
    let message = error.to_string();
    exception_saying(py, error, message)
}

fn exception_saying(py: Python<'_>, error: Error, message: String) -> PyErr {
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
        ErrorKind::Denied => PyPermissionError::new_err(message),
        ErrorKind::Unavailable => PyConnectionError::new_err(message),
        ErrorKind::TimedOut => PyTimeoutError::new_err(message),
        ErrorKind::Io | ErrorKind::Changed => PyOSError::new_err(message),
        ErrorKind::Cancelled => PyRuntimeError::new_err(message),
        _ => PyValueError::new_err(message),
    };
    match hint.map(|hint| exception.value(py).call_method1("add_note", (hint,))) {
        Some(Err(error)) => error,
        _ => exception,
    }
}
