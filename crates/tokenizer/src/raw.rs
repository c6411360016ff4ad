//! Memory and hints that the processor likes: tables on large pages, entries that are fetched early.

use std::alloc::{self, Layout};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

/// Tables of at least this size stand on pages of it, where the system has them: a look-up at random
/// in 4 KiB pages waits for their addresses more than for the memory.
const LARGE_SIZE: usize = 2 << 20;

/// A table of plain values, which need no drop, its memory aligned for large pages.
pub(crate) struct Table<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: the table owns its values, as a `Vec` does.
unsafe impl<T: Send> Send for Table<T> {}
// SAFETY: as above; shared, it gives out shared references only.
unsafe impl<T: Sync> Sync for Table<T> {}

impl<T> Table<T> {
    /// `len` values, 1 or more, all equal.
    ///
    /// # Panics
    /// When `len` is 0, `T` has no size, or the table is larger than memory can be.
    pub(crate) fn new(len: usize, value: T) -> Self
    where
        T: Copy,
    {
        Self::with(len, || value)
    }

    /// `len` values, 1 or more, that `value` makes.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub(crate) fn with(len: usize, mut value: impl FnMut() -> T) -> Self {
        const { assert!(!std::mem::needs_drop::<T>(), "values are not dropped") };
        let layout = Self::layout(len);
        assert!(layout.size() > 0, "a table has a size");
        // SAFETY: the layout has a size.
        let start = unsafe { alloc::alloc(layout) }.cast::<T>();
        let Some(start) = NonNull::new(start) else {
            alloc::handle_alloc_error(layout)
        };
        want_large_pages(start.cast(), layout.size());
        for at in 0..len {
            // SAFETY: `at` is inside the allocation of `len` values, which nobody else knows.
            unsafe { start.add(at).write(value()) };
        }
        Self { start, len }
    }

    fn layout(len: usize) -> Layout {
        let layout = Layout::array::<T>(len).expect("a table fits into memory");
        let align = if layout.size() < LARGE_SIZE {
            64
        } else {
            LARGE_SIZE
        };
        layout.align_to(align).expect("a power of two")
    }
}

impl<T> Deref for Table<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `new` has set `len` values at `start`, which live as long as the table.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Table<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the table is borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: `new` has allocated it with this layout.
        unsafe { alloc::dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) };
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table {{ len: {} }}", self.len)
    }
}

/// Asks for large pages before the memory is touched. Refusal is harmless.
#[cfg(target_os = "linux")]
fn want_large_pages(start: NonNull<u8>, size: usize) {
    if size >= LARGE_SIZE {
        // SAFETY: the range is an allocation of our own, and the advice does not change what it holds.
        unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn want_large_pages(_: NonNull<u8>, _: usize) {}

/// Brings the cache line of `items[at]` near, where the processor has an instruction for it.
#[inline]
pub(crate) fn prefetch<T>(items: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of every x86-64, and a prefetch reads nothing that the program sees;
        // the pointer is that of a reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, at);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_what_is_put_into_it() {
        for len in [1, 7, 4096, 1 << 18] {
            let mut table = Table::new(len, [1u32, 2]);
            assert!(table.iter().all(|value| *value == [1, 2]), "{len}");
            table[len - 1] = [3, 4];
            assert_eq!((table.len(), table[len - 1]), (len, [3, 4]));
            assert_eq!(table.as_ptr().addr() % 64, 0);
        }
    }
}
