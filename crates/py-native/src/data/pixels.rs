//! Tensors of images as buffers with a shape, which NumPy and torch take without a copy.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt8Type};
use arrow_array::{Array, FixedSizeListArray};
use arrow_schema::{DataType, Metadata};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

/// A column of tensors.
pub(super) struct Pixels<'a> {
    tensors: &'a FixedSizeListArray,
    shape: Vec<usize>,
}

impl<'a> Pixels<'a> {
    /// The column, with the shape that the metadata of its field tell
    /// (<https://arrow.apache.org/docs/format/CanonicalExtensions.html>).
    pub(super) fn new(
        py: Python<'_>,
        tensors: &'a FixedSizeListArray,
        metadata: &Metadata,
    ) -> PyResult<Self> {
        let len = tensors.value_length() as usize;
        let shape = match metadata.get("ARROW:extension:metadata") {
            Some(text) => {
                let loads = py.import("json")?.getattr("loads")?;
                loads.call1((text,))?.get_item("shape")?.extract()?
            }
            None => vec![len],
        };
        Ok(Self { tensors, shape })
    }

    /// A row's tensor; `None` where the row has none.
    pub(super) fn get<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyAny>> {
        if self.tensors.is_null(row) {
            return Ok(py.None().into_bound(py));
        }
        let values = self.tensors.value(row);
        let (format, bytes) = match values.data_type() {
            DataType::UInt8 => {
                let values = values.as_primitive::<UInt8Type>().values();
                ("B", PyBytes::new(py, values))
            }
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>().values();
                ("f", PyBytes::new(py, values.inner().as_slice()))
            }
            other => {
                let message = format!("tensors of {other} have no form in Python");
                return Err(PyTypeError::new_err(message));
            }
        };
        let view = PyMemoryView::from(&bytes)?;
        view.call_method1("cast", (format, self.shape.clone()))
    }
}
