//! What is known of parts of documents, on disk, and what is decided by it.
//!
//! Beside the rows of part N lies `part-GROUP-N.counts`, the number of units, bytes or tokens of each row
//! (4 bytes each), and for substrings `part-GROUP-N.elements`, all texts, or their tokens, in a row. Both end
//! with the XXH3-64 of what they hold.

use super::super::cuts::{self, Cut, CutsWriter};
use super::super::gather::failed;
use super::super::parts::{self, Part};
use super::elements::Elements;
use super::place::Place;
use super::{Known, Repeats};
use crate::atomic::AtomicFile;
use crate::repeats::RepeatedLines;
use crate::settings::Settings;
use crate::{Error, ErrorKind};
use nexus_dedup::{DocumentId, ExactDedup, ExactShard, Removal, Substrings};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// What is known of the rows of a stage.
pub(in super::super) struct Store {
    folder: PathBuf,
    repeats: Repeats,
    memory_size: u64,
    /// For lines.
    exact: Option<ExactDedup>,
}

/// What is known of the rows of one part.
pub(in super::super) struct StorePart {
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

pub(super) fn elements(folder: &Path, part: u32) -> PathBuf {
    parts::beside(folder, part, "elements")
}

impl Store {
    pub(in super::super) fn open(
        folder: &Path,
        repeats: Repeats,
        memory_size: u64,
    ) -> Result<Self, Error> {
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
    pub(in super::super) fn discard(&self, numbers: RangeInclusive<u32>) -> Result<(), Error> {
        self.exact.as_ref().map_or(Ok(()), |exact| {
            exact
                .discard(numbers)
                .map_err(|error| failed(self.repeats.step(), error))
        })
    }

    pub(in super::super) fn begin(&self, part: u32) -> Result<StorePart, Error> {
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
    pub(in super::super) fn decide(&self, parts: &[Part]) -> Result<(), Error> {
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
pub(super) enum Failure {
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
    pub(in super::super) fn write(&mut self, known: Known) -> Result<(), Error> {
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

    pub(in super::super) fn commit(mut self) -> Result<(), Error> {
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

pub(super) fn changed(path: &Path) -> Error {
    let path = path.display();
    let message = format!("cannot read `{path}`: what was put aside has changed");
    Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
}
