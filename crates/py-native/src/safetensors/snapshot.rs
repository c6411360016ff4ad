//! Copies of tensors that are saved later, and saves of many files.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::collections::HashMap;
use std::path::PathBuf;

use nexus_safetensors::{WriteOptions, serialize_sharded};
use pyo3::prelude::*;

use super::checksum::{self, ChecksumName};
use super::error::{Doing, to_exception};
use super::given::interruptible_save;
use super::write::Writable;

/// Tensors as they were, laid out as the file will be.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct Snapshot(nexus_safetensors::Snapshot);

#[pymethods]
impl Snapshot {
    #[new]
    #[pyo3(signature = (tensors, metadata = None, *, checksum = None))]
    fn new(
        py: Python<'_>,
        tensors: HashMap<String, Writable>,
        metadata: Option<HashMap<String, String>>,
        checksum: Option<ChecksumName>,
    ) -> PyResult<Self> {
        let tensors: Vec<_> = tensors.into_iter().collect();
        let taken = interruptible_save(py, &tensors, |tensors| {
            let metadata = checksum::add(checksum, &tensors, metadata)?;
            nexus_safetensors::Snapshot::of(tensors, metadata)
        })?;
        taken
            .map(Self)
            .map_err(|error| to_exception(py, Doing::Writing, &error))
    }

    /// Write the file.
    #[pyo3(signature = (path, *, fsync = false))]
    fn save(&self, py: Python<'_>, path: PathBuf, fsync: bool) -> PyResult<()> {
        let options = WriteOptions::default().fsync(fsync);
        py.detach(|| self.0.save(&path, options))
            .map(drop)
            .map_err(|error| to_exception(py, Doing::Writing, &error))
    }
}

/// Write tensors to files of at most `max_shard_size` bytes of data and an index; return the paths.
#[pyfunction]
#[pyo3(signature = (
    tensors, folder, pattern, max_shard_size, metadata = None, *, fsync = false, checksum = None
))]
#[expect(clippy::too_many_arguments, reason = "Python's keywords")]
pub(crate) fn save_sharded(
    py: Python<'_>,
    tensors: Vec<(String, Writable)>,
    folder: PathBuf,
    pattern: &str,
    max_shard_size: usize,
    metadata: Option<HashMap<String, String>>,
    fsync: bool,
    checksum: Option<ChecksumName>,
) -> PyResult<Vec<PathBuf>> {
    let options = WriteOptions::default().fsync(fsync);
    let sharded = interruptible_save(py, &tensors, |tensors| {
        let metadata = checksum::add(checksum, &tensors, metadata)?;
        let metadata = metadata.as_ref();
        serialize_sharded(tensors, &folder, pattern, max_shard_size, metadata, options)
    })?;
    let sharded = sharded.map_err(|error| to_exception(py, Doing::Writing, &error))?;
    Ok(sharded.files.into_iter().chain(sharded.index).collect())
}
