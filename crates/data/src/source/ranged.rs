//! Files whose parts are read: a few windows of the bytes are kept, so that many small reads are few
//! large ones.

use super::fault::Fault;
use super::listing::Input;
use crate::storage::Ranges;
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of all windows, if they are not larger by what is asked for.
const WINDOWS_SIZE: u64 = 32 << 20;

/// Smallest window.
const WINDOW_SIZE_MIN: u64 = 64 << 10;

/// A file, as cheap to clone as a pointer.
#[derive(Clone)]
pub(super) struct Ranged(Arc<Inner>);

struct Inner {
    ranges: Box<dyn Ranges>,
    size: u64,
    fault: Arc<Fault>,
    windows: Mutex<Windows>,
}

struct Windows {
    /// The one that was used last is the last one.
    kept: Vec<(u64, Bytes)>,
    count_max: usize,
    size: u64,
    /// Where columns begin and end, in order: a window does not reach beyond.
    stops: Vec<u64>,
}

impl Ranged {
    pub(super) fn open(input: &Input, fault: &Arc<Fault>) -> io::Result<Self> {
        let ranges = input.storage.ranges(&input.stored());
        let ranges = ranges.inspect_err(|error| fault.note(error))?;
        let size = ranges.read_size() as u64;
        Ok(Self(Arc::new(Inner {
            ranges,
            size: input.size,
            fault: fault.clone(),
            windows: Mutex::new(Windows {
                kept: Vec::new(),
                count_max: 2,
                size,
                stops: Vec::new(),
            }),
        })))
    }

    pub(super) fn size(&self) -> u64 {
        self.0.size
    }

    /// Says which parts are read side by side, each from its start to its end.
    pub(super) fn set_parts(&self, parts: impl Iterator<Item = (u64, u64)>) {
        let mut stops: Vec<u64> = parts.flat_map(|(start, end)| [start, end]).collect();
        stops.sort_unstable();
        stops.dedup();
        let mut windows = self.lock();
        windows.kept.clear();
        windows.count_max = stops.len().max(2);
        let share = WINDOWS_SIZE / windows.count_max as u64;
        let most = self.0.ranges.read_size() as u64;
        windows.size = share.clamp(WINDOW_SIZE_MIN.min(most), most);
        windows.stops = stops;
    }

    /// The bytes from `start` on; an error when there are not so many.
    pub(super) fn bytes(&self, start: u64, size: usize) -> io::Result<Bytes> {
        let end = start.checked_add(size as u64);
        let end = end
            .filter(|&end| end <= self.0.size)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut windows = self.lock();
        if let Some(at) = windows.find(start, end) {
            let window = windows.kept.remove(at);
            let from = (start - window.0) as usize;
            let bytes = window.1.slice(from..from + size);
            windows.kept.push(window);
            return Ok(bytes);
        }
        let (from, to) = windows.around(start, end, self.0.size);
        if windows.kept.len() >= windows.count_max {
            windows.kept.remove(0);
        }
        let window = Bytes::from(self.read(from, (to - from) as usize)?);
        windows.kept.push((from, window.clone()));
        let skipped = (start - from) as usize;
        Ok(window.slice(skipped..skipped + size))
    }

    fn read(&self, start: u64, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.read_at(start, &mut bytes)?;
        Ok(bytes)
    }

    fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        let read = self.0.ranges.read_at(start, buffer);
        read.inspect_err(|error| self.0.fault.note(error))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Windows> {
        // A window is kept when it is whole.
        self.0
            .windows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Windows {
    fn find(&self, start: u64, end: u64) -> Option<usize> {
        let holds =
            |(from, bytes): &(u64, Bytes)| *from <= start && end <= *from + bytes.len() as u64;
        self.kept.iter().position(holds)
    }

    /// The window to read for some bytes: from them on; at the end of the file what is before them too.
    fn around(&self, start: u64, end: u64, file_size: u64) -> (u64, u64) {
        let to = end.max(start.saturating_add(self.size)).min(file_size);
        if self.stops.is_empty() {
            return (start.min(to.saturating_sub(self.size)), to);
        }
        let stop = self.stops.iter().find(|&&stop| stop >= end);
        (start, stop.map_or(to, |&stop| to.min(stop.max(end))))
    }
}

impl Length for Ranged {
    fn len(&self) -> u64 {
        self.0.size
    }
}

impl ChunkReader for Ranged {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Result<Cursor, ParquetError> {
        Ok(self.cursor(start))
    }

    fn get_bytes(&self, start: u64, size: usize) -> Result<Bytes, ParquetError> {
        Ok(self.bytes(start, size)?)
    }
}

impl Ranged {
    /// Reads from `position` on.
    pub(super) fn cursor(&self, position: u64) -> Cursor {
        let file = self.clone();
        Cursor {
            file,
            position,
            window: Bytes::new(),
        }
    }
}

/// A place in a file.
pub(super) struct Cursor {
    file: Ranged,
    position: u64,
    /// Bytes from `position` on.
    window: Bytes,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.file.size().saturating_sub(self.position);
        let size = (buffer.len() as u64).min(rest) as usize;
        if self.window.is_empty() && size > 0 {
            let step = self.file.lock().size.min(rest) as usize;
            if size >= step {
                self.file.read_at(self.position, &mut buffer[..size])?;
                self.position += size as u64;
                return Ok(size);
            }
            self.window = self
                .file
                .bytes(self.position, step.min(HEAD_SIZE).max(size))?;
        }
        let bytes = self.window.split_to(size.min(self.window.len()));
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// How much a cursor takes of a window at once: headers are read by it, bodies at once.
const HEAD_SIZE: usize = 1 << 14;

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.file.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        self.window.clear();
        Ok(self.position)
    }
}
