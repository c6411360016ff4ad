//! Exact duplicates by 128-bit hashes, on disk, for corpora whose hashes do not fit into memory.

use crate::cluster::check_memory;
use crate::error::Error;
use crate::index::ExactIndex;
use crate::limits;
use crate::record::Content;
use crate::removals::{Ordinals, Removals, RemovalsSpill};
use crate::spill::{Hot, Record, Sources, SpillReader, SpillWriter, partitions};
use crate::workers;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// A deduplication by content in a folder. As with [`Clusterer`](crate::Clusterer), a run that was
/// killed goes on where it was, and the first document by shard and row stays.
///
/// Two documents are equal if their 128-bit xxh3 are: of a billion different documents two have
/// the same with a probability of 1.5e-21.
///
/// ```
/// use nexus_dedup::ExactDedup;
/// let folder = tempfile::tempdir().unwrap();
/// let exact = ExactDedup::open(folder.path(), 64 << 20, 1)?;
/// if let Some(mut shard) = exact.shard(0)? {
///     for (row, text) in (0..).zip(["a", "b", "a"]) {
///         shard.add(row, text.as_bytes())?;
///     }
///     shard.commit()?;
/// }
/// let removals = exact.finish()?.to_vec()?;
/// assert_eq!((removals[0].document.row, removals[0].duplicate_of.row), (2, 0));
/// # Ok::<(), nexus_dedup::Error>(())
/// ```
pub struct ExactDedup {
    folder: PathBuf,
    memory_size: usize,
    threads: usize,
    /// What was mounted, and the number of its first shard.
    indexed: Vec<(ExactIndex, u32)>,
}

impl ExactDedup {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    /// `InvalidInput` for 0 threads, `LimitReached` for too little memory, `Io`.
    pub fn open(folder: &Path, memory_size: u64, threads: usize) -> Result<Self, Error> {
        check_memory(memory_size, threads)?;
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        Ok(Self {
            folder: folder.to_owned(),
            memory_size: memory_size as usize,
            threads,
            indexed: Vec::new(),
        })
    }

    /// Puts the documents of an index before those of the shards: they stay, and what equals one of them
    /// goes. They are known by shards that are numbered from `first` on, in the order of their own; gives
    /// the number after the last one.
    ///
    /// # Errors
    /// `LimitReached` where numbers come to an end; `Corrupt`, `Io`.
    pub fn mount(&mut self, index: &ExactIndex, first: u32) -> Result<u32, Error> {
        let next = u32::try_from(index.files()?.len());
        let next = next.ok().and_then(|count| first.checked_add(count));
        self.indexed.push((index.clone(), first));
        next.ok_or_else(|| Error::limit("cannot number the shards of an index above 2^32"))
    }

    /// Writes the documents that stay, those of mounted indexes not among them, as an index. `params`
    /// says, in a line, what was hashed.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); `InvalidInput` where the folder holds another index.
    pub fn write_index(&self, folder: &Path, params: &str) -> Result<ExactIndex, Error> {
        ExactIndex::write(&self.folder, &self.list()?, &self.finish()?, folder, params)
    }

    /// Begins a shard; none if it is already done. At most `threads` are written at once.
    ///
    /// # Errors
    /// `Io`.
    pub fn shard(&self, shard: u32) -> Result<Option<ExactShard>, Error> {
        let path = hashes(&self.folder, shard);
        if path.exists() {
            return Ok(None);
        }
        let hashes = SpillWriter::create(&path, self.memory_size / self.threads)?;
        let rows = 0;
        Ok(Some(ExactShard {
            shard,
            hashes,
            rows,
        }))
    }

    /// Removes what was added as one of these shards, so that it can be added anew.
    ///
    /// # Errors
    /// `Io`.
    pub fn discard(&self, shards: RangeInclusive<u32>) -> Result<(), Error> {
        for shard in self.list()? {
            if shards.contains(&shard) {
                let path = hashes(&self.folder, shard);
                std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
            }
        }
        Ok(())
    }

