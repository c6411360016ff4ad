//! Where the memory of a tensor comes from: the one place that knows the ways to read a file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use nexus_safetensors::{SafeTensorError, SafeTensorsFile, TensorInfo};
use nexus_tensor::Layout;
use pyo3::prelude::*;

use super::error::{Doing, plain, to_exception};
use crate::raw::Memory;

/// How the bytes of tensors are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// Through a private map, when they are touched.
    Map,
    /// By positional reads, when they are asked for.
    Read,
}

impl FromStr for Backend {
    type Err = PyErr;

    fn from_str(name: &str) -> PyResult<Self> {
        match name {
            "mmap" => Ok(Self::Map),
            "pread" => Ok(Self::Read),
            _ => Err(plain(format!(
                "backend {name:?} is invalid (expected one of: \"mmap\", \"pread\")"
            ))),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for Backend {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        object.extract::<String>()?.parse()
    }
}

/// An open file.
pub(crate) struct Source {
    file: SafeTensorsFile,
    /// Read from here; through the map where there is none.
    reader: Option<File>,
}

impl Source {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path, backend: Backend) -> Result<Self, SafeTensorError> {
        let refused = |source| SafeTensorError::File {
            action: "open",
            path: path.to_owned(),
            source,
        };
        let reader = match backend {
            Backend::Map => None,
            Backend::Read => Some(File::open(path).map_err(refused)?),
        };
        let file = SafeTensorsFile::open(path)?;
        if let Some(reader) = &reader
            && !is_at(reader, path).map_err(refused)?
        {
            // The header would be of one file and the tensors of another.
            return Err(refused(io::Error::other("it has just been replaced")));
        }
        Ok(Self { file, reader })
    }

    /// Copies the bytes of a file.
    pub(crate) fn copy_of(bytes: &[u8]) -> Result<Self, SafeTensorError> {
        let file = SafeTensorsFile::copy_of(bytes)?;
        Ok(Self { file, reader: None })
    }

    /// The header and the places of the tensors.
    pub(crate) fn file(&self) -> &SafeTensorsFile {
        &self.file
    }

    /// The memory of one tensor of this file.
    pub(crate) fn memory(&self, py: Python<'_>, info: &TensorInfo) -> PyResult<Memory> {
        self.bytes(py, self.file.byte_range(info))
    }

    /// The memory of some elements of one tensor, and where they lie in it. `layout` counts items
    /// of `item_size` bytes from the tensor's start.
    pub(crate) fn part(
        &self,
        py: Python<'_>,
        info: &TensorInfo,
        item_size: usize,
        layout: &Layout,
    ) -> PyResult<(Memory, Layout)> {
        let start = self.file.byte_range(info).start;
        let places = layout.places();
        let memory = self.bytes(
            py,
            start + places.start * item_size..start + places.end * item_size,
        )?;
        let offset = layout.offset() - places.start;
        let layout = Layout::strided(layout.shape(), layout.strides(), offset);
        Ok((memory, layout.map_err(|error| plain(error.to_string()))?))
    }

    fn bytes(&self, py: Python<'_>, range: Range<usize>) -> PyResult<Memory> {
        let Some(reader) = &self.reader else {
            return Ok(Memory::of_file(self.file.bytes(), range));
        };
        py.detach(|| {
            Memory::filled(range.len(), |bytes| {
                read_exact_at(reader, bytes, range.start as u64)
            })
        })
        .map_err(|error| self.read_error(py, error))
    }

    fn read_error(&self, py: Python<'_>, source: io::Error) -> PyErr {
        let path = self.file.path().unwrap_or(Path::new("")).to_owned();
        let action = "read";
        let error = SafeTensorError::File {
            action,
            path,
            source,
        };
        to_exception(py, Doing::ReadingFile, &error)
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (opened, named) = (file.metadata()?, std::fs::metadata(path)?);
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(bytes)
}
