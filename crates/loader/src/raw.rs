//! Memory maps, and buffers that others read and write.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::slice;

use memmap2::Mmap;

/// Every element type is aligned so, and a cache line.
const ALIGNMENT: usize = 64;

/// Maps a file for reading at random.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: bytes that change under the map are arbitrary numbers, which is what foreign bytes
    // are anyway: nothing here trusts them twice. That a file is cut while it is mapped ends the
    // process, as `Access::Map` says; `Access::Read` is there for such files.
    let map = unsafe { Mmap::map(file) }?;
    #[cfg(unix)]
    // Advice only; a refusal changes nothing but the speed.
    drop(map.advise(memmap2::Advice::Random));
    Ok(map)
}

/// Zeroed memory of a fixed size and address, aligned to 64 bytes.
///
/// Rust borrows it through `&mut self` alone. Whoever has the address from [`start`](Self::start)
/// may read and write while the buffer lives and is not borrowed.
pub(crate) struct Buffer {
    start: NonNull<u8>,
    size: usize,
}

// SAFETY: the memory belongs to the buffer alone, wherever it goes.
unsafe impl Send for Buffer {}
// SAFETY: `&Buffer` gives the address, and bytes to readers; see the type's contract for writers.
unsafe impl Sync for Buffer {}

impl Buffer {
    pub(crate) fn new(size: usize) -> Self {
        let layout = Self::layout(size);
        // SAFETY: the layout has at least one byte.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        Self { start, size }
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size.max(1), ALIGNMENT).expect("a batch is smaller than memory")
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `size` bytes at `start` are initialised since `new`, and live as long as `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.size) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }
}

impl Buffer {
    /// The bytes as numbers; what is left of a last one is not there.
    pub(crate) fn floats_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `bytes_mut`; the start is aligned to 64 bytes, as many numbers fit into
        // `size` bytes, and any bytes are a number.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.size / 4) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` by the same layout.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.size)) }
    }
}
