//! Building and running a pipeline.

use crate::atomic::AtomicFile;
use crate::batch::Row;
use crate::engine::{self, Job, Sink};
use crate::limits::{BATCH_ROWS_MAX, BATCH_SIZE_MAX, PASSAGE_TOKENS_MAX, THREADS_MAX};
use crate::operators::{
    BatchFn, Clean, Cut, DedupExact, Filter, FilterFn, Map, MapBatches, MapFn, MinChars, Operator,
    SPECIAL_TOKENS, Stop, Tokenize,
};
use crate::output::{Output, Target};
use crate::sink::Writer;
use crate::source::{BatchLimit, Batches, Reader};
use crate::turnstile::{Closed, Turn};
use crate::{BoxError, Cancel, Error, Progress, Report, batch};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use nexus_tokenizer::WordPiece;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A source, steps, and what becomes of the result.
///
/// Building one does no work and cannot fail; [`run`](Self::run) and [`for_each`](Self::for_each)
/// check it before they read the first file. It can be run many times, on the same or on changed
/// files, unless its source is [`batches`](Self::batches).
///
/// ```
/// use nexus_data::{Pipeline, RunOptions, columns};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// std::fs::write(folder.join("a.md"), "# Title\n\nSome *text*.")?;
/// std::fs::write(folder.join("b.txt"), "Title   Some text.")?;
/// let pipeline = Pipeline::read(folder).clean().dedup_exact();
///
/// let mut texts = Vec::new();
/// let report = pipeline.for_each(&RunOptions::default(), |batch| {
///     let column = batch.column_by_name(columns::TEXT).ok_or("no text")?;
///     texts.extend(column.as_any().downcast_ref::<arrow_array::StringArray>().ok_or("no strings")?
///         .iter().flatten().map(str::to_owned));
///     Ok(())
/// })?;
/// assert_eq!(texts, ["Title\n\nSome text."]);
/// assert_eq!(report.duplicates, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a pipeline does nothing until it is run"]
pub struct Pipeline {
    pub(crate) source: Source,
    pub(crate) steps: Vec<Step>,
    pub(crate) output: Option<Output>,
    pub(crate) rejects: Option<PathBuf>,
}

/// How a pipeline is run.
#[derive(Clone)]
pub struct RunOptions {
    /// Worker threads; 0, the default, for as many as the machine runs at once.
    pub threads: usize,
    /// Stops the run when it is cancelled.
    pub cancel: Cancel,
    /// Hears how far the run is.
    pub progress: Option<Arc<dyn Progress>>,
    /// Most rows of a batch as it is read, 1024 by default. Fewer when a step is slow, such as a
    /// model: threads then share the work more evenly and progress is finer.
    pub batch_rows: usize,
    /// Most bytes of a batch as it is read, 1 MiB by default; a longer document is a batch of its
    /// own. A run holds about this much for each thread, times what the steps make of it.
    pub batch_size_bytes: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            cancel: Cancel::new(),
            progress: None,
            batch_rows: 1024,
            batch_size_bytes: 1 << 20,
        }
    }
}

#[derive(Clone)]
pub(crate) enum Source {
    Path(PathBuf),
    /// Taken by the first run.
    Batches(Arc<Mutex<Option<Batches>>>),
}

#[derive(Clone)]
pub(crate) enum Step {
    Clean,
    MinChars(usize),
    DedupExact,
    TokenizeFile(PathBuf),
    Tokenize(Arc<WordPiece>),
    Cut(usize),
    Map(Arc<MapFn>),
    Filter(Arc<FilterFn>),
    MapBatches {
        name: String,
        function: Arc<BatchFn>,
    },
}

type Operators = Vec<Box<dyn Operator>>;

