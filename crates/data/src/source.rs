//! From files to batches: the part that must run in order hands out chunks of bytes or lists of
//! files, the part that can run on any thread turns a chunk into rows.

mod arrow;
mod aside;
mod csv;
mod documents;
mod fault;
mod foreign;
mod http;
mod images;
mod lines;
mod listing;
mod open;
mod parquet;
mod ranged;
mod records;
mod sample;
mod stream;
mod table;
mod tar;
mod warc;

use crate::arrow_table::ArrowTable;
use crate::batch::{self, Rows};
use crate::files::Keys;
use crate::limits::GROUPS_MAX;
use crate::report::Counted;
use crate::stages::{Part, Removed};
use crate::storage::Storage;
use crate::turnstile::Turn;
use crate::{Error, Reject};
use arrow_array::RecordBatch;
use fault::{Fault, Watched};
use lines::{LineChunk, Lines};
use listing::{Compression, Format};
use open::READ_SIZE;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::Xxh3;

pub(crate) use foreign::call as call_foreign;
pub(crate) use images::check_name;
pub(crate) use listing::{Input, list};
pub use listing::{Listing, MANIFEST, files};
pub(crate) use table::{is_string, utf8};

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
    fault: Arc<Fault>,
    /// The same bytes decompressed.
    pub(crate) plain: AtomicU64,
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
    /// What ends the run, in place of the rest.
    Failed(Error),
}

/// A file that holds many records, read from its start to its end.
pub(crate) trait Records: Send {
    /// Bytes of the file that are counted as read, though their rows were not handed out yet.
    fn ahead(&self) -> u64 {
        0
    }

    /// The next records, as many as the limit allows but at least one; `None` at the end. What
    /// cannot be read is rejected.
    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk>;
}

/// Hands out the source piece by piece. Needs little time, for it holds up all threads.
pub(crate) struct Reader {
    inputs: VecDeque<Input>,
    records: Option<Box<dyn Records>>,
    /// Whether the file that is being read is compressed as a whole.
    is_packed: bool,
    batches: Option<Batches>,
    rejects: Vec<Reject>,
    limit: BatchLimit,
    meter: Arc<Meter>,
    bytes_before: u64,
    bytes_total: Option<u64>,
    skipped: Counted<String>,
    reads_images: bool,
}

impl Reader {
    /// Reads some files of a source.
    pub(crate) fn some(inputs: Vec<Input>, limit: BatchLimit) -> Self {
        Self {
            reads_images: inputs.iter().any(Input::reads_images),
            inputs: inputs.into(),
            ..Self::empty(limit)
        }
    }

    /// Whether all files are read.
    pub(crate) fn is_done(&self) -> bool {
        self.inputs.is_empty() && self.records.is_none()
    }

    /// Bytes of files that are counted as read, though their rows were not handed out yet.
    pub(crate) fn ahead(&self) -> u64 {
        self.records.as_ref().map_or(0, |records| records.ahead())
    }

    /// Bytes of the files that are not opened yet.
    pub(crate) fn unopened(&self) -> u64 {
        self.inputs.iter().map(|input| input.size).sum()
    }

    /// Bytes that wait before a decompressor: half of what is read at once, on average.
    pub(crate) fn buffered(&self) -> u64 {
        u64::from(self.is_packed && self.records.is_some()) * READ_SIZE as u64 / 2
    }

    /// Finds the files of `root`. Images are read where `images` names their column in tables.
    pub(crate) fn files(
        root: &Path,
        storage: &Arc<dyn Storage>,
        limit: BatchLimit,
        images: Option<&str>,
        keys: &Keys,
    ) -> Result<Self, Error> {
        let Listing {
            inputs,
            skipped,
            rejects,
            ..
        } = list(root, storage, images, keys)?;
        let bytes_total = Some(inputs.iter().map(|input| input.size).sum());
        let inputs = inputs.into();
        Ok(Self {
            inputs,
            rejects,
            bytes_total,
            skipped,
            reads_images: images.is_some(),
            ..Self::empty(limit)
        })
    }

    /// The files that were not read yet, and what was rejected before them.
    pub(crate) fn into_inputs(self) -> (VecDeque<Input>, Vec<Reject>) {
        (self.inputs, self.rejects)
    }

    /// The same with what was rejected before the first file.
    pub(crate) fn with_rejects(self, rejects: Vec<Reject>, reads_images: bool) -> Self {
        Self {
            rejects,
            reads_images,
            ..self
        }
    }

    pub(crate) fn batches(batches: Batches, limit: BatchLimit) -> Self {
        Self {
            batches: Some(batches),
            ..Self::empty(limit)
        }
    }

    /// Opens a table. Images are read where `images` names their column.
    pub(crate) fn table(
        table: &ArrowTable,
        limit: BatchLimit,
        images: Option<&str>,
    ) -> Result<Self, Error> {
        let mut reader = Self::empty(limit);
        let stream = stream::Stream::open(table, images, &reader.meter)?;
        reader.records = Some(Box::new(stream));
        Ok(reader)
    }

    /// Some parts of what an earlier stage has put aside, but for what was removed.
    pub(crate) fn aside(removed: Arc<Removed>, parts: Vec<Part>, limit: BatchLimit) -> Self {
        Self {
            records: Some(Box::new(aside::Aside::new(removed, parts))),
            ..Self::empty(limit)
        }
    }

