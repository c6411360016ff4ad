//! Files that appear whole or not at all, and sealed files, which end with their length and checksum.

use crate::error::{Error, ErrorKind};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// Bytes that are buffered before the system is asked.
const BUFFER_SIZE: usize = 1 << 16;

/// What a sealed file ends with: kind (8 bytes), payload size (8), xxh3 of the payload (8), "NXSEAL01".
const SEAL_SIZE: usize = 32;
const SEAL_MAGIC: &[u8; 8] = b"NXSEAL01";

/// A file that is written beside its place and gets its name at the end. Dropped before
/// [`commit`](Self::commit), it leaves nothing.
pub(crate) struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
    size: u64,
    /// Whether the file must outlive a loss of power.
    is_kept: bool,
}

impl AtomicFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().expect("files of this crate have names");
        let mut temporary = std::ffi::OsString::from(".");
        temporary.push(name);
        // The same name each time, so that what a killed run left is overwritten.
        temporary.push(".tmp");
        let temporary = path.with_file_name(temporary);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .map_err(|error| Error::io("create", &temporary, error))?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
            file: Some(BufWriter::with_capacity(BUFFER_SIZE, file)),
            size: 0,
            is_kept: true,
        })
    }

    /// A file that a later stage uses up. It outlives the process; after a loss of power it may be
    /// broken, which its checksums tell, so it is not forced to the disk.
    pub(crate) fn create_passing(path: &Path) -> Result<Self, Error> {
        let mut file = Self::create(path)?;
        file.is_kept = false;
        Ok(file)
    }

    /// Bytes written so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        let file = self.file.as_mut().expect("open until it is committed");
        file.write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))
    }

    /// Brings the file to the disk and gives it its name.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        let file = self.file.take().expect("committed once");
        let result = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| {
                if self.is_kept {
                    file.sync_data()
                } else {
                    Ok(())
                }
            })
            .and_then(|()| std::fs::rename(&self.temporary, &self.path));
        if result.is_err() {
            remove(&self.temporary);
        }
        result.map_err(|error| Error::io("write", &self.path, error))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // What is buffered goes nowhere, whatever the disk says to it.
            drop(file.into_parts());
            remove(&self.temporary);
        }
    }
}

/// Nothing can be done about a failure: the error that led here is the one to report.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Writes a sealed file.
pub(crate) struct SealedWriter {
    file: AtomicFile,
    kind: [u8; 8],
    hash: Xxh3Default,
}

impl SealedWriter {
    pub(crate) fn create(path: &Path, kind: [u8; 8]) -> Result<Self, Error> {
        Ok(Self::new(AtomicFile::create(path)?, kind))
    }

    /// As [`AtomicFile::create_passing`].
    pub(crate) fn create_passing(path: &Path, kind: [u8; 8]) -> Result<Self, Error> {
        Ok(Self::new(AtomicFile::create_passing(path)?, kind))
    }

    fn new(file: AtomicFile, kind: [u8; 8]) -> Self {
        let hash = Xxh3Default::new();
        Self { file, kind, hash }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        self.file.write(bytes)
    }

    /// Ends the file and returns the checksum of what it holds.
    pub(crate) fn commit(mut self) -> Result<u64, Error> {
        let (size, sum) = (self.file.size(), self.hash.digest());
        self.file.write(&self.kind)?;
        self.file.write(&size.to_le_bytes())?;
        self.file.write(&sum.to_le_bytes())?;
        self.file.write(SEAL_MAGIC)?;
        self.file.commit()?;
        Ok(sum)
    }
}

/// Reads a sealed file. The checksum is compared when the last byte has been read.
pub(crate) struct SealedReader {
    path: PathBuf,
    file: BufReader<File>,
    left: u64,
    sum: u64,
    hash: Xxh3Default,
}

