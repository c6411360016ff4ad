//! From files to batches: the part that must run in order hands out chunks of bytes or lists of
//! files, the part that can run on any thread turns a chunk into rows.

mod arrow;
mod aside;
mod csv;
mod documents;
mod foreign;
mod http;
mod lines;
mod listing;
mod open;
mod parquet;
mod records;
mod sample;
mod table;
mod tar;
mod warc;

use crate::batch::Rows;
use crate::report::{Counted, Progressed};
use crate::stages::Removed;
use crate::turnstile::Turn;
use crate::{Error, Reject};
use arrow_array::RecordBatch;
use lines::{LineChunk, Lines};
use listing::{Compression, Format, Listing};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::Xxh3;

pub use listing::files;
pub(crate) use listing::{Input, MANIFEST, list};

/// Batches from elsewhere, in place of files.
pub(crate) type Batches = Box<dyn Iterator<Item = RecordBatch> + Send>;

/// Where a batch is cut as it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimit {
    pub(crate) rows: usize,
    pub(crate) size_bytes: usize,
}

/// What was read from files so far.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) bytes: AtomicU64,
    pub(crate) files: AtomicU64,
}

/// A piece of work for one thread.
pub(crate) enum Chunk {
    Lines(LineChunk),
    Cells(csv::CellChunk),
    Table(table::TableChunk),
    Captures(warc::CaptureChunk),
    Samples(sample::SampleChunk),
    Documents(Vec<Input>),
    Aside(aside::AsideChunk),
    Batch(RecordBatch),
}

/// A file that holds many records, read from its start to its end.
pub(crate) trait Records: Send {
    /// The next records, as many as the limit allows but at least one; `None` at the end. What
    /// cannot be read is rejected.
    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk>;
}

/// Hands out the source piece by piece. Needs little time, for it holds up all threads.
pub(crate) struct Reader {
    inputs: VecDeque<Input>,
    records: Option<Box<dyn Records>>,
    batches: Option<Batches>,
    rejects: Vec<Reject>,
    limit: BatchLimit,
    meter: Arc<Meter>,
    bytes_total: Option<u64>,
    skipped: Counted<String>,
}

impl Reader {
    /// Finds the files of `root`.
    pub(crate) fn files(root: &Path, limit: BatchLimit) -> Result<Self, Error> {
        let Listing {
            inputs,
            skipped,
            rejects,
        } = list(root)?;
        let bytes_total = Some(inputs.iter().map(|input| input.size).sum());
        let inputs = inputs.into();
        Ok(Self {
            inputs,
            rejects,
            bytes_total,
            skipped,
            ..Self::empty(limit)
        })
    }

    /// Reads these files, after what was rejected before the first of them.
    pub(crate) fn part(inputs: Vec<Input>, rejects: Vec<Reject>, limit: BatchLimit) -> Self {
        Self {
            inputs: inputs.into(),
            rejects,
            ..Self::empty(limit)
        }
    }

    /// Cuts the files into runs of at least `size` bytes. Readers of these, one after the other, give
    /// the batches that this one would give.
    pub(crate) fn into_runs(mut self, size: u64) -> Vec<(Vec<Input>, Vec<Reject>)> {
        let mut runs = Vec::new();
        let (mut run, mut run_size): (Vec<Input>, u64) = (Vec::new(), 0);
        while let Some(next) = self.inputs.front() {
            let known = run.len();
            if next.format.is_document() {
                // Small ones share a batch, which must not be cut.
                run.extend(self.next_documents());
            } else {
                run.extend(self.inputs.pop_front());
            }
            run_size += run[known..].iter().map(|input| input.size).sum::<u64>();
            if run_size >= size {
                run_size = 0;
                runs.push((std::mem::take(&mut run), std::mem::take(&mut self.rejects)));
            }
        }
        if !run.is_empty() || !self.rejects.is_empty() {
            runs.push((run, self.rejects));
        }
        runs
    }

    pub(crate) fn batches(batches: Batches, limit: BatchLimit) -> Self {
        Self {
            batches: Some(batches),
            ..Self::empty(limit)
        }
    }

    /// What an earlier stage has put aside, but for what was removed. `before` read the files.
    pub(crate) fn aside(removed: Arc<Removed>, limit: BatchLimit, before: &Progressed) -> Self {
        let reader = Self {
            records: Some(Box::new(aside::Aside::new(removed))),
            bytes_total: before.bytes_total,
            ..Self::empty(limit)
        };
        reader.meter.bytes.store(before.bytes, Ordering::Relaxed);
        reader
    }

