//! Writes that the kernel carries out while the caller goes on, by [io_uring].
//!
//! [io_uring]: https://kernel.dk/io_uring.pdf

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types::Fd};

use crate::sink::{Chunk, Queue, settle};

/// A ring with the writes that are under way. They borrow memory for `'a`; the ring waits for them
/// when it is dropped. It is never forgotten: its one owner is a local variable of a save.
pub(crate) struct WriteRing<'a> {
    ring: IoUring,
    file: &'a File,
    /// Blocks that nobody fills or writes.
    free: Vec<&'a mut [u8]>,
    /// What is under way; the index is the number by which the kernel reports it.
    slots: Vec<Option<(Chunk<'a>, u64)>>,
    under_way: usize,
}

impl<'a> WriteRing<'a> {
    /// A ring for `depth` writes at once. An error says that the system has none for us.
    pub(crate) fn new(
        file: &'a File,
        depth: u32,
        blocks: impl Iterator<Item = &'a mut [u8]>,
    ) -> io::Result<Self> {
        let ring = IoUring::builder()
            // The kernel settles writes when this thread waits for them, and does not disturb it
            // while it fills blocks: a fifth faster than without.
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(depth)
            // Kernels before 6.1 do not know these flags.
            .or_else(|_| IoUring::new(depth))?;
        Ok(Self {
            ring,
            file,
            free: blocks.collect(),
            slots: (0..depth).map(|_| None).collect(),
            under_way: 0,
        })
    }

    /// Hands queued writes to the kernel, waits until `count` are done, and settles those that are.
    fn reap(&mut self, count: usize) -> io::Result<()> {
        let mut outcome = match self.ring.submit_and_wait(count) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        };
        let done: Vec<_> = self
            .ring
            .completion()
            .map(|entry| (entry.user_data(), entry.result()))
            .collect();
        for (slot, result) in done {
            let Some((chunk, offset)) = self.slots[slot as usize].take() else {
                continue;
            };
            self.under_way -= 1;
            let result = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            let settled = settle(self.file, chunk.bytes(), offset, result);
            outcome = outcome.and(settled);
            if let Chunk::Staged { block, .. } = chunk {
                self.free.push(block);
            }
        }
        outcome
    }

    fn free_slot(&mut self) -> io::Result<usize> {
        loop {
            if let Some(slot) = self.slots.iter().position(Option::is_none) {
                return Ok(slot);
            }
            self.reap(1)?;
        }
    }
}

impl<'a> Queue<'a> for WriteRing<'a> {
    fn block(&mut self) -> io::Result<&'a mut [u8]> {
        loop {
            if let Some(block) = self.free.pop() {
                return Ok(block);
            }
            self.reap(1)?;
        }
    }

    fn submit(&mut self, chunk: Chunk<'a>, offset: u64) -> io::Result<()> {
        let slot = self.free_slot()?;
        let bytes = chunk.bytes();
        let size = u32::try_from(bytes.len()).expect("chunks have the size of a block at most");
        let entry = opcode::Write::new(Fd(self.file.as_raw_fd()), bytes.as_ptr(), size)
            .offset(offset)
            .build()
            .user_data(slot as u64);
        self.slots[slot] = Some((chunk, offset));
        self.under_way += 1;
        // SAFETY: the chunk's memory lives for `'a` and stays in its slot until the kernel reports
        // the write; `drop` waits for all reports before `'a` can end. The file is borrowed for `'a`.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        // Every entry is handed over below, and the queue has one place for each slot.
        pushed.expect("the submission queue has room for each slot");
        self.reap(0)
    }

    fn finish(&mut self) -> io::Result<()> {
        while self.under_way > 0 {
            self.reap(1)?;
        }
        Ok(())
    }
}

impl Drop for WriteRing<'_> {
    fn drop(&mut self) {
        while self.under_way > 0 {
            // The save has failed already; what counts is that the kernel lets go of the memory.
            if self.reap(1).is_err() {
                std::thread::yield_now();
            }
        }
    }
}
