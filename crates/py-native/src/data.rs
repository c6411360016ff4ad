//! The tokenizer and the pipeline of `nexus.data`.
#![expect(clippy::needless_pass_by_value, reason = "arguments come from Python as values")]

mod columns;
mod stream;

use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use arrow_array::RecordBatch;
use nexus_data::{BoxError, Cancel, Error, ErrorKind, Progressed, RunOptions};
use nexus_tokenizer::WordPiece;
use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyCapsule};

use columns::{Columns, with_text};
pub(crate) use stream::Rows;

/// How often the calling thread looks for Ctrl-C.
const SIGNALS: Duration = Duration::from_millis(100);

/// A WordPiece tokenizer with the ids of Hugging Face `tokenizers`.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Tokenizer(Arc<WordPiece>);

#[pymethods]
impl Tokenizer {
    /// Reads a `tokenizer.json`, or the `vocab.txt` of an uncased model.
    #[staticmethod]
    #[pyo3(signature = (path, /))]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = py.detach(|| WordPiece::from_file(path));
        read.map(|tokenizer| Self(Arc::new(tokenizer))).map_err(|error| {
            use nexus_tokenizer::ErrorKind as Kind;
            let message = error.to_string();
            match error.kind() {
                Kind::NotFound => PyFileNotFoundError::new_err(message),
                Kind::Io => PyOSError::new_err(message),
                _ => PyValueError::new_err(message),
            }
        })
    }

    /// Encodes a text, without special tokens around it.
    #[pyo3(signature = (text, /))]
    fn encode(&self, py: Python<'_>, text: &str) -> Encoding {
        py.detach(|| Encoding::new(&self.0, text))
    }

    /// Encodes texts on all cores.
    #[pyo3(signature = (texts, /))]
    fn encode_batch(&self, py: Python<'_>, texts: Vec<String>) -> Vec<Encoding> {
        py.detach(|| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let share = texts.len().div_ceil(threads).max(1);
            std::thread::scope(|scope| {
                let encode = |texts: &[String]| -> Vec<_> {
                    texts.iter().map(|text| Encoding::new(&self.0, text)).collect()
                };
                let workers: Vec<_> = texts
                    .chunks(share)
                    .map(|texts| scope.spawn(move || encode(texts)))
                    .collect();
                workers
                    .into_iter()
                    .flat_map(|worker| {
                        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    })
                    .collect()
            })
        })
    }

    /// The token with this id.
    #[pyo3(signature = (id, /))]
    fn token(&self, id: u32) -> Option<&str> {
        self.0.token(id)
    }

    /// The largest id plus one.
    #[getter]
    fn vocab_size(&self) -> usize {
        self.0.vocab_size()
    }

    /// The id for words that the vocabulary cannot spell.
    #[getter]
    fn unk_id(&self) -> u32 {
        self.0.unk_id()
    }

    /// The id that stands before a text.
    #[getter]
    fn cls_id(&self) -> Option<u32> {
        self.0.cls_id()
    }

    /// The id that stands after a text.
    #[getter]
    fn sep_id(&self) -> Option<u32> {
        self.0.sep_id()
    }

    /// The id that fills up short texts.
    #[getter]
    fn pad_id(&self) -> Option<u32> {
        self.0.pad_id()
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.Tokenizer of {} tokens>", self.0.vocab_size())
    }
}

/// The tokens of a text.
#[pyclass(frozen, get_all, module = "nexus.data")]
pub(crate) struct Encoding {
    ids: Vec<u32>,
    offsets: Vec<(u32, u32)>,
}

impl Encoding {
    /// Python counts characters where Rust counts bytes.
    fn new(tokenizer: &WordPiece, text: &str) -> Self {
        let encoding = tokenizer.encode(text);
        let mut offsets = encoding.offsets;
        if !text.is_ascii() {
            let mut positions = vec![0; text.len() + 1];
            for (position, (at, c)) in (0..).zip(text.char_indices()) {
                positions[at] = position;
                positions[at + c.len_utf8()] = position + 1;
            }
            for (start, end) in &mut offsets {
                (*start, *end) = (positions[*start as usize], positions[*end as usize]);
            }
        }
        Self { ids: encoding.ids, offsets }
    }
}

