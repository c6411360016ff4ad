//! Building and running a pipeline.

mod pictures;

use crate::batch::{Row, columns, strings};
use crate::engine::Sink;
use crate::files::{Files, Keys};
use crate::limits::{BATCH_ROWS_MAX, BATCH_SIZE_MAX, PASSAGE_TOKENS_MAX, THREADS_MAX};
use crate::operators::{
    BatchFn, Clean, Cut, CutOut, DedupExact, Filter, FilterBatches, FilterFn, Format, Judge,
    KeepFn, Map, MapBatches, MapFn, MinChars, Operator, SPECIAL_TOKENS, Stop, Tokenize,
};
use crate::output::{Output, Target};
use crate::sink::{Encoder, Writer};
use crate::source::{BatchLimit, Batches, Reader};
use crate::stages::{self, Decision, Repeats, Shared, Stage, Use, Work};
use crate::storage::{LocalStorage, Storage};
use crate::turnstile::{Closed, Turn};
use crate::{
    AnyTokenizer, ArrowTable, BoxError, Cancel, Error, ErrorKind, ExactCopies, Formatting,
    ImageCopies, ImageRules, ImageTensors, Keep, NearCopies, Node, Progress, Quality,
    RepeatedLines, RepeatedSubstrings, Report, Tokenization,
};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use nexus_tokenizer::Tokenizer;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Bytes that steps may hold which compare all documents.
const MEMORY_SIZE: u64 = 256 << 20;

/// The least of it that a run can be given.
const MEMORY_SIZE_MIN: u64 = 32 << 20;

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
    pub(crate) keys: Keys,
    pub(crate) steps: Vec<Step>,
    pub(crate) output: Option<Output>,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) audit: Option<PathBuf>,
    pub(crate) storage: Arc<dyn Storage>,
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
    /// Most bytes that steps may hold which compare all documents, 256 MiB by default; what is more
    /// goes to the work folder. With a number here `dedup_exact` works there too, and not in memory.
    pub memory_size_bytes: Option<u64>,
    /// Where what must wait for all documents is put: by default a hidden folder beside the output,
    /// else below the system's folder for temporary files. It is gone when the run is over.
    pub work: Option<PathBuf>,
    /// Goes on where an earlier run of the same plan was killed or failed: what was complete of each
    /// stage, group of files by group of files, is not done again. All rows are put aside for it.
    /// Leaves the work folder when this run fails. The output is the same, byte by byte, as that of a
    /// run that was not interrupted.
    pub resume: bool,
    /// Shares the work with other processes, which use the same [`work`](Self::work) folder. A node that
    /// was killed is started again with the same number, and goes on.
    pub node: Option<Node>,
    /// How long a node waits for others without any of them completing a group of files; as long as it
    /// takes, by default.
    pub node_timeout: Option<Duration>,
    /// About how many bytes of files are a group, the unit that is done or not when a run goes on, and
    /// that one node takes: by default 64 MiB, or less where several nodes would have too few. A longer
    /// file is a group of its own.
    pub group_size_bytes: Option<u64>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            cancel: Cancel::new(),
            progress: None,
            batch_rows: 1024,
            batch_size_bytes: 1 << 20,
            memory_size_bytes: None,
            work: None,
            resume: false,
            node: None,
            node_timeout: None,
            group_size_bytes: None,
        }
    }
}

#[derive(Clone)]
pub(crate) enum Source {
    Path(PathBuf),
    /// Taken by the first run.
    Batches(Arc<Mutex<Option<Batches>>>),
    Table(ArrowTable),
}

#[derive(Clone)]
pub(crate) enum Step {
    Clean,
    MinChars(usize),
    Format(Formatting),
    Quality(Quality),
    DedupExact(ExactCopies),
    DedupNear(NearCopies),
    DedupLines(RepeatedLines),
    DedupSubstrings(RepeatedSubstrings),
    Images(ImageRules),
    DedupImages(ImageCopies),
    ImageTensors(ImageTensors),
    TokenizeFile(Tokenization),
    Tokenize(AnyTokenizer),
    Cut(usize),
    Map(Arc<MapFn>),
    Filter(Arc<FilterFn>),
    FilterBatches {
        name: String,
        function: Arc<KeepFn>,
    },
    MapBatches {
        name: String,
        function: Arc<BatchFn>,
    },
}

