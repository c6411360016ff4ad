//! Records that do not fit into memory: written in runs, each in order of its partition (the upper
//! bits of the record's key), and read back partition by partition.
//!
//! A file is its runs, then a table, then 48 bytes: partition bits, record size, runs, rows, xxh3
//! of the table, "NXSPIL01". The table has for each run its offset and for each partition the
//! count and the lower half of the xxh3 of its records, so that damage is found where it is read.

use crate::error::{Error, ErrorKind};
use crate::file::AtomicFile;
use crate::limits;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const TRAILER_SIZE: u64 = 48;
const MAGIC: &[u8; 8] = b"NXSPIL01";

/// Largest run, so that a reader with less memory than the writer can still read a slice.
const RUN_SIZE_MAX: usize = 32 << 20;

/// More bits than this make slices too small to be read well.
pub(crate) const PARTITION_BITS: u32 = 8;
const PARTITIONS: usize = 1 << PARTITION_BITS;

/// A record of fixed size. Its order begins with its key.
pub(crate) trait Record: Copy + Ord {
    /// Bytes in the file.
    const SIZE: usize;
    fn key(self) -> u64;
    fn encode(self, out: &mut [u8]);
    /// `base` is the ordinal of row 0 of the file.
    fn decode(bytes: &[u8], base: u64) -> Self;
}

/// Writes a spill file.
pub(crate) struct SpillWriter<R> {
    file: AtomicFile,
    buffer: Vec<R>,
    encoded: Vec<u8>,
    capacity: usize,
    table: Vec<u8>,
    runs: u64,
}

impl<R: Record> SpillWriter<R> {
    /// A writer that uses about `memory_size` bytes.
    pub(crate) fn create(path: &Path, memory_size: usize) -> Result<Self, Error> {
        Ok(Self::new(AtomicFile::create(path)?, memory_size))
    }

    fn new(file: AtomicFile, memory_size: usize) -> Self {
        let per_record = size_of::<R>() + R::SIZE;
        let capacity = memory_size.min(RUN_SIZE_MAX) / per_record;
        Self {
            file,
            buffer: Vec::new(),
            encoded: Vec::new(),
            capacity: capacity.max(1024),
            table: Vec::new(),
            runs: 0,
        }
    }

    /// As [`AtomicFile::create_passing`].
    pub(crate) fn create_passing(path: &Path, memory_size: usize) -> Result<Self, Error> {
        Ok(Self::new(AtomicFile::create_passing(path)?, memory_size))
    }

    pub(crate) fn push(&mut self, record: R) -> Result<(), Error> {
        if self.buffer.len() == self.capacity {
            self.flush()?;
        }
        self.buffer.push(record);
        Ok(())
    }

    /// Ends the file, gives it its name and returns the checksum of its table.
    pub(crate) fn commit(mut self, rows: u64) -> Result<u64, Error> {
        self.flush()?;
        let sum = xxh3_64(&self.table);
        self.file.write(&self.table)?;
        let (bits, size) = (u64::from(PARTITION_BITS), R::SIZE as u64);
        for word in [bits, size, self.runs, rows, sum] {
            self.file.write(&word.to_le_bytes())?;
        }
        self.file.write(MAGIC)?;
        self.file.commit()?;
        Ok(sum)
    }

    /// Writes what is buffered as a run. Records of one partition stay in the order they came in.
    fn flush(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut ends = [0usize; PARTITIONS];
        for record in &self.buffer {
            ends[partition(record.key())] += 1;
        }
        let counts = ends;
        let mut start = 0;
        for end in &mut ends {
            (*end, start) = (start, start + *end);
        }
        self.encoded.resize(self.buffer.len() * R::SIZE, 0);
        for &record in &self.buffer {
            let at = &mut ends[partition(record.key())];
            record.encode(&mut self.encoded[*at * R::SIZE..(*at + 1) * R::SIZE]);
            *at += 1;
        }
        self.buffer.clear();
        let encoded = std::mem::take(&mut self.encoded);
        self.write_run(&encoded, &counts)?;
        self.encoded = encoded;
        Ok(())
    }

