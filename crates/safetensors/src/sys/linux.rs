//! Linux: hints on memory, direct files, what is cached and where files lie.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::ptr::NonNull;

use super::{FileSystem, page_size};

/// Asks for large pages. A kernel that has none is not asked twice by anybody, so no answer is
/// needed.
pub(crate) fn use_large_pages(start: NonNull<u8>, size: usize) {
    // SAFETY: a hint on pages of the caller, which leaves their content alone.
    unsafe { libc::madvise(start.as_ptr().cast(), size, libc::MADV_HUGEPAGE) };
}

/// Gives pages back: fresh memory becomes zero again, a private map shows the file again.
///
/// # Safety
/// The pages belong to a private map of the caller and nobody needs what is in them.
pub(crate) unsafe fn give_back(start: *mut u8, size: usize) {
    // A refusal leaves the pages where they are until the map goes.
    // SAFETY: the caller's promise.
    unsafe { libc::madvise(start.cast(), size, libc::MADV_DONTNEED) };
}

/// Reads the pages of a map in, from one that starts at a page. Pages behind the end of the file are an error and no signal.
/// `Unsupported` before Linux 5.14.
pub(crate) fn populate(bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let start = bytes.as_ptr().cast_mut();
    loop {
        // SAFETY: the pages are borrowed; reading them in does not change them.
        let answer = unsafe { libc::madvise(start.cast(), bytes.len(), libc::MADV_POPULATE_READ) };
        if answer == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EINVAL) => return Err(io::ErrorKind::Unsupported.into()),
            _ => return Err(error),
        }
    }
}

/// Opens an open file once more for reads that pass the page cache by.
pub(crate) fn reopen_direct(file: &File) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_DIRECT);
    // The file that is open, whatever lies at its path by now.
    let again = options.open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let (old, new) = (file.metadata()?, again.metadata()?);
    if (old.dev(), old.ino()) == (new.dev(), new.ino()) {
        Ok(again)
    } else {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The part of a file that is in the page cache, from 0 to 1; `None` where it cannot be told.
pub(crate) fn resident(file: &File, size: u64) -> Option<f64> {
    let pages = size.div_ceil(page_size() as u64).max(1) as f64;
    let cached = cached_pages(file, size).or_else(|| mapped_pages(file, size))?;
    Some(cached as f64 / pages)
}

/// `cachestat`, from Linux 6.5 on.
fn cached_pages(file: &File, size: u64) -> Option<u64> {
    const CACHESTAT: libc::c_long = 451;
    #[repr(C)]
    struct Range {
        offset: u64,
        len: u64,
    }
    let range = Range {
        offset: 0,
        len: size,
    };
    // In the cache, dirty, under writeback, evicted, recently evicted.
    let mut counts = [0_u64; 5];
    // SAFETY: both structures have the size and form that the call documents, and live across it.
    let answer = unsafe {
        libc::syscall(
            CACHESTAT,
            file.as_raw_fd(),
            &raw const range,
            counts.as_mut_ptr(),
            0_u32,
        )
    };
    (answer == 0).then_some(counts[0])
}

/// `mincore` on a map.
fn mapped_pages(file: &File, size: u64) -> Option<u64> {
    let size = usize::try_from(size).ok().filter(|&size| size != 0)?;
    // SAFETY: nothing of the map is read.
    let map = unsafe { memmap2::MmapOptions::new().len(size).map(file) }.ok()?;
    let mut pages = vec![0_u8; size.div_ceil(page_size())];
    // SAFETY: the map has `size` bytes and there is a byte for each of its pages.
    let answer = unsafe { libc::mincore(map.as_ptr().cast_mut().cast(), size, pages.as_mut_ptr()) };
    (answer == 0).then(|| pages.iter().map(|page| u64::from(page & 1)).sum())
}

/// The kind of file system a file lies on.
pub(crate) fn file_system(file: &File) -> FileSystem {
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the call fills the structure where it succeeds.
    let answer = unsafe { libc::fstatfs(file.as_raw_fd(), status.as_mut_ptr()) };
    if answer != 0 {
        return FileSystem::Local;
    }
    // SAFETY: filled, as the answer says.
    let status = unsafe { status.assume_init() };
    // The numbers of statfs(2).
    match status.f_type as u32 {
        // tmpfs, ramfs
        0x0102_1994 | 0x8584_58f6 => FileSystem::Memory,
        // NFS, SMB (two), CIFS, Ceph, Lustre, 9P, FUSE, GPFS, AFS
        0x6969 | 0x517b | 0xfe53_4d42 | 0xff53_4d42 | 0x00c3_6400 | 0x0bd0_0bd0 | 0x0102_1997
        | 0x6573_5546 | 0x4750_4653 | 0x5346_414f => FileSystem::Network,
        _ => FileSystem::Local,
    }
}
