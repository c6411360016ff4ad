//! Writing past the page cache: by a ring, or by threads that write at their places.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::settle;
use super::staged::{BLOCK_COUNT, Blocks, Chunk, Queue, pump};
use crate::{SafeTensorError, WriteMode};

/// How many threads write when there is no ring. They wait for the disk, not for a core.
const THREADS: usize = 4;

/// Writes all parts directly. Tells whether the ring or threads did it.
pub(super) fn write<'p>(
    file: &File,
    parts: impl Iterator<Item = Result<Cow<'p, [u8]>, SafeTensorError>>,
    memory_align: usize,
    wanted: WriteMode,
) -> Result<WriteMode, SafeTensorError> {
    let mut blocks = Blocks::new()?;
    #[cfg(target_os = "linux")]
    if wanted == WriteMode::Uring {
        use crate::sys::write_ring::WriteRing;
        if let Ok(mut ring) = WriteRing::new(file, BLOCK_COUNT as u32, blocks.iter_mut()) {
            pump(file, &mut ring, parts, memory_align)?;
            return Ok(WriteMode::Uring);
        }
    }
    let _ = wanted;
    by_threads(file, parts, memory_align, &mut blocks)?;
    Ok(WriteMode::Direct)
}

fn by_threads<'p>(
    file: &File,
    parts: impl Iterator<Item = Result<Cow<'p, [u8]>, SafeTensorError>>,
    memory_align: usize,
    blocks: &mut Blocks,
) -> Result<(), SafeTensorError> {
    let (work, inbox) = sync_channel(BLOCK_COUNT);
    let (done, outcomes) = channel();
    let inbox = &Mutex::new(inbox);
    thread::scope(move |scope| {
        for _ in 0..THREADS {
            let done = done.clone();
            scope.spawn(move || write_chunks(file, inbox, &done));
        }
        // Only the threads can send now, so that their end is noticed.
        drop(done);
        // Dropped at the end, also of a panic, which sends the threads home.
        let mut queue = Threads {
            work,
            outcomes,
            free: blocks.iter_mut().collect(),
            under_way: 0,
        };
        pump(file, &mut queue, parts, memory_align)
    })
}

/// A block that is free again, if the chunk was one.
type Outcome<'a> = io::Result<Option<&'a mut [u8]>>;

fn write_chunks<'a>(
    file: &File,
    inbox: &Mutex<Receiver<(Chunk<'a>, u64)>>,
    done: &Sender<Outcome<'a>>,
) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((chunk, offset)) = next else { return };
        let result = write_at(file, chunk.bytes(), offset);
        let outcome = settle(file, chunk.bytes(), offset, result).map(|()| match chunk {
            Chunk::Staged { block, .. } => Some(block),
            Chunk::Borrowed(_) => None,
        });
        if done.send(outcome).is_err() {
            return;
        }
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

struct Threads<'a> {
    work: SyncSender<(Chunk<'a>, u64)>,
    outcomes: Receiver<Outcome<'a>>,
    free: Vec<&'a mut [u8]>,
    under_way: usize,
}

impl Threads<'_> {
    fn wait(&mut self) -> io::Result<()> {
        let outcome = self
            .outcomes
            .recv()
            .map_err(|_| io::Error::other("the writing threads are gone"))?;
        self.under_way -= 1;
        self.free.extend(outcome?);
        Ok(())
    }
}

impl<'a> Queue<'a> for Threads<'a> {
    fn block(&mut self) -> io::Result<&'a mut [u8]> {
        loop {
            if let Some(block) = self.free.pop() {
                return Ok(block);
            }
            self.wait()?;
        }
    }

    fn submit(&mut self, chunk: Chunk<'a>, offset: u64) -> io::Result<()> {
        while self.under_way >= BLOCK_COUNT {
            self.wait()?;
        }
        self.under_way += 1;
        self.work
            .send((chunk, offset))
            .map_err(|_| io::Error::other("the writing threads are gone"))
    }

    fn finish(&mut self) -> io::Result<()> {
        while self.under_way > 0 {
            self.wait()?;
        }
        Ok(())
    }
}
