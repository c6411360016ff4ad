//! Memory maps.

use std::fs::File;
use std::io;
use std::slice;

use memmap2::{MmapOptions, MmapRaw};

/// Memory that lasts as long as this value: a private map of a file, or pages without a file.
pub(crate) struct Map {
    pages: MmapRaw,
    len: usize,
}

impl Map {
    /// Maps a whole file privately: writes through [`as_mut_ptr`](Self::as_mut_ptr) copy the page
    /// and never reach the file. No swap is reserved, so that files larger than memory can be
    /// mapped.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        let len = usize::try_from(file.metadata()?.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::FileTooLarge, "larger than the address space")
        })?;
        // SAFETY: that another process may change or cut the file is part of the contract of
        // `SafeTensorsFile::open`, which says so.
        let pages = unsafe { MmapOptions::new().len(len).no_reserve_swap().map_copy(file) }?;
        Ok(Self {
            pages: pages.into(),
            len,
        })
    }

    /// Copies bytes to pages of their own.
    pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        let mut pages = MmapOptions::new().len(bytes.len().max(1)).map_anon()?;
        pages[..bytes.len()].copy_from_slice(bytes);
        Ok(Self {
            pages: pages.into(),
            len: bytes.len(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the map has `len` readable bytes until `self` is dropped. Those who write through
        // `as_mut_ptr` promise not to do so while the bytes are borrowed.
        unsafe { slice::from_raw_parts(self.pages.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        self.pages.as_mut_ptr()
    }
}