    /// Writes a run that is already in order of its partitions.
    fn write_run(&mut self, encoded: &[u8], counts: &[usize; PARTITIONS]) -> Result<(), Error> {
        self.table.extend(self.file.size().to_le_bytes());
        let mut rest = encoded;
        for &count in counts {
            let slice = rest.split_off(..count * R::SIZE).expect("counts add up");
            self.table.extend((count as u32).to_le_bytes());
            self.table.extend((xxh3_64(slice) as u32).to_le_bytes());
        }
        self.runs += 1;
        self.file.write(encoded)
    }
}

fn partition(key: u64) -> usize {
    (key >> (64 - PARTITION_BITS)) as usize
}

/// Reads a spill file.
pub(crate) struct SpillReader {
    path: PathBuf,
    file: File,
    /// For each run its offset; for each run and partition its count and checksum.
    offsets: Vec<u64>,
    slices: Vec<(u32, u32)>,
    record_size: usize,
    rows: u64,
    sum: u64,
}

impl SpillReader {
    /// Opens a file of records of `record_size` bytes and checks its table.
    pub(crate) fn open(path: &Path, record_size: usize) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let size = file
            .metadata()
            .map_err(|error| Error::io("read", path, error))?
            .len();
        let Some(table_end) = size.checked_sub(TRAILER_SIZE) else {
            let what = format!("it has {size} bytes, less than its trailer");
            return Err(Error::corrupt(path, what));
        };
        let mut trailer = [0; TRAILER_SIZE as usize];
        read_at(&file, path, &mut trailer, table_end)?;
        let word =
            |at: usize| u64::from_le_bytes(trailer[at * 8..at * 8 + 8].try_into().expect("8"));
        if trailer[40..] != *MAGIC {
            let what = format!("its trailer at byte {table_end} is not one of version 1");
            return Err(Error::corrupt(path, what));
        }
        let (bits, is_size, runs, rows, sum) = (word(0), word(1), word(2), word(3), word(4));
        if bits != u64::from(PARTITION_BITS) || is_size != record_size as u64 {
            let message = format!(
                "cannot read `{}`: it has 2^{bits} partitions of {is_size}-byte records, not 2^{PARTITION_BITS} of {record_size}",
                path.display()
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let per_run = 8 + 8 * PARTITIONS as u64;
        if runs > limits::RUNS_MAX || runs * per_run > table_end || rows > limits::ROWS_MAX {
            let what = format!("its trailer at byte {table_end} states {runs} runs of {rows} rows");
            return Err(Error::corrupt(path, what));
        }
        let mut table = vec![0; (runs * per_run) as usize];
        let table_start = table_end - runs * per_run;
        read_at(&file, path, &mut table, table_start)?;
        if xxh3_64(&table) != sum {
            let what = format!("its table at byte {table_start} does not have its checksum");
            return Err(Error::corrupt(path, what));
        }
        let mut reader = Self {
            path: path.to_owned(),
            file,
            offsets: Vec::new(),
            slices: Vec::new(),
            record_size,
            rows,
            sum,
        };
        for run in table.chunks_exact(per_run as usize) {
            reader.add_run(run, table_start)?;
        }
        Ok(reader)
    }

    /// Opens a file and takes its name away: its space is free when the reader is dropped, so that a
    /// run that is killed later leaves nothing of it.
    pub(crate) fn open_last(path: &Path, record_size: usize) -> Result<Self, Error> {
        let reader = Self::open(path, record_size)?;
        std::fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
        Ok(reader)
    }

    /// The rows that the writer stated.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The checksum of the table, which names the contents.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    fn add_run(&mut self, run: &[u8], data_end: u64) -> Result<(), Error> {
        let (offset, slices) = run.split_first_chunk().expect("a run has an offset");
        let offset = u64::from_le_bytes(*offset);
        let mut count = 0;
        for slice in slices.as_chunks::<8>().0 {
            let [a, b, c, d, e, f, g, h] = *slice;
            let records = u32::from_le_bytes([a, b, c, d]);
            count += u64::from(records);
            self.slices
                .push((records, u32::from_le_bytes([e, f, g, h])));
        }
        let end = offset.checked_add(count * self.record_size as u64);
        if end.is_none_or(|end| end > data_end) {
            let what = format!("run {} reaches beyond the data", self.offsets.len());
            return Err(Error::corrupt(&self.path, what));
        }
        self.offsets.push(offset);
        Ok(())
    }

    fn count(&self, partition: usize) -> usize {
        let slices = self.slices.iter().skip(partition).step_by(PARTITIONS);
        slices.map(|&(count, _)| count as usize).sum()
    }

