//! A file of the output under construction: its bytes are counted and hashed on their way.

use super::Named;
use crate::Error;
use crate::atomic::Spool;
use crate::storage::NewFile;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// How much of a file is copied at once.
const COPY_SIZE: usize = 1 << 20;

pub(crate) struct OutFile {
    path: PathBuf,
    file: Box<dyn NewFile>,
    size: u64,
    hash: Xxh3,
}

impl OutFile {
    /// `path` is what is said of the file.
    pub(crate) fn new(path: PathBuf, file: Box<dyn NewFile>) -> Self {
        Self {
            path,
            file,
            size: 0,
            hash: Xxh3::new(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))
    }

    /// Appends all that a reader gives.
    pub(crate) fn copy(&mut self, mut reader: impl Read) -> Result<(), Error> {
        let mut buffer = vec![0; COPY_SIZE];
        loop {
            let size = reader
                .read(&mut buffer)
                .map_err(|error| Error::io("read", &self.path, error))?;
            if size == 0 {
                return Ok(());
            }
            self.append(&buffer[..size])?;
        }
    }

    /// A place for bytes that are written to this file later.
    pub(crate) fn spool(&self) -> Result<Spool, Error> {
        Spool::create(self.file.local_path(), &self.path)
    }

    /// Lets a writer make the file that needs a path for it, in place of all that is appended.
    pub(crate) fn write_by_path(
        &mut self,
        write: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |error| Error::io("write", &self.path, error);
        if let Some(path) = self.file.local_path() {
            write(path)?;
            // It is hashed as it is there now.
            let mut file = File::open(path).map_err(failed)?;
            let mut buffer = vec![0; COPY_SIZE];
            loop {
                match file.read(&mut buffer).map_err(failed)? {
                    0 => return Ok(()),
                    size => {
                        self.hash.update(&buffer[..size]);
                        self.size += size as u64;
                    }
                }
            }
        }
        let folder = crate::atomic::temporary_folder().map_err(failed)?;
        let path = folder.path().join("file");
        write(&path)?;
        let file = File::open(&path).map_err(failed)?;
        self.copy(file)
    }

    /// Lets the file appear, or belong to its folder.
    pub(crate) fn commit(self) -> Result<Named, Error> {
        let name = self.path.file_name().unwrap_or_default();
        let named = Named {
            name: name.to_string_lossy().into_owned(),
            bytes: self.size,
            xxh3: format!("{:032x}", self.hash.digest128()),
        };
        self.file.commit()?;
        Ok(named)
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.file.write(bytes)?;
        self.hash.update(&bytes[..size]);
        self.size += size as u64;
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