impl Pipeline {
    /// Reads a file, or all files below a folder in the order of their names.
    ///
    /// `.txt`, `.md`, `.markdown`, `.html` and `.htm` files are one document each; `.jsonl` and
    /// `.ndjson` files have one in the key `text` of each line; `.csv`, `.tsv`, `.parquet`, `.arrow`,
    /// `.feather` and `.arrows` files have one in the column `text` of each row; `.warc`, `.wet` and
    /// `.tar` files are archives of documents. All but Parquet may be compressed (`.gz`, `.zst`,
    /// `.bz2`, `.xz`, any number of members). Hidden files are left out, others are counted as skipped.
    /// The batches have the [`columns`](crate::columns) `id`, `text`, `source`, `line` and `fields`.
    pub fn read(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::Path(path.into()))
    }

    /// Takes batches from an iterator, as they are. It is used up by the first run.
    pub fn batches<I>(batches: I) -> Self
    where
        I: IntoIterator<Item = RecordBatch>,
        I::IntoIter: Send + 'static,
    {
        let batches: Batches = Box::new(batches.into_iter());
        Self::new(Source::Batches(Arc::new(Mutex::new(Some(batches)))))
    }

    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            steps: Vec::new(),
            output: None,
            rejects: None,
        }
    }

    /// Gives all texts one form: lines end with `\n`, control characters, blanks at line ends and
    /// all but one of consecutive blank lines are gone. Indentation stays.
    pub fn clean(self) -> Self {
        self.with(Step::Clean)
    }

    /// Keeps documents of at least `chars` characters.
    pub fn min_chars(self, chars: usize) -> Self {
        self.with(Step::MinChars(chars))
    }

    /// Keeps the first of all documents that differ in white space at most.
    ///
    /// Holds 16 bytes for each distinct document, plus the set's overhead.
    pub fn dedup_exact(self) -> Self {
        self.with(Step::DedupExact)
    }

    /// Adds the columns `ids`, `starts` and `ends`: each document's tokens, without special ones.
    pub fn tokenize(self, tokenizer: impl Into<Arc<WordPiece>>) -> Self {
        self.with(Step::Tokenize(tokenizer.into()))
    }

    /// [Tokenizes](Self::tokenize) with a `tokenizer.json` or `vocab.txt` that each run reads.
    pub fn tokenize_file(self, path: impl Into<PathBuf>) -> Self {
        self.with(Step::TokenizeFile(path.into()))
    }

    /// Cuts tokenized documents into passages of at most `max_tokens` tokens, `[CLS]` and `[SEP]`
    /// included though not present.
    ///
    /// A row becomes as many rows as it has passages, in order, with the columns `part`, `passage`
    /// and `ids` in place of `text`, `ids`, `starts` and `ends`. A passage ends at the best place in
    /// the last third of what would fit: between paragraphs, lines, sentences or words; a word is
    /// cut only when it is longer than a passage. A document without tokens has no passage.
    pub fn cut(self, max_tokens: usize) -> Self {
        self.with(Step::Cut(max_tokens))
    }

    /// Replaces each row's text. The function is called on many threads at once.
    pub fn map(self, function: impl Fn(Row<'_>) -> String + Send + Sync + 'static) -> Self {
        self.with(Step::Map(Arc::new(function)))
    }

    /// Keeps the rows for which `function` holds. It is called on many threads at once.
    pub fn filter(self, function: impl Fn(Row<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.with(Step::Filter(Arc::new(function)))
    }

    /// Replaces each batch by what `function` makes of it: other rows, other columns, or an error
    /// that ends the run. It is called on many threads at once, and also with batches of no rows.
    /// `name` stands in the report.
    pub fn map_batches<F>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(RecordBatch) -> Result<RecordBatch, BoxError> + Send + Sync + 'static,
    {
        self.with(Step::MapBatches {
            name: name.into(),
            function: Arc::new(function),
        })
    }

    /// Lets [`run`](Self::run) write the result. A path with the ending of a [`Format`](crate::Format)
    /// is one file; for a folder of shards, see [`Output`].
    ///
    /// The output appears when the run succeeds, in place of an older one; otherwise there is no
    /// trace of it. The same rows give the same bytes, for any number of threads.
    ///
    /// ```
    /// use nexus_data::{Format, Output, Pipeline, RunOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// std::fs::write(folder.join("a.txt"), "A document.")?;
    /// let pipeline = Pipeline::read(folder.join("a.txt"));
    /// pipeline.clone().write(folder.join("a.parquet")).run(&RunOptions::default())?;
    ///
    /// let shards = Output::new(folder.join("shards")).format(Format::Mds);
    /// pipeline.write(shards).run(&RunOptions::default())?;
    /// assert!(folder.join("shards/index.json").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(mut self, output: impl Into<Output>) -> Self {
        self.output = Some(output.into());
        self
    }

    /// Lets [`run`](Self::run) write the result as one file of JSON Lines, one object a row with the
    /// columns as keys: [`write`](Self::write) for a path of any ending. The file is compressed when
    /// that is `.gz` or `.zst`.
    pub fn write_jsonl(self, path: impl Into<PathBuf>) -> Self {
        self.write(Output::jsonl_file(path.into()))
    }

    /// Lets each run write what it rejects as JSON Lines: `{"file": .., "line": .., "reason": ..}`.
    pub fn write_rejects(mut self, path: impl Into<PathBuf>) -> Self {
        self.rejects = Some(path.into());
        self
    }

    fn with(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Runs the pipeline into its output file; without one, the rows are only counted.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the steps do not fit together or an
    /// option is out of its range, [`NotFound`](crate::ErrorKind::NotFound) when the source or the
    /// tokenizer is missing, [`Io`](crate::ErrorKind::Io) when the output cannot be written,
    /// [`Function`](crate::ErrorKind::Function) when a function returns an error,
    /// [`Cancelled`](crate::ErrorKind::Cancelled). There is no output file then, or the one from
    /// before. Records that cannot be read are no error: see [`Report::rejected`].
    ///
    /// # Panics
    /// When a function panics.
    pub fn run(&self, options: &RunOptions) -> Result<Report, Error> {
        let sink = |output: Option<Writer>| output.map_or(Sink::Nothing, Sink::Write);
        self.start(options, self.output.as_ref(), sink)
    }

    /// Runs the pipeline and hands each batch that has rows to `function`, one at a time and in
    /// order. An output file is not written.
    ///
    /// # Errors
    /// Those of [`run`](Self::run). An error of `function` ends the run.
    ///
    /// # Panics
    /// When a function panics.
    pub fn for_each<F>(&self, options: &RunOptions, mut function: F) -> Result<Report, Error>
    where
        F: FnMut(RecordBatch) -> Result<(), BoxError> + Send,
    {
        self.start(options, None, |_| Sink::Each(&mut function))
    }

    /// The columns of the batches that come out; `None` when the source is batches.
    ///
    /// Reads no file but the tokenizer's. Functions are called once, with a batch of no rows.
    ///
    /// # Errors
    /// Those of [`run`](Self::run) that concern the steps.
    pub fn schema(&self) -> Result<Option<SchemaRef>, Error> {
        let Source::Path(_) = self.source else {
            return Ok(None);
        };
        let mut batch = RecordBatch::new_empty(batch::read_schema());
        for step in &self.steps {
            batch = match step.operator()?.apply(batch, &mut Turn::new(0)) {
                Ok(batch) => batch,
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Closed) => return Ok(None),
            };
        }
        Ok(Some(batch.schema()))
    }

    fn start<'a>(
        &self,
        options: &RunOptions,
        output: Option<&Output>,
        sink: impl FnOnce(Option<Writer>) -> Sink<'a>,
    ) -> Result<Report, Error> {
        let threads = options.threads()?;
        let limit = options.batch_limit()?;
        let target = output.map(Output::target).transpose()?;
        let (operators, trial) = self.operators()?;
        let reader = match &self.source {
            Source::Path(path) => Reader::files(path, limit)?,
            Source::Batches(batches) => {
                let taken = batches.lock().map_or(None, |mut batches| batches.take());
                let used_up = || Error::invalid("the source was used up by an earlier run");
                Reader::batches(taken.ok_or_else(used_up)?, limit)
            }
        };
        let create = |path: &PathBuf| AtomicFile::create(path);
        let write = |target: Target| {
            let schema = trial.as_ref().map(RecordBatch::schema);
            let writer = Writer::create(target, schema.as_ref())?;
            // A column without a form in the format is known before the first file is read.
            trial.map_or(Ok(()), |batch| writer.encoder().encode(batch).map(drop))?;
            Ok::<_, Error>(writer)
        };
        engine::run(Job {
            reader,
            operators,
            rejects: self.rejects.as_ref().map(create).transpose()?,
            sink: sink(target.map(write).transpose()?),
            threads,
            cancel: options.cancel.clone(),
            progress: options.progress.clone(),
        })
    }

    /// The steps, ready to run. Batch 0, which has no rows, has passed them: so steps that do not fit
    /// together are found before the first file is read. What comes out of a user's function is not
    /// known beforehand, so the trial ends there; else the batch that came out is given too.
    fn operators(&self) -> Result<(Operators, Option<RecordBatch>), Error> {
        let operators: Vec<_> = self
            .steps
            .iter()
            .map(Step::operator)
            .collect::<Result<_, _>>()?;
        let mut trial = match self.source {
            Source::Path(_) => Some(RecordBatch::new_empty(batch::read_schema())),
            Source::Batches(_) => None,
        };
        let turn = &mut Turn::new(0);
        for (step, operator) in self.steps.iter().zip(&operators) {
            let is_known = !matches!(step, Step::MapBatches { .. });
            trial = match trial
                .filter(|_| is_known)
                .map(|batch| operator.apply(batch, turn))
            {
                Some(Ok(batch)) => Some(batch),
                Some(Err(Stop::Failed(error))) => return Err(error),
                Some(Err(Stop::Closed)) | None => {
                    let _: Result<(), Closed> = operator.skip(turn);
                    None
                }
            };
        }
        Ok((operators, trial))
    }
}

