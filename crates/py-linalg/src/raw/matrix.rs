//! The Python type `Matrix`. It stands here because it hands out its memory by the buffer protocol.

use super::{Array, Dims, Dtype, door};
use crate::elementwise::{self, Operation};
use crate::input::Operand;
use crate::{index, products, text};
use nexus_tensor::dlpack::{self, Access, DEVICE_CPU};
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyIterator, PyList, PyMemoryView, PyTuple};
use std::ffi::{CStr, c_int};

/// An immutable array of numbers: a matrix, a vector or a stack of matrices.
///
/// >>> from nexus.linalg import Matrix
/// >>> a = Matrix([[1, 2], [3, 4]])
/// >>> a @ a - a
/// Matrix 2x2 float64
///   [6, 8]
///   [12, 18]
#[pyclass(frozen, module = "nexus.linalg", weakref)]
pub(crate) struct Matrix {
    array: Array,
    /// Shape and strides in bytes, as the buffer protocol hands them out.
    shape: Dims,
    strides_bytes: Dims,
    /// Whether an importing library may write: it has the matrix to itself.
    lent: bool,
}

impl Matrix {
    pub(crate) fn new(array: Array) -> Self {
        let size = array.dtype.size().cast_signed();
        let mut strides_bytes = array.strides();
        strides_bytes
            .iter_mut()
            .for_each(|stride| *stride = stride.wrapping_mul(size));
        Self {
            shape: array.shape(),
            strides_bytes,
            array,
            lent: false,
        }
    }

    /// A matrix for another library, which gets its memory to write.
    pub(crate) fn lent(array: Array) -> Self {
        Self {
            lent: true,
            ..Self::new(array)
        }
    }

    pub(crate) fn array(&self) -> &Array {
        &self.array
    }

    fn format(&self) -> &'static CStr {
        match self.array.dtype {
            Dtype::F32 => c"f",
            Dtype::F64 => c"d",
            Dtype::I64 => c"q",
        }
    }

    fn binary(
        left: &Array,
        other: &Bound<'_, PyAny>,
        operation: Operation,
        swapped: bool,
    ) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let Some(other) = Operand::of_operator(other, left)? else {
            return Ok(py.NotImplemented());
        };
        let (a, b) = if swapped {
            (&other, left)
        } else {
            (left, &other)
        };
        let result = elementwise::binary(py, a, b, operation)?;
        Ok(Bound::new(py, Self::new(result))?.into_any().unbind())
    }
}

#[pymethods]
impl Matrix {
    /// The numbers of a nested list, a buffer, or an object with an array interface or `DLPack`.
    #[new]
    #[pyo3(signature = (data, /, *, dtype = None))]
    fn create(data: Operand, dtype: Option<&str>) -> PyResult<Self> {
        let array = data.array;
        let array = match dtype {
            None => array,
            Some("float32") => Array::of::<f32>(&array.values(), array.shape())?,
            Some("float64") => Array::of::<f64>(&array.values(), array.shape())?,
            Some(other) => {
                let message = format!("dtype is \"float32\" or \"float64\", not \"{other}\"");
                return Err(PyTypeError::new_err(message));
            }
        };
        Ok(Self::new(array))
    }

