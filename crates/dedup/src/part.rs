//! The documents of one shard on disk: `part-N.keys` (band keys), `part-N.sets` (shingle sets) and
//! `part-N.docs`, which is written last and so says that the others are whole.
//!
//! A set is its size and the lower half of its xxh3 (4 bytes each), then its bytes. The `.docs`
//! file is sealed: for each row the offset of its set and its rank (8 bytes each), then the
//! checksum of the keys' table, the size of the sets, 1 if any rank is not 0, and the xxh3 of the
//! parameters (8 bytes each).

use crate::error::{Error, ErrorKind};
use crate::file::{AtomicFile, SealedReader, SealedWriter};
use crate::limits;
use crate::minhash::{Params, Signature};
use crate::record::BandKey;
use crate::set::ShingleSet;
use crate::spill::{Record, SpillReader, SpillWriter, read_at};
use std::fs::File;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const DOCS_KIND: [u8; 8] = *b"docs0001";
const ENTRY_SIZE: usize = 16;
const SUMMARY_SIZE: usize = 32;
const SET_HEADER_SIZE: usize = 8;

/// The offset of a document that has no set.
const ABSENT: u64 = u64::MAX;

/// Largest set in bytes: five for each number.
const SET_SIZE_MAX: usize = 5 * (limits::SHINGLES_MAX + 1);

/// Takes the documents of one shard, in order. Dropped before [`commit`](Self::commit), it leaves
/// nothing.
pub struct Shard {
    folder: PathBuf,
    number: u32,
    params: Params,
    keys: SpillWriter<BandKey>,
    sets: AtomicFile,
    docs: SealedWriter,
    rows: u64,
    has_ranks: bool,
    buffer: Vec<u8>,
}

impl Shard {
    pub(crate) fn create(
        folder: &Path,
        shard: u32,
        params: Params,
        memory_size: usize,
    ) -> Result<Self, Error> {
        Ok(Self {
            folder: folder.to_owned(),
            number: shard,
            params,
            keys: SpillWriter::create(&file(folder, shard, "keys"), memory_size)?,
            sets: AtomicFile::create(&file(folder, shard, "sets"))?,
            docs: SealedWriter::create(&file(folder, shard, "docs"), DOCS_KIND)?,
            rows: 0,
            has_ranks: false,
            buffer: Vec::new(),
        })
    }

    /// Adds the document at `row`. Rows ascend; those left out count as documents that are not
    /// there, and cost 16 bytes of disk and 4 of memory. `set` is needed for verification only.
    ///
    /// # Errors
    /// `InvalidInput` for a row that does not ascend or a signature of other parameters; `Io`.
    pub fn add(
        &mut self,
        row: u32,
        signature: &Signature,
        set: Option<&ShingleSet>,
    ) -> Result<(), Error> {
        self.add_ranked(row, 0, signature, set)
    }

    /// The same with a rank: of duplicates the one with the smallest rank stays, and among equal
    /// ranks the first.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_ranked(
        &mut self,
        row: u32,
        rank: u64,
        signature: &Signature,
        set: Option<&ShingleSet>,
    ) -> Result<(), Error> {
        let len = signature.values().len();
        if len != 0 && len != self.params.bands * self.params.rows {
            let (shard, params) = (self.number, self.params);
            return Err(Error::invalid(format!(
                "cannot add row {row} of shard {shard}: its signature has {len} values, not those of {params}"
            )));
        }
        self.skip_to(row)?;
        for key in signature.band_keys() {
            self.keys.push(BandKey {
                key,
                document: row.into(),
            })?;
        }
        let mut offset = ABSENT;
        if let Some(set) = set.filter(|set| !set.is_empty()) {
            offset = self.sets.size();
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            set.encode(&mut buffer);
            self.write_set(&buffer)?;
            self.buffer = buffer;
        }
        self.write_entry(offset, rank)
    }

    /// Gives the files their names: the shard is done, and a rerun skips it.
    ///
    /// # Errors
    /// `Io`.
    pub fn commit(self) -> Result<(), Error> {
        let keys = self.keys.commit(self.rows)?;
        commit(self.sets, self.docs, keys, self.has_ranks, &self.params)
    }

    fn skip_to(&mut self, row: u32) -> Result<(), Error> {
        if u64::from(row) < self.rows {
            let (shard, folder) = (self.number, self.folder.display());
            let after = self.rows - 1;
            return Err(Error::invalid(format!(
                "cannot add row {row} of shard {shard} to `{folder}`: it comes after row {after}"
            ))
            .with_hint("give each shard's documents in order, each row once"));
        }
        while self.rows < u64::from(row) {
            self.write_entry(ABSENT, 0)?;
        }
        Ok(())
    }

    fn write_set(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sets.write(&(bytes.len() as u32).to_le_bytes())?;
        self.sets.write(&(xxh3_64(bytes) as u32).to_le_bytes())?;
        self.sets.write(bytes)
    }

    fn write_entry(&mut self, offset: u64, rank: u64) -> Result<(), Error> {
        self.rows += 1;
        self.has_ranks |= rank != 0;
        self.docs.write(&offset.to_le_bytes())?;
        self.docs.write(&rank.to_le_bytes())
    }
}