impl Step {
    fn operator(&self) -> Result<Box<dyn Operator>, Error> {
        Ok(match self {
            Self::Clean => Box::new(Clean),
            Self::MinChars(chars) => Box::new(MinChars(*chars)),
            Self::DedupExact => Box::new(DedupExact::new()),
            Self::Tokenize(tokenizer) => Box::new(Tokenize(tokenizer.clone())),
            Self::TokenizeFile(path) => {
                let tokenizer = WordPiece::from_file(path).map_err(Error::tokenizer)?;
                Box::new(Tokenize(Arc::new(tokenizer)))
            }
            Self::Cut(tokens) => {
                if !(SPECIAL_TOKENS + 1..=PASSAGE_TOKENS_MAX).contains(tokens) {
                    return Err(Error::invalid(format!(
                        "step `cut`: max_tokens is {tokens}, it must be from {} to {PASSAGE_TOKENS_MAX}",
                        SPECIAL_TOKENS + 1
                    )));
                }
                Box::new(Cut::new(*tokens))
            }
            Self::Map(function) => Box::new(Map(function.clone())),
            Self::Filter(function) => Box::new(Filter(function.clone())),
            Self::MapBatches { name, function } => Box::new(MapBatches {
                name: name.clone(),
                function: function.clone(),
            }),
        })
    }
}

