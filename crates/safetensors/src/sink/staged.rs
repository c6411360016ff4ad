//! A stream of slices cut into aligned chunks for direct writes.
//!
//! Direct writes need offsets, sizes and memory that are aligned. Tensors seldom lie in memory as
//! they lie in the file, so their bytes are copied to a few aligned blocks, which are filled while
//! others are written. Tensors that are aligned already are written from where they are.

use std::borrow::Cow;
use std::fs::File;
use std::io;

use memmap2::MmapMut;

use super::write_all_at;
use crate::SafeTensorError;
use crate::sys::write::{BLOCK_ALIGN, set_direct};

/// The size of a write. Measured: halves of it keep the processor busier than the disk, doubles
/// leave too few blocks for one to be filled while others are written.
const BLOCK_SIZE: usize = 2 << 20;

/// How many blocks are filled or written at a time. They are the memory that a save takes: 14 MiB.
pub(super) const BLOCK_COUNT: usize = 7;

/// Shorter stretches of aligned memory are not worth a write of their own.
const BORROWED_SIZE_MIN: usize = 256 << 10;

/// What is written in one go.
pub(crate) enum Chunk<'a> {
    /// The first `size` bytes of a block.
    Staged {
        /// The block, which is free again after the write.
        block: &'a mut [u8],
        /// How much of it is filled.
        size: usize,
    },
    /// Aligned memory of the caller.
    Borrowed(&'a [u8]),
}

impl Chunk<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Staged { block, size } => &block[..*size],
            Self::Borrowed(bytes) => bytes,
        }
    }
}

/// Writes that are under way, up to [`BLOCK_COUNT`].
pub(crate) trait Queue<'a> {
    /// A block to fill; waits for one.
    fn block(&mut self) -> io::Result<&'a mut [u8]>;
    /// Begins a write; an error may be that of an earlier one.
    fn submit(&mut self, chunk: Chunk<'a>, offset: u64) -> io::Result<()>;
    /// Waits for all writes.
    fn finish(&mut self) -> io::Result<()>;
}

/// The memory of the blocks, page-aligned.
pub(super) struct Blocks(MmapMut);

impl Blocks {
    pub(super) fn new() -> io::Result<Self> {
        let memory = MmapMut::map_anon(BLOCK_COUNT * BLOCK_SIZE)?;
        #[cfg(target_os = "linux")]
        // Advice: small pages do as well, only slower at the first use.
        let _ = memory.advise(memmap2::Advice::HugePage);
        Ok(Self(memory))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.0.chunks_exact_mut(BLOCK_SIZE)
    }
}

/// Sends all parts through a queue; what does not fill a block at the end of the file goes through
/// the page cache.
pub(super) fn pump<'a, 'p: 'a>(
    file: &File,
    queue: &mut impl Queue<'a>,
    parts: impl Iterator<Item = Result<Cow<'p, [u8]>, SafeTensorError>>,
    memory_align: usize,
) -> Result<(), SafeTensorError> {
    let mut stage = Stage {
        queue,
        memory_align,
        block: None,
        filled: 0,
        offset: 0,
    };
    for part in parts {
        match part? {
            Cow::Borrowed(bytes) => stage.pass(bytes)?,
            Cow::Owned(bytes) => stage.copy(&bytes)?,
        }
    }
    let (tail, offset) = stage.finish()?;
    set_direct(file, false)?;
    Ok(write_all_at(file, &tail, offset)?)
}

struct Stage<'q, 'a, Q> {
    queue: &'q mut Q,
    memory_align: usize,
    /// What is being filled, up to `filled`.
    block: Option<&'a mut [u8]>,
    filled: usize,
    /// Where in the file the block begins, or the next one will; a multiple of [`BLOCK_ALIGN`].
    offset: u64,
}

impl<'a, Q: Queue<'a>> Stage<'_, 'a, Q> {
    /// Takes bytes that outlive the queue, without a copy where they lie well.
    fn pass(&mut self, bytes: &'a [u8]) -> io::Result<()> {
        let gap = self.filled.next_multiple_of(BLOCK_ALIGN) - self.filled;
        let lies_well = bytes.len() >= gap + BORROWED_SIZE_MIN
            && (bytes.as_ptr().addr() + gap).is_multiple_of(self.memory_align);
        if !lies_well {
            return self.copy(bytes);
        }
        let (head, rest) = bytes.split_at(gap);
        self.copy(head)?;
        self.flush()?;
        let (whole, tail) = rest.split_at(rest.len() / BLOCK_ALIGN * BLOCK_ALIGN);
        for piece in whole.chunks(BLOCK_SIZE) {
            self.queue.submit(Chunk::Borrowed(piece), self.offset)?;
            self.offset += piece.len() as u64;
        }
        self.copy(tail)
    }

    fn copy(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let block = match self.block.take() {
                Some(block) => block,
                None => self.queue.block()?,
            };
            let room = &mut block[self.filled..];
            let size = bytes.len().min(room.len());
            let (now, later) = bytes.split_at(size);
            room[..size].copy_from_slice(now);
            self.filled += size;
            let full = self.filled == block.len();
            self.block = Some(block);
            if full {
                self.flush()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Writes what is filled, a multiple of [`BLOCK_ALIGN`].
    fn flush(&mut self) -> io::Result<()> {
        let size = std::mem::take(&mut self.filled);
        match self.block.take() {
            Some(block) if size > 0 => {
                self.queue
                    .submit(Chunk::Staged { block, size }, self.offset)?;
                self.offset += size as u64;
            }
            block => self.block = block,
        }
        Ok(())
    }

    /// Waits for all writes; returns what is left over and where it goes.
    fn finish(mut self) -> io::Result<(Vec<u8>, u64)> {
        let whole = self.filled / BLOCK_ALIGN * BLOCK_ALIGN;
        let tail = match &self.block {
            Some(block) => block[whole..self.filled].to_vec(),
            None => Vec::new(),
        };
        self.filled = whole;
        self.flush()?;
        self.queue.finish()?;
        Ok((tail, self.offset))
    }
}
