//! From a corpus to an index: prepare, embed, write.

use crate::error::{Error, ErrorKind};
use crate::index::{Draft, Index, Record, Summary};
use crate::limits::PASSAGES_MAX;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use nexus_data::columns;
use nexus_data::{Cancel, Pipeline, Progressed, RunOptions};
use nexus_minilm::{MiniLm, TOKENS_MAX};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// What to build.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The folder or file to read: text, Markdown, HTML, JSONL, each also with `.gz`.
    pub source: PathBuf,
    /// The index to write.
    pub out: PathBuf,
    /// Threads for reading and for embedding.
    pub threads: NonZero<usize>,
    /// Build even if the index at `out` was built from the same bytes by the same program.
    pub force: bool,
}

/// What a build did.
#[derive(Clone, Debug, Serialize)]
pub struct BuildReport {
    /// Whether there was anything to do.
    pub outcome: Outcome,
    /// The counts, of this build or of the one before.
    #[serde(flatten)]
    pub summary: Summary,
    /// The stages in order; none if the index is unchanged.
    pub stages: Vec<StageReport>,
    /// The first of the records that were set aside: file, line, reason.
    pub rejects: Vec<String>,
    /// Wall-clock time.
    pub seconds: f64,
    /// The most memory the process held, if the caller knows it.
    pub peak_memory_bytes: Option<u64>,
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The index was written.
    Built,
    /// The index is up to date and was left alone.
    Unchanged,
}

/// What one stage did. Seconds of the data steps are added up over threads.
#[derive(Clone, Debug, Serialize)]
pub struct StageReport {
    /// `read`, `clean`, `dedup_exact`, `tokenize`, `cut`, `embed` or `write`.
    pub name: String,
    /// Rows that came in.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Time.
    pub seconds: f64,
}

/// A stage of the build, as a watcher sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Comparing the source, the model and the program with what the index was built from; counted
    /// in bytes.
    Compare,
    /// Reading, cleaning, dropping duplicates, tokenising and cutting; counted in bytes read.
    Prepare,
    /// Embedding; counted in passages.
    Embed,
    /// Writing the index; counted in passages.
    Write,
}

impl Stage {
    /// The name in progress lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Prepare => "prepare",
            Self::Embed => "embed",
            Self::Write => "write",
        }
    }
}

/// Hears of progress: stage, units done, units in all where that is known. Called from any thread.
pub type Watch = Arc<dyn Fn(Stage, u64, Option<u64>) + Send + Sync>;

/// Builds the index of `options.source` at `options.out`.
///
/// The index carries a fingerprint of the bytes of the source, the model and this program: when it
/// matches, nothing is done. Otherwise the index is written in one step at the end; when
/// the build fails or `cancel` is set, an index that was there stays as it was.
///
/// # Errors
/// When the source cannot be read or holds no text, when the index cannot be written, and with
/// [`ErrorKind::Cancelled`] when `cancel` is set. Records that cannot be read are set aside and
/// counted, not fatal.
pub fn build(
    options: &BuildOptions,
    model: &MiniLm,
    watch: &Watch,
    cancel: &Arc<AtomicBool>,
) -> Result<BuildReport, Error> {
    let start = Instant::now();
    check_target(&options.out)?;
    let fingerprint = fingerprint(&options.source, model, watch, cancel)?;
    if !options.force
        && let Ok(index) = Index::open(&options.out)
        && index.fingerprint() == fingerprint
    {
        return Ok(BuildReport {
            outcome: Outcome::Unchanged,
            summary: index.summary().clone(),
            stages: Vec::new(),
            rejects: Vec::new(),
            seconds: start.elapsed().as_secs_f64(),
            peak_memory_bytes: None,
        });
    }
    let mut build = Build {
        options,
        model,
        watch,
        cancel,
        stages: Vec::new(),
    };
    let prepared = build.prepare()?;
    let draft = build.embed(&prepared)?;
    build.write(&draft, &prepared.summary, &fingerprint)?;
    Ok(BuildReport {
        outcome: Outcome::Built,
        summary: prepared.summary,
        stages: build.stages,
        rejects: prepared.rejects,
        seconds: start.elapsed().as_secs_f64(),
        peak_memory_bytes: None,
    })
}

