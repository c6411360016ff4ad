//! Naming a file that was opened without a name, as `open(2)` says under `O_TMPFILE`.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether [`link`] has the file system that it needs.
pub(crate) fn can_be_named(file: &File) -> bool {
    fs::symlink_metadata(place(file)).is_ok()
}

/// Gives an open file a name.
pub(crate) fn link(file: &File, path: &Path) -> io::Result<()> {
    let place = CString::new(place(file))?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both pointers are to strings that end with a nought and outlive the call.
    let result = unsafe {
        libc::linkat(
            libc::AT_FDCWD,
            place.as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn place(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
