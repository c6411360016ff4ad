//! The reader and the writer of `nexus.safetensors`.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::collections::HashMap;
use std::path::PathBuf;

use nexus_safetensors::{
    SafeTensorError, TensorView, WriteOptions, serialize, serialize_to_file_with,
};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator};

use crate::raw::{Tensor, bytes_object};

pyo3::create_exception!(
    nexus.safetensors,
    SafetensorError,
    PyValueError,
    "A file that is no sound safetensors file, or tensors that cannot be written as one."
);

/// A memory-mapped file of tensors.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct SafeTensorsFile(nexus_safetensors::SafeTensorsFile);

#[pymethods]
impl SafeTensorsFile {
    /// Maps a file and reads its header.
    #[new]
    #[pyo3(signature = (filename, /))]
    fn open(py: Python<'_>, filename: PathBuf) -> PyResult<Self> {
        py.detach(|| nexus_safetensors::SafeTensorsFile::open(filename))
            .map(Self)
            .map_err(|error| read_error(py, error))
    }

    /// Copies the bytes of a file.
    #[staticmethod]
    #[pyo3(signature = (data, /))]
    fn copy_of(py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bytes;
        let copied;
        let slice = if let Ok(found) = data.cast::<PyBytes>() {
            bytes = found.clone();
            bytes.as_bytes()
        } else {
            // Other buffers may change while they are read: judge and keep one copy.
            copied = PyBuffer::<u8>::get(data)?.to_vec(py)?;
            copied.as_slice()
        };
        py.detach(|| nexus_safetensors::SafeTensorsFile::copy_of(slice))
            .map(Self)
            .map_err(|error| read_error(py, error))
    }

    /// The names, sorted.
    fn keys(&self) -> Vec<&str> {
        self.0.names()
    }

    /// The names in the order of the data.
    fn offset_keys(&self) -> Vec<String> {
        self.0.offset_keys()
    }

    /// The free text of the header.
    fn metadata(&self) -> Option<&HashMap<String, String>> {
        self.0.metadata()
    }

    /// Type, shape, first byte and one past the last byte of a tensor, counted from the file's start.
    fn info(
        &self,
        py: Python<'_>,
        name: &str,
    ) -> PyResult<(&'static str, Vec<usize>, usize, usize)> {
        let info = self.0.info(name).map_err(|error| read_error(py, error))?;
        let range = self.0.byte_range(info);
        Ok((
            info.dtype.name(),
            info.shape.clone(),
            range.start,
            range.end,
        ))
    }

    /// One tensor, shared with the map.
    fn get_tensor(&self, py: Python<'_>, name: &str) -> PyResult<Tensor> {
        let info = self.0.info(name).map_err(|error| read_error(py, error))?;
        let region = self.0.region(name).map_err(|error| read_error(py, error))?;
        Tensor::of_file(info.dtype, &info.shape, region)
    }

    /// The size of the whole file.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.keys().into_pyobject(py)?.try_iter()
    }

    fn __contains__(&self, name: &str) -> bool {
        self.0.info(name).is_ok()
    }
}

/// Writes tensors to bytes.
#[pyfunction]
#[pyo3(signature = (tensors, metadata = None))]
pub(crate) fn save_bytes(
    py: Python<'_>,
    tensors: Vec<(String, Py<Tensor>)>,
    metadata: Option<HashMap<String, String>>,
) -> PyResult<Bound<'_, PyBytes>> {
    let written = py.detach(|| serialize(views(&tensors)?, metadata));
    bytes_object(py, &written.map_err(|error| write_error(py, error))?)
}

/// Writes tensors to a file, which appears or changes at once and only when all went well.
#[pyfunction]
#[pyo3(signature = (tensors, filename, metadata = None, *, fsync = false))]
pub(crate) fn save_file(
    py: Python<'_>,
    tensors: Vec<(String, Py<Tensor>)>,
    filename: PathBuf,
    metadata: Option<HashMap<String, String>>,
    fsync: bool,
) -> PyResult<()> {
    let options = WriteOptions::default().fsync(fsync);
    py.detach(|| serialize_to_file_with(views(&tensors)?, metadata, &filename, options))
        .map_err(|error| write_error(py, error))
}

fn views(tensors: &[(String, Py<Tensor>)]) -> Result<Vec<(&str, TensorView<'_>)>, SafeTensorError> {
    let named = tensors.iter().map(|(name, tensor)| (name, tensor.get()));
    named
        .map(|(name, tensor)| {
            let shape = tensor.dimensions().to_vec();
            TensorView::new(tensor.element_type(), shape, tensor.bytes())
                .map(|view| (name.as_str(), view))
        })
        .collect()
}

/// The texts are those of `safetensors` 0.8.0.
fn read_error(py: Python<'_>, error: SafeTensorError) -> PyErr {
    match error {
        SafeTensorError::TensorNotFound(name) => {
            SafetensorError::new_err(format!("File does not contain tensor {name}"))
        }
        error => to_exception(py, "deserializing header", &error),
    }
}

fn write_error(py: Python<'_>, error: SafeTensorError) -> PyErr {
    to_exception(py, "serializing", &error)
}

fn to_exception(py: Python<'_>, doing: &str, error: &SafeTensorError) -> PyErr {
    if let SafeTensorError::File { source, path, .. } = error
        && let Some(errno) = source.raw_os_error()
    {
        // Python makes a FileNotFoundError, PermissionError, ... of these three.
        let text = std::io::Error::from_raw_os_error(errno).to_string();
        let text = text
            .split(" (os error")
            .next()
            .unwrap_or_default()
            .to_owned();
        return PyOSError::new_err((errno, text, path.clone().into_os_string()));
    }
    let exception = SafetensorError::new_err(format!("Error while {doing}: {error}"));
    if let Some(hint) = error.hint() {
        // A note that cannot be added must not hide the error itself.
        let _ = exception
            .value(py)
            .call_method1("add_note", (format!("hint: {hint}"),));
    }
    exception
}
