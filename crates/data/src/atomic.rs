//! Output files and folders that appear whole or not at all.

use crate::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How many names are tried for a temporary file.
const NAMES_MAX: u32 = 100;

/// A file that is written beside its place and gets its name at the end. Dropped before
/// [`commit`](Self::commit), it leaves nothing.
pub(crate) struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
    size: u64,
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
        let (temporary, file) = beside(path, name, |temporary| {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(temporary)
        })
        .map_err(|error| Error::io("create a file for", path, error))?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
            file: Some(BufWriter::with_capacity(1 << 18, file)),
            size: 0,
        })
    }

    /// Where it is until then. Another file may be put there.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Bytes written so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))
    }

    /// Brings the file to the disk and gives it its name.
    pub(crate) fn commit(self) -> Result<(), Error> {
        self.finish(File::sync_all)
    }

    /// Gives the file its name, and leaves it to the system when it is brought to the disk: it is whole
    /// for all processes, but not after a loss of power.
    pub(crate) fn commit_unsynced(self) -> Result<(), Error> {
        self.finish(|_| Ok(()))
    }

    fn finish(mut self, sync: impl FnOnce(&File) -> io::Result<()>) -> Result<(), Error> {
        let file = self.file.take().expect("committed once");
        let result = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| sync(&file))
            .and_then(|()| std::fs::rename(&self.temporary, &self.path));
        if result.is_err() {
            remove(&self.temporary);
        }
        result.map_err(|error| Error::io("write", &self.path, error))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().expect("open until it is committed");
        let size = file.write(bytes)?;
        self.size += size as u64;
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        let file = self.file.as_mut().expect("open until it is committed");
        file.flush()
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

/// Makes something hidden beside `path`, under the first name that is free.
fn beside<T>(
    path: &Path,
    name: &OsStr,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let mut attempt = 0;
    loop {
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{attempt}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        match make(&temporary) {
            Ok(made) => return Ok((temporary, made)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < NAMES_MAX => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A folder for what nobody else is to see, gone when it is dropped.
pub(crate) fn temporary_folder() -> io::Result<TemporaryFolder> {
    let place = std::env::temp_dir().join("nexus-data");
    let name = place.file_name().unwrap_or_default();
    let make = |path: &Path| DirBuilder::new().mode(0o700).create(path);
    let (path, ()) = beside(&place, name, make)?;
    Ok(TemporaryFolder(path))
}

pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes a hidden folder beside `path`, where a folder of that name is to be.
pub(crate) fn folder_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default();
    let make = |temporary: &Path| std::fs::create_dir(temporary);
    beside(path, name, make).map(|(temporary, ())| temporary)
}

/// Makes a hidden file beside `path`, where a file of that name is to be.
pub(crate) fn file_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default();
    let make = |temporary: &Path| {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(temporary)
    };
    beside(path, name, make)
}

/// Bytes that must be written behind others which are known last: a nameless file beside the one
/// that they are for.
pub(crate) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Spool {
    /// Beside `place`, or where the system has its temporary files; `path` is what is said of it.
    pub(crate) fn create(place: Option<&Path>, path: &Path) -> Result<Self, Error> {
        let elsewhere = std::env::temp_dir().join("nexus-data");
        let place = place.unwrap_or(&elsewhere);
        let make = |temporary: &Path| {
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create_new(true)
                .open(temporary)?;
            std::fs::remove_file(temporary)?;
            Ok(BufWriter::with_capacity(1 << 18, file))
        };
        let (_, file) = beside(place, place.file_name().unwrap_or_default(), make)
            .map_err(|error| Error::io("create a file for", path, error))?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))
    }

    /// The bytes, from the first on.
    pub(crate) fn into_reader(self) -> Result<File, Error> {
        let Self { path, file } = self;
        let rewind = || {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(file)
        };
        rewind().map_err(|error| Error::io("write", &path, error))
    }
}

/// A folder that is filled beside its place and gets its name at the end. Dropped before
/// [`commit`](Self::commit), it leaves nothing.
pub(crate) struct AtomicFolder {
    path: PathBuf,
    temporary: Option<PathBuf>,
}

impl AtomicFolder {
    /// Refuses to replace a folder, but for an empty one and one that holds the file `mark`.
    pub(crate) fn create(path: &Path, mark: &str) -> Result<Self, Error> {
        // A link is followed, so that it stays a link.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let refuse = |what: &str| {
            let message = format!("cannot write the folder `{}`: {what}", path.display());
            Err(Error::invalid(message).with_hint("give another folder, or remove this one"))
        };
        let Some(name) = path.file_name() else {
            return refuse("it has no name");
        };
        let is_empty = |mut entries: std::fs::ReadDir| entries.next().is_none();
        match std::fs::read_dir(path).map(is_empty) {
            Ok(false) if !path.join(mark).is_file() => {
                return refuse("it exists and holds other files than a pipeline's");
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return refuse("there is a file of that name");
            }
            _ => {}
        }
        let (temporary, ()) = beside(path, name, |temporary| std::fs::create_dir(temporary))
            .map_err(|error| Error::io("create a folder for", path, error))?;
        Ok(Self {
            path: path.clone(),
            temporary: Some(temporary),
        })
    }

    /// Where its files are put.
    pub(crate) fn temporary(&self) -> &Path {
        self.temporary
            .as_ref()
            .expect("there until it is committed")
    }

    /// Gives the folder its name, in place of an older one.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        let name = self.path.file_name().unwrap_or_default();
        let temporary = self.temporary();
        let result = (|| {
            File::open(temporary)?.sync_all()?;
            if !self.path.exists() {
                return std::fs::rename(temporary, &self.path);
            }
            // Two folders cannot change places at once: the old one steps aside.
            let old = |aside: &Path| {
                std::fs::create_dir(aside)?;
                std::fs::rename(&self.path, aside)
            };
            let (aside, ()) = beside(&self.path, name, old)?;
            if let Err(error) = std::fs::rename(temporary, &self.path) {
                let _: io::Result<()> = std::fs::rename(&aside, &self.path);
                return Err(error);
            }
            // The new one is there: what is left of the old one takes room and does no harm.
            let _: io::Result<()> = std::fs::remove_dir_all(&aside);
            Ok(())
        })();
        if result.is_ok() {
            self.temporary = None;
        }
        result.map_err(|error| Error::io("write", &self.path, error))
    }
}

impl Drop for AtomicFolder {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = std::fs::remove_dir_all(temporary);
        }
    }
}

/// Nothing can be done about a failure: the error that led here is the one to report.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}
