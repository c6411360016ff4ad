//! `TensorSpec`, `serialize`, `serialize_file` and `deserialize`.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

use nexus_safetensors::{Dtype, Prepared, SafeTensors, View, WriteMode, WriteOptions};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList};

use super::argument;
use super::checksum::{self, ChecksumName};
use super::error::{Doing, plain, to_exception};
use super::framework::NAMES;
use super::given::interruptible_save;
use crate::raw::{Tensor, new_bytes};

/// What to write as one tensor: a type, a shape, and the address and size of its bytes.
///
/// The bytes must stay where they are while `serialize` or `serialize_file` runs. For
/// "`float4_e2m1fn_x2`" the last dimension is doubled: the format counts elements.
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct TensorSpec {
    pub(crate) dtype: Dtype,
    #[pyo3(get)]
    pub(crate) shape: Vec<usize>,
    #[pyo3(get)]
    pub(crate) data_ptr: usize,
    #[pyo3(get)]
    pub(crate) data_len: usize,
}

#[pymethods]
impl TensorSpec {
    #[new]
    #[pyo3(signature = (*, dtype, shape, data_ptr, data_len))]
    fn new(
        #[pyo3(from_py_with = argument::dtype)] dtype: &str,
        #[pyo3(from_py_with = argument::shape)] mut shape: Vec<usize>,
        #[pyo3(from_py_with = argument::data_ptr)] data_ptr: usize,
        #[pyo3(from_py_with = argument::data_len)] data_len: usize,
    ) -> PyResult<Self> {
        let dtype = parse(dtype)?;
        if dtype == Dtype::F4
            && let Some(last) = shape.last_mut()
        {
            *last = last.checked_mul(2).ok_or_else(|| {
                plain(format!(
                    "F4 last-dim {last} doubled to logical shape overflows usize"
                ))
            })?;
        }
        Ok(Self {
            dtype,
            shape,
            data_ptr,
            data_len,
        })
    }

    /// The name of the element type in the format.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.dtype.name()
    }

    fn __repr__(&self) -> String {
        let Self {
            dtype,
            shape,
            data_ptr,
            data_len,
        } = self;
        format!(
            "TensorSpec(dtype='{dtype}', shape={shape:?}, data_ptr={data_ptr}, data_len={data_len})"
        )
    }
}

fn parse(dtype: &str) -> PyResult<Dtype> {
    NAMES
        .iter()
        .find_map(|(name, named)| (*name == dtype).then_some(*named))
        .ok_or_else(|| {
            let supported = NAMES.map(|(name, _)| name).join(", ");
            plain(format!(
                "Unknown dtype {dtype:?}. Supported dtypes: {supported}"
            ))
        })
}

/// What can be written.
pub(crate) enum Writable {
    Spec(Py<TensorSpec>),
    Tensor(Py<Tensor>),
}

impl<'py> FromPyObject<'_, 'py> for Writable {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<Tensor>() {
            Ok(tensor) => Ok(Self::Tensor(tensor.to_owned().unbind())),
            Err(_) => Ok(Self::Spec(object.cast::<TensorSpec>()?.to_owned().unbind())),
        }
    }
}

impl Writable {
    fn view(&self) -> &dyn View {
        match self {
            Self::Spec(spec) => spec.get(),
            Self::Tensor(tensor) => tensor.get(),
        }
    }
}

impl View for Writable {
    fn dtype(&self) -> Dtype {
        self.view().dtype()
    }

    fn shape(&self) -> &[usize] {
        self.view().shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.view().data()
    }

    fn data_len(&self) -> usize {
        self.view().data_len()
    }
}

/// The argument `mode=`.
#[derive(Clone, Copy)]
pub(crate) struct ModeName(WriteMode);