impl Pipeline {
    /// Reads a file, all files below a folder in the order of their names, or what a pattern of paths
    /// matches (`*`, `?`, `[..]`, `**`).
    ///
    /// `.txt`, `.md`, `.markdown`, `.html` and `.htm` files are one document each; `.jsonl` and
    /// `.ndjson` files have one in the key `text` of each line; `.csv`, `.tsv`, `.parquet`, `.arrow`,
    /// `.feather` and `.arrows` files have one in the column `text` of each row; `.warc`, `.wet` and
    /// `.tar` files are archives of documents. All but Parquet may be compressed (`.gz`, `.zst`,
    /// `.bz2`, `.xz`, any number of members). Hidden files are left out, others are counted as skipped.
    /// The batches have the [`columns`](crate::columns) `id`, `text`, `source`, `line` and `fields`.
    /// [`Files`] says which key or column is the text where it is not `text`, and which the id.
    pub fn read(files: impl Into<Files>) -> Self {
        let Files { path, keys } = files.into();
        Self {
            keys,
            ..Self::new(Source::Path(path))
        }
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

    /// Reads a table that another library holds or makes, batch by batch, as a file is read: the
    /// batches have the [`columns`](crate::columns) `id`, `text`, `source`, `line` (the row, from 1) and
    /// `fields` (all other columns). A null text is rejected; an error of the table ends the run.
    pub fn from_arrow(table: ArrowTable) -> Self {
        Self::new(Source::Table(table))
    }

    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            keys: Keys::default(),
            steps: Vec::new(),
            output: None,
            rejects: None,
            audit: None,
            storage: Arc::new(LocalStorage),
        }
    }

    /// Reads and writes by way of `storage`, in place of the file system of this machine alone. It is no
    /// part of the plan.
    pub fn storage(mut self, storage: impl Storage + 'static) -> Self {
        self.storage = Arc::new(storage);
        self
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

    /// Gives each text another form.
    pub fn format(self, formatting: impl Into<Formatting>) -> Self {
        self.with(Step::Format(formatting.into()))
    }

    /// Keeps the documents that a quality filter keeps, with the text that it leaves of them.
    /// [`Report::dropped`] counts the others by reason.
    pub fn quality(self, filter: impl Into<Quality>) -> Self {
        self.with(Step::Quality(filter.into()))
    }

    /// Keeps the first of all documents that differ in white space at most.
    ///
    /// Holds 16 bytes for each distinct document, plus the set's overhead, in memory, or in the work
    /// folder where [`memory_size_bytes`](RunOptions::memory_size_bytes) is given.
    pub fn dedup_exact(self) -> Self {
        self.dedup_exact_with(ExactCopies::default())
    }

    /// Keeps one of all documents that are equal.
    pub fn dedup_exact_with(self, settings: ExactCopies) -> Self {
        self.with(Step::DedupExact(settings))
    }

    /// Keeps one of all documents that say nearly the same.
    ///
    /// All that comes before is done for all documents first, and what is left of them waits in the
    /// work folder, uncompressed.
    ///
    /// ```
    /// use nexus_data::{NearCopies, Pipeline, RunOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// let text: Vec<_> = (0..99).map(|number| number.to_string()).collect();
    /// std::fs::write(folder.join("a.txt"), text.join(" "))?;
    /// std::fs::write(folder.join("b.txt"), text[1..].join(" "))?;
    /// let near = NearCopies { threshold: Some(0.9), ..NearCopies::default() };
    /// let report = Pipeline::read(folder).dedup_near(near).run(&RunOptions::default())?;
    /// assert_eq!((report.rows(), report.duplicates), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dedup_near(self, settings: NearCopies) -> Self {
        self.with(Step::DedupNear(settings))
    }

    /// Takes lines, paragraphs or sentences out of documents that an earlier document has, or the same one
    /// earlier, and drops documents of which too little is left.
    ///
    /// Works as [`dedup_near`](Self::dedup_near) does, in two stages; hashes of lines are compared on disk.
    ///
    /// ```
    /// use nexus_data::{Pipeline, RepeatedLines, RunOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// std::fs::write(folder.join("a.txt"), "Share this with friends\nOne.")?;
    /// std::fs::write(folder.join("b.txt"), "Two.\nShare this with friends!")?;
    /// let all = RepeatedLines { min_doc_words: None, min_num_sentences: None, ..RepeatedLines::default() };
    /// let pipeline = Pipeline::read(folder).dedup_lines(all);
    /// pipeline.write_jsonl(folder.join("out")).run(&RunOptions::default())?;
    /// assert!(std::fs::read_to_string(folder.join("out"))?.contains(r#""text":"Two.""#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dedup_lines(self, settings: RepeatedLines) -> Self {
        self.with(Step::DedupLines(settings))
    }

    /// Takes text out of documents that stands anywhere earlier in the corpus, and drops documents of which
    /// too little is left.
    ///
    /// Works as [`dedup_near`](Self::dedup_near) does, in two stages. The suffix array takes 12 bytes for
    /// each byte of text (20 for each token); with less memory the corpus is cut into blocks, and each pair
    /// of them is looked at.
    pub fn dedup_substrings(self, settings: RepeatedSubstrings) -> Self {
        self.with(Step::DedupSubstrings(settings))
    }

    /// Reads the images of the source, and keeps the records whose image can be decoded and obeys the
    /// rules. An image that cannot be decoded is [rejected](Report::rejected).
    ///
    /// Wherever the step stands, the source is read with its images: files `.jpg`, `.jpeg`, `.png` and
    /// `.webp`, such members of `.tar` samples, and a column of Parquet and Arrow files. Rows have
    /// a column [`image`](crate::columns::IMAGE) then, and texts may be empty. Steps about images that
    /// follow each other decode each image once.
    ///
    /// ```
    /// use nexus_data::{ImageCopies, ImageRules, Pipeline, RunOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// # let png = include_bytes!("../../image/tests/files/rgb.png");
    /// std::fs::write(folder.join("a.png"), png)?;
    /// std::fs::write(folder.join("b.png"), png)?;
    /// std::fs::write(folder.join("c.png"), &png[..99])?;
    /// let rules = ImageRules { min_size: 64, ..ImageRules::default() };
    /// let pipeline = Pipeline::read(folder).images(rules).dedup_images(ImageCopies::default());
    /// let report = pipeline.write(folder.join("out.parquet")).run(&RunOptions::default())?;
    /// assert_eq!((report.rows(), report.duplicates, report.rejected.count), (1, 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn images(self, rules: ImageRules) -> Self {
        self.with(Step::Images(rules))
    }

    /// Keeps the first of all images that look nearly the same, by perceptual hashes; comes after
    /// [`images`](Self::images). Holds 24 bytes for each image that stays, and its id for an audit.
    pub fn dedup_images(self, settings: ImageCopies) -> Self {
        self.with(Step::DedupImages(settings))
    }

    /// Puts tensors of one size in place of images: a column [`pixels`](crate::columns::PIXELS); comes
    /// after [`images`](Self::images).
    pub fn image_tensors(self, settings: ImageTensors) -> Self {
        self.with(Step::ImageTensors(settings))
    }

    /// Adds the columns `ids`, `starts` and `ends`: each document's tokens, without special ones.
    pub fn tokenize(self, tokenizer: impl Into<AnyTokenizer>) -> Self {
        self.with(Step::Tokenize(tokenizer.into()))
    }

    /// [Tokenizes](Self::tokenize) with a `tokenizer.json`, a `vocab.txt` or a `tiktoken` file that
    /// each run reads, and with the settings beside it.
    pub fn tokenize_file(self, settings: impl Into<Tokenization>) -> Self {
        self.with(Step::TokenizeFile(settings.into()))
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

    /// Keeps the rows for which `function` gives true: an answer for each row of a batch, or an error that
    /// ends the run. It is called on many threads at once, and also with batches of no rows. `name` stands
    /// in the report and in the audit.
    ///
    /// ```
    /// use nexus_data::{Pipeline, RunOptions};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// std::fs::write(folder.join("a.txt"), "A document.")?;
    /// let none = Pipeline::read(folder).filter_batches("none", |batch| Ok(vec![false; batch.num_rows()]));
    /// assert_eq!(none.run(&RunOptions::default())?.rows(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter_batches<F>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(&RecordBatch) -> Result<Vec<bool>, BoxError> + Send + Sync + 'static,
    {
        self.with(Step::FilterBatches {
            name: name.into(),
            function: Arc::new(function),
        })
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

    /// Lets each run write down as JSON Lines which documents its steps drop, and why: `{"id": ..,
    /// "source": .., "line": .., "step": .., "reason": ..}`, for a copy with `duplicate_of` and
    /// `similarity` where they are known, or the `index` that it is in; with the `spans` of bytes that are taken
    /// out of a document. What functions from batch to batch leave out is not written.
    pub fn write_audit(mut self, path: impl Into<PathBuf>) -> Self {
        self.audit = Some(path.into());
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
        let sink = |output: Option<Writer>| match output {
            Some(output) => Sink::Write(output),
            None => Sink::Nothing,
        };
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
        if options.node.is_some() {
            let message = "the batches of a run of several nodes cannot be handed out";
            return Err(Error::invalid(message).with_hint("write them, and read the files"));
        }
        self.start(options, None, |_| Sink::Each(&mut function))
    }

    /// The columns of the batches that come out; `None` when the source is batches.
    ///
    /// Reads no file but the tokenizer's. Functions are called once, with a batch of no rows.
    ///
    /// # Errors
    /// Those of [`run`](Self::run) that concern the steps.
    pub fn schema(&self) -> Result<Option<SchemaRef>, Error> {
        if let Source::Batches(_) = self.source {
            return Ok(None);
        }
        let mut batch = RecordBatch::new_empty(self.read_schema());
        let stages = self.stages(&RunOptions::default())?;
        for operator in stages.iter().flat_map(|stage| &stage.operators) {
            batch = match operator.apply(batch, &mut Turn::new(0)) {
                Ok(batch) => batch,
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Closed) => return Ok(None),
            };
        }
        Ok(Some(batch.schema()))
    }

    /// Says in a line each what a run would do: where it reads, the steps of each stage, what is decided
    /// when all documents are known, where it writes.
    ///
    /// ```
    /// use nexus_data::{NearCopies, Pipeline, RunOptions};
    ///
    /// let pipeline = Pipeline::read("docs").clean().dedup_near(NearCopies::default());
    /// let lines = pipeline.write("out.jsonl.zst").explain(&RunOptions::default())?;
    /// assert_eq!(lines[0], "read docs");
    /// assert_eq!(lines[1], "stage 1: clean");
    /// assert!(lines[2].starts_with("all documents: dedup_near"));
    /// assert_eq!(lines.last().unwrap(), "write out.jsonl.zst as jsonl.zst, one file");
    /// # Ok::<(), nexus_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run) that concern the steps and the output's path.
    pub fn explain(&self, options: &RunOptions) -> Result<Vec<String>, Error> {
        self.keys.check()?;
        let mut lines = vec![format!("read {:?}", self.source)];
        for (what, key) in self.keys.unusual() {
            lines[0].extend([", ", what, " from `", key, "`"]);
        }
        let stages = self.stages(options)?;
        self.trial(&stages)?;
        for (number, stage) in (1..).zip(&stages) {
            if !stage.operators.is_empty() {
                let names = stage.operators.iter().map(|operator| operator.title());
                let names = names.collect::<Vec<_>>().join(", ");
                lines.push(format!("stage {number}: {names}"));
            }
            lines.extend(stage.decision.iter().flat_map(Decision::lines));
        }
        if let Some(output) = &self.output {
            let target = output.target(&self.keys)?;
            let (path, format) = (target.path.display(), target.format.name());
            lines.push(match target.shard_size_bytes {
                None => format!("write {path} as {format}, one file"),
                Some(size) => format!("write {path} as {format}, shards of {size} bytes"),
            });
        }
        for (what, path) in [("rejects", &self.rejects), ("audit", &self.audit)] {
            lines.extend(
                path.iter()
                    .map(|path| format!("write {what} to {}", path.display())),
            );
        }
        Ok(lines)
    }

    fn start<'a>(
        &self,
        options: &RunOptions,
        output: Option<&Output>,
        sink: impl FnOnce(Option<Writer>) -> Sink<'a>,
    ) -> Result<Report, Error> {
        let threads = options.threads()?;
        let mut limit = options.batch_limit()?;
        limit.rows = limit.rows.min(self.batch_rows_max());
        let target = output.map(|output| output.target(&self.keys)).transpose()?;
        self.keys.check()?;
        let all = self.stages(options)?;
        let trial = self.trial(&all)?;
        let storage = self.storage.for_run(&options.cancel);
        for (what, path) in [("rejects", &self.rejects), ("the audit", &self.audit)] {
            check_local(&storage, what, path.as_deref())?;
        }
        if let Some(work) = options.work.as_ref().filter(|work| !storage.is_local(work)) {
            let message = format!("`{}` cannot be a work folder", work.display());
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("give a folder of a file system, which nodes may share"));
        }
        let reader = match &self.source {
            Source::Path(path) => {
                Reader::files(path, &storage, limit, self.image_column(), &self.keys)?
            }
            Source::Table(table) => Reader::table(table, limit, self.image_column())?,
            Source::Batches(batches) => {
                let taken = batches.lock().map_or(None, |mut batches| batches.take());
                let used_up = || Error::invalid("the source was used up by an earlier run");
                Reader::batches(taken.ok_or_else(used_up)?, limit)
            }
        };
        let memory_size = options.memory()?;
        let shared = Shared {
            threads,
            limit,
            memory_size,
            rejects: self.rejects.clone(),
            audit: self.audit.clone(),
            cancel: options.cancel.clone(),
            progress: options.progress.clone(),
            node: options.node,
            node_timeout: options.node_timeout,
        };
        let work = match all.len() {
            1 => None,
            _ => Some(self.work(options, &reader, target.as_ref(), &all)?),
        };
        let write = |target: Target| {
            let schema = trial.as_ref().map(RecordBatch::schema);
            // A column without a form in the format is known before the first file is read.
            trial.map_or(Ok(()), |batch| {
                Encoder::new(&target).encode(batch).map(drop)
            })?;
            let is_writer = options.node.is_none_or(Node::is_first);
            let create = || Writer::create(target, &storage, schema.as_ref());
            is_writer.then(create).transpose()
        };
        let sink = sink(target.map(write).transpose()?.flatten());
        let start = Instant::now();
        let mut report = match work {
            None => stages::run_one(reader, &all[0], sink, &shared)?,
            Some(work) => {
                let size = options.group_size(&reader);
                let readers = if options.goes_on() {
                    reader.groups(size)
                } else {
                    vec![reader]
                };
                stages::run(readers, &all, sink, &shared, work)?
            }
        };
        report.threads = threads;
        report.seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }

    /// The folder of this run.
    fn work(
        &self,
        options: &RunOptions,
        reader: &Reader,
        target: Option<&Target>,
        stages: &[Stage],
    ) -> Result<Work, Error> {
        let nodes = options.node.map(|_| &self.output);
        let decisions = stages.iter().filter_map(|stage| stage.decision.as_ref());
        let indexes = decisions.map(Decision::fingerprints);
        let indexes = indexes.collect::<Result<Vec<_>, _>>()?.concat();
        let plan = match &self.source {
            Source::Path(_) => reader.fingerprint(&format!(
                "{:?} {:?} {:?} {:?} {} {nodes:?} {indexes:?}",
                self.keys,
                self.steps,
                self.rejects,
                self.audit,
                options.group_size(reader),
            )),
            Source::Batches(_) | Source::Table(_) if options.goes_on() => {
                return Err(
                    Error::invalid("a run over Arrow batches cannot be resumed or shared")
                        .with_hint("read files, or run without resume and node"),
                );
            }
            Source::Batches(_) | Source::Table(_) => String::new(),
        };
        if options.node.is_some() && options.work.is_none() {
            let message = "a run of several nodes has no work folder that they share";
            return Err(Error::invalid(message).with_hint("give the work folder a path"));
        }
        if options.resume && options.work.is_none() && target.is_none() {
            return Err(Error::invalid(
                "a run without an output has no work folder to resume from",
            )
            .with_hint("give the work folder a path"));
        }
        let default = || match target {
            Some(target) => self.work_path(&target.path),
            None => std::env::temp_dir().join(format!("nexus-data-{}-{plan}", std::process::id())),
        };
        let path = options.work.clone().unwrap_or_else(default);
        let how = match options.node {
            Some(node) => Use::Share(node),
            None if options.resume => Use::Resume,
            None => Use::Alone,
        };
        Work::open(&path, &plan, how)
    }

    /// The folder beside the output; below the system's folder for temporary files where that is not on
    /// this machine.
    fn work_path(&self, output: &Path) -> PathBuf {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        if self.storage.is_local(output) {
            return output.with_file_name(format!(".{name}.work"));
        }
        let hash = xxhash_rust::xxh3::xxh3_64(output.as_os_str().as_encoded_bytes());
        std::env::temp_dir().join(format!("nexus-data-{name}-{hash:016x}.work"))
    }

    /// The steps, ready to run, up to each decision and from there on.
    pub(crate) fn stages(&self, options: &RunOptions) -> Result<Vec<Stage>, Error> {
        self.check_images(options)?;
        let mut stages = vec![Stage::default()];
        let mut steps = self.steps.iter().peekable();
        while let Some(step) = steps.next() {
            let stage = stages.last_mut().expect("there is one");
            let mut decision = match step {
                Step::Quality(first) => {
                    let mut filters = vec![first];
                    while let Some(Step::Quality(next)) = steps.peek() {
                        filters.push(next);
                        steps.next();
                    }
                    stage.operators.push(Box::new(Judge::new(filters)?));
                    continue;
                }
                Step::Images(_) | Step::DedupImages(_) | Step::ImageTensors(_) => {
                    let operator = step.pictures(&mut steps)?;
                    stage.operators.push(Box::new(operator));
                    continue;
                }
                Step::DedupExact(exact) if exact.is_decided_late(options) => {
                    let near = steps.peek().and_then(|step| match step {
                        Step::DedupNear(near) => Some(near.clone()),
                        _ => None,
                    });
                    if near.is_some() {
                        steps.next();
                    }
                    Decision {
                        exact: Some(exact.clone()),
                        near,
                        ..Decision::default()
                    }
                }
                Step::DedupNear(near) => Decision {
                    near: Some(near.clone()),
                    ..Decision::default()
                },
                Step::DedupLines(_) | Step::DedupSubstrings(_) => Decision {
                    repeats: step.repeats()?,
                    ..Decision::default()
                },
                other => {
                    stage.operators.push(other.operator()?);
                    continue;
                }
            };
            decision.open_indexes()?;
            let mut next = Stage::default();
            if let Some(repeats) = &decision.repeats {
                next.operators.push(Box::new(CutOut::new(repeats)));
            }
            stage.decision = Some(decision);
            stages.push(next);
        }
        // What the last steps have made is put aside too, where it is not to be made again.
        let last = stages.len() - 1;
        if options.goes_on() && (last == 0 || !stages[last].operators.is_empty()) {
            stages[last].decision = Some(Decision::default());
            stages.push(Stage::default());
        }
        Ok(stages)
    }

    /// Brings batch 0, which has no rows, through the steps: so steps that do not fit together are
    /// found before the first file is read. What comes out of a user's function is not known
    /// beforehand, so the trial ends there; else the batch that came out is given.
    pub(crate) fn trial(&self, stages: &[Stage]) -> Result<Option<RecordBatch>, Error> {
        let mut trial = match self.source {
            Source::Path(_) | Source::Table(_) => Some(RecordBatch::new_empty(self.read_schema())),
            Source::Batches(_) => None,
        };
        let turn = &mut Turn::new(0);
        for stage in stages {
            for operator in &stage.operators {
                trial = match trial
                    .filter(|_| !operator.is_foreign())
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
            let step = stage.decision.as_ref().and_then(Decision::step);
            if let (Some(batch), Some(step)) = (&trial, step) {
                strings(batch, columns::TEXT, step)?;
            }
        }
        Ok(trial)
    }
}

