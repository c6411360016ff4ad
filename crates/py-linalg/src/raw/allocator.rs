//! Memory of large arrays in pages of 2 MiB.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::{mem, ptr};

/// From this size on memory is mapped by itself. In pages of 4 KiB a matrix of 2048 x 2048 costs 8192 faults, and
/// going down a column of it misses the cache of translations at each row.
const LARGE_SIZE: usize = 1 << 20;
const PAGE_SIZE: usize = 2 << 20;
/// Mappings that were given back are kept for the next ones: so many, and so many bytes.
const KEPT_COUNT: usize = 8;
const KEPT_SIZE: usize = 64 << 20;

/// The system's allocator, and mappings for what is large: this module's arrays, and what engines compute in.
pub(super) struct LargePages {
    kept: Mutex<[(usize, usize); KEPT_COUNT]>,
}

/// The size of a mapping, where there is one.
fn mapping_size(layout: Layout) -> Option<usize> {
    let is_large = layout.size() >= LARGE_SIZE && layout.align() <= 4096;
    (cfg!(target_os = "linux") && is_large).then(|| layout.size().next_multiple_of(PAGE_SIZE))
}

impl LargePages {
    pub(super) const fn new() -> Self {
        Self {
            kept: Mutex::new([(0, 0); KEPT_COUNT]),
        }
    }

    /// A mapping that is kept, or a new one, or null; and whether it is new, of zeros.
    fn map(&self, size: usize) -> (*mut u8, bool) {
        if let Some(start) = self.reuse(size) {
            return (ptr::with_exposed_provenance_mut(start), false);
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, anywhere; the advice changes no byte of it, and where it is refused pages are small.
        unsafe {
            let start = libc::mmap(ptr::null_mut(), size, access, kind, -1, 0);
            if start == libc::MAP_FAILED {
                return (ptr::null_mut(), true);
            }
            #[cfg(target_os = "linux")]
            libc::madvise(start, size, libc::MADV_HUGEPAGE);
            (start.cast(), true)
        }
    }

    /// Whoever finds the list taken, such as a child of a fork, does without.
    fn reuse(&self, size: usize) -> Option<usize> {
        let mut kept = self.kept.try_lock().ok()?;
        let found = kept.iter_mut().find(|(_, has)| *has == size)?;
        Some(mem::take(found).0)
    }

    fn unmap(&self, start: *mut u8, size: usize) {
        if let Ok(mut kept) = self.kept.try_lock()
            && size + kept.iter().map(|(_, size)| size).sum::<usize>() <= KEPT_SIZE
            && let Some(free) = kept.iter_mut().find(|(_, size)| *size == 0)
        {
            *free = (start.expose_provenance(), size);
            return;
        }
        // SAFETY: `map` made it, of this size.
        unsafe { libc::munmap(start.cast(), size) };
    }
}

// SAFETY: a mapping is one allocation's alone until that is given back, by its layout; all else is the system's.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(size) = mapping_size(layout) {
            return self.map(size).0;
        }
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if let Some(size) = mapping_size(layout) {
            let (start, is_new) = self.map(size);
            if !is_new {
                // SAFETY: a mapping of more bytes.
                unsafe { start.write_bytes(0, layout.size()) };
            }
            return start;
        }
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if let Some(size) = mapping_size(layout) {
            return self.unmap(start, size);
        }
        // SAFETY: the caller's; `alloc` took it from there.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller says that the size is right for this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (mapping_size(layout), mapping_size(wanted)) {
            // SAFETY: the caller's; `alloc` took it from there.
            (None, None) => return unsafe { System.realloc(start, layout, size) },
            (now, then) if now == then => return start,
            _ => {}
        }
        // SAFETY: the caller's; two allocations do not overlap, and both have room for the smaller size.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(start, moved, layout.size().min(size));
                self.dealloc(start, layout);
            }
            moved
        }
    }
}