impl<'py> FromPyObject<'_, 'py> for ModeName {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let name: String = object.extract()?;
        WriteMode::from_name(&name).map(Self).ok_or_else(|| {
            let names = WriteMode::ALL.map(|mode| format!("{:?}", mode.name()));
            plain(format!(
                "mode {name:?} is invalid (expected one of: {})",
                names.join(", ")
            ))
        })
    }
}

/// Return the bytes of a file with these tensors.
#[pyfunction]
#[pyo3(signature = (tensor_dict, metadata = None))]
pub(crate) fn serialize(
    py: Python<'_>,
    #[pyo3(from_py_with = argument::tensor_dict)] tensor_dict: HashMap<String, Writable>,
    #[pyo3(from_py_with = argument::metadata)] metadata: Option<HashMap<String, String>>,
) -> PyResult<Bound<'_, PyBytes>> {
    let refused = |error| to_exception(py, Doing::Writing, &error);
    let prepared = py.detach(|| Prepared::new(&tensor_dict, metadata));
    let prepared = prepared.map_err(refused)?;
    new_bytes(py, prepared.size_bytes(), |memory| {
        prepared.write_into(memory)
    })?
    .map_err(refused)
}

/// Write tensors to a file, which appears or changes at once and only when all went well.
///
/// With `fsync` the call returns when file and folder are on the disk. `mode` says how: "auto",
/// "buffered", "direct" or "uring". With `align` the data starts at a multiple of so many bytes.
/// `checksum` is "xxh3" or "blake3": the checksum of each tensor goes into the metadata.
#[pyfunction]
#[pyo3(signature = (
    tensor_dict, filename, metadata = None, *, fsync = false, mode = None, align = None,
    checksum = None
))]
#[expect(clippy::too_many_arguments, reason = "Python's keywords")]
pub(crate) fn serialize_file(
    py: Python<'_>,
    #[pyo3(from_py_with = argument::tensor_dict)] tensor_dict: HashMap<String, Writable>,
    #[pyo3(from_py_with = argument::filename)] filename: PathBuf,
    #[pyo3(from_py_with = argument::metadata)] metadata: Option<HashMap<String, String>>,
    fsync: bool,
    mode: Option<ModeName>,
    align: Option<usize>,
    checksum: Option<ChecksumName>,
) -> PyResult<()> {
    let options = WriteOptions::default()
        .fsync(fsync)
        .mode(mode.map_or(WriteMode::Auto, |mode| mode.0))
        .align(align);
    let tensors: Vec<_> = tensor_dict.into_iter().collect();
    let saved = interruptible_save(py, &tensors, |tensors| {
        let metadata = checksum::add(checksum, &tensors, metadata)?;
        Prepared::aligned(tensors, metadata, align)?.save(&filename, options)
    });
    saved?
        .map(drop)
        .map_err(|error| to_exception(py, Doing::Writing, &error))
}

/// Return name, shape, type and a copy of the bytes of every tensor in the bytes of a file.
#[pyfunction]
#[pyo3(signature = (bytes))]
pub(crate) fn deserialize<'py>(
    py: Python<'py>,
    #[pyo3(from_py_with = argument::bytes)] bytes: Bound<'py, PyBytes>,
) -> PyResult<Vec<(String, Bound<'py, PyDict>)>> {
    let source = bytes.as_bytes();
    let tensors = py.detach(|| SafeTensors::deserialize(source));
    let tensors = tensors.map_err(|error| to_exception(py, Doing::ReadingBytes(source), &error))?;
    let described = tensors.iter().map(|(name, tensor)| {
        let data = tensor.data();
        let copy = PyByteArray::new_with(py, data.len(), |target| {
            py.detach(|| target.copy_from_slice(data));
            Ok(())
        })?;
        let fields = PyDict::new(py);
        fields.set_item("shape", PyList::new(py, tensor.shape())?)?;
        fields.set_item("dtype", tensor.dtype().name())?;
        fields.set_item("data", copy)?;
        Ok((name.to_owned(), fields))
    });
    described.collect()
}
