//! Packed files: BF16 and F16 tensors in fewer bytes.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use nexus_safetensors::packed::{self, PackOptions, PackedFile};
use nexus_safetensors::{SafeTensorError, SafeTensorsFile, WriteOptions};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::device::Device;
use super::error::{Doing, to_exception};
use super::framework::{Framework, Importer};
use crate::interrupt::until_signal;
use crate::raw::Memory;

/// Name, type, code, bytes before and bytes after.
type PackedTensor = (String, &'static str, Option<&'static str>, usize, usize);

/// Bytes of all tensors before and after, and each tensor.
type Report = (usize, usize, Vec<PackedTensor>);

fn options(threads: Option<NonZeroUsize>, fsync: bool) -> PackOptions {
    let options = PackOptions::default().write(WriteOptions::default().fsync(fsync));
    match threads {
        Some(threads) => options.threads(threads),
        None => options,
    }
}

/// Pack the BF16 and F16 tensors of a file into another one.
#[pyfunction]
#[pyo3(signature = (source, target, *, threads = None, fsync = false))]
pub(crate) fn pack_file(
    py: Python<'_>,
    source: PathBuf,
    target: PathBuf,
    threads: Option<NonZeroUsize>,
    fsync: bool,
) -> PyResult<Report> {
    let options = options(threads, fsync);
    let report = until_signal(py, |stop| {
        packed::pack_file(&source, &target, &options.cancelled_by(stop))
    })?;
    let report = report.map_err(|error| to_exception(py, Doing::Other("pack", &source), &error))?;
    let tensors = report.tensors.into_iter().map(|tensor| {
        let dtype = tensor.dtype.name();
        let sizes = (tensor.raw_bytes, tensor.packed_bytes);
        (tensor.name, dtype, tensor.codec, sizes.0, sizes.1)
    });
    Ok((report.raw_bytes, report.packed_bytes, tensors.collect()))
}

/// Write the original of a packed file, byte for byte.
///
/// >>> from nexus.safetensors import Tensor, pack_file, save_file, unpack_file
/// >>> save_file({"w": Tensor(bytes(2), dtype="BF16", shape=(1,))}, "w.safetensors")
/// >>> _ = pack_file("w.safetensors", "w.packed")
/// >>> unpack_file("w.packed", "again.safetensors")
#[pyfunction]
#[pyo3(signature = (source, target, *, threads = None, fsync = false))]
pub(crate) fn unpack_file(
    py: Python<'_>,
    source: PathBuf,
    target: PathBuf,
    threads: Option<NonZeroUsize>,
    fsync: bool,
) -> PyResult<()> {
    let options = options(threads, fsync);
    let unpacked = until_signal(py, |stop| {
        packed::unpack_file(&source, &target, &options.cancelled_by(stop))
    })?;
    unpacked.map_err(|error| to_exception(py, Doing::Other("unpack", &source), &error))
}

/// Tell whether a file is packed. Reads its header.
///
/// >>> from nexus.safetensors import is_packed, save_file
/// >>> save_file({}, "plain.safetensors")
/// >>> is_packed("plain.safetensors")
/// False
#[pyfunction]
pub(crate) fn is_packed(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
    let file = py.detach(|| SafeTensorsFile::open(&path));
    let file = file.map_err(|error| to_exception(py, Doing::ReadingFile(&path), &error))?;
    Ok(packed::is_packed(file.header()))
}

/// Return every tensor of a packed file by name, as it was before.
#[pyfunction]
#[pyo3(signature = (path, framework, device = Device::Cpu, *, threads = None))]
pub(crate) fn load_packed(
    py: Python<'_>,
    path: PathBuf,
    framework: Framework,
    device: Device,
    threads: Option<NonZeroUsize>,
) -> PyResult<Bound<'_, PyDict>> {
    let refusal = |error: SafeTensorError| to_exception(py, Doing::Other("load", &path), &error);
    let file = py.detach(|| PackedFile::open(&path)).map_err(refusal)?;
    let file = match threads {
        Some(threads) => file.with_threads(threads),
        None => file,
    };
    let importer = Importer::new(py, framework, device)?;
    let tensors = PyDict::new(py);
    for name in file.header().offset_keys() {
        let region = py.detach(|| file.region(&name)).map_err(refusal)?;
        py.check_signals()?;
        let info = file.info(&name).map_err(refusal)?;
        let memory = Memory::of_region(region);
        let tensor = importer.tensor(py, info.dtype, &info.shape, memory)?;
        tensors.set_item(name, tensor)?;
    }
    Ok(tensors)
}