impl SealedReader {
    /// Opens the file and checks its seal, not yet what it holds.
    pub(crate) fn open(path: &Path, kind: [u8; 8]) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let (left, sum) = read_seal(&mut file, path, kind)?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(BUFFER_SIZE, file),
            left,
            sum,
            hash: Xxh3Default::new(),
        })
    }

    /// Bytes that are not yet read.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The checksum that the seal states.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// Fills `out` as far as the file goes, and returns how many bytes that is.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let size = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        self.file
            .read_exact(&mut out[..size])
            .map_err(|error| Error::io("read", &self.path, error))?;
        self.hash.update(&out[..size]);
        self.left -= size as u64;
        if self.left == 0 && self.hash.digest() != self.sum {
            return Err(Error::corrupt(
                &self.path,
                "its bytes do not have the checksum at its end",
            ));
        }
        Ok(size)
    }

    /// Reads records of `N` bytes and gives each to `visit`.
    pub(crate) fn records<const N: usize>(
        mut self,
        mut visit: impl FnMut([u8; N]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.left.is_multiple_of(N as u64) {
            let what = format!("{} bytes are not records of {N} bytes", self.left);
            return Err(Error::corrupt(&self.path, what));
        }
        let mut buffer = vec![0; BUFFER_SIZE / N * N];
        while self.left > 0 {
            let size = self.read(&mut buffer)?;
            for record in buffer[..size].chunks_exact(N) {
                visit(record.try_into().expect("chunks of N bytes"))?;
            }
        }
        Ok(())
    }
}

/// Reads a whole sealed file of at most `size_max` bytes.
pub(crate) fn read_sealed(path: &Path, kind: [u8; 8], size_max: u64) -> Result<Vec<u8>, Error> {
    let mut reader = SealedReader::open(path, kind)?;
    if reader.left() > size_max {
        let size = reader.left();
        return Err(Error::limit(format!(
            "cannot read `{}`: it holds {size} bytes, more than {size_max}",
            path.display()
        )));
    }
    let mut bytes = vec![0; reader.left() as usize];
    reader.read(&mut bytes)?;
    Ok(bytes)
}

/// Writes a whole sealed file and returns its checksum.
pub(crate) fn write_sealed(path: &Path, kind: [u8; 8], bytes: &[u8]) -> Result<u64, Error> {
    let mut writer = SealedWriter::create(path, kind)?;
    writer.write(bytes)?;
    writer.commit()
}

/// The payload size and checksum at the end of `file`, which is then at its beginning.
fn read_seal(file: &mut File, path: &Path, kind: [u8; 8]) -> Result<(u64, u64), Error> {
    let io = |error| Error::io("read", path, error);
    let size = file.metadata().map_err(io)?.len();
    let Some(payload) = size.checked_sub(SEAL_SIZE as u64) else {
        let what = format!("it has {size} bytes, less than its seal");
        return Err(Error::corrupt(path, what));
    };
    let mut seal = [0; SEAL_SIZE];
    file.seek(SeekFrom::Start(payload)).map_err(io)?;
    file.read_exact(&mut seal).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let word = |at: usize| u64::from_le_bytes(seal[at..at + 8].try_into().expect("eight bytes"));
    if seal[24..] != *SEAL_MAGIC {
        let what = format!("its seal at byte {payload} is not one of version 1");
        return Err(Error::corrupt(path, what));
    }
    if seal[..8] != kind {
        let (is, wanted) = (seal[..8].escape_ascii(), kind.escape_ascii());
        let message = format!(
            "cannot read `{}`: it is `{is}`, not `{wanted}`",
            path.display()
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if word(8) != payload {
        let what = format!("its seal says {} bytes, but it has {payload}", word(8));
        return Err(Error::corrupt(path, what));
    }
    if payload == 0 && word(16) != xxhash_rust::xxh3::xxh3_64(&[]) {
        return Err(Error::corrupt(path, "its checksum is not that of no bytes"));
    }
    Ok((payload, word(16)))
}
