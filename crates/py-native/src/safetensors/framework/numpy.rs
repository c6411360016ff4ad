//! NumPy arrays: views of the memory, with strides.

use nexus_tensor::DType;
use pyo3::exceptions::PyModuleNotFoundError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::super::error::plain;
use super::types::{Types, attribute};
use super::{Framework, Part, import};
use crate::raw::Tensor;

pub(super) struct Numpy {
    make_dtype: Py<PyAny>,
    ndarray: Py<PyAny>,
    types: Types,
}

impl Numpy {
    pub(super) fn new(py: Python<'_>, framework: Framework) -> PyResult<Self> {
        let module = import(py, "numpy", framework)?;
        Ok(Self {
            make_dtype: module.getattr("dtype")?.unbind(),
            ndarray: module.getattr("ndarray")?.unbind(),
            types: Types::new(),
        })
    }

    pub(super) fn array<'py>(&self, py: Python<'py>, part: &Part) -> PyResult<Bound<'py, PyAny>> {
        let Part {
            dtype,
            layout,
            memory,
        } = part;
        let element = self.types.get(py, *dtype, || self.find(py, *dtype))?;
        let ndarray = self.ndarray.bind(py);
        let shape = PyTuple::new(py, layout.shape())?;
        let memory = Bound::new(py, Tensor::of_bytes(memory.clone()))?;
        if layout.element_count() == 0 {
            return ndarray.call1((shape, element, memory));
        }
        let size = dtype.size_bytes().unwrap_or(1);
        let offset = layout.offset() * size;
        if layout.is_contiguous() {
            return ndarray.call1((shape, element, memory, offset));
        }
        let strides = layout.strides().iter();
        let strides = PyTuple::new(py, strides.map(|stride| stride * size.cast_signed()))?;
        ndarray.call1((shape, element, memory, offset, strides))
    }

    /// Dense elements that start at byte `start` of some bytes.
    pub(super) fn dense<'py>(
        &self,
        py: Python<'py>,
        dtype: DType,
        shape: &[usize],
        bytes: &Bound<'py, Tensor>,
        start: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let element = self.types.get(py, dtype, || self.find(py, dtype))?;
        let shape = PyTuple::new(py, shape)?;
        self.ndarray.bind(py).call1((shape, element, bytes, start))
    }

    fn find<'py>(&self, py: Python<'py>, dtype: DType) -> PyResult<Bound<'py, PyAny>> {
        let make_dtype = self.make_dtype.bind(py);
        if dtype.typestr().is_some() {
            return make_dtype.call1((attribute(dtype)?,));
        }
        if dtype.size_bytes().is_none() {
            return Err(plain(format!(
                "NumPy has no type for {dtype}: read it with framework=None, as packed bytes"
            )));
        }
        let module = py.import("ml_dtypes").map_err(|error| {
            let better = PyModuleNotFoundError::new_err(format!(
                "NumPy has no type for {dtype} by itself: pip install ml_dtypes"
            ));
            better.set_cause(py, Some(error));
            better
        })?;
        make_dtype.call1((module.getattr(attribute(dtype)?)?,))
    }
}