    /// What decides on the batches that are read, and `steps`, as a short text: paths, sizes and times
    /// of change of all files, and where batches are cut.
    pub(crate) fn fingerprint(&self, steps: &str) -> String {
        let mut hash = Xxh3::new();
        hash.update(steps.as_bytes());
        hash.update(format!("{:?} {}", self.limit, env!("CARGO_PKG_VERSION")).as_bytes());
        for input in &self.inputs {
            let changed = std::fs::metadata(&input.path).and_then(|metadata| metadata.modified());
            let path = input.path.display();
            let line = format!("\n{path} {} {:?}", input.size, changed.ok());
            hash.update(line.as_bytes());
        }
        format!("{:032x}", hash.digest128())
    }

    fn empty(limit: BatchLimit) -> Self {
        Self {
            inputs: VecDeque::new(),
            records: None,
            batches: None,
            rejects: Vec::new(),
            limit,
            meter: Arc::default(),
            bytes_total: None,
            skipped: Counted::default(),
        }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    pub(crate) fn take_skipped(&mut self) -> Counted<String> {
        std::mem::take(&mut self.skipped)
    }

    /// The next piece, with what was rejected on the way to it; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<(Chunk, Vec<Reject>)> {
        let chunk = self.next_chunk();
        let rejects = std::mem::take(&mut self.rejects);
        match chunk {
            None if rejects.is_empty() => None,
            None => Some((Chunk::Documents(Vec::new()), rejects)),
            Some(chunk) => Some((chunk, rejects)),
        }
    }

    fn next_chunk(&mut self) -> Option<Chunk> {
        if let Some(batches) = &mut self.batches {
            return batches.next().map(Chunk::Batch);
        }
        loop {
            if let Some(records) = &mut self.records {
                if let Some(chunk) = records.next(self.limit, &mut self.rejects) {
                    return Some(chunk);
                }
                self.records = None;
            }
            // What is read when all files are read has no inputs.
            if self.inputs.front()?.format.is_document() {
                return Some(Chunk::Documents(self.next_documents()));
            }
            let input = self.inputs.pop_front()?;
            match self.open(&input) {
                Ok(records) => self.records = Some(records),
                Err(reason) => self.rejects.push(input.reject(None, reason)),
            }
        }
    }

    /// Opens a file of many records.
    fn open(&self, input: &Input) -> Result<Box<dyn Records>, String> {
        if input.format == Format::Parquet {
            return Ok(Box::new(parquet::Groups::open(input, &self.meter)?));
        }
        if input.format == Format::Arrow {
            return Ok(Box::new(arrow::Frames::open(input, &self.meter)?));
        }
        let reader = open::open(input, &self.meter)?;
        let input = input.clone();
        Ok(match input.format {
            Format::Csv { delimiter } => Box::new(csv::Cells::open(&input, reader, delimiter)?),
            Format::Warc => Box::new(warc::Captures::new(input, reader)),
            Format::Tar => Box::new(tar::Samples::new(input, reader)),
            _ => Box::new(Lines::new(input, reader)),
        })
    }

    /// Whole files up to the batch's limits. A compressed one comes alone: nobody knows its size.
    fn next_documents(&mut self) -> Vec<Input> {
        let mut documents: Vec<Input> = Vec::new();
        let mut size = 0;
        while let Some(next) = self.inputs.front() {
            size += next.size;
            let is_full = documents.len() >= self.limit.rows || size > self.limit.size_bytes as u64;
            let is_packed = |input: &Input| input.compression != Compression::None;
            let is_alone = is_packed(next) || documents.last().is_some_and(is_packed);
            if !next.format.is_document() || !documents.is_empty() && (is_full || is_alone) {
                break;
            }
            documents.extend(self.inputs.pop_front());
        }
        documents
    }
}

/// Turns a chunk into rows.
pub(crate) fn decode(
    chunk: Chunk,
    meter: &Meter,
    rejects: &mut Vec<Reject>,
    turn: &mut Turn,
) -> Result<RecordBatch, Error> {
    let mut rows = Rows::default();
    match chunk {
        Chunk::Batch(batch) => return Ok(batch),
        Chunk::Aside(chunk) => return chunk.decode(turn),
        Chunk::Table(chunk) => return chunk.decode(rejects),
        Chunk::Lines(chunk) => records::decode(&chunk, &mut rows, rejects),
        Chunk::Cells(chunk) => chunk.decode(&mut rows, rejects),
        Chunk::Captures(chunk) => chunk.decode(&mut rows, rejects),
        Chunk::Samples(chunk) => chunk.decode(&mut rows, rejects),
        Chunk::Documents(inputs) => {
            for input in inputs {
                if let Err(reason) = documents::decode(&input, meter, &mut rows) {
                    rejects.push(input.reject(None, reason));
                }
            }
        }
    }
    rows.finish()
}

impl Meter {
    fn add_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the bytes that are read through it.
    fn count<R>(self: &Arc<Self>, reader: R) -> Counting<R> {
        Counting {
            reader,
            meter: self.clone(),
        }
    }
}

struct Counting<R> {
    reader: R,
    meter: Arc<Meter>,
}

impl<R: std::io::Read> std::io::Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.meter.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