    /// The length of each axis.
    #[getter(shape)]
    fn py_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.shape.iter())
    }

    /// The number of axes.
    #[getter]
    fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// The number of items.
    #[getter]
    fn size(&self) -> usize {
        self.array.len()
    }

    /// `"float32"`, `"float64"` or, for ranks, `"int64"`.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.array.dtype.name()
    }

    /// The transposed matrix: a view.
    #[getter(T)]
    fn t(&self) -> PyResult<Self> {
        if self.shape.len() != 2 {
            let message = format!(
                "T is of a matrix; this has {} axes: take mT",
                self.shape.len()
            );
            return Err(crate::LinAlgError::new_err(message));
        }
        Ok(Self::new(self.array.transposed()))
    }

    /// The matrices of a stack, each transposed: a view.
    #[getter(mT)]
    fn mt(&self) -> PyResult<Self> {
        products::matrix_axes("mT", &self.array)?;
        Ok(Self::new(self.array.transposed()))
    }

    /// The items as nested lists.
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        text::nested(py, &self.array)
    }

    fn __matmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        match Operand::of_matmul(other)? {
            None => Ok(py.NotImplemented()),
            Some(other) => products::product(py, &self.array, &other, 1)?.into_python(py, None),
        }
    }

    fn __rmatmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = other.py();
        match Operand::of_matmul(other)? {
            None => Ok(py.NotImplemented()),
            Some(other) => products::product(py, &other, &self.array, 1)?.into_python(py, None),
        }
    }

    fn __add__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Add, false)
    }

    fn __radd__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Add, true)
    }

    fn __sub__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Subtract, false)
    }

    fn __rsub__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Subtract, true)
    }

    fn __mul__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Multiply, false)
    }

    fn __rmul__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Multiply, true)
    }

    fn __truediv__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Divide, false)
    }

    fn __rtruediv__(&self, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(&self.array, other, Operation::Divide, true)
    }

    fn __neg__(&self) -> PyResult<Self> {
        Ok(Self::new(elementwise::negative(&self.array)?))
    }

    fn __pos__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Items, rows and parts by NumPy's basic indexing: numbers, slices, `...`.
    fn __getitem__(&self, key: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let part = index::part(&self.array, key)?;
        crate::output::Part(part).into_python(key.py(), None)
    }

    fn __len__(&self) -> PyResult<usize> {
        let first = self.shape.first().map(|n| n.cast_unsigned());
        first.ok_or_else(|| PyTypeError::new_err("a number has no length"))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let rows = (0..self.__len__()?.cast_signed())
            .map(|i| crate::output::Part(self.array.select(0, i)).into_python(py, None))
            .collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, rows)?.try_iter()
    }

    fn __repr__(&self) -> String {
        text::show(&self.array)
    }

    /// Pickled as a buffer, which protocol 5 takes out of band.
    fn __reduce_ex__<'py>(
        slf: &Bound<'py, Self>,
        protocol: i32,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let dense = if this.array.is_dense() {
            slf.clone()
        } else {
            Bound::new(py, Self::new(this.array.copied()?))?
        };
        let items = if protocol >= 5 {
            py.import("pickle")?
                .call_method1("PickleBuffer", (dense,))?
        } else {
            dense.call_method0("tobytes")?
        };
        let arguments = (items, this.dtype(), this.py_shape(py)?).into_pyobject(py)?;
        let rebuild = py.import("nexus._linalg")?.getattr("_rebuild")?;
        Ok((rebuild, arguments))
    }

    /// A copy of the items' bytes, in row-major order.
    fn tobytes<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        PyMemoryView::from(slf)?.call_method0("tobytes")
    }

    /// What NumPy needs to view the items without a copy.
    #[getter(__array_interface__)]
    fn array_interface<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let (py, this) = (slf.py(), slf.get());
        let interface = PyDict::new(py);
        let typestr = match this.array.dtype {
            Dtype::F32 => "<f4",
            Dtype::F64 => "<f8",
            Dtype::I64 => "<i8",
        };
        interface.set_item("version", nexus_tensor::numpy::VERSION)?;
        interface.set_item("typestr", typestr)?;
        interface.set_item("shape", this.py_shape(py)?)?;
        interface.set_item("strides", PyTuple::new(py, this.strides_bytes.iter())?)?;
        interface.set_item("data", (this.array.start().expose_provenance(), !this.lent))?;
        Ok(interface)
    }

    /// The items as a `DLPack` capsule, shared and read-only.
    #[pyo3(signature = (*, stream = None, max_version = None, dl_device = None, copy = None))]
    fn __dlpack__<'py>(
        slf: &Bound<'py, Self>,
        stream: Option<&Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        if stream.is_some() || dl_device.is_some_and(|device| device != (DEVICE_CPU, 0)) {
            let message = "cannot export to a device: the items are in memory";
            return Err(PyBufferError::new_err(message));
        }
        let versioned = max_version.is_some_and(|(major, _)| major >= dlpack::VERSION.major);
        let lent = slf.get().lent;
        if copy == Some(true) || (copy.is_none() && !versioned && !lent) {
            // What may be written is a copy; DLPack before 1.0 cannot say that memory is read-only.
            let own = Bound::new(py, Self::lent(slf.get().array.copied()?))?;
            return door::export(&own, versioned, Access::Writable);
        }
        if !versioned && !lent {
            let message = "cannot export read-only memory by DLPack before 1.0 without a copy";
            return Err(PyBufferError::new_err(message));
        }
        let access = if lent {
            Access::Writable
        } else {
            Access::ReadOnly
        };
        door::export(slf, versioned, access)
    }

    /// `(kDLCPU, 0)`.
    #[expect(clippy::unused_self, reason = "a method of the protocol")]
    fn __dlpack_device__(&self) -> (i32, i32) {
        (DEVICE_CPU, 0)
    }

    /// The same view for callers that ask in Python (PEP 688), before 3.12 too.
    #[pyo3(signature = (flags, /))]
    fn __buffer__<'py>(slf: &Bound<'py, Self>, flags: c_int) -> PyResult<Bound<'py, PyMemoryView>> {
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err("a Matrix is read-only"));
        }
        PyMemoryView::from(slf)
    }

    /// The buffer protocol: a read-only view that keeps the matrix alive.
    ///
    /// # Safety
    /// Called by the interpreter with a valid `view`.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no place for the view"));
        }
        let asked = |flag| flags & flag == flag;
        if asked(ffi::PyBUF_WRITABLE) {
            return Err(PyBufferError::new_err("a Matrix is read-only"));
        }
        let matrix = slf.get();
        let array = &matrix.array;
        let (by_rows, by_columns) = (array.is_dense(), array.reversed().is_dense());
        let fits = (by_rows || (asked(ffi::PyBUF_STRIDES) && !asked(ffi::PyBUF_C_CONTIGUOUS)))
            && (by_columns || !asked(ffi::PyBUF_F_CONTIGUOUS))
            && (by_rows || by_columns || !asked(ffi::PyBUF_ANY_CONTIGUOUS));
        if !fits {
            let message =
                "the items do not lie in the order asked for: this is a view of another matrix";
            return Err(PyBufferError::new_err(message));
        }
        let or_null = |flag, pointer| {
            if asked(flag) {
                pointer
            } else {
                std::ptr::null_mut()
            }
        };
        // SAFETY: `view` is valid for writes (CPython's contract). The pointers lead into `matrix`, which is
        // frozen and which `obj` keeps alive; shape and strides are as many as there are axes.
        unsafe {
            (*view).buf = array.start().cast_mut().cast();
            (*view).len = (array.len() * array.dtype.size()).cast_signed();
            (*view).readonly = 1;
            (*view).itemsize = array.dtype.size().cast_signed();
            (*view).format = if asked(ffi::PyBUF_FORMAT) {
                matrix.format().as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).ndim = matrix.shape.len() as c_int;
            (*view).shape = or_null(ffi::PyBUF_ND, matrix.shape.as_ptr().cast_mut());
            (*view).strides = or_null(ffi::PyBUF_STRIDES, matrix.strides_bytes.as_ptr().cast_mut());
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_ptr();
        }
        Ok(())
    }
}
