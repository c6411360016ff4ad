//! Batches that were put aside: `part-GROUP-N.rows`, a file of frames.
//!
//! A frame is the size of a batch in bytes, their XXH3-64 with the number of rows as seed, and this
//! number (8 bytes each, little-endian), then the batch as an Arrow stream.

use crate::atomic::AtomicFile;
use crate::batch::assemble;
use crate::limits::FRAME_SIZE_MAX;
use crate::{Error, ErrorKind};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::Schema;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(super) const HEADER_SIZE: usize = 24;

/// Most room that is made before it is known to be needed: a slice counts for all that it is cut from.
const ROOM_MAX: usize = 16 << 20;

/// Most parts of one group of files; there are fewer groups than that.
const PARTS_MAX: usize = 1 << 16;

/// A part that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Ascends from part to part: first by its group of files, then in this.
    pub(crate) number: u32,
    pub(crate) rows: u32,
}

impl Part {
    /// Part `at` of a group.
    pub(super) fn new(group: usize, at: usize, rows: u32) -> Self {
        let number = (group * PARTS_MAX + at) as u32;
        Self { number, rows }
    }

    pub(super) fn group(self) -> usize {
        self.number as usize / PARTS_MAX
    }
}

/// The number of part `at` of a group.
pub(super) fn number(group: usize, at: usize) -> Result<u32, Error> {
    if at >= PARTS_MAX {
        return Err(Error::limit(format!(
            "a group of files has more than PARTS_MAX = {PARTS_MAX} parts of rows"
        )));
    }
    Ok(Part::new(group, at, 0).number)
}

/// The numbers that parts of a group can have.
pub(super) fn numbers(group: usize) -> RangeInclusive<u32> {
    Part::new(group, 0, 0).number..=Part::new(group, PARTS_MAX - 1, 0).number
}

/// The path of a part.
pub(crate) fn path(folder: &Path, part: u32) -> PathBuf {
    beside(folder, part, "rows")
}

/// The path of a file of a part.
pub(super) fn beside(folder: &Path, part: u32, extension: &str) -> PathBuf {
    let (group, at) = (part as usize / PARTS_MAX, part as usize % PARTS_MAX);
    folder.join(format!("{}{at:05}.{extension}", start(group)))
}

/// What the names of a group's parts begin with.
fn start(group: usize) -> String {
    format!("part-{group:05}-")
}

/// Removes what a killed run has left of a group.
pub(super) fn discard(folder: &Path, group: usize) -> Result<(), Error> {
    let failed = |error| Error::io("clear", folder, error);
    let start = start(group);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is not complete is hidden.
        if name.strip_prefix('.').unwrap_or(&name).starts_with(&start) {
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Makes a frame of a batch.
pub(super) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let mut out = encode_behind(HEADER_SIZE, batch)?;
    let (header, bytes) = out.split_at_mut(HEADER_SIZE);
    header[..8].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    let rows = batch.num_rows() as u64;
    header[8..16].copy_from_slice(&xxh3_64_with_seed(bytes, rows).to_le_bytes());
    header[16..].copy_from_slice(&rows.to_le_bytes());
    Ok(out)
}

/// Makes an Arrow stream of a batch, with room for a header before it.
pub(crate) fn encode_behind(header: usize, batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(header + batch.get_array_memory_size().min(ROOM_MAX));
    out.resize(header, 0);
    let write = |out: &mut Vec<u8>| {
        let mut writer = StreamWriter::try_new(out, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()
    };
    write(&mut out).map_err(|error| Error::arrow("put a batch aside", error))?;
    Ok(out)
}

/// Makes the batch of a frame's bytes, which it keeps.
pub(crate) fn decode(bytes: impl Into<Buffer>) -> Result<RecordBatch, Error> {
    let mut bytes = bytes.into();
    let mut decoder = StreamDecoder::new();
    let failed = |error| Error::arrow("take a batch back", error);
    if let Some(batch) = decoder.decode(&mut bytes).map_err(failed)? {
        return Ok(batch);
    }
    decoder.finish().map_err(failed)?;
    let schema = decoder.schema().unwrap_or_else(|| Schema::empty().into());
    assemble(schema, Vec::new())
}

/// A part under construction.
pub(super) struct PartWriter(AtomicFile);

impl PartWriter {
    pub(super) fn create(folder: &Path, part: u32) -> Result<Self, Error> {
        AtomicFile::create(&path(folder, part)).map(Self)
    }

    pub(super) fn write(&mut self, frame: &[u8]) -> Result<(), Error> {
        self.0.append(frame)
    }

    pub(super) fn size(&self) -> u64 {
        self.0.size()
    }

    /// A part that does not survive a loss of power is found out by its checksums and its number of rows.
    pub(super) fn commit(self) -> Result<(), Error> {
        self.0.commit_unsynced()
    }
}

/// A batch as it lies in a part.
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u32,
}

/// The frames of a part.
pub(crate) struct PartReader {
    path: PathBuf,
    file: BufReader<File>,
}

impl PartReader {
    pub(crate) fn open(folder: &Path, part: u32) -> Result<Self, Error> {
        let path = path(folder, part);
        let file = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Self { path, file })
    }

    /// The next frame; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Error> {
        match self.read() {
            Ok(frame) => Ok(frame),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.changed()),
            Err(error) => Err(Error::io("read", &self.path, error)),
        }
    }

    /// What is here is not what was put aside.
    pub(crate) fn changed(&self) -> Error {
        let path = self.path.display();
        let message = format!("cannot read `{path}`: what was put aside has changed");
        Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
    }

    fn read(&mut self) -> io::Result<Option<Frame>> {
        let mut header = [0; HEADER_SIZE];
        let mut filled = 0;
        while filled < HEADER_SIZE {
            match self.file.read(&mut header[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::InvalidData.into()),
                count => filled += count,
            }
        }
        let number =
            |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let (size, sum) = (number(0), number(8));
        let Some(rows) = u32::try_from(number(16))
            .ok()
            .filter(|_| size <= FRAME_SIZE_MAX)
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut bytes = Vec::new();
        self.file.by_ref().take(size).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size || xxh3_64_with_seed(&bytes, rows.into()) != sum {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(Frame { bytes, rows }))
    }
}
