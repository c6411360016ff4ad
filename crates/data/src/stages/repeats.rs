//! What is known of the parts of documents until all documents are known, and which of them are
//! repeats: equal lines by `nexus-dedup`'s exact copies, of which each run of lines is a document, and
//! equal substrings by its suffix array.
//!
//! Beside the rows of part N lies `part-GROUP-N.counts`, the number of units, bytes or tokens of each row
//! (4 bytes each), and for substrings `part-GROUP-N.elements`, all texts, or their tokens, in a row. Both end
//! with the XXH3-64 of what they hold.

use super::cuts::{self, Cut, CutsWriter};
use super::gather::{HASH_SIZE, failed};
use super::parts::{self, Part};
use crate::atomic::AtomicFile;
use crate::repeats::{RepeatedLines, RepeatedSubstrings};
use crate::settings::Settings;
use crate::{AnyTokenizer, Error, ErrorKind};
use arrow_array::{Array, StringArray};
use nexus_dedup::{DocumentId, ExactDedup, ExactShard, Removal, Substrings};
use nexus_text::{Profiler, Spans};
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// A step that decides on parts of documents.
#[derive(Clone, Debug)]
pub(crate) enum Repeats {
    Lines(RepeatedLines),
    Substrings(RepeatedSubstrings, Option<AnyTokenizer>),
}

impl Repeats {
    /// The name of its step.
    pub(crate) fn step(&self) -> &'static str {
        match self {
            Self::Lines(_) => RepeatedLines::OP,
            Self::Substrings(..) => RepeatedSubstrings::OP,
        }
    }
}

/// What is known of the rows of a batch.
pub(super) struct Known {
    counts: Vec<u32>,
    /// For lines: the hash of the run that begins with each unit of each row.
    hashes: Vec<Option<u128>>,
    /// For substrings: the texts or tokens.
    elements: Vec<u8>,
}

impl Known {
    /// Bytes that it takes in the work folder.
    pub(super) fn size(&self) -> usize {
        4 * self.counts.len()
            + HASH_SIZE * self.hashes.iter().flatten().count()
            + self.elements.len()
    }
}

/// Finds out what there is to know of rows, on any thread.
pub(super) struct Finder {
    repeats: Repeats,
    profilers: Mutex<Vec<Profiler>>,
}

impl Finder {
    pub(super) fn new(repeats: Repeats) -> Self {
        Self {
            repeats,
            profilers: Mutex::default(),
        }
    }

    pub(super) fn find(&self, texts: &StringArray) -> Result<Known, Error> {
        let mut known = Known {
            counts: Vec::with_capacity(texts.len()),
            hashes: Vec::new(),
            elements: Vec::new(),
        };
        let texts = texts.iter().map(Option::unwrap_or_default);
        match &self.repeats {
            Repeats::Lines(settings) => self.lines(settings.spans(), texts, &mut known)?,
            Repeats::Substrings(_, None) => {
                for text in texts {
                    known.counts.push(text.len() as u32);
                    known.elements.extend_from_slice(text.as_bytes());
                }
            }
            Repeats::Substrings(_, Some(tokenizer)) => {
                let mut ids = Vec::new();
                for text in texts {
                    ids.clear();
                    tokenizer.extend(text, &mut ids);
                    known.counts.push(ids.len() as u32);
                    known
                        .elements
                        .extend(ids.iter().flat_map(|id| id.to_le_bytes()));
                }
            }
        }
        Ok(known)
    }

