//! The Python class `Tensor`: memory that Python reads and writes, and what keeps it alive.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use nexus_safetensors::Region;
use nexus_tensor::dlpack::{self, Access, DEVICE_CPU};
use nexus_tensor::{DType, Layout, size_bytes};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyMemoryView, PyTuple, PyType};

/// Dense elements in memory that is shared with others.
#[pyclass(frozen, module = "nexus.safetensors")]
pub(crate) struct Tensor {
    dtype: DType,
    layout: Layout,
    /// For the buffer protocol, whose consumers keep pointers to them.
    shape: Vec<ffi::Py_ssize_t>,
    strides_bytes: Vec<ffi::Py_ssize_t>,
    memory: Memory,
}

/// Bytes at a fixed address, and their owner.
#[derive(Clone)]
struct Memory {
    start: *mut u8,
    len: usize,
    read_only: bool,
    _owner: Owner,
}

#[derive(Clone)]
enum Owner {
    File { _region: Region },
    Python { _buffer: Arc<PyBuffer<u8>> },
}

// SAFETY: the address is constant and the owner keeps the memory in place until it is dropped,
// from any thread. Reads and writes race only as Python programs let threads race on one buffer.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Tensor {
    /// A tensor in the bytes of a file, which others may write to.
    pub(crate) fn of_file(dtype: DType, shape: &[usize], region: Region) -> PyResult<Self> {
        let memory = Memory {
            start: region.as_mut_ptr(),
            len: region.len(),
            read_only: false,
            _owner: Owner::File { _region: region },
        };
        Self::new(dtype, shape, memory)
    }

    fn new(dtype: DType, shape: &[usize], memory: Memory) -> PyResult<Self> {
        let layout = Layout::contiguous(shape).map_err(|error| to_value_error(&error))?;
        let size = dtype.size_bytes().unwrap_or(1).cast_signed();
        let shape = shape.iter().map(|n| n.cast_signed()).collect();
        // Checked: without elements the strides are as large as `isize`, and mean nothing.
        let strides_bytes = layout
            .strides()
            .iter()
            .map(|stride| stride.wrapping_mul(size))
            .collect();
        Ok(Self {
            dtype,
            layout,
            shape,
            strides_bytes,
            memory,
        })
    }

    /// The type of the elements.
    pub(crate) fn element_type(&self) -> DType {
        self.dtype
    }

    /// The length of each axis.
    pub(crate) fn dimensions(&self) -> &[usize] {
        self.layout.shape()
    }

    /// The bytes, for as long as `self` is borrowed.
    ///
    /// Python code that writes to them meanwhile, from another thread, makes the result arbitrary:
    /// the rule of every consumer of the buffer protocol, which has no locks.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.memory.len == 0 {
            return &[];
        }
        // SAFETY: the owner in `self.memory` keeps `len` readable bytes at `start`.
        unsafe { slice::from_raw_parts(self.memory.start, self.memory.len) }
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

    fn is_aligned(&self) -> bool {
        let alignment = match self.dtype {
            DType::C64 => 4,
            dtype => dtype.size_bytes().unwrap_or(1),
        };
        self.memory.len == 0 || self.memory.start.addr().is_multiple_of(alignment)
    }
}