/// Lists of what is left out are written to this machine.
fn check_local(storage: &Arc<dyn Storage>, what: &str, path: Option<&Path>) -> Result<(), Error> {
    match path.filter(|path| !storage.is_local(path)) {
        None => Ok(()),
        Some(path) => {
            let message = format!("cannot write {what} to `{}`", path.display());
            Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("give a path of this machine, and copy the file when the run is over"))
        }
    }
}

impl Step {
    /// What is decided on parts of documents.
    fn repeats(&self) -> Result<Option<Repeats>, Error> {
        Ok(match self {
            Self::DedupLines(settings) => {
                settings.check()?;
                Some(Repeats::Lines(*settings))
            }
            Self::DedupSubstrings(settings) => {
                settings.check()?;
                let tokenizer = settings.tokenizer.as_ref().map(Tokenizer::from_file);
                let tokenizer = tokenizer.transpose().map_err(Error::tokenizer)?;
                let tokenizer = tokenizer.map(AnyTokenizer::from);
                Some(Repeats::Substrings(settings.clone(), tokenizer))
            }
            _ => None,
        })
    }

    fn operator(&self) -> Result<Box<dyn Operator>, Error> {
        Ok(match self {
            Self::Clean => Box::new(Clean),
            Self::MinChars(chars) => Box::new(MinChars(*chars)),
            Self::Format(formatting) => Box::new(Format(formatting.formatter())),
            Self::Quality(filter) => Box::new(Judge::new([filter])?),
            Self::DedupExact(settings) => Box::new(DedupExact::new(settings.ignore_space)),
            Self::DedupNear(_) | Self::DedupLines(_) | Self::DedupSubstrings(_) => {
                unreachable!("a decision is no operator")
            }
            Self::Images(_) | Self::DedupImages(_) | Self::ImageTensors(_) => {
                Box::new(self.pictures(&mut [].iter().peekable())?)
            }
            Self::Tokenize(tokenizer) => Box::new(Tokenize::new(tokenizer.clone())),
            Self::TokenizeFile(settings) => Box::new(Tokenize::from_file(settings)?),
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
            Self::FilterBatches { name, function } => Box::new(FilterBatches {
                name: name.clone(),
                function: function.clone(),
            }),
            Self::MapBatches { name, function } => Box::new(MapBatches {
                name: name.clone(),
                function: function.clone(),
            }),
        })
    }
}

