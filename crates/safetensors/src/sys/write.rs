//! What a save asks of the system beyond plain writes.

use std::fs::File;
use std::io;

/// Offsets and sizes of direct writes are multiples of this: the page size of the usual machines
/// and at least the block size of their disks.
pub(crate) const BLOCK_ALIGN: usize = 4096;

/// Reserves the blocks of a file and sets its size, so that a full disk is known before anything is
/// written. Where the file system cannot reserve, only the size is set.
pub(crate) fn preallocate(file: &File, size: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if size > 0
        && let Ok(signed) = libc::off_t::try_from(size)
    {
        use std::os::fd::AsRawFd;
        // SAFETY: a system call on an open file; no memory is involved.
        let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, signed) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        let is_final = matches!(
            error.raw_os_error(),
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG)
        );
        if is_final {
            return Err(error);
        }
    }
    file.set_len(size)
}

/// Lets writes pass by the page cache, or not. An error says that the file system cannot do so.
#[cfg(target_os = "linux")]
pub(crate) fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let descriptor = file.as_raw_fd();
    // SAFETY: a system call on an open file; no memory is involved.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    let flags = if direct {
        flags | libc::O_DIRECT
    } else {
        flags & !libc::O_DIRECT
    };
    // SAFETY: as above.
    match unsafe { libc::fcntl(descriptor, libc::F_SETFL, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Other systems have other means, which are not used yet.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_direct(_: &File, direct: bool) -> io::Result<()> {
    if direct {
        Err(io::ErrorKind::Unsupported.into())
    } else {
        Ok(())
    }
}

/// How memory must be aligned to be written directly, or `None` where offsets that are multiples of
/// [`BLOCK_ALIGN`] do not suffice. One page where the system does not tell.
pub(crate) fn memory_align(file: &File) -> Option<usize> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::mem::MaybeUninit;
        use std::os::fd::AsRawFd;
        let mut facts = MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: the path is an empty string that ends with a nought, and `facts` has the size that
        // the call fills.
        let result = unsafe {
            libc::statx(
                file.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                libc::STATX_DIOALIGN,
                facts.as_mut_ptr(),
            )
        };
        // SAFETY: a `statx` is made of integers, for which zeros are valid.
        let facts = unsafe { facts.assume_init() };
        if result == 0 && facts.stx_mask & libc::STATX_DIOALIGN != 0 {
            let (memory, offset) = (
                facts.stx_dio_mem_align as usize,
                facts.stx_dio_offset_align as usize,
            );
            let fits = memory > 0 && offset > 0 && BLOCK_ALIGN.is_multiple_of(offset);
            return (fits && memory <= BLOCK_ALIGN).then_some(memory);
        }
    }
    let _ = file;
    Some(BLOCK_ALIGN)
}

/// Asks the system to begin to write a part of the file to the disk; does not wait for it.
pub(crate) fn start_write_back(file: &File, offset: u64, size: u64) {
    #[cfg(target_os = "linux")]
    if let (Ok(offset), Ok(size)) = (offset.try_into(), size.try_into()) {
        use std::os::fd::AsRawFd;
        // SAFETY: a system call on an open file; no memory is involved. It is advice: a file system
        // that does not know it writes later.
        unsafe {
            libc::sync_file_range(file.as_raw_fd(), offset, size, libc::SYNC_FILE_RANGE_WRITE);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, size);
}