    fn lines<'a>(
        &self,
        spans: Spans,
        texts: impl Iterator<Item = &'a str>,
        known: &mut Known,
    ) -> Result<(), Error> {
        let mut profiler = self.lock().pop().unwrap_or_default();
        for text in texts {
            let units = spans.units(&mut profiler, text).map_err(Error::text)?;
            known.counts.push(units.len() as u32);
            known.hashes.extend(spans.hashes(&units));
        }
        self.lock().push(profiler);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Profiler>> {
        self.profilers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of the rows of a stage.
pub(super) struct Store {
    folder: PathBuf,
    repeats: Repeats,
    memory_size: u64,
    /// For lines.
    exact: Option<ExactDedup>,
}

/// What is known of the rows of one part.
pub(super) struct StorePart {
    counts: AtomicFile,
    elements: Option<AtomicFile>,
    exact: Option<ExactShard>,
    /// Of the counts.
    hash: Xxh3Default,
    elements_hash: Xxh3Default,
    /// Units so far.
    units: u32,
}

fn counts(folder: &Path, part: u32) -> PathBuf {
    parts::beside(folder, part, "counts")
}

fn elements(folder: &Path, part: u32) -> PathBuf {
    parts::beside(folder, part, "elements")
}

impl Store {
    pub(super) fn open(folder: &Path, repeats: Repeats, memory_size: u64) -> Result<Self, Error> {
        let exact = match repeats {
            // Shards are written one at a time.
            Repeats::Lines(_) => Some(
                ExactDedup::open(&folder.join("lines"), memory_size / 2, 1)
                    .map_err(|error| failed(repeats.step(), error))?,
            ),
            Repeats::Substrings(..) => None,
        };
        Ok(Self {
            folder: folder.to_owned(),
            repeats,
            memory_size,
            exact,
        })
    }

    /// Removes what a killed run has left of the parts with these numbers. What lies beside their rows goes
    /// with these.
    pub(super) fn discard(&self, numbers: RangeInclusive<u32>) -> Result<(), Error> {
        self.exact.as_ref().map_or(Ok(()), |exact| {
            exact
                .discard(numbers)
                .map_err(|error| failed(self.repeats.step(), error))
        })
    }

    pub(super) fn begin(&self, part: u32) -> Result<StorePart, Error> {
        let is_text = matches!(self.repeats, Repeats::Substrings(..));
        let exact = match &self.exact {
            None => None,
            Some(exact) => exact
                .shard(part)
                .map_err(|error| failed(self.repeats.step(), error))?,
        };
        Ok(StorePart {
            counts: AtomicFile::create(&counts(&self.folder, part))?,
            elements: is_text
                .then(|| AtomicFile::create(&elements(&self.folder, part)))
                .transpose()?,
            exact,
            hash: Xxh3Default::new(),
            elements_hash: Xxh3Default::new(),
            units: 0,
        })
    }

    /// Writes the ranges that are repeats.
    pub(super) fn decide(&self, parts: &[Part]) -> Result<(), Error> {
        if cuts::are_done(&self.folder) {
            return Ok(());
        }
        let counts = parts
            .iter()
            .map(|part| Ok((part.number, self.counts(part.number, part.rows)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut out = CutsWriter::new(&self.folder, parts);
        match &self.repeats {
            Repeats::Lines(settings) => self.repeated_lines(settings.span, &counts, &mut out)?,
            Repeats::Substrings(settings, tokenizer) => {
                let substrings = Substrings {
                    length: settings.length,
                    memory_size: self.memory_size,
                };
                self.repeated_elements(substrings, tokenizer.is_some(), &counts, &mut out)?;
            }
        }
        out.finish()
    }

    /// The numbers of units of the rows of a part.
    fn counts(&self, part: u32, rows: u32) -> Result<Vec<u32>, Error> {
        let path = counts(&self.folder, part);
        let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        let Some((bytes, sum)) = bytes.split_last_chunk() else {
            return Err(changed(&path));
        };
        let (words, _) = bytes.as_chunks::<4>();
        if bytes.len() != rows as usize * 4 || xxh3_64(bytes) != u64::from_le_bytes(*sum) {
            return Err(changed(&path));
        }
        Ok(words.iter().map(|&word| u32::from_le_bytes(word)).collect())
    }

    fn repeated_lines(
        &self,
        span: usize,
        counts: &[(u32, Vec<u32>)],
        out: &mut CutsWriter,
    ) -> Result<(), Error> {
        let step = self.repeats.step();
        let exact = self.exact.as_ref().expect("lines have hashes");
        for &(part, _) in counts {
            if exact
                .shard(part)
                .map_err(|error| failed(step, error))?
                .is_some()
            {
                let path = self.folder.join("lines");
                return Err(changed(&path));
            }
        }
        let found = exact.finish().map_err(|error| failed(step, error))?;
        let mut place = Place::new(counts);
        let mut last: Option<(u32, Cut)> = None;
        let take = |removal: Removal| {
            let DocumentId { shard, row: unit } = removal.document;
            let Some((row, start)) = place.of(shard, unit) else {
                return Err(Failure::Other(changed(found.path())));
            };
            let end = start.saturating_add(span as u32);
            match &mut last {
                Some((part, cut)) if (*part, cut.row) == (shard, row) && cut.end >= start => {
                    cut.end = end;
                }
                _ => {
                    let cut = Cut { row, start, end };
                    if let Some((part, cut)) = last.replace((shard, cut)) {
                        out.push(part, cut).map_err(Failure::Other)?;
                    }
                }
            }
            Ok(())
        };
        found.for_each(take).map_err(|failure| failure.of(step))?;
        last.map_or(Ok(()), |(part, cut)| out.push(part, cut))
    }

    fn repeated_elements(
        &self,
        substrings: Substrings,
        are_tokens: bool,
        counts: &[(u32, Vec<u32>)],
        out: &mut CutsWriter,
    ) -> Result<(), Error> {
        let size = if are_tokens { 4 } else { 1 };
        let source = Elements::open(&self.folder, size, counts)?;
        let sizes: Vec<u32> = counts
            .iter()
            .flat_map(|(_, counts)| counts)
            .copied()
            .collect();
        let (mut at, mut first) = (0, 0);
        let visit = |span: nexus_dedup::Span| {
            while span.document - first >= counts[at].1.len() {
                first += counts[at].1.len();
                at += 1;
            }
            let cut = Cut {
                row: (span.document - first) as u32,
                start: span.start as u32,
                end: span.end as u32,
            };
            out.push(counts[at].0, cut).map_err(Failure::Other)
        };
        let found = if are_tokens {
            let read = |from: usize, to: usize, ids: &mut Vec<u32>| {
                let mut bytes = Vec::new();
                source.read(from, to, &mut bytes)?;
                ids.extend(
                    bytes
                        .as_chunks::<4>()
                        .0
                        .iter()
                        .map(|&word| u32::from_le_bytes(word)),
                );
                Ok(())
            };
            substrings.of_token_source(&sizes, read, visit)
        } else {
            let read = |from, to, bytes: &mut Vec<u8>| source.read(from, to, bytes);
            substrings.of_byte_source(&sizes, read, visit)
        };
        found.map_err(|failure| failure.of(self.repeats.step()))
    }
}

/// What stops the search for substrings.
enum Failure {
    Dedup(nexus_dedup::Error),
    Other(Error),
}

impl From<nexus_dedup::Error> for Failure {
    fn from(error: nexus_dedup::Error) -> Self {
        Self::Dedup(error)
    }
}

impl Failure {
    fn of(self, step: &str) -> Error {
        match self {
            Self::Dedup(error) => failed(step, error),
            Self::Other(error) => error,
        }
    }
}

impl StorePart {
    /// Takes what is known of the next rows.
    pub(super) fn write(&mut self, known: Known) -> Result<(), Error> {
        let counts: Vec<u8> = known
            .counts
            .iter()
            .flat_map(|count| count.to_le_bytes())
            .collect();
        self.hash.update(&counts);
        self.counts.append(&counts)?;
        if let Some(elements) = &mut self.elements {
            self.elements_hash.update(&known.elements);
            elements.append(&known.elements)?;
        }
        for hash in known.hashes {
            if let (Some(exact), Some(hash)) = (&mut self.exact, hash) {
                exact
                    .add_hash(self.units, hash)
                    .map_err(|error| failed(RepeatedLines::OP, error))?;
            }
            self.units = self.units.checked_add(1).ok_or_else(|| {
                Error::limit("step `dedup_lines`: a part of the rows has more than 2^32 lines")
            })?;
        }
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), Error> {
        if let Some(exact) = self.exact {
            exact
                .commit()
                .map_err(|error| failed(RepeatedLines::OP, error))?;
        }
        if let Some(mut elements) = self.elements {
            elements.append(&self.elements_hash.digest().to_le_bytes())?;
            elements.commit_unsynced()?;
        }
        self.counts.append(&self.hash.digest().to_le_bytes())?;
        self.counts.commit_unsynced()
    }
}

fn changed(path: &Path) -> Error {
    let path = path.display();
    let message = format!("cannot read `{path}`: what was put aside has changed");
    Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
}

/// Where units stand, which are asked for in order. Parts are known by their numbers.
struct Place<'a> {
    counts: &'a [(u32, Vec<u32>)],
    /// The place of the part.
    part: usize,
    row: u32,
    /// Units before the row.
    before: u32,
}

impl<'a> Place<'a> {
    fn new(counts: &'a [(u32, Vec<u32>)]) -> Self {
        Self {
            counts,
            part: 0,
            row: 0,
            before: 0,
        }
    }

    /// The row of a unit of a part, and its place there.
    fn of(&mut self, part: u32, unit: u32) -> Option<(u32, u32)> {
        while self.counts.get(self.part)?.0 != part {
            (self.part, self.row, self.before) = (self.part + 1, 0, 0);
        }
        let (_, counts) = &self.counts[self.part];
        loop {
            let place = unit.checked_sub(self.before)?;
            let count = *counts.get(self.row as usize)?;
            if place < count {
                return Some((self.row, place));
            }
            self.before += count;
            self.row += 1;
        }
    }
}

/// Whether a file has so many bytes, and then their XXH3-64.
fn is_whole(file: &mut File, size: u64) -> std::io::Result<bool> {
    if file.metadata()?.len() != size + 8 {
        return Ok(false);
    }
    let (mut hash, mut buffer, mut left) = (Xxh3Default::new(), vec![0; 1 << 18], size);
    while left > 0 {
        let most = left.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..most])?;
        hash.update(&buffer[..most]);
        left -= most as u64;
    }
    let mut sum = [0; 8];
    file.read_exact(&mut sum)?;
    Ok(u64::from_le_bytes(sum) == hash.digest())
}

/// The elements of all parts behind each other, on disk.
struct Elements {
    /// Bytes of an element.
    size: usize,
    /// For each part the element with which it ends.
    parts: Vec<(usize, PathBuf, File)>,
}

impl Elements {
    fn open(folder: &Path, size: usize, counts: &[(u32, Vec<u32>)]) -> Result<Self, Error> {
        let mut end = 0;
        let open = |(part, counts): &(u32, Vec<u32>)| {
            let path = elements(folder, *part);
            let count: usize = counts.iter().map(|&count| count as usize).sum();
            end += count;
            let io = |error| Error::io("open", &path, error);
            let mut file = File::open(&path).map_err(io)?;
            if is_whole(&mut file, (count * size) as u64).map_err(io)? {
                Ok((end, path, file))
            } else {
                Err(changed(&path))
            }
        };
        let parts = counts.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { size, parts })
    }

    /// Appends the bytes of the elements from one to another.
    fn read(&self, mut from: usize, to: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut start = 0;
        for (end, path, file) in &self.parts {
            if from < *end && from < to {
                let stop = to.min(*end);
                let at = out.len();
                out.resize(at + (stop - from) * self.size, 0);
                let offset = (from - start) * self.size;
                file.read_exact_at(&mut out[at..], offset as u64)
                    .map_err(|error| Failure::Other(Error::io("read", path, error)))?;
                from = stop;
            }
            start = *end;
        }
        Ok(())
    }
}
