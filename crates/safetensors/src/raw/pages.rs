//! Private maps of files, arenas of large pages, small heap blocks.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicU32;

use memmap2::{MmapOptions, MmapRaw};

use crate::sys;

/// The size of a large page on x86-64 and on aarch64 with pages of 4 KiB.
const LARGE_PAGE: usize = 2 << 20;

/// From this size on memory is mapped and not taken from the heap.
const ARENA_SIZE_MIN: usize = 256 << 10;

/// How blocks from the heap are aligned: a cache line.
const HEAP_ALIGN: usize = 64;

/// Memory at a fixed address, all of it initialised, that lasts as long as this value.
pub(crate) struct Pages {
    start: NonNull<u8>,
    size: usize,
    holder: Holder,
}

/// What keeps the memory.
enum Holder {
    /// A map, with room around the memory for alignment.
    Map {
        _map: MmapRaw,
    },
    Heap(Layout),
    Nothing,
}

// SAFETY: the memory is reached by address only, moves nowhere and is freed once, from any thread.
unsafe impl Send for Pages {}
// SAFETY: `&Pages` gives shared slices; who writes through `as_mut_ptr` answers for it.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps the first `size` bytes of a file privately: writes copy the page and never reach the
    /// file. No swap is reserved, so that files larger than memory can be mapped.
    pub(crate) fn of_file(file: &File, size: u64) -> io::Result<Self> {
        let size = to_usize(size)?;
        if size == 0 {
            return Ok(Self::empty());
        }
        let mut options = MmapOptions::new();
        // SAFETY: that another process may change or cut the file is part of the contract of
        // `SafeTensorsFile::open`, which says so.
        let map = unsafe { options.len(size).no_reserve_swap().map_copy(file) }?;
        Ok(Self::of_map(map.into(), 0, size))
    }

    /// Zeroed memory of its own: from the heap where it is small, else fresh pages that start at a
    /// multiple of the page, and of the large page where there is one to fill.
    pub(crate) fn zeroed(size: usize) -> io::Result<Self> {
        match size {
            0 => Ok(Self::empty()),
            1..ARENA_SIZE_MIN => Self::from_heap(size),
            _ => Self::arena(size),
        }
    }

    /// [`zeroed`](Self::zeroed) memory for a whole file, of which nothing is taken before it is
    /// written to.
    pub(crate) fn reserve(size: u64) -> io::Result<Self> {
        Self::zeroed(to_usize(size)?)
    }

    /// Fresh pages, whatever the size, that start at a multiple of the page.
    pub(crate) fn arena(size: usize) -> io::Result<Self> {
        if size == 0 {
            return Ok(Self::empty());
        }
        let out_of_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
        let room = if size < LARGE_PAGE { 0 } else { LARGE_PAGE };
        // The last large page is filled up where that wastes less than one part in 64.
        let rounded = match size.checked_next_multiple_of(LARGE_PAGE) {
            Some(rounded) if rounded - size <= size / 64 => rounded,
            _ => size,
        };
        let total = rounded.checked_add(room).ok_or_else(out_of_memory)?;
        let map = MmapOptions::new().len(total).no_reserve_swap().map_anon()?;
        let map = MmapRaw::from(map);
        let start = if room == 0 {
            0
        } else {
            map.as_ptr().align_offset(LARGE_PAGE)
        };
        let pages = Self::of_map(map, start, size);
        if room != 0 {
            sys::use_large_pages(pages.start, rounded);
        }
        Ok(pages)
    }

    fn of_map(map: MmapRaw, start: usize, size: usize) -> Self {
        let start = NonNull::new(map.as_mut_ptr().wrapping_add(start));
        Self {
            start: start.expect("no map lies at address 0"),
            size,
            holder: Holder::Map { _map: map },
        }
    }

    fn from_heap(size: usize) -> io::Result<Self> {
        let layout = Layout::from_size_align(size, HEAP_ALIGN)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        assert_ne!(size, 0, "nothing is no block");
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self {
            start,
            size,
            holder: Holder::Heap(layout),
        })
    }

    fn empty() -> Self {
        Self {
            start: NonNull::<u64>::dangling().cast(),
            size: 0,
            holder: Holder::Nothing,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// The bytes of a range.
    pub(crate) fn slice(&self, range: Range<usize>) -> &[u8] {
        assert!(
            range.start <= range.end && range.end <= self.size,
            "a range lies inside"
        );
        // SAFETY: there are `size` initialised bytes until `self` is dropped, and the range lies
        // inside. Those who write through `as_mut_ptr` promise not to do so while the bytes are
        // borrowed.
        unsafe { slice::from_raw_parts(self.start.as_ptr().add(range.start), range.len()) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `slice`; `&mut self` excludes other borrows.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.size) }
    }

    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The whole pages inside a range; empty for memory from the heap.
    pub(crate) fn whole_pages(&self, range: &Range<usize>) -> Range<usize> {
        if !matches!(self.holder, Holder::Map { .. }) {
            return 0..0;
        }
        // The memory itself starts at a page.
        let page = sys::page_size();
        range.start.next_multiple_of(page)..range.end / page * page
    }

    /// Gives whole pages back: their content is lost, or that of the file again.
    ///
    /// # Safety
    /// `pages` comes from [`whole_pages`](Self::whole_pages), and nobody reads or writes these
    /// bytes any more as what they were.
    pub(crate) unsafe fn give_back(&self, pages: Range<usize>) {
        debug_assert!(pages.end <= self.size && matches!(self.holder, Holder::Map { .. }));
        let start = self.start.as_ptr().wrapping_add(pages.start);
        // SAFETY: the pages lie inside this map by the caller's promise, who needs them no more.
        unsafe { sys::give_back(start, pages.len()) }
    }

    /// Reads all pages of a map of a file in. `Unsupported` where the kernel cannot.
    pub(crate) fn populate(&self) -> io::Result<()> {
        sys::populate(self.slice(0..self.size))
    }

    /// Reads one byte of each page.
    pub(crate) fn touch(&self) {
        let pages = self.slice(0..self.size).chunks(sys::page_size());
        let sum = pages.fold(0_u8, |sum, page| sum ^ page[0]);
        std::hint::black_box(sum);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Holder::Heap(layout) = self.holder {
            // SAFETY: allocated in `from_heap` with this layout, and freed here alone.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

fn to_usize(size: u64) -> io::Result<usize> {
    usize::try_from(size)
        .map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, "larger than the address space"))
}

/// Counters that start at zero; memory is taken as they are used.
pub(crate) fn counters(len: usize) -> Box<[AtomicU32]> {
    let zeroed = Box::<[AtomicU32]>::new_zeroed_slice(len);
    // SAFETY: zero bytes are a valid `AtomicU32`.
    unsafe { zeroed.assume_init() }
}
