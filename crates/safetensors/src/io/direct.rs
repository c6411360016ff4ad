//! Reads past the page cache, by threads or through a ring.
//!
//! A direct read starts at a block of the file and at a block of memory, and has blocks as its
//! size. The rest of the last block, what is refused and what comes back short is read through the
//! page cache.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};

use super::parallel::{cut, each, share};
use super::reader::read_exact;
use super::{Failure, Job, Way};
use crate::sys;

/// What places and sizes of direct reads are multiples of: enough for every disk in use.
pub(crate) const BLOCK: usize = 4096;

/// The smallest piece that a thread reads at a time.
const PIECE_SIZE_MIN: usize = 1 << 20;

/// The size and the number of reads that keep a fast disk busy through a ring.
#[cfg(target_os = "linux")]
const RING_READ_SIZE: usize = 1 << 20;
#[cfg(target_os = "linux")]
const RING_DEPTH: u32 = 32;

/// Fills memory that starts at a block by positional reads of several threads.
pub(crate) fn by_threads(file: &File, job: Job<'_>, way: Way) -> Result<(), Failure> {
    let threads = share(job.1.len(), way.threads);
    // Several pieces for each thread, so that none waits long for the last.
    let piece = (job.1.len() / (4 * threads)).next_multiple_of(PIECE_SIZE_MIN);
    let chunk = piece.clamp(PIECE_SIZE_MIN, way.chunk);
    let direct = sys::reopen_direct(file);
    let refused = AtomicBool::new(false);
    each(cut(job, chunk), threads, |(at, bytes)| {
        let Ok(direct) = &direct else {
            return read_exact(file, (at, bytes));
        };
        // Only whole blocks can be read so: the rest of the last one goes through the cache.
        let whole = bytes.len() / BLOCK * BLOCK;
        let mut done = 0;
        while done < whole && !refused.load(Ordering::Relaxed) {
            match sys::read_at(direct, &mut bytes[done..whole], at + done as u64) {
                Ok(read) if read > 0 && read.is_multiple_of(BLOCK) => done += read,
                Ok(_) => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => refused.store(true, Ordering::Relaxed),
            }
        }
        read_exact(file, (at + done as u64, &mut bytes[done..]))
    })
}

/// Fills memory that starts at a block through a ring, or by threads where there is none.
#[cfg(target_os = "linux")]
pub(crate) fn by_ring(file: &File, job: Job<'_>, way: Way) -> Result<(), Failure> {
    let Ok(direct) = sys::reopen_direct(file) else {
        return by_threads(file, job, way);
    };
    let Ok(mut ring) = sys::Ring::new(&direct, RING_DEPTH) else {
        return by_threads(file, job, way);
    };
    let whole = job.1.len() / BLOCK * BLOCK;
    let (blocks, tail) = job.1.split_at_mut(whole);
    let mut reads = cut((job.0, blocks), RING_READ_SIZE);
    let mut left = Vec::new();
    let mut refused = false;
    loop {
        while !refused && ring.has_room() {
            let Some((at, bytes)) = reads.next() else {
                break;
            };
            ring.push(at, bytes);
        }
        if ring.len() == 0 {
            break;
        }
        for (at, bytes, read) in ring.wait()? {
            let read = read.unwrap_or_else(|_| {
                refused = true;
                0
            });
            if read < bytes.len() {
                left.push((at + read as u64, &mut bytes[read..]));
            }
        }
    }
    drop(ring);
    left.extend(reads);
    left.push((job.0 + whole as u64, tail));
    each(left.into_iter(), way.threads, |job| read_exact(file, job))
}

/// Fills memory that starts at a block.
#[cfg(not(target_os = "linux"))]
pub(crate) fn by_ring(file: &File, job: Job<'_>, way: Way) -> Result<(), Failure> {
    by_threads(file, job, way)
}