fn commit(
    sets: AtomicFile,
    mut docs: SealedWriter,
    keys: u64,
    has_ranks: bool,
    params: &Params,
) -> Result<(), Error> {
    for word in [keys, sets.size(), has_ranks.into(), params_sum(params)] {
        docs.write(&word.to_le_bytes())?;
    }
    sets.commit()?;
    docs.commit().map(drop)
}

fn params_sum(params: &Params) -> u64 {
    xxh3_64(params.to_string().as_bytes())
}

fn file(folder: &Path, shard: u32, extension: &str) -> PathBuf {
    folder.join(format!("part-{shard:010}.{extension}"))
}

/// Whether a shard is committed.
pub(crate) fn is_done(folder: &Path, shard: u32) -> bool {
    file(folder, shard, "docs").exists()
}

/// Removes the files of a shard, first the one that says that it is committed.
pub(crate) fn remove(folder: &Path, shard: u32) -> Result<(), Error> {
    for extension in ["docs", "sets", "keys"] {
        let path = file(folder, shard, extension);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The numbers of the committed shards, in order.
pub(crate) fn list(folder: &Path) -> Result<Vec<u32>, Error> {
    let io = |error| Error::io("list", folder, error);
    let mut shards = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("part-")?.strip_suffix(".docs"));
        shards.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    shards.sort_unstable();
    Ok(shards)
}

/// A committed shard.
pub(crate) struct Part {
    folder: PathBuf,
    pub(crate) shard: u32,
    /// The number by which the deduplication knows it: that of the shard, but for parts of an index.
    pub(crate) label: u32,
    pub(crate) rows: u64,
    pub(crate) has_ranks: bool,
    /// The checksum of the `.docs` file, which covers what names the others.
    pub(crate) sum: u64,
    docs: File,
    sets: File,
}

impl Part {
    /// Opens the files and checks that they belong together, the `.docs` file wholly.
    pub(crate) fn open(folder: &Path, shard: u32, params: &Params) -> Result<Self, Error> {
        let path = file(folder, shard, "docs");
        let mut reader = SealedReader::open(&path, DOCS_KIND)?;
        let (size, sum) = (reader.left(), reader.sum());
        let entries = size.checked_sub(SUMMARY_SIZE as u64).unwrap_or(1);
        let rows = entries / ENTRY_SIZE as u64;
        if !entries.is_multiple_of(ENTRY_SIZE as u64) || rows > limits::ROWS_MAX {
            let what = format!("{size} bytes are not a list of documents");
            return Err(Error::corrupt(&path, what));
        }
        let mut summary = [0; SUMMARY_SIZE];
        let mut buffer = vec![0; 1 << 16];
        while reader.left() > SUMMARY_SIZE as u64 {
            let most = (reader.left() - SUMMARY_SIZE as u64).min(buffer.len() as u64);
            reader.read(&mut buffer[..most as usize])?;
        }
        reader.read(&mut summary)?;
        let word = |at: usize| u64::from_le_bytes(summary.as_chunks::<8>().0[at]);
        let part = Self {
            folder: folder.to_owned(),
            shard,
            label: shard,
            rows,
            has_ranks: word(2) != 0,
            sum,
            docs: open(&path)?,
            sets: open(&file(folder, shard, "sets"))?,
        };
        if word(3) != params_sum(params) {
            let message = format!(
                "cannot read `{}`: it was not made with {params}",
                path.display()
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        part.check(word(0), word(1))?;
        Ok(part)
    }

    /// The same part with file handles of its own.
    pub(crate) fn reopen(&self, params: &Params) -> Result<Self, Error> {
        let part = Self::open(&self.folder, self.shard, params)?;
        let label = self.label;
        Ok(Self { label, ..part })
    }

    fn check(&self, keys_sum: u64, sets_size: u64) -> Result<(), Error> {
        let keys = self.keys()?;
        if keys.sum() != keys_sum || keys.rows() != self.rows {
            let path = file(&self.folder, self.shard, "keys");
            return Err(Error::corrupt(
                &path,
                "it is not the one its `.docs` file names",
            ));
        }
        let path = file(&self.folder, self.shard, "sets");
        let size = self
            .sets
            .metadata()
            .map_err(|error| Error::io("read", &path, error))?;
        if size.len() != sets_size {
            let what = format!("it has {} bytes, not {sets_size}", size.len());
            return Err(Error::corrupt(&path, what));
        }
        Ok(())
    }

    pub(crate) fn keys(&self) -> Result<SpillReader, Error> {
        SpillReader::open(&file(&self.folder, self.shard, "keys"), BandKey::SIZE)
    }

    /// The rank of a row.
    pub(crate) fn rank(&self, row: u64) -> Result<u64, Error> {
        self.entry(row).map(|(_, rank)| rank)
    }

    /// The set of a row; empty where none was given.
    pub(crate) fn set(&self, row: u64) -> Result<ShingleSet, Error> {
        let (offset, _) = self.entry(row)?;
        let path = || file(&self.folder, self.shard, "sets");
        if offset == ABSENT {
            return Ok(ShingleSet::default());
        }
        let bytes = self.set_bytes(offset)?;
        ShingleSet::decode(&bytes).map_err(|what| {
            let what = format!("the set of row {row} at byte {offset} is broken: {what}");
            Error::corrupt(&path(), what)
        })
    }

    fn set_bytes(&self, offset: u64) -> Result<Vec<u8>, Error> {
        let path = file(&self.folder, self.shard, "sets");
        let mut header = [0; SET_HEADER_SIZE];
        read_at(&self.sets, &path, &mut header, offset)?;
        let [a, b, c, d, e, f, g, h] = header;
        let size = u32::from_le_bytes([a, b, c, d]) as usize;
        let sum = u32::from_le_bytes([e, f, g, h]);
        let broken = || {
            let what = format!("the set at byte {offset} does not have its checksum");
            Error::corrupt(&path, what)
        };
        if size > SET_SIZE_MAX {
            return Err(broken());
        }
        let mut bytes = vec![0; size];
        read_at(
            &self.sets,
            &path,
            &mut bytes,
            offset + SET_HEADER_SIZE as u64,
        )?;
        if xxh3_64(&bytes) as u32 == sum {
            Ok(bytes)
        } else {
            Err(broken())
        }
    }

    fn entry(&self, row: u64) -> Result<(u64, u64), Error> {
        let path = file(&self.folder, self.shard, "docs");
        let mut entry = [0; ENTRY_SIZE];
        read_at(&self.docs, &path, &mut entry, row * ENTRY_SIZE as u64)?;
        let [offset, rank] = [0, 1].map(|at| u64::from_le_bytes(entry.as_chunks::<8>().0[at]));
        Ok((offset, rank))
    }

    /// Writes the rows that `keep` says yes to as a part of the same shard in another folder.
    pub(crate) fn filtered(
        &self,
        folder: &Path,
        params: &Params,
        keep: impl Fn(u64) -> bool,
    ) -> Result<(), Error> {
        let path = |extension| file(folder, self.shard, extension);
        let key = |record: BandKey| keep(record.document);
        let keys = self.keys()?.filtered(&path("keys"), key)?;
        let mut sets = AtomicFile::create(&path("sets"))?;
        let mut docs = SealedWriter::create(&path("docs"), DOCS_KIND)?;
        for row in 0..self.rows {
            let (mut offset, rank) = self.entry(row)?;
            if offset != ABSENT && keep(row) {
                let bytes = self.set_bytes(offset)?;
                offset = sets.size();
                sets.write(&(bytes.len() as u32).to_le_bytes())?;
                sets.write(&(xxh3_64(&bytes) as u32).to_le_bytes())?;
                sets.write(&bytes)?;
            } else {
                offset = ABSENT;
            }
            docs.write(&offset.to_le_bytes())?;
            docs.write(&rank.to_le_bytes())?;
        }
        commit(sets, docs, keys, self.has_ranks, params)
    }

    /// Copies the files into another folder, the `.docs` file last.
    pub(crate) fn copy(&self, folder: &Path) -> Result<(), Error> {
        for extension in ["keys", "sets", "docs"] {
            let from = file(&self.folder, self.shard, extension);
            let mut source = open(&from)?;
            let mut target = AtomicFile::create(&file(folder, self.shard, extension))?;
            let mut buffer = vec![0; 1 << 18];
            loop {
                let read = std::io::Read::read(&mut source, &mut buffer);
                match read.map_err(|error| Error::io("read", &from, error))? {
                    0 => break,
                    size => target.write(&buffer[..size])?,
                }
            }
            target.commit()?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|error| Error::io("open", path, error))
}