    /// Gives the bytes of the records of one partition of each run to `visit`.
    fn slices(
        &self,
        partition: usize,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for run in 0..self.offsets.len() {
            self.slice(run, partition, buffer)?;
            visit(buffer)?;
        }
        Ok(())
    }

    fn slice(&self, run: usize, partition: usize, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let slices = &self.slices[run * PARTITIONS..];
        let before: usize = slices[..partition]
            .iter()
            .map(|slice| slice.0 as usize)
            .sum();
        let (count, sum) = slices[partition];
        let at = self.offsets[run] + (before * self.record_size) as u64;
        buffer.resize(count as usize * self.record_size, 0);
        read_at(&self.file, &self.path, buffer, at)?;
        if count > 0 && xxh3_64(buffer) as u32 != sum {
            let size = buffer.len();
            let what = format!(
                "run {run}, partition {partition} ({size} bytes at byte {at}) does not have its checksum"
            );
            return Err(Error::corrupt(&self.path, what));
        }
        Ok(())
    }

    /// Writes a file of the same runs with the records that `keep` says yes to, and returns the
    /// checksum of its table.
    pub(crate) fn filtered<R: Record>(
        &self,
        path: &Path,
        mut keep: impl FnMut(R) -> bool,
    ) -> Result<u64, Error> {
        let mut writer = SpillWriter::<R>::create(path, 0)?;
        let (mut buffer, mut encoded) = (Vec::new(), Vec::new());
        for run in 0..self.offsets.len() {
            encoded.clear();
            let mut counts = [0; PARTITIONS];
            for (partition, count) in counts.iter_mut().enumerate() {
                self.slice(run, partition, &mut buffer)?;
                for record in buffer.chunks_exact(R::SIZE) {
                    if keep(R::decode(record, 0)) {
                        encoded.extend_from_slice(record);
                        *count += 1;
                    }
                }
            }
            writer.write_run(&encoded, &counts)?;
        }
        writer.commit(self.rows)
    }
}

pub(crate) fn read_at(file: &File, path: &Path, out: &mut [u8], at: u64) -> Result<(), Error> {
    file.read_exact_at(out, at).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            let what = format!("it ends before byte {}", at + out.len() as u64);
            return Error::corrupt(path, what);
        }
        Error::io("read", path, error)
    })
}

/// What happens to more records of one key than fit into memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hot {
    /// They are visited in the order they were written in.
    Stream,
    /// They are loaded and sorted nevertheless.
    Load,
}

/// The records of several files, and the ordinal of each file's row 0.
pub(crate) struct Sources<'a> {
    pub(crate) files: &'a [(SpillReader, u64)],
    /// Most records that are loaded at once.
    pub(crate) budget: usize,
    pub(crate) hot: Hot,
}

/// How many partitions a spill has.
pub(crate) fn partitions() -> usize {
    PARTITIONS
}