/// Refuses a target that cannot be written before minutes are spent on what it should hold.
fn check_target(out: &Path) -> Result<(), Error> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if out.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        let message = format!(
            "cannot write the index {}: it is a folder or in none",
            out.display()
        );
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    Ok(())
}

/// Passages that are embedded between two looks at the cancel flag, for each thread.
const SLICE: usize = 64;

/// Documents with fewer characters than this say nothing worth finding.
const CHARS_MIN: usize = 2;

/// A build under way.
struct Build<'a> {
    options: &'a BuildOptions,
    model: &'a MiniLm,
    watch: &'a Watch,
    cancel: &'a Arc<AtomicBool>,
    stages: Vec<StageReport>,
}

/// What the data pipeline made of the source.
#[derive(Default)]
struct Prepared {
    records: Vec<Record>,
    ids: Vec<Vec<u32>>,
    summary: Summary,
    rejects: Vec<String>,
}

impl Build<'_> {
    /// Reads, cleans, drops duplicates, tokenises and cuts.
    fn prepare(&mut self) -> Result<Prepared, Error> {
        let mut prepared = Prepared::default();
        let watch = Arc::clone(self.watch);
        let progress = move |now: Progressed| watch(Stage::Prepare, now.bytes, now.bytes_total);
        let run = RunOptions {
            threads: self.options.threads.get(),
            cancel: Cancel::from_flag(Arc::clone(self.cancel)),
            progress: Some(Arc::new(progress)),
            ..RunOptions::default()
        };
        let report = Pipeline::read(&self.options.source)
            .clean()
            .min_chars(CHARS_MIN)
            .dedup_exact()
            .tokenize(Arc::clone(self.model.tokenizer()))
            .cut(TOKENS_MAX)
            .for_each(&run, |batch| {
                if prepared.records.len() + batch.num_rows() > PASSAGES_MAX {
                    let message = format!("more than {PASSAGES_MAX} passages (PASSAGES_MAX)");
                    return Err(Error::new(ErrorKind::LimitReached, message).into());
                }
                prepared.take(&batch);
                Ok(())
            })?;
        prepared.summary = Summary {
            documents: report.steps.first().map_or(0, |read| read.rows_out),
            duplicates: report.duplicates,
            rejected: report.rejected.count,
            passages: prepared.records.len() as u64,
            tokens: prepared.ids.iter().map(|ids| ids.len() as u64 + 2).sum(),
        };
        prepared.rejects = report
            .rejected
            .samples
            .iter()
            .map(ToString::to_string)
            .collect();
        let stages = report.steps.into_iter().map(|step| StageReport {
            name: step.name,
            rows_in: step.rows_in,
            rows_out: step.rows_out,
            seconds: step.seconds,
        });
        self.stages.extend(stages);
        if prepared.records.is_empty() {
            let message = format!(
                "cannot index {}: it holds no text",
                self.options.source.display()
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        Ok(prepared)
    }

    fn embed(&mut self, prepared: &Prepared) -> Result<Draft, Error> {
        let start = Instant::now();
        let total = prepared.records.len();
        let mut draft = Draft::new(self.model.dimensions());
        (self.watch)(Stage::Embed, 0, Some(total as u64));
        let slice = SLICE * self.options.threads.get();
        for (records, ids) in prepared
            .records
            .chunks(slice)
            .zip(prepared.ids.chunks(slice))
        {
            self.check_cancel()?;
            let vectors = self.model.embed_ids(ids, self.options.threads)?;
            for (vector, record) in vectors.chunks_exact(self.model.dimensions()).zip(records) {
                draft.push(vector, record);
            }
            (self.watch)(Stage::Embed, draft.passages(), Some(total as u64));
        }
        self.note(Stage::Embed, total, start);
        Ok(draft)
    }

    fn write(&mut self, draft: &Draft, summary: &Summary, fingerprint: &str) -> Result<(), Error> {
        let start = Instant::now();
        let total = summary.passages;
        (self.watch)(Stage::Write, 0, Some(total));
        self.check_cancel()?;
        draft.write(&self.options.out, summary, fingerprint)?;
        (self.watch)(Stage::Write, total, Some(total));
        self.note(Stage::Write, total as usize, start);
        Ok(())
    }

    fn check_cancel(&self) -> Result<(), Error> {
        if self.cancel.load(Ordering::Relaxed) {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }

    fn note(&mut self, stage: Stage, rows: usize, start: Instant) {
        let (name, rows) = (stage.name().to_owned(), rows as u64);
        let seconds = start.elapsed().as_secs_f64();
        self.stages.push(StageReport {
            name,
            rows_in: rows,
            rows_out: rows,
            seconds,
        });
    }
}

impl Prepared {
    /// Keeps what the index needs of a batch of passages, whose columns the pipeline above made.
    fn take(&mut self, batch: &RecordBatch) {
        let strings = |name| batch[name].as_string::<i32>();
        let [ids, sources, fields, texts] = [
            columns::ID,
            columns::SOURCE,
            columns::FIELDS,
            columns::PASSAGE,
        ]
        .map(strings);
        let parts = batch[columns::PART].as_primitive::<UInt32Type>();
        let tokens = batch[columns::IDS].as_list::<i32>();
        for row in 0..batch.num_rows() {
            let fields: Fields = serde_json::from_str(fields.value(row)).unwrap_or_default();
            self.records.push(Record {
                title: fields.title.unwrap_or_else(|| ids.value(row).to_owned()),
                module: fields
                    .module
                    .unwrap_or_else(|| sources.value(row).to_owned()),
                url: fields.url.unwrap_or_default(),
                source: sources.value(row).to_owned(),
                part: parts.value(row),
                text: texts.value(row).to_owned(),
            });
            self.ids.push(
                tokens
                    .value(row)
                    .as_primitive::<UInt32Type>()
                    .values()
                    .to_vec(),
            );
        }
    }
}

/// The fields of a JSONL record that the index keeps.
#[derive(Default, Deserialize)]
struct Fields {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

/// A hash of the bytes that the index depends on: this program's, the model's and the source's.
fn fingerprint(
    source: &Path,
    model: &MiniLm,
    watch: &Watch,
    cancel: &AtomicBool,
) -> Result<String, Error> {
    let mut hash = Fingerprint {
        hash: Xxh3::new(),
        size: 0,
        watch,
        cancel,
    };
    hash.hash.update(model.precision().name().as_bytes());
    let program = std::env::current_exe().ok();
    let model = ["config.json", "model.safetensors", "tokenizer.json"]
        .map(|name| model.folder().join(name));
    for path in program.iter().chain(&model) {
        hash.add(path, path)?;
    }
    for path in nexus_data::files(source)? {
        hash.add(&path, path.strip_prefix(source).unwrap_or(&path))?;
    }
    Ok(format!("{:032x}", hash.hash.digest128()))
}

/// A fingerprint under way.
struct Fingerprint<'a> {
    hash: Xxh3,
    size: u64,
    watch: &'a Watch,
    cancel: &'a AtomicBool,
}

impl Fingerprint<'_> {
    /// Adds a file's name and bytes. One that cannot be read adds its kind of error instead: the
    /// pipeline's reader reports it.
    fn add(&mut self, path: &Path, name: &Path) -> Result<(), Error> {
        self.hash.update(name.as_os_str().as_encoded_bytes());
        let before = self.size;
        if let Err(error) = self.add_bytes(path) {
            if error.kind() == io::ErrorKind::Interrupted {
                return Err(Error::cancelled());
            }
            self.hash.update(error.kind().to_string().as_bytes());
        }
        // The size, so that bytes cannot wander from one file to the next unseen.
        self.hash.update(&(self.size - before).to_le_bytes());
        Ok(())
    }

    fn add_bytes(&mut self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let size = file.read(&mut buffer)?;
            if size == 0 {
                return Ok(());
            }
            self.hash.update(&buffer[..size]);
            self.size += size as u64;
            (self.watch)(Stage::Compare, self.size, None);
        }
    }
}
