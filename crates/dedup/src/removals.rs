//! What a deduplication found: which documents go, and what each is a duplicate of.

use crate::error::Error;
use crate::file::{SealedReader, SealedWriter};
use crate::record::{Removed, spread};
use crate::spill::{Hot, Sources, SpillReader, SpillWriter, partitions};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const KIND: [u8; 8] = *b"removals";
const SIZE: usize = 24;

/// A document: its shard (an input file, say) and its row there. Documents are ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId {
    /// The number that the caller gave the shard.
    pub shard: u32,
    /// The document's place in the shard, from 0.
    pub row: u32,
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shard, self.row)
    }
}

/// A document that goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Removal {
    /// The document.
    pub document: DocumentId,
    /// The document that stays, or stayed when an index was made, in its place.
    pub duplicate_of: DocumentId,
    /// The true Jaccard similarity of the two: 1 for exact duplicates, none where a near
    /// duplicate was not verified.
    pub jaccard: Option<f64>,
}

/// The removals, in order of the documents, in a file.
#[derive(Clone, Debug)]
pub struct Removals {
    path: PathBuf,
    count: u64,
}

impl Removals {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let reader = SealedReader::open(path, KIND)?;
        Ok(Self {
            path: path.to_owned(),
            count: reader.left() / SIZE as u64,
        })
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The file: sealed records of 24 bytes, little-endian: row and shard of the document, row and
    /// shard of its original, similarity as a 64-bit float (NaN for none).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives each to `visit`, in order. Reads the file once, in constant memory.
    ///
    /// # Errors
    /// `Corrupt` where the file does not have its checksum, which is known only at its end; `Io`;
    /// or what `visit` returns.
    pub fn for_each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Removal) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut result = Ok(());
        SealedReader::open(&self.path, KIND)?.records(|record: [u8; SIZE]| {
            if result.is_ok() {
                result = visit(decode(&record));
            }
            Ok(())
        })?;
        result
    }

    /// All of them, at 32 bytes each.
    ///
    /// # Errors
    /// As [`for_each`](Self::for_each).
    pub fn to_vec(&self) -> Result<Vec<Removal>, Error> {
        let mut all = Vec::new();
        self.for_each(|removal| {
            all.push(removal);
            Ok::<_, Error>(())
        })?;
        Ok(all)
    }
}

fn decode(record: &[u8; SIZE]) -> Removal {
    let id = |at: usize| {
        let id = u64::from_le_bytes(record[at..at + 8].try_into().expect("eight bytes"));
        DocumentId {
            shard: (id >> 32) as u32,
            row: id as u32,
        }
    };
    let jaccard = f64::from_le_bytes(record[16..].try_into().expect("eight bytes"));
    Removal {
        document: id(0),
        duplicate_of: id(8),
        jaccard: (!jaccard.is_nan()).then_some(jaccard),
    }
}

/// Where the shards' rows lie in one line of ordinals: shards in order, rows of each without gaps.
pub(crate) struct Ordinals {
    /// The ordinal of row 0 of each shard, and the shard.
    bases: Vec<(u64, u32)>,
    total: u64,
}

impl Ordinals {
    /// `shards` are pairs of number and rows.
    pub(crate) fn new(shards: impl Iterator<Item = (u32, u64)>) -> Self {
        let mut total = 0;
        let bases = shards.map(|(shard, rows)| {
            total += rows;
            (total - rows, shard)
        });
        Self {
            bases: bases.collect(),
            total,
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn base(&self, shard_at: usize) -> u64 {
        self.bases[shard_at].0
    }

    /// The place of the shard in the list, and the row.
    pub(crate) fn locate(&self, ordinal: u64) -> (usize, u64) {
        let at = self.bases.partition_point(|&(base, _)| base <= ordinal) - 1;
        (at, ordinal - self.bases[at].0)
    }

    pub(crate) fn id(&self, ordinal: u64) -> DocumentId {
        let (at, row) = self.locate(ordinal);
        DocumentId {
            shard: self.bases[at].1,
            row: row as u32,
        }
    }
}

/// Writes the file of removals, which must come in order.
pub(crate) struct RemovalsWriter<'a> {
    file: SealedWriter,
    ordinals: &'a Ordinals,
}

impl<'a> RemovalsWriter<'a> {
    pub(crate) fn create(path: &Path, ordinals: &'a Ordinals) -> Result<Self, Error> {
        let file = SealedWriter::create(path, KIND)?;
        Ok(Self { file, ordinals })
    }

    pub(crate) fn write(&mut self, document: u64, of: u64, jaccard: f64) -> Result<(), Error> {
        let mut record = [0; SIZE];
        for (at, ordinal) in [(0, document), (8, of)] {
            let DocumentId { shard, row } = self.ordinals.id(ordinal);
            let id = u64::from(shard) << 32 | u64::from(row);
            record[at..at + 8].copy_from_slice(&id.to_le_bytes());
        }
        record[16..].copy_from_slice(&jaccard.to_le_bytes());
        self.file.write(&record)
    }

    pub(crate) fn commit(self) -> Result<(), Error> {
        self.file.commit().map(drop)
    }
}

/// Collects removals of several threads in any order, on disk.
pub(crate) struct RemovalsSpill {
    path: PathBuf,
    writer: Mutex<SpillWriter<Removed>>,
    shift: u32,
}

impl RemovalsSpill {
    pub(crate) fn create(path: PathBuf, memory_size: usize, total: u64) -> Result<Self, Error> {
        let writer = Mutex::new(SpillWriter::create_passing(&path, memory_size)?);
        let shift = spread(total);
        Ok(Self {
            path,
            writer,
            shift,
        })
    }

    /// Takes (document, duplicate of, similarity).
    pub(crate) fn push(&self, removals: &[(u64, u64, f64)]) -> Result<(), Error> {
        let mut writer = self
            .writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for &(document, duplicate_of, jaccard) in removals {
            writer.push(Removed {
                document: document << self.shift,
                duplicate_of,
                jaccard: jaccard.to_bits(),
            })?;
        }
        Ok(())
    }

    /// Writes them in order.
    pub(crate) fn finish(
        self,
        path: &Path,
        ordinals: &Ordinals,
        memory_size: usize,
    ) -> Result<Removals, Error> {
        let writer = self.writer.into_inner();
        writer
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .commit(0)?;
        let files = [(SpillReader::open_last(&self.path, SIZE)?, 0)];
        let sources = Sources {
            files: &files,
            budget: (memory_size / SIZE).max(1024),
            hot: Hot::Load,
        };
        let mut out = RemovalsWriter::create(path, ordinals)?;
        for partition in 0..partitions() {
            sources.sorted(partition, &mut |records: &[Removed]| {
                records.iter().try_for_each(|record| {
                    let jaccard = f64::from_bits(record.jaccard);
                    out.write(record.document >> self.shift, record.duplicate_of, jaccard)
                })
            })?;
        }
        out.commit()?;
        Removals::open(path)
    }
}
