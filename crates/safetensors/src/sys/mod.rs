//! System calls that std lacks, each with an answer for systems that lack them too. All `unsafe`
//! code of their callers is here.

#[cfg(target_os = "linux")]
pub(crate) mod link;
#[cfg(target_os = "linux")]
mod linux;
pub(crate) mod memory;
#[cfg(target_os = "linux")]
mod ring;
pub(crate) mod write;
#[cfg(target_os = "linux")]
pub(crate) mod write_ring;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    file_system, give_back, populate, reopen_direct, resident, use_large_pages,
};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{
    file_system, give_back, populate, reopen_direct, resident, use_large_pages,
};
#[cfg(target_os = "linux")]
pub(crate) use ring::Ring;

use std::fs::File;
use std::io;
use std::sync::OnceLock;

/// Where a file lies, as far as the way to read it depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "elsewhere every file counts as local")
)]
pub(crate) enum FileSystem {
    /// On a disk of this machine, or unknown.
    Local,
    /// In memory.
    Memory,
    /// Behind a network, or a process that stands for one.
    Network,
}

/// The size of a page.
pub(crate) fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(ask_page_size)
}

#[cfg(unix)]
fn ask_page_size() -> usize {
    // SAFETY: takes and returns numbers.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(not(unix))]
fn ask_page_size() -> usize {
    // Not smaller than any page in use.
    64 << 10
}

/// Reads at a place in a file, some bytes or, at its end, none.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, bytes, at);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, bytes, at);
}

/// What every system can do.
#[cfg(not(target_os = "linux"))]
mod other {
    use std::fs::File;
    use std::io;
    use std::ptr::NonNull;

    use super::FileSystem;

    pub(crate) fn use_large_pages(_start: NonNull<u8>, _size: usize) {}

    /// Leaves the pages where they are.
    ///
    /// # Safety
    /// None is needed here.
    pub(crate) unsafe fn give_back(_start: *mut u8, _size: usize) {}

    pub(crate) fn populate(_bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn reopen_direct(_file: &File) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn resident(_file: &File, _size: u64) -> Option<f64> {
        None
    }

    pub(crate) fn file_system(_file: &File) -> FileSystem {
        FileSystem::Local
    }
}
