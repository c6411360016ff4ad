//! Where the bytes of a save go: through the page cache, or past it to the disk.
//!
//! All engines take the same stream of byte slices and write the same file. What an engine needs
//! and the system refuses is replaced silently: the ring by threads, direct writes by buffered ones.

mod buffered;
mod direct;
mod staged;

use std::borrow::Cow;
use std::fs::File;
use std::io;

pub(crate) use staged::{Chunk, Queue};

use crate::sys::write::{memory_align, preallocate, set_direct};
use crate::{SafeTensorError, WriteMode, WriteOptions};

/// From this size on, a durable save passes by the page cache; below, one flush of it is quicker.
const DIRECT_SIZE_MIN: u64 = 8 << 20;

/// Writes `parts`, `size` bytes in all, from the start of an empty file. Tells how it did.
pub(crate) fn write_file<'a>(
    file: &File,
    size: u64,
    parts: impl Iterator<Item = Result<Cow<'a, [u8]>, SafeTensorError>>,
    options: WriteOptions,
) -> Result<WriteMode, SafeTensorError> {
    let wanted = choose(size, options);
    if wanted != WriteMode::Buffered
        && let Some(align) = memory_align(file)
        && set_direct(file, true).is_ok()
    {
        preallocate(file, size)?;
        return direct::write(file, parts, align, wanted);
    }
    buffered::write(file, size, parts, options.fsync)?;
    Ok(WriteMode::Buffered)
}

/// The way that is to be tried first.
pub(crate) fn choose(size: u64, options: WriteOptions) -> WriteMode {
    match options.mode {
        WriteMode::Auto if options.fsync && size >= DIRECT_SIZE_MIN => WriteMode::Direct,
        WriteMode::Auto => WriteMode::Buffered,
        mode => mode,
    }
}

/// Completes a write that was asked for and came out as `result`.
///
/// Some file systems take the flag for direct writes and then refuse them, or leave a rest that is
/// not aligned; both go through the page cache, as do all writes after them.
pub(crate) fn settle(
    file: &File,
    bytes: &[u8],
    offset: u64,
    result: io::Result<usize>,
) -> io::Result<()> {
    let written = match result {
        Ok(written) if written >= bytes.len() => return Ok(()),
        Ok(written) => written,
        Err(error) => match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => 0,
            io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => {
                set_direct(file, false)?;
                0
            }
            _ => return Err(error),
        },
    };
    let (rest, offset) = (&bytes[written..], offset + written as u64);
    // Where the part that was written ends amid a block, the rest cannot go on directly.
    match write_all_at(file, rest, offset) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            set_direct(file, false)?;
            write_all_at(file, rest, offset)
        }
        outcome => outcome,
    }
}

/// Writes at a place in the file, whatever its cursor says.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
    }
    #[cfg(windows)]
    {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            (bytes, offset) = (&bytes[written..], offset + written as u64);
        }
        Ok(())
    }
}