impl ExactCopies {
    /// Whether all documents must be known before it is decided which of them stay. Who goes on, and who
    /// shares the work, has not seen those that come before.
    fn is_decided_late(&self, options: &RunOptions) -> bool {
        self.keep == Keep::LeastId
            || options.memory_size_bytes.is_some()
            || options.goes_on()
            || self.has_index()
    }
}

impl RunOptions {
    /// Bytes that steps may hold which compare all documents.
    pub(crate) fn memory(&self) -> Result<u64, Error> {
        let size = self.memory_size_bytes.unwrap_or(MEMORY_SIZE);
        if size < MEMORY_SIZE_MIN {
            return Err(Error::limit(format!(
                "memory_size_bytes is {size}, the least is {MEMORY_SIZE_MIN}"
            )));
        }
        Ok(size)
    }

    /// Whether what the run does is put aside group of files by group of files.
    pub(crate) fn goes_on(&self) -> bool {
        self.resume || self.node.is_some()
    }

    /// Bytes of files in a group.
    fn group_size(&self, reader: &Reader) -> u64 {
        let total = reader.bytes_total().unwrap_or_default();
        let nodes = self.node.map_or(0, Node::count);
        self.group_size_bytes
            .unwrap_or_else(|| stages::group_size(total, nodes))
    }