impl Sources<'_> {
    /// Gives all records of a partition to `visit` in pieces, each sorted and each with keys beyond
    /// those of the piece before. Only the records of a [hot](Hot) key may span pieces.
    pub(crate) fn sorted<R: Record>(
        &self,
        partition: usize,
        visit: &mut impl FnMut(&[R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count: usize = self.files.iter().map(|file| file.0.count(partition)).sum();
        if count == 0 {
            return Ok(());
        }
        let whole = Range {
            partition,
            bits: PARTITION_BITS,
            prefix: partition as u64,
        };
        if count > self.budget {
            return self.split(whole, visit);
        }
        let first = whole.prefix << (64 - PARTITION_BITS);
        let last = first | (u64::MAX >> PARTITION_BITS);
        self.piece(whole, (first, last), count, visit)
    }

    /// Visits a range that does not fit: counts its records by their next bits, then loads as many
    /// neighbours at once as fit.
    fn split<R: Record>(
        &self,
        range: Range,
        visit: &mut impl FnMut(&[R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if range.bits == 64 {
            return self.each(range, |record| visit(&[record]));
        }
        let step = SPLIT_BITS.min(64 - range.bits);
        let shift = 64 - range.bits - step;
        let mut counts = vec![0usize; 1 << step];
        self.each(range, |record: R| {
            counts[(record.key() >> shift) as usize & ((1 << step) - 1)] += 1;
            Ok(())
        })?;
        let mut start = 0;
        while start < counts.len() {
            let (mut end, mut sum) = (start, 0);
            while end < counts.len() && (end == start || sum + counts[end] <= self.budget) {
                sum += counts[end];
                end += 1;
            }
            let prefix = range.prefix << step | start as u64;
            let bits = range.bits + step;
            let is_loaded = sum <= self.budget || (bits == 64 && self.hot == Hot::Load);
            if is_loaded {
                let first = prefix << shift;
                let last = first + ((((end - start) as u64) << shift) - 1);
                self.piece(range, (first, last), sum, visit)?;
            } else {
                let partition = range.partition;
                self.split(
                    Range {
                        partition,
                        bits,
                        prefix,
                    },
                    visit,
                )?;
            }
            start = end;
        }
        Ok(())
    }

    /// Loads and sorts the records from the first to the last key.
    fn piece<R: Record>(
        &self,
        range: Range,
        (first, last): (u64, u64),
        count: usize,
        visit: &mut impl FnMut(&[R]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let mut records = Vec::with_capacity(count);
        self.each(range, |record: R| {
            if (first..=last).contains(&record.key()) {
                records.push(record);
            }
            Ok(())
        })?;
        records.sort_unstable();
        visit(&records)
    }

    fn each<R: Record>(
        &self,
        range: Range,
        mut visit: impl FnMut(R) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut buffer = Vec::new();
        for (file, base) in self.files {
            file.slices(range.partition, &mut buffer, |bytes| {
                for record in bytes.chunks_exact(R::SIZE) {
                    let record = R::decode(record, *base);
                    if record.key() >> (64 - range.bits) == range.prefix {
                        visit(record)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Key bits by which a partition that does not fit is split at once.
const SPLIT_BITS: u32 = 12;

/// The keys of a partition whose upper `bits` are `prefix`.
#[derive(Clone, Copy)]
struct Range {
    partition: usize,
    bits: u32,
    prefix: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::BandKey;
    use proptest::prelude::*;

    /// Writes two files in runs of a few records and reads them back with this budget.
    fn round_trip(keys: &[u64], budget: usize, hot: Hot) -> Vec<Vec<BandKey>> {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = keys.split_at(keys.len() / 2);
        let mut files = Vec::new();
        for (name, keys, base) in [("a", first, 0), ("b", second, first.len() as u64)] {
            let path = folder.path().join(name);
            let mut writer = SpillWriter::create_passing(&path, 0).unwrap();
            writer.capacity = 7;
            for (document, &key) in (0..).zip(keys) {
                writer.push(BandKey { key, document }).unwrap();
            }
            writer.commit(keys.len() as u64).unwrap();
            files.push((SpillReader::open(&path, BandKey::SIZE).unwrap(), base));
        }
        let (files, mut pieces) = (&files[..], Vec::new());
        for partition in 0..PARTITIONS {
            let sources = Sources { files, budget, hot };
            sources
                .sorted(partition, &mut |records: &[BandKey]| {
                    pieces.push(records.to_vec());
                    Ok(())
                })
                .unwrap();
        }
        pieces
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn records_come_back_sorted_within_any_budget(
            keys in proptest::collection::vec(
                prop_oneof![
                    any::<u64>(),
                    Just(7),
                    Just(u64::MAX),
                    0u64..4,
                    (0u64..64).prop_map(|bit| 1 << bit),
                    u64::MAX - 3..=u64::MAX,
                ],
                0..120,
            ),
            budget in 1usize..12,
        ) {
            let mut expected: Vec<BandKey> = (0..)
                .zip(&keys)
                .map(|(document, &key)| BandKey { key, document })
                .collect();
            expected.sort_unstable();
            let streamed = round_trip(&keys, budget, Hot::Stream);
            prop_assert!(streamed.iter().all(|piece| piece.len() <= budget));
            prop_assert_eq!(streamed.concat(), &expected[..]);
            let loaded = round_trip(&keys, budget, Hot::Load);
            let ends = loaded.windows(2);
            let is_whole = |pair: &[Vec<BandKey>]| pair[0].last().unwrap().key < pair[1][0].key;
            prop_assert!(ends.into_iter().all(is_whole));
            prop_assert_eq!(loaded.concat(), expected);
        }
    }
}