    /// The same when so much of the source was read by others.
    pub(crate) fn after(self, bytes_before: u64, bytes_total: Option<u64>) -> Self {
        self.meter.bytes.store(bytes_before, Ordering::Relaxed);
        Self {
            bytes_before,
            bytes_total,
            ..self
        }
    }

    /// Cuts the files into groups of about `size` bytes, in order, or of more where there would be too many
    /// groups. No group ends where a batch would not: the batches of all groups are those that this reader
    /// would give.
    pub(crate) fn groups(mut self, size: u64) -> Vec<Self> {
        // To open a file costs time too.
        let weigh = |input: &Input| input.size.max(4096);
        let total = self.inputs.iter().map(weigh).sum::<u64>();
        let size = size.max(total.div_ceil(GROUPS_MAX)).max(1);
        let mut groups = Vec::new();
        while !self.inputs.is_empty() || groups.is_empty() {
            let mut group = Self {
                rejects: std::mem::take(&mut self.rejects),
                skipped: std::mem::take(&mut self.skipped),
                reads_images: self.reads_images,
                ..Self::empty(self.limit)
            };
            let mut weight = 0;
            while weight < size {
                let unit = match self.inputs.front() {
                    None => break,
                    Some(input) if input.format.is_document() => self.next_documents(),
                    Some(_) => self.inputs.pop_front().into_iter().collect(),
                };
                weight += unit.iter().map(weigh).sum::<u64>();
                group.inputs.extend(unit);
            }
            group.bytes_total = Some(group.inputs.iter().map(|input| input.size).sum());
            groups.push(group);
        }
        groups
    }

    /// What decides on the batches that are read, and `steps`, as a short text: paths, ids, sizes and times
    /// of change of all files, and where batches are cut.
    pub(crate) fn fingerprint(&self, steps: &str) -> String {
        let mut hash = Xxh3::new();
        hash.update(steps.as_bytes());
        hash.update(format!("{:?} {}", self.limit, env!("CARGO_PKG_VERSION")).as_bytes());
        for input in &self.inputs {
            hash.update(b"\n");
            hash.update(input.path.as_os_str().as_encoded_bytes());
            let line = format!("\n{}\n{} {}", input.id, input.size, input.version);
            hash.update(line.as_bytes());
        }
        format!("{:032x}", hash.digest128())
    }

    fn empty(limit: BatchLimit) -> Self {
        Self {
            inputs: VecDeque::new(),
            records: None,
            is_packed: false,
            batches: None,
            rejects: Vec::new(),
            limit,
            meter: Arc::default(),
            bytes_before: 0,
            bytes_total: None,
            skipped: Counted::default(),
            reads_images: false,
        }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// Bytes of the source that others have read.
    pub(crate) fn bytes_before(&self) -> u64 {
        self.bytes_before
    }

    pub(crate) fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    pub(crate) fn take_skipped(&mut self) -> Counted<String> {
        std::mem::take(&mut self.skipped)
    }

    /// The next piece, with what was rejected on the way to it; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<(Chunk, Vec<Reject>)> {
        let mut chunk = self.next_chunk();
        if let Some(error) = self.meter.fault.take() {
            // The error ends the run; nothing comes after it.
            (self.records, self.batches) = (None, None);
            self.inputs.clear();
            chunk = Some(Chunk::Failed(error));
        }
        let rejects = std::mem::take(&mut self.rejects);
        match chunk {
            None if rejects.is_empty() => None,
            None => {
                let schema = batch::schema(self.reads_images);
                Some((Chunk::Batch(RecordBatch::new_empty(schema)), rejects))
            }
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
            self.is_packed = input.compression != Compression::None;
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
    let reads_images = chunk.reads_images();
    match chunk {
        Chunk::Batch(batch) => return Ok(batch),
        Chunk::Failed(error) => return Err(error),
        Chunk::Aside(chunk) => return chunk.decode(turn),
        Chunk::Table(chunk) => return chunk.decode(rejects),
        Chunk::Lines(chunk) => records::decode(&chunk, &mut rows, rejects),
        Chunk::Cells(chunk) => chunk.decode(&mut rows, rejects),
        Chunk::Captures(chunk) => chunk.decode(&mut rows, rejects),
        Chunk::Samples(chunk) => chunk.decode(&mut rows, rejects),
        Chunk::Documents(inputs) => {
            for input in inputs {
                let fault = Arc::default();
                if let Err(reason) = documents::decode(&input, meter, &fault, &mut rows) {
                    if let Some(error) = fault.take() {
                        return Err(error);
                    }
                    rejects.push(input.reject(None, reason));
                }
            }
        }
    }
    rows.finish(reads_images)
}

impl Meter {
    fn add_file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the bytes that are read through it.
    fn count<R: std::io::Read>(self: &Arc<Self>, reader: R) -> Counting<Watched<R>> {
        let (reader, meter, is_plain) = (self.fault.watch(reader), self.clone(), false);
        Counting {
            reader,
            meter,
            is_plain,
        }
    }

    /// Counts the decompressed bytes that are read through it.
    fn count_plain<R>(self: &Arc<Self>, reader: R) -> Counting<R> {
        let (meter, is_plain) = (self.clone(), true);
        Counting {
            reader,
            meter,
            is_plain,
        }
    }
}

struct Counting<R> {
    reader: R,
    meter: Arc<Meter>,
    is_plain: bool,
}

impl<R: std::io::Read> std::io::Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let counter = if self.is_plain {
            &self.meter.plain
        } else {
            &self.meter.bytes
        };
        counter.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