#[pymethods]
impl Encoding {
    fn __len__(&self) -> usize {
        self.ids.len()
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.Encoding of {} tokens>", self.ids.len())
    }
}

/// A source, steps, and what becomes of the result. Methods give a new pipeline.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Pipeline(nexus_data::Pipeline);

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
        Self(nexus_data::Pipeline::read(source))
    }

    /// Reads a plan.
    #[staticmethod]
    #[pyo3(signature = (plan, /))]
    fn from_toml(py: Python<'_>, plan: &str) -> PyResult<Self> {
        nexus_data::Pipeline::from_toml(plan).map(Self).map_err(|error| exception(py, error))
    }

    /// Writes the plan that `from_toml` reads.
    fn to_toml(&self, py: Python<'_>) -> PyResult<String> {
        self.0.to_toml().map_err(|error| exception(py, error))
    }

    /// Gives all texts one form of line ends and white space.
    fn clean(&self) -> Self {
        Self(self.0.clone().clean())
    }

    /// Keeps documents of at least `chars` characters.
    #[pyo3(signature = (chars, /))]
    fn min_chars(&self, chars: usize) -> Self {
        Self(self.0.clone().min_chars(chars))
    }

    /// Keeps the first of all documents that differ in white space at most.
    fn dedup_exact(&self) -> Self {
        Self(self.0.clone().dedup_exact())
    }

    /// Adds token ids and where each token stands in the text, in bytes of UTF-8.
    #[pyo3(signature = (tokenizer, /))]
    fn tokenize(&self, tokenizer: TokenizerOrPath) -> Self {
        let pipeline = self.0.clone();
        Self(match tokenizer {
            TokenizerOrPath::Tokenizer(tokenizer) => pipeline.tokenize(tokenizer.get().0.clone()),
            TokenizerOrPath::Path(path) => pipeline.tokenize_file(path),
        })
    }

    /// Cuts tokenized documents into passages.
    #[pyo3(signature = (*, max_tokens = 256))]
    fn cut(&self, max_tokens: usize) -> Self {
        Self(self.0.clone().cut(max_tokens))
    }

    /// Replaces each row's text by what `function` gives for the row.
    #[pyo3(signature = (function, /))]
    fn map(&self, function: Py<PyAny>) -> Self {
        Self(self.0.clone().map_batches("map", move |batch| {
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
        }))
    }

    /// Keeps the rows for which `function` is true.
    #[pyo3(signature = (function, /))]
    fn filter(&self, function: Py<PyAny>) -> Self {
        Self(self.0.clone().map_batches("filter", move |batch| {
            let keep = Python::attach(|py| -> PyResult<Vec<bool>> {
                let columns = Columns::new(py, &batch)?;
                (0..batch.num_rows())
                    .map(|row| function.call1(py, (columns.row(py, row)?,))?.is_truthy(py))
                    .collect()
            })?;
            Ok(arrow_select::filter::filter_record_batch(&batch, &keep.into())?)
        }))
    }

    /// Lets `run` write the result as JSON Lines.
    #[pyo3(signature = (path, /))]
    fn write_jsonl(&self, path: PathBuf) -> Self {
        Self(self.0.clone().write_jsonl(path))
    }

    /// Lets a run write what it rejects as JSON Lines.
    #[pyo3(signature = (path, /))]
    fn write_rejects(&self, path: PathBuf) -> Self {
        Self(self.0.clone().write_rejects(path))
    }

    /// Runs the pipeline into its output file; without one, the rows are only counted.
    #[pyo3(signature = (*, threads = None, progress = None))]
    fn run(
        &self,
        py: Python<'_>,
        threads: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Report> {
        let latest = Arc::new(Mutex::new(Progressed::default()));
        let mut options = options(threads);
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
            let now = latest.lock().map_or(Progressed::default(), |latest| *latest);
            match &progress {
                Some(progress) => {
                    progress.call1(py, (now.rows, now.bytes, now.bytes_total)).map(drop)
                }
                None => Ok(()),
            }
        };
        let report = interruptible(py, &options.cancel, &tell, || self.0.run(&options))?;
        tell(py)?;
        Ok(Report(report))
    }

    /// Runs the pipeline in the background and gives its rows in order.
    fn __iter__(&self, py: Python<'_>) -> PyResult<Rows> {
        Rows::start(py, &self.0)
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
        stream::export(py, &self.0)
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.{:?}>", self.0)
    }
}

