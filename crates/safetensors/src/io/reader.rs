//! An open file and the way it is read.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::parallel::{cut, each, share};
use super::{Backend, Failure, Job, Way, direct};
use crate::raw::Pages;
use crate::sys;

/// From this size on a read of its own past the page cache pays.
const DIRECT_SPAN_MIN: u64 = 1 << 20;

/// An open file, read by position. It holds no place of its own, so threads share it.
pub(crate) struct Reader {
    file: File,
    size: u64,
    way: Way,
}

impl Reader {
    pub(crate) fn new(file: File, size: u64, way: Way) -> Self {
        Self { file, size, way }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Reads a part of the file to memory of its own. Gives the place of the part in there.
    pub(crate) fn read_span(&self, span: Range<u64>) -> Result<(Pages, Range<usize>), Failure> {
        let size = to_usize(span.end - span.start)?;
        let past_cache = matches!(self.way.backend, Backend::Direct | Backend::Uring);
        if past_cache && span.end - span.start >= DIRECT_SPAN_MIN {
            const BLOCK: u64 = direct::BLOCK as u64;
            let start = span.start / BLOCK * BLOCK;
            let before = (span.start - start) as usize;
            let mut pages = Pages::arena(to_usize(span.end - start)?)?;
            self.fill_arena((start, pages.as_mut_slice()))?;
            return Ok((pages, before..before + size));
        }
        let mut pages = Pages::zeroed(size)?;
        self.fill_sized(size, [(span.start, pages.as_mut_slice())])?;
        Ok((pages, 0..size))
    }

    /// Fills memory whose address and whose place in the file have the same rest by
    /// [`direct::BLOCK`], past the page cache if that is the way.
    pub(crate) fn fill_arena(&self, job: Job<'_>) -> Result<(), Failure> {
        match self.way.backend {
            Backend::Uring => direct::by_ring(&self.file, job, self.way),
            Backend::Direct => direct::by_threads(&self.file, job, self.way),
            _ => self.fill_sized(job.1.len(), [job]),
        }
    }

    /// Fills pieces of memory, `size` bytes in all, by positional reads, in parallel where that
    /// pays.
    pub(crate) fn fill_sized<'a>(
        &self,
        size: usize,
        jobs: impl IntoIterator<Item = Job<'a>, IntoIter: Send>,
    ) -> Result<(), Failure> {
        let threads = share(size, self.way.threads);
        let chunk = self.way.chunk;
        let chunks = jobs.into_iter().flat_map(move |job| cut(job, chunk));
        each(chunks, threads, |job| read_exact(&self.file, job))
    }

    /// Reads some bytes on this thread.
    pub(crate) fn read_exact(&self, at: u64, bytes: &mut [u8]) -> Result<(), Failure> {
        read_exact(&self.file, (at, bytes))
    }
}

/// Reads until the memory is full or the file ends.
pub(crate) fn read_exact(file: &File, (mut at, mut bytes): Job<'_>) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match sys::read_at(file, bytes, at) {
            Ok(0) => {
                // Another program may have made it longer again.
                let end = file.metadata()?.len().min(at);
                return Err(Failure::End { at, end });
            }
            Ok(read) => {
                at += read as u64;
                bytes = &mut bytes[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn to_usize(size: u64) -> Result<usize, Failure> {
    let too_large =
        |_| io::Error::new(io::ErrorKind::FileTooLarge, "larger than the address space");
    Ok(usize::try_from(size).map_err(too_large)?)
}