impl RunOptions {
    fn threads(&self) -> Result<usize, Error> {
        match self.threads {
            0 => Ok(std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(THREADS_MAX)),
            threads if threads <= THREADS_MAX => Ok(threads),
            threads => Err(Error::limit(format!(
                "a run has at most THREADS_MAX = {THREADS_MAX} threads, not {threads}"
            ))),
        }
    }

    fn batch_limit(&self) -> Result<BatchLimit, Error> {
        let limit = BatchLimit {
            rows: self.batch_rows,
            size_bytes: self.batch_size_bytes,
        };
        for (name, value, max) in [
            ("batch_rows", limit.rows, BATCH_ROWS_MAX),
            ("batch_size_bytes", limit.size_bytes, BATCH_SIZE_MAX),
        ] {
            if !(1..=max).contains(&value) {
                return Err(Error::invalid(format!(
                    "{name} is {value}, it must be from 1 to {max}"
                )));
            }
        }
        Ok(limit)
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("threads", &self.threads)
            .field("batch_rows", &self.batch_rows)
            .field("batch_size_bytes", &self.batch_size_bytes)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Batches(_) => f.write_str("batches"),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::MinChars(chars) => write!(f, "min_chars({chars})"),
            Self::DedupExact => f.write_str("dedup_exact"),
            Self::TokenizeFile(path) => write!(f, "tokenize({})", path.display()),
            Self::Tokenize(tokenizer) => write!(f, "tokenize({tokenizer:?})"),
            Self::Cut(tokens) => write!(f, "cut({tokens})"),
            Self::Map(_) => f.write_str("map"),
            Self::Filter(_) => f.write_str("filter"),
            Self::MapBatches { name, .. } => f.write_str(name),
        }
    }
}
