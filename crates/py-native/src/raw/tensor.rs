//! The Python class `Tensor`: dense elements that Python reads and writes.

use std::ffi::{CStr, c_int};
use std::ptr;

use nexus_safetensors::{Dtype, View};
use nexus_tensor::dlpack::{self, DEVICE_CPU};
use nexus_tensor::{DType, Layout, contiguous_strides, size_bytes};
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyMemoryView, PyTuple, PyType};

use super::{Memory, capsule, copied_bytes};

/// Dense elements in memory that is shared with others.
///
/// It speaks the buffer protocol, `DLPack` and NumPy's array interface.
///
/// >>> from nexus.safetensors import Tensor
/// >>> Tensor(b"abcd", dtype="U8", shape=(2, 2))
/// <nexus.safetensors.Tensor U8 [2, 2], 4 bytes>
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    /// For the buffer protocol, whose consumers keep a pointer to it.
    strides_bytes: Vec<isize>,
    memory: Memory,
}

impl Tensor {
    /// A tensor that fills `memory`.
    ///
    /// # Errors
    /// `ValueError` when there are no elements and the other dimensions overflow.
    pub(crate) fn new(dtype: DType, shape: Vec<usize>, memory: Memory) -> PyResult<Self> {
        let mut strides_bytes =
            contiguous_strides(&shape).map_err(|error| to_value_error(&error))?;
        let size = dtype.size_bytes().unwrap_or(1).cast_signed();
        // Checked: without elements the strides are as large as `isize`, and mean nothing.
        for stride in &mut strides_bytes {
            *stride = stride.wrapping_mul(size);
        }
        Ok(Self {
            dtype,
            shape,
            strides_bytes,
            memory,
        })
    }

    /// The same memory as a row of bytes.
    pub(crate) fn of_bytes(memory: Memory) -> Self {
        Self {
            dtype: DType::U8,
            shape: vec![memory.len()],
            strides_bytes: vec![1],
            memory,
        }
    }

    /// Whether the buffer protocol can name the type; other types are shown as bytes.
    fn format(&self) -> Option<&'static CStr> {
        Some(match self.dtype {
            DType::BOOL => c"?",
            DType::U8 => c"B",
            DType::I8 => c"b",
            DType::U16 => c"H",
            DType::I16 => c"h",
            DType::F16 => c"e",
            DType::U32 => c"I",
            DType::I32 => c"i",
            DType::F32 => c"f",
            DType::C64 => c"Zf",
            DType::U64 => c"Q",
            DType::I64 => c"q",
            DType::F64 => c"d",
            _ => return None,
        })
    }
}

#[pymethods]
impl Tensor {
    /// A tensor in the memory of any object with the buffer protocol, which it shares.
    #[new]
    #[pyo3(signature = (data, /, *, dtype, shape))]
    fn create(data: &Bound<'_, PyAny>, dtype: &str, shape: Vec<usize>) -> PyResult<Self> {
        let dtype: DType = dtype.parse().map_err(|error| to_value_error(&error))?;
        let memory = Memory::of_object(data)?;
        let (len, wanted) = (
            memory.len(),
            size_bytes(dtype, &shape).map_err(|error| to_value_error(&error))?,
        );
        if len != wanted {
            let message =
                format!("cannot view {len} bytes as {dtype} of shape {shape:?}: needs {wanted}");
            return Err(PyValueError::new_err(message));
        }
        Self::new(dtype, shape, memory)
    }

