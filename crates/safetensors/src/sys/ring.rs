//! Reading through `io_uring`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types};

/// A queue of reads of one file that lives for one call, so that a fork finds none.
pub(crate) struct Ring<'a> {
    queue: IoUring,
    file: &'a File,
    /// The buffers of reads under way, by their number.
    slots: Vec<Option<(u64, &'a mut [u8])>>,
    under_way: usize,
}

/// A read that has ended: its place, its buffer, and how much of it is filled.
pub(crate) type Ended<'a> = (u64, &'a mut [u8], io::Result<usize>);

impl<'a> Ring<'a> {
    /// A ring for at most `depth` reads at a time.
    ///
    /// # Errors
    /// Where the kernel has no rings or does not allow them.
    pub(crate) fn new(file: &'a File, depth: u32) -> io::Result<Self> {
        Ok(Self {
            queue: IoUring::new(depth)?,
            file,
            slots: (0..depth).map(|_| None).collect(),
            under_way: 0,
        })
    }

    /// The number of reads under way.
    pub(crate) fn len(&self) -> usize {
        self.under_way
    }

    /// Whether another read finds room.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way < self.slots.len()
    }

    /// Queues a read.
    ///
    /// # Panics
    /// When there is no room.
    pub(crate) fn push(&mut self, at: u64, buffer: &'a mut [u8]) {
        let free = self.slots.iter().position(Option::is_none);
        let slot = free.expect("the caller asks `has_room`");
        let size = u32::try_from(buffer.len()).expect("a read is a few MiB");
        let read = opcode::Read::new(types::Fd(self.file.as_raw_fd()), buffer.as_mut_ptr(), size)
            .offset(at)
            .build()
            .user_data(slot as u64);
        self.slots[slot] = Some((at, buffer));
        self.under_way += 1;
        // SAFETY: file and buffer are borrowed for `'a`; `drop` waits for every read under way, and
        // the buffer leaves its slot when the kernel is done with it.
        let pushed = unsafe { self.queue.submission().push(&read) };
        pushed.expect("the queue has as many places as there are slots");
    }

    /// Submits what is queued, waits for one read at least and gives all that have ended.
    pub(crate) fn wait(&mut self) -> io::Result<Vec<Ended<'a>>> {
        loop {
            match self.queue.submit_and_wait(1) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut ended = Vec::new();
        for entry in self.queue.completion() {
            let slot = &mut self.slots[entry.user_data() as usize];
            let (at, buffer) = slot.take().expect("one entry for each read");
            self.under_way -= 1;
            let result = entry.result();
            let read = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            ended.push((at, buffer, read));
        }
        Ok(ended)
    }
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        while self.under_way > 0 {
            if self.wait().is_err() {
                // The kernel may still write to the buffers: there is no safe way on.
                std::process::abort();
            }
        }
    }
}