    /// Finds what goes.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn finish(&self) -> Result<Removals, Error> {
        let mut shards = Vec::new();
        for (index, first) in &self.indexed {
            shards.extend((*first..).zip(index.files()?));
        }
        let fixed: u64 = shards.iter().map(|(_, file)| file.rows()).sum();
        for shard in self.list()? {
            if shards.iter().any(|(other, _)| *other == shard) {
                return Err(Error::invalid(format!(
                    "cannot deduplicate `{}`: shard {shard} is also in an index",
                    self.folder.display()
                ))
                .with_hint("give the shards of indexes other numbers"));
            }
            let path = hashes(&self.folder, shard);
            shards.push((shard, SpillReader::open(&path, Content::SIZE)?));
        }
        let ordinals = Ordinals::new(shards.iter().map(|(shard, file)| (*shard, file.rows())));
        let mut plan = Vec::new();
        if fixed > 0 {
            plan.extend(fixed.to_le_bytes());
        }
        for (shard, file) in &shards {
            plan.extend(u64::from(*shard).to_le_bytes());
            plan.extend(file.sum().to_le_bytes());
        }
        let path = self
            .folder
            .join(format!("removals-{:016x}", xxh3_64(&plan)));
        if path.exists() {
            return Removals::open(&path);
        }
        let files = shards.into_iter().enumerate();
        let files: Vec<_> = files
            .map(|(at, (_, file))| (file, ordinals.base(at)))
            .collect();
        let memory_size = self.memory_size / self.threads;
        let sources = Sources {
            files: &files,
            budget: memory_size / 3 / size_of::<Content>(),
            hot: Hot::Stream,
        };
        let spill = self.folder.join("removals.spill");
        let spill = RemovalsSpill::create(spill, self.memory_size / 4, ordinals.total())?;
        let todo: Vec<usize> = (0..partitions()).collect();
        workers::for_each(self.threads, &todo, |&partition| {
            one(&sources, partition, fixed, &spill)
        })?;
        spill.finish(&path, &ordinals, self.memory_size / 2)
    }

    fn list(&self) -> Result<Vec<u32>, Error> {
        let io = |error| Error::io("list", &self.folder, error);
        let mut shards = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix("exact-")?.strip_suffix(".hashes"));
            shards.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        shards.sort_unstable();
        Ok(shards)
    }
}

/// The file of the hashes of a shard.
pub(crate) fn hashes(folder: &Path, shard: u32) -> PathBuf {
    folder.join(format!("exact-{shard:010}.hashes"))
}

/// Removals that a thread holds back before it takes the lock of the spill.
const REMOVALS_AT_ONCE: usize = 4096;

/// Documents below `fixed` come from indexes and stay.
fn one(
    sources: &Sources<'_>,
    partition: usize,
    fixed: u64,
    spill: &RemovalsSpill,
) -> Result<(), Error> {
    let mut first: Option<Content> = None;
    let mut removals = Vec::new();
    sources.sorted(partition, &mut |records: &[Content]| {
        for &record in records {
            match first {
                Some(first) if (first.high, first.low) == (record.high, record.low) => {
                    if record.document >= fixed {
                        removals.push((record.document, first.document, 1.0));
                    }
                }
                _ => first = Some(record),
            }
            if removals.len() >= REMOVALS_AT_ONCE {
                spill.push(&removals)?;
                removals.clear();
            }
        }
        Ok(())
    })?;
    spill.push(&removals)
}

/// Takes the documents of one shard, in order. Dropped before [`commit`](Self::commit), it leaves
/// nothing.
pub struct ExactShard {
    shard: u32,
    hashes: SpillWriter<Content>,
    rows: u64,
}

impl ExactShard {
    /// Adds the document at `row`. Rows ascend.
    ///
    /// # Errors
    /// `InvalidInput` for a row that does not ascend; `Io`.
    pub fn add(&mut self, row: u32, content: &[u8]) -> Result<(), Error> {
        self.add_hash(row, xxh3_128(content))
    }

    /// The same for a 128-bit hash of the caller's making.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_hash(&mut self, row: u32, hash: u128) -> Result<(), Error> {
        if u64::from(row) < self.rows {
            let (shard, after) = (self.shard, self.rows - 1);
            return Err(Error::invalid(format!(
                "cannot add row {row} of shard {shard}: it comes after row {after}"
            ))
            .with_hint("give each shard's documents in order, each row once"));
        }
        self.rows = u64::from(row) + 1;
        debug_assert!(self.rows <= limits::ROWS_MAX);
        self.hashes.push(Content {
            high: (hash >> 64) as u64,
            low: hash as u64,
            document: row.into(),
        })
    }

    /// Gives the file its name: the shard is done, and a rerun skips it.
    ///
    /// # Errors
    /// `Io`.
    pub fn commit(self) -> Result<(), Error> {
        self.hashes.commit(self.rows).map(drop)
    }
}