    /// The name of the element type in the format: `"F32"`, `"BF16"`, ...
    #[getter]
    fn dtype(&self) -> &'static str {
        self.dtype.name()
    }

    /// The length of each axis.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.shape)
    }

    /// The number of bytes.
    #[getter]
    fn nbytes(&self) -> usize {
        self.memory.len()
    }

    /// Whether others must not write.
    #[getter]
    fn readonly(&self) -> bool {
        self.memory.read_only()
    }

    /// A copy of the bytes, row-major and little-endian.
    fn tobytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        copied_bytes(py, self.memory.bytes())
    }

    fn __repr__(&self) -> String {
        let shape: Vec<_> = self.shape.iter().map(ToString::to_string).collect();
        format!(
            "<nexus.safetensors.Tensor {} [{}], {} bytes>",
            self.dtype,
            shape.join(", "),
            self.memory.len()
        )
    }

    /// What NumPy needs to view the elements without a copy.
    #[getter(__array_interface__)]
    fn array_interface<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Some(typestr) = self.dtype.typestr() else {
            let message = format!("{} has no type in NumPy's array interface", self.dtype);
            return Err(pyo3::exceptions::PyAttributeError::new_err(message));
        };
        let interface = PyDict::new(py);
        interface.set_item("version", nexus_tensor::numpy::VERSION)?;
        interface.set_item("typestr", typestr)?;
        interface.set_item("shape", self.shape(py)?)?;
        interface.set_item(
            "data",
            (
                self.memory.start().expose_provenance(),
                self.memory.read_only(),
            ),
        )?;
        interface.set_item("strides", py.None())?;
        Ok(interface)
    }

    /// The elements as a `DLPack` capsule, shared.
    #[pyo3(signature = (*, stream = None, max_version = None, dl_device = None, copy = None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<&Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        if stream.is_some() || dl_device.is_some_and(|device| device != (DEVICE_CPU, 0)) {
            return Err(PyBufferError::new_err(
                "cannot export to a device: the elements are in memory",
            ));
        }
        if copy == Some(true) {
            return Err(PyBufferError::new_err(
                "cannot export a copy: copy the importing library's tensor",
            ));
        }
        if !self.memory.is_aligned(self.dtype) {
            let message = format!(
                "cannot export {} at an address that is not aligned for it",
                self.dtype
            );
            return Err(PyBufferError::new_err(message));
        }
        let versioned = max_version.is_some_and(|(major, _)| major >= dlpack::VERSION.major);
        if self.memory.read_only() && !versioned {
            return Err(PyBufferError::new_err(
                "cannot export read-only memory by DLPack before 1.0",
            ));
        }
        let layout =
            Layout::contiguous(self.shape.as_slice()).map_err(|error| to_value_error(&error))?;
        capsule(py, self.dtype, &layout, &self.memory, versioned)
    }

    /// `(kDLCPU, 0)`.
    #[expect(clippy::unused_self, reason = "a method of the protocol")]
    fn __dlpack_device__(&self) -> (i32, i32) {
        (DEVICE_CPU, 0)
    }

    /// Fills a view of the buffer protocol.
    ///
    /// # Safety
    /// `CPython` calls this with a valid `view`.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let this = slf.get();
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE && this.memory.read_only() {
            return Err(PyBufferError::new_err(
                "cannot write: the memory is read-only",
            ));
        }
        let asked = |flag: c_int| flags & flag == flag;
        // Types that the protocol cannot name are a row of bytes, whose one length and stride stand
        // in the view itself.
        let format = this.format();
        let typed = format.is_some();
        let item_size = if typed {
            this.dtype.size_bytes().unwrap_or(1)
        } else {
            1
        };
        // SAFETY: CPython hands in a view to be filled. All pointers are to `this`, which the view
        // keeps alive through `obj`, or to static strings, or into the view.
        unsafe {
            (*view).buf = this.memory.start().cast();
            (*view).len = this.memory.len().cast_signed();
            (*view).readonly = c_int::from(this.memory.read_only());
            (*view).itemsize = item_size.cast_signed();
            let format = format.unwrap_or(c"B");
            (*view).format = if asked(ffi::PyBUF_FORMAT) {
                format.as_ptr().cast_mut()
            } else {
                ptr::null_mut()
            };
            (*view).ndim = if typed { this.shape.len() as c_int } else { 1 };
            let shape = if typed {
                this.shape.as_ptr().cast_mut().cast()
            } else {
                &raw mut (*view).len
            };
            let strides = if typed {
                this.strides_bytes.as_ptr().cast_mut()
            } else {
                &raw mut (*view).itemsize
            };
            (*view).shape = if asked(ffi::PyBUF_ND) {
                shape
            } else {
                ptr::null_mut()
            };
            (*view).strides = if asked(ffi::PyBUF_STRIDES) {
                strides
            } else {
                ptr::null_mut()
            };
            (*view).suboffsets = ptr::null_mut();
            (*view).internal = ptr::null_mut();
            (*view).obj = slf.into_ptr();
        }
        Ok(())
    }

    /// The buffer protocol as a method (PEP 688), which Python before 3.12 does not add by itself.
    #[pyo3(signature = (flags, /))]
    fn __buffer__<'py>(slf: &Bound<'py, Self>, flags: c_int) -> PyResult<Bound<'py, PyMemoryView>> {
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE && slf.get().memory.read_only() {
            return Err(PyBufferError::new_err(
                "cannot write: the memory is read-only",
            ));
        }
        PyMemoryView::from(slf)
    }

    #[classattr]
    const __hash__: Option<Py<PyType>> = None;
}

impl View for Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.memory.bytes().into()
    }

    fn data_len(&self) -> usize {
        self.memory.len()
    }
}

fn to_value_error(error: &nexus_tensor::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
