//! Output files that appear whole or not at all.

use crate::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// How many names are tried for a temporary file.
const NAMES_MAX: u32 = 100;

/// A file that is written beside its place and gets its name at the end. Dropped before
/// [`commit`](Self::commit), it leaves nothing.
pub(crate) struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
}

impl AtomicFile {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        // A link is followed, so that it stays a link.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let regular = std::fs::metadata(path).map_or(true, |metadata| metadata.is_file());
        let Some(name) = path.file_name().filter(|_| regular) else {
            return Err(Error::invalid(format!(
                "cannot write `{}`: it is a folder or no regular file",
                path.display()
            )));
        };
        for attempt in 0.. {
            let mut temporary = std::ffi::OsString::from(".");
            temporary.push(name);
            temporary.push(format!(".{}-{attempt}.tmp", std::process::id()));
            let temporary = path.with_file_name(temporary);
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&temporary)
            {
                Ok(file) => {
                    let file = Some(BufWriter::with_capacity(1 << 18, file));
                    return Ok(Self {
                        path: path.to_owned(),
                        temporary,
                        file,
                    });
                }
                Err(error)
                    if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < NAMES_MAX => {
                }
                Err(error) => return Err(Error::io("create a file for", path, error)),
            }
        }
        unreachable!("the last attempt returns");
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let file = self.file.as_mut().expect("open until it is committed");
        file.write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))
    }

    /// Brings the file to the disk and gives it its name.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        let file = self.file.take().expect("committed once");
        let result = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&self.temporary, &self.path));
        if result.is_err() {
            remove(&self.temporary);
        }
        result.map_err(|error| Error::io("write", &self.path, error))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // What is buffered goes nowhere, whatever the disk says to it.
            drop(file.into_parts());
            remove(&self.temporary);
        }
    }
}

/// Nothing can be done about a failure: the error that led here is the one to report.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}