    pub(crate) fn threads(&self) -> Result<usize, Error> {
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

    pub(crate) fn batch_limit(&self) -> Result<BatchLimit, Error> {
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
            Self::Table(table) => table.fmt(f),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::MinChars(chars) => write!(f, "min_chars({chars})"),
            Self::Format(formatting) => formatting.fmt(f),
            Self::Quality(filter) => filter.fmt(f),
            Self::DedupExact(settings) => write!(f, "dedup_exact({settings:?})"),
            Self::DedupNear(settings) => write!(f, "dedup_near({settings:?})"),
            Self::DedupLines(settings) => write!(f, "dedup_lines({settings:?})"),
            Self::DedupSubstrings(settings) => write!(f, "dedup_substrings({settings:?})"),
            Self::Images(settings) => write!(f, "images({settings:?})"),
            Self::DedupImages(settings) => write!(f, "dedup_images({settings:?})"),
            Self::ImageTensors(settings) => write!(f, "image_tensors({settings:?})"),
            Self::TokenizeFile(settings) => write!(f, "tokenize({settings:?})"),
            Self::Tokenize(tokenizer) => write!(f, "tokenize({tokenizer:?})"),
            Self::Cut(tokens) => write!(f, "cut({tokens})"),
            Self::Map(_) => f.write_str("map"),
            Self::Filter(_) => f.write_str("filter"),
            Self::FilterBatches { name, .. } | Self::MapBatches { name, .. } => f.write_str(name),
        }
    }
}