#[pymethods]
impl Tensor {
    /// A tensor in the memory of any object with the buffer protocol, which it shares.
    #[new]
    #[pyo3(signature = (data, /, *, dtype, shape))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "arguments come from Python as values"
    )]
    fn create(data: &Bound<'_, PyAny>, dtype: &str, shape: Vec<usize>) -> PyResult<Self> {
        let py = data.py();
        let dtype: DType = dtype.parse().map_err(|error| to_value_error(&error))?;
        // Consumers may ask for items of any type; bytes are what all of them share.
        let view = py
            .import("builtins")?
            .getattr("memoryview")?
            .call1((data,))?
            .call_method1("cast", ("B",))?;
        let buffer = PyBuffer::<u8>::get(&view)?;
        let (len, wanted) = (
            buffer.len_bytes(),
            size_bytes(dtype, &shape).map_err(|error| to_value_error(&error))?,
        );
        if len != wanted {
            let message =
                format!("cannot view {len} bytes as {dtype} of shape {shape:?}: needs {wanted}");
            return Err(PyValueError::new_err(message));
        }
        let (start, read_only) = (buffer.buf_ptr().cast(), buffer.readonly());
        let owner = Owner::Python {
            _buffer: Arc::new(buffer),
        };
        Self::new(
            dtype,
            &shape,
            Memory {
                start,
                len,
                read_only,
                _owner: owner,
            },
        )
    }

    /// The name of the element type in the format: `"F32"`, `"BF16"`, ...
    #[getter]
    fn dtype(&self) -> &'static str {
        self.dtype.name()
    }

    /// The length of each axis.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.dimensions())
    }

    /// The number of bytes.
    #[getter]
    fn nbytes(&self) -> usize {
        self.memory.len
    }

    /// Whether others must not write.
    #[getter]
    fn readonly(&self) -> bool {
        self.memory.read_only
    }

    /// A copy of the bytes, row-major and little-endian.
    fn tobytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes_object(py, self.bytes())
    }

    fn __repr__(&self) -> String {
        let shape: Vec<_> = self.dimensions().iter().map(ToString::to_string).collect();
        format!(
            "<nexus.safetensors.Tensor {} [{}], {} bytes>",
            self.dtype,
            shape.join(", "),
            self.memory.len
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
            (self.memory.start.expose_provenance(), self.memory.read_only),
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
        if !self.is_aligned() {
            let message = format!(
                "cannot export {} at an address that is not aligned for it",
                self.dtype
            );
            return Err(PyBufferError::new_err(message));
        }
        let versioned = max_version.is_some_and(|(major, _)| major >= dlpack::VERSION.major);
        if self.memory.read_only && !versioned {
            return Err(PyBufferError::new_err(
                "cannot export read-only memory by DLPack before 1.0",
            ));
        }
        let access = if self.memory.read_only {
            Access::ReadOnly
        } else {
            Access::Writable
        };
        let (start, owner) = (self.memory.start, Box::new(self.memory.clone()));
        // SAFETY: `owner` keeps the bytes in place, `new` and `create` have matched layout and size,
        // and Rust borrows the bytes only within calls of this class (see `bytes`).
        let exported =
            unsafe { dlpack::export_raw(start, self.dtype, &self.layout, owner, access) };
        let exported = exported.map_err(|error| PyBufferError::new_err(error.to_string()))?;
        let (pointer, name): (*mut c_void, _) = if versioned {
            (exported.into_raw().cast(), VERSIONED)
        } else {
            (exported.into_legacy_raw().cast(), LEGACY)
        };
        let pointer = NonNull::new(pointer).expect("an export is not null");
        // SAFETY: the pointer is an export that nobody else has; `free` deletes it unless a
        // consumer has taken it and renamed the capsule.
        unsafe { PyCapsule::new_with_pointer_and_destructor(py, pointer, name, Some(free)) }
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
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE && this.memory.read_only {
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
            (*view).buf = this.memory.start.cast();
            (*view).len = this.memory.len.cast_signed();
            (*view).readonly = c_int::from(this.memory.read_only);
            (*view).itemsize = item_size.cast_signed();
            let format = format.unwrap_or(c"B");
            (*view).format = if asked(ffi::PyBUF_FORMAT) {
                format.as_ptr().cast_mut()
            } else {
                ptr::null_mut()
            };
            (*view).ndim = if typed { this.shape.len() as c_int } else { 1 };
            let shape = if typed {
                this.shape.as_ptr().cast_mut()
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
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE && slf.get().memory.read_only {
            return Err(PyBufferError::new_err(
                "cannot write: the memory is read-only",
            ));
        }
        PyMemoryView::from(slf)
    }

    #[classattr]
    const __hash__: Option<Py<PyType>> = None;
}

/// Copies bytes to a Python object without holding the interpreter meanwhile.
pub(crate) fn bytes_object<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, bytes.len(), |target| {
        py.detach(|| target.copy_from_slice(bytes));
        Ok(())
    })
}

const VERSIONED: &CStr = c"dltensor_versioned";
const LEGACY: &CStr = c"dltensor";

/// Deletes an export that nobody has taken.
unsafe extern "C" fn free(capsule: *mut ffi::PyObject) {
    // SAFETY: CPython calls this with the capsule made in `__dlpack__`; the name says what kind of
    // structure it holds, and a consumer that has taken it has changed the name.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, VERSIONED.as_ptr()) == 1 {
            drop(dlpack::Managed::from_raw(
                ffi::PyCapsule_GetPointer(capsule, VERSIONED.as_ptr()).cast(),
            ));
        } else if ffi::PyCapsule_IsValid(capsule, LEGACY.as_ptr()) == 1 {
            let managed = ffi::PyCapsule_GetPointer(capsule, LEGACY.as_ptr());
            drop(dlpack::Managed::from_legacy_raw(managed.cast()));
        }
    }
}

fn to_value_error(error: &nexus_tensor::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
