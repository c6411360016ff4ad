//! Work shared among threads that end with the call.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Failure, Job};

/// Below this size a thread costs more than it brings.
const SHARE_SIZE_MIN: usize = 1 << 20;

/// How much a thread copies at a time: two large pages.
const COPY_SIZE: usize = 4 << 20;

/// Takes items to work, in order, on at most `threads` threads, of which this is one. After a
/// failure nothing more is begun; the first failure is given.
pub(crate) fn each<T: Send, E: Send>(
    items: impl Iterator<Item = T> + Send,
    threads: usize,
    work: impl Fn(T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    each_with(items, threads, || (), |(), item| work(item))
}

/// [`each`] with something that a thread makes once and uses for all of its items.
pub(crate) fn each_with<T: Send, S, E: Send>(
    items: impl Iterator<Item = T> + Send,
    threads: usize,
    make: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let state = Mutex::new((items.fuse(), None));
    let run = || {
        let mut made = make();
        loop {
            let item = {
                let (items, failure) = &mut *state.lock().unwrap_or_else(PoisonError::into_inner);
                if failure.is_some() {
                    return;
                }
                items.next()
            };
            let Some(item) = item else { return };
            if let Err(error) = work(&mut made, item) {
                let (_, failure) = &mut *state.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where no thread can be had, fewer do the work.
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let (_, failure) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    failure.map_or(Ok(()), Err)
}

/// Takes pieces to work that cannot fail, on at most `threads` threads.
pub(crate) fn each_piece<T: Send>(
    pieces: impl Iterator<Item = T> + Send,
    threads: usize,
    work: impl Fn(T) + Sync,
) {
    let Ok(()) = each(pieces, threads, |piece| {
        work(piece);
        Ok::<(), Infallible>(())
    });
}

/// The number of processors that this process may use.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, Into::into)
}

/// So many threads, or as many as the machine runs at once.
pub(crate) fn threads_or_all(threads: Option<NonZeroUsize>) -> usize {
    threads.map_or_else(processors, Into::into)
}

/// Fills pieces of memory, `size` bytes in all, from bytes that `bytes` gives by place and size.
pub(crate) fn fill_from<'a, 'b>(
    size: usize,
    jobs: Vec<Job<'a>>,
    bytes: impl Fn(usize, usize) -> &'b [u8] + Sync,
) -> Result<(), Failure> {
    let pieces = jobs.into_iter().flat_map(|job| cut(job, COPY_SIZE));
    each(pieces, share(size, processors()), |(at, to)| {
        to.copy_from_slice(bytes(at as usize, to.len()));
        Ok(())
    })
}

/// Copies bytes between pieces of memory of one size, on all processors where that pays.
pub(crate) fn copy_parallel(from: &[u8], to: &mut [u8]) {
    let pieces = to.chunks_mut(COPY_SIZE).zip(from.chunks(COPY_SIZE));
    each_piece(pieces, share(from.len(), processors()), |(to, from)| {
        to.copy_from_slice(from);
    });
}

/// How many threads are worth it for so many bytes.
pub(crate) fn share(size: usize, threads: usize) -> usize {
    threads.min(size / SHARE_SIZE_MIN).max(1)
}

/// Cuts a job at multiples of `chunk` in the file.
pub(crate) fn cut((at, bytes): Job<'_>, chunk: usize) -> impl Iterator<Item = Job<'_>> {
    let (mut at, mut rest) = (at, bytes);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let step = rest.len().min(chunk - (at % chunk as u64) as usize);
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(step);
        rest = tail;
        let job = (at, head);
        at += job.1.len() as u64;
        Some(job)
    })
}
