//! Shared memory whose tensors are counted, so that each gives its pages back on its own.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::pages::{Pages, counters};
use crate::sys;

/// Memory of one or many tensors.
///
/// A tensor that has a page of its own has a counter, found by the number of that page. Tensors
/// without one cost nothing here and go when the memory goes.
pub(crate) struct Memory {
    pages: Pages,
    counts: Box<[AtomicU32]>,
}

/// A counter's bit while a thread gives the pages back; its process stands in the lower bits.
const LEAVING: u32 = 1 << 31;
/// A counter's bit when the pages stay until the memory goes.
const PINNED: u32 = 1 << 30;
const COUNT_MASK: u32 = PINNED - 1;
const PROCESS_MASK: u32 = (1 << 22) - 1;

impl Memory {
    /// Memory that is given back as a whole.
    pub(crate) fn whole(pages: Pages) -> Arc<Self> {
        let counts = Box::default();
        Arc::new(Self { pages, counts })
    }

    /// Memory that tensors give back one by one.
    pub(crate) fn counted(pages: Pages) -> Arc<Self> {
        let counts = counters(pages.len() / sys::page_size());
        Arc::new(Self { pages, counts })
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.pages.slice(range)
    }

    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        self.pages.as_mut_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether a tensor that lies in `range` has pages to give back.
    pub(crate) fn is_counted(&self, range: &Range<usize>) -> bool {
        self.counter(range).is_some()
    }

    /// One more holder of a tensor that lies in `range`.
    pub(crate) fn acquire(&self, range: &Range<usize>) {
        let Some((count, _)) = self.counter(range) else {
            return;
        };
        let mut seen = count.load(Ordering::Relaxed);
        loop {
            let next = if seen & LEAVING == 0 {
                // Only forgotten regions come near: counting on would give pages back too early.
                assert!(
                    seen & COUNT_MASK < COUNT_MASK,
                    "a tensor has too many regions"
                );
                seen + 1
            } else if seen & PROCESS_MASK == process() {
                // Another thread is about to give the pages back: that takes microseconds.
                std::thread::yield_now();
                seen = count.load(Ordering::Relaxed);
                continue;
            } else {
                // Left over by a thread that a fork has not taken along.
                1
            };
            match count.compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// One holder less. The last one gives the tensor's whole pages back.
    pub(crate) fn release(&self, range: &Range<usize>) {
        let Some((count, pages)) = self.counter(range) else {
            return;
        };
        let mut seen = count.load(Ordering::Relaxed);
        loop {
            let next = if seen == 1 {
                LEAVING | process()
            } else {
                seen - 1
            };
            match count.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if seen == 1 => break,
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        // SAFETY: nobody holds the tensor: the counter said so, and whoever wants it from here on
        // waits in `acquire` until the counter is 0 again.
        unsafe { self.pages.give_back(pages) };
        count.store(0, Ordering::Release);
    }

    /// Keeps a tensor's pages until the memory goes.
    pub(crate) fn pin(&self, range: &Range<usize>) {
        let Some((count, _)) = self.counter(range) else {
            return;
        };
        if count.load(Ordering::Relaxed) & PINNED == 0 {
            self.acquire(range);
            count.fetch_or(PINNED, Ordering::Relaxed);
            self.release(range);
        }
    }

    fn counter(&self, range: &Range<usize>) -> Option<(&AtomicU32, Range<usize>)> {
        let pages = self.pages.whole_pages(range);
        if pages.is_empty() {
            return None;
        }
        let count = self.counts.get(pages.start / sys::page_size())?;
        Some((count, pages))
    }
}

fn process() -> u32 {
    std::process::id() & PROCESS_MASK
}