/// What a run did.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Report(nexus_data::Report);

#[pymethods]
impl Report {
    /// Rows that came out of the last step.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    /// Rows that `dedup_exact` removed.
    #[getter]
    fn duplicates(&self) -> u64 {
        self.0.duplicates
    }

    /// Records that could not be read.
    #[getter]
    fn rejected(&self) -> u64 {
        self.0.rejected.count
    }

    /// The first of them as `file:line: reason`.
    #[getter]
    fn rejected_samples(&self) -> Vec<String> {
        self.0.rejected.samples.iter().map(ToString::to_string).collect()
    }

    /// Files of kinds that are not read.
    #[getter]
    fn skipped(&self) -> u64 {
        self.0.skipped.count
    }

    /// The first of them.
    #[getter]
    fn skipped_samples(&self) -> Vec<String> {
        self.0.skipped.samples.clone()
    }

    /// Files that were opened.
    #[getter]
    fn files(&self) -> u64 {
        self.0.files
    }

    /// Wall-clock time.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    /// Worker threads.
    #[getter]
    fn threads(&self) -> usize {
        self.0.threads
    }

    /// The steps in order.
    #[getter]
    fn steps(&self) -> Vec<StepReport> {
        self.0
            .steps
            .iter()
            .map(|step| StepReport {
                name: step.name.clone(),
                rows_in: step.rows_in,
                rows_out: step.rows_out,
                bytes_in: step.bytes_in,
                seconds: step.seconds,
            })
            .collect()
    }

    fn __repr__(&self) -> String {
        format!(
            "<nexus.data.Report: {} rows, {} duplicates, {} rejected, {:.3} s>",
            self.0.rows(),
            self.0.duplicates,
            self.0.rejected.count,
            self.0.seconds
        )
    }
}

/// What one step did.
#[pyclass(frozen, get_all, module = "nexus.data")]
pub(crate) struct StepReport {
    name: String,
    rows_in: u64,
    rows_out: u64,
    bytes_in: u64,
    seconds: f64,
}

#[pymethods]
impl StepReport {
    fn __repr__(&self) -> String {
        let Self { name, rows_in, rows_out, seconds, .. } = self;
        format!("<nexus.data.StepReport {name}: {rows_in} -> {rows_out} rows, {seconds:.3} s>")
    }
}

fn options(threads: Option<usize>) -> RunOptions {
    RunOptions { threads: threads.unwrap_or(0), ..RunOptions::default() }
}

/// Runs `work` on another thread while this one looks for signals and calls `tell`.
fn interruptible<T: Send>(
    py: Python<'_>,
    cancel: &Cancel,
    tell: &(dyn Fn(Python<'_>) -> PyResult<()> + Sync),
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let result = py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(move || {
                // The receiver waits as long as this thread runs.
                let _ = sender.send(work());
            });
            let mut interrupt = None;
            loop {
                match receiver.recv_timeout(SIGNALS) {
                    Ok(result) => return interrupt.map_or(Ok(result), Err),
                    // A panic: the scope passes it on.
                    Err(RecvTimeoutError::Disconnected) => return Ok(Err(panicked())),
                    Err(RecvTimeoutError::Timeout) if interrupt.is_none() => {
                        let look = |py: Python<'_>| py.check_signals().and_then(|()| tell(py));
                        interrupt = Python::attach(look).err();
                        if interrupt.is_some() {
                            cancel.cancel();
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    });
    result?.map_err(|error| exception(py, error))
}
