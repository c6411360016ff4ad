//! The bytes of a file by position, from a disk or from memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::{Error, ErrorKind};

/// How much a [`Cursor`] reads ahead, in bytes.
const AHEAD_SIZE: usize = 4096;

/// A file or bytes. Clones are cheap and share both.
#[derive(Clone)]
pub(crate) struct Input(Arc<Place>);

enum Place {
    Disk { file: File, size: u64 },
    Memory(Vec<u8>),
}

impl Input {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self(Arc::new(Place::Disk { file, size })))
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Place::Memory(bytes)))
    }

    /// The size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        match &*self.0 {
            Place::Disk { size, .. } => *size,
            Place::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// The bytes of `range`, which must lie inside. `what` is for the error.
    pub(crate) fn read(&self, range: Range<u64>, what: &str) -> Result<Vec<u8>, Error> {
        if range.start > range.end || range.end > self.size() {
            let (Range { start, end }, size) = (range, self.size());
            return Err(Error::corrupt(format!(
                "cannot read {what}: bytes {start} to {end} of a file of {size} bytes"
            )));
        }
        let mut bytes = zeroed(range.end - range.start, what)?;
        let mut done = 0;
        while done < bytes.len() {
            match self.read_at(range.start + done as u64, &mut bytes[done..]) {
                Ok(0) => {
                    let at = range.start + done as u64;
                    return Err(Error::corrupt(format!(
                        "cannot read {what}: the file now ends at byte {at}"
                    )));
                }
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let message = format!("cannot read {what}: {error}");
                    return Err(Error::new(ErrorKind::Io, message));
                }
            }
        }
        Ok(bytes)
    }

    /// A reader that starts at the first byte.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            input: self.clone(),
            position: 0,
            ahead: Vec::new(),
            ahead_start: 0,
        }
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.0 {
            #[cfg(unix)]
            Place::Disk { file, .. } => std::os::unix::fs::FileExt::read_at(file, buffer, position),
            #[cfg(windows)]
            Place::Disk { file, .. } => {
                std::os::windows::fs::FileExt::seek_read(file, buffer, position)
            }
            Place::Memory(bytes) => {
                let start = usize::try_from(position).map_or(bytes.len(), |at| at.min(bytes.len()));
                (&bytes[start..]).read(buffer)
            }
        }
    }
}

/// `size` zeroed bytes, or an error where memory does not suffice.
pub(crate) fn zeroed(size: u64, what: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    usize::try_from(size)
        .ok()
        .filter(|&size| bytes.try_reserve_exact(size).is_ok())
        .ok_or_else(|| {
            let message = format!("cannot read {what}: no memory for {size} bytes");
            Error::new(ErrorKind::LimitReached, message)
        })?;
    bytes.resize(size as usize, 0);
    Ok(bytes)
}

/// A buffered reader. Clones are cheap and move on their own.
#[derive(Clone)]
pub(crate) struct Cursor {
    input: Input,
    position: u64,
    ahead: Vec<u8>,
    ahead_start: u64,
}

impl Cursor {
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Moves on; past the end, nothing is left to read.
    pub(crate) fn skip(&mut self, size: u64) {
        self.position = self.position.saturating_add(size);
    }

    fn buffered(&self) -> &[u8] {
        let start = self.position.checked_sub(self.ahead_start);
        let start = start.and_then(|start| usize::try_from(start).ok());
        start
            .and_then(|start| self.ahead.get(start..))
            .unwrap_or_default()
    }
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.buffered().is_empty() {
            if buffer.len() >= AHEAD_SIZE {
                let count = self.input.read_at(self.position, buffer)?;
                self.position += count as u64;
                return Ok(count);
            }
            let mut ahead = std::mem::take(&mut self.ahead);
            ahead.resize(AHEAD_SIZE, 0);
            let count = self.input.read_at(self.position, &mut ahead)?;
            ahead.truncate(count);
            (self.ahead, self.ahead_start) = (ahead, self.position);
        }
        let count = self.buffered().read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.input.size().checked_add_signed(distance),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
