//! The Python type `Matrix`. It stands here because it hands out its memory by the buffer protocol,
//! which is the one unsafe thing in this crate.

use crate::matmul;
use pyo3::exceptions::{PyBufferError, PyIndexError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyMemoryView;
use std::ffi::{CStr, c_int};
use std::fmt::Write;
use std::num::NonZero;

/// The values in row-major order.
#[derive(Clone)]
pub(crate) enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Data {
    pub(crate) fn into_f64(self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.into_iter().map(f64::from).collect(),
            Self::F64(values) => values,
        }
    }

    pub(crate) fn into_f32(self) -> Vec<f32> {
        match self {
            Self::F32(values) => values,
            Self::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        }
    }
}

/// An immutable matrix of float32 or float64.
#[pyclass(frozen, module = "nexus.linalg")]
pub(crate) struct Matrix {
    rows: usize,
    columns: usize,
    data: Data,
    /// Shape and strides in bytes, as the buffer protocol hands them out.
    layout: [ffi::Py_ssize_t; 4],
}

impl Matrix {
    pub(crate) fn new(rows: usize, columns: usize, data: Data) -> Self {
        let item = match data {
            Data::F32(_) => 4,
            Data::F64(_) => 8,
        };
        let layout = [rows, columns, columns * item, item].map(usize::cast_signed);
        Self {
            rows,
            columns,
            data,
            layout,
        }
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    fn get(&self, row: usize, column: usize) -> f64 {
        let index = row * self.columns + column;
        match &self.data {
            Data::F32(values) => f64::from(values[index]),
            Data::F64(values) => values[index],
        }
    }

    fn format(&self) -> &'static CStr {
        match self.data {
            Data::F32(_) => c"f",
            Data::F64(_) => c"d",
        }
    }
}

#[pymethods]
impl Matrix {
    /// Rows and columns.
    #[getter(shape)]
    fn py_shape(&self) -> (usize, usize) {
        self.shape()
    }

    /// `"float32"` or `"float64"`.
    #[getter]
    fn dtype(&self) -> &'static str {
        match self.data {
            Data::F32(_) => "float32",
            Data::F64(_) => "float64",
        }
    }

    /// The rows as nested lists of floats.
    fn tolist(&self) -> Vec<Vec<f64>> {
        let row = |i| (0..self.columns).map(|j| self.get(i, j)).collect();
        (0..self.rows).map(row).collect()
    }

    fn __matmul__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        matmul(
            slf.py(),
            slf.as_any().extract()?,
            other.extract()?,
            NonZero::<usize>::MIN,
        )
    }

    fn __rmatmul__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        matmul(
            slf.py(),
            other.extract()?,
            slf.as_any().extract()?,
            NonZero::<usize>::MIN,
        )
    }

    fn __getitem__(&self, key: (isize, isize)) -> PyResult<f64> {
        let (row, column) = key;
        let place = |index: isize, len: usize, axis: &str| {
            let at = if index < 0 {
                index.checked_add_unsigned(len)
            } else {
                Some(index)
            };
            at.and_then(|at| usize::try_from(at).ok())
                .filter(|&at| at < len)
                .ok_or_else(|| {
                    PyIndexError::new_err(format!(
                        "{axis} {index} is out of range for {len} {axis}s"
                    ))
                })
        };
        Ok(self.get(
            place(row, self.rows, "row")?,
            place(column, self.columns, "column")?,
        ))
    }

    fn __len__(&self) -> usize {
        self.rows
    }

    fn __repr__(&self) -> String {
        const SHOWN: usize = 6;
        let mut out = format!("Matrix {}x{} {}", self.rows, self.columns, self.dtype());
        if self.rows > SHOWN || self.columns > SHOWN {
            return out;
        }
        for row in self.tolist() {
            let numbers: Vec<String> = row.iter().map(f64::to_string).collect();
            let _ = write!(out, "\n  [{}]", numbers.join(", "));
        }
        out
    }

    /// The same view for callers that ask in Python (PEP 688), before 3.12 too.
    #[pyo3(signature = (flags, /))]
    fn __buffer__<'py>(slf: &Bound<'py, Self>, flags: c_int) -> PyResult<Bound<'py, PyMemoryView>> {
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err("a Matrix is read-only"));
        }
        PyMemoryView::from(slf)
    }

    /// The buffer protocol: a read-only view in row-major order that keeps the matrix alive.
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
        if flags & ffi::PyBUF_WRITABLE == ffi::PyBUF_WRITABLE {
            return Err(PyBufferError::new_err("a Matrix is read-only"));
        }
        let matrix = slf.get();
        let (start, size) = match &matrix.data {
            Data::F32(values) => (values.as_ptr().cast_mut().cast(), size_of_val(&values[..])),
            Data::F64(values) => (values.as_ptr().cast_mut().cast(), size_of_val(&values[..])),
        };
        let asked = |flag| flags & flag == flag;
        let layout = matrix.layout.as_ptr().cast_mut();
        // SAFETY: `view` is valid for writes (CPython's contract). The pointers lead into `matrix`,
        // which is frozen and which `obj` keeps alive; shape and strides are two items each.
        unsafe {
            (*view).buf = start;
            (*view).len = size.cast_signed();
            (*view).readonly = 1;
            (*view).itemsize = matrix.layout[3];
            (*view).format = if asked(ffi::PyBUF_FORMAT) {
                matrix.format().as_ptr().cast_mut()
            } else {
                std::ptr::null_mut()
            };
            (*view).ndim = 2;
            (*view).shape = if asked(ffi::PyBUF_ND) {
                layout
            } else {
                std::ptr::null_mut()
            };
            (*view).strides = if asked(ffi::PyBUF_STRIDES) {
                layout.add(2)
            } else {
                std::ptr::null_mut()
            };
            (*view).suboffsets = std::ptr::null_mut();
            (*view).internal = std::ptr::null_mut();
            (*view).obj = slf.into_ptr();
        }
        Ok(())
    }
}
