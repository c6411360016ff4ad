//! The bytes of a shard: mapped, read by position, or in memory.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::{Error, raw};

/// How files are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Through memory maps: the fastest. A file that is cut while it is mapped ends the process.
    #[default]
    Map,
    /// By reads at a position, one system call for each row: for files that others change, and for
    /// network file systems. Each shard keeps a file open.
    Read,
}

/// Bytes by position. Clones share them.
#[derive(Clone)]
pub(crate) struct Store {
    place: Arc<Place>,
    path: Arc<Path>,
    size: u64,
}

enum Place {
    Map(Mmap),
    File(File),
    Memory(Vec<u8>),
}

impl Store {
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Error> {
        let failed = |error| Error::io("open", path, error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let size = metadata.len();
        let place = match access {
            // A map has at least one byte.
            Access::Map if size == 0 => Place::Memory(Vec::new()),
            Access::Map => Place::Map(raw::map(&file).map_err(|error| {
                Error::io("map", path, error)
                    .with_hint("read instead of mapping, or write fewer and larger shards")
            })?),
            Access::Read => Place::File(file),
        };
        Ok(Self {
            place: Arc::new(place),
            path: path.into(),
            size,
        })
    }

    pub(crate) fn from_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            size: bytes.len() as u64,
            place: Arc::new(Place::Memory(bytes)),
            path: PathBuf::from(name).into(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// In bytes, when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// `size` bytes from `start` on; borrowed where they are in memory. `what` is for the error.
    pub(crate) fn bytes(&self, start: u64, size: u64, what: &str) -> Result<Cow<'_, [u8]>, Error> {
        self.check(start, size, what)?;
        if let Some(bytes) = self.whole() {
            return Ok(bytes[start as usize..(start + size) as usize].into());
        }
        let mut bytes = vec![0; size as usize];
        self.read(start, &mut bytes, what)?;
        Ok(bytes.into())
    }

    /// Fills `target` with the bytes from `start` on.
    pub(crate) fn read(&self, start: u64, target: &mut [u8], what: &str) -> Result<(), Error> {
        self.check(start, target.len() as u64, what)?;
        match &*self.place {
            Place::File(file) => read_exact_at(file, target, start)
                .map_err(|error| Error::io(&format!("read {what} of"), &self.path, error)),
            Place::Map(_) | Place::Memory(_) => {
                let bytes = self.whole().unwrap_or_default();
                target.copy_from_slice(&bytes[start as usize..start as usize + target.len()]);
                Ok(())
            }
        }
    }

    /// A `u32` in little-endian order.
    pub(crate) fn u32(&self, start: u64, what: &str) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.read(start, &mut bytes, what)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// A `u64` in little-endian order.
    pub(crate) fn u64(&self, start: u64, what: &str) -> Result<u64, Error> {
        Ok(self.i64(start, what)?.cast_unsigned())
    }

    /// An `i64` in little-endian order.
    pub(crate) fn i64(&self, start: u64, what: &str) -> Result<i64, Error> {
        let mut bytes = [0; 8];
        self.read(start, &mut bytes, what)?;
        Ok(i64::from_le_bytes(bytes))
    }

    fn whole(&self) -> Option<&[u8]> {
        match &*self.place {
            Place::Map(map) => Some(map),
            Place::Memory(bytes) => Some(bytes),
            Place::File(_) => None,
        }
    }

    fn check(&self, start: u64, size: u64, what: &str) -> Result<(), Error> {
        if start.checked_add(size).is_some_and(|end| end <= self.size) {
            return Ok(());
        }
        let (path, all) = (self.path.display(), self.size);
        Err(Error::corrupt(format!(
            "cannot read {what} of `{path}`: {size} bytes at {start} in a file of {all}"
        ))
        .with_hint("the file may be cut off: fetch or write it again"))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, target: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, target, start)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut target: &mut [u8], mut start: u64) -> io::Result<()> {
    while !target.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, target, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                target = &mut target[count..];
                start += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
