//! What a pipeline is: a source, steps, and what becomes of the result.

mod describe;
mod fingerprint;
mod options;
mod pictures;
mod places;
mod run;
mod stages;
mod step;

use crate::batch::Row;
use crate::files::{Files, Keys};
use crate::output::Output;
use crate::source::Batches;
use crate::storage::{LocalStorage, Storage, shown};
use crate::{
    AnyTokenizer, ArrowTable, BoxError, ExactCopies, Formatting, ImageCopies, ImageRules,
    ImageTensors, NearCopies, Quality, RepeatedLines, RepeatedSubstrings, Tokenization,
};
use arrow_array::RecordBatch;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub use options::RunOptions;
pub(crate) use places::check_local;
pub(crate) use step::Step;

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

#[derive(Clone)]
pub(crate) enum Source {
    Path(PathBuf),
    /// Taken by the first run.
    Batches(Arc<Mutex<Option<Batches>>>),
    Table(ArrowTable),
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
    /// [`Report::dropped`](crate::Report::dropped) counts the others by reason.
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
    /// rules. An image that cannot be decoded is [rejected](crate::Report::rejected).
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
    /// [`images`](Self::images). Holds 24 bytes for each image that stays, and its id for an audit. Runs that go
    /// on or are shared put hashes aside, and decide when all images are known: that holds 32 bytes for each.
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
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(&shown(path)),
            Self::Batches(_) => f.write_str("batches"),
            Self::Table(table) => table.fmt(f),
        }
    }
}
