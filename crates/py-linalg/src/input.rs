//! What a function takes: a `Matrix`, anything with a two-dimensional buffer, or rows of numbers.

use crate::raw::{Data, Matrix};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// A matrix in row-major order, copied from the caller's object while the GIL is held, so that no
/// other thread can change it under the computation.
pub(crate) struct Operand {
    rows: usize,
    columns: usize,
    pub(crate) data: Data,
}

impl Operand {
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }
}

impl<'py> FromPyObject<'_, 'py> for Operand {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(matrix) = object.cast::<Matrix>() {
            let matrix = matrix.get();
            let (rows, columns) = matrix.shape();
            return Ok(Self {
                rows,
                columns,
                data: matrix.data().clone(),
            });
        }
        if let Ok(buffer) = PyBuffer::<f32>::get(&object) {
            return from_buffer(object.py(), &buffer, Data::F32);
        }
        if let Ok(buffer) = PyBuffer::<f64>::get(&object) {
            return from_buffer(object.py(), &buffer, Data::F64);
        }
        from_rows(&object)
    }
}

fn from_buffer<T: Element + Copy>(
    py: Python<'_>,
    buffer: &PyBuffer<T>,
    wrap: impl FnOnce(Vec<T>) -> Data,
) -> PyResult<Operand> {
    let &[rows, columns] = buffer.shape() else {
        let message = format!(
            "expected a matrix, found {} dimensions",
            buffer.dimensions()
        );
        return Err(PyValueError::new_err(message));
    };
    Ok(Operand {
        rows,
        columns,
        data: wrap(buffer.to_vec(py)?),
    })
}

fn from_rows(object: &Bound<'_, PyAny>) -> PyResult<Operand> {
    let kind = || {
        object
            .get_type()
            .name()
            .map_or_else(|_| "?".into(), |name| name.to_string())
    };
    let rows: Vec<Bound<'_, PyAny>> =
        object.try_iter().and_then(Iterator::collect).map_err(|_| {
            PyTypeError::new_err(format!(
                "expected a Matrix, a buffer of float32 or float64, or rows of numbers, not {}",
                kind()
            ))
        })?;
    let (mut values, mut columns) = (Vec::new(), None);
    for (index, row) in rows.iter().enumerate() {
        let row: Vec<f64> = row.extract().map_err(|_| {
            PyTypeError::new_err(format!("row {index} is not a sequence of numbers"))
        })?;
        if *columns.get_or_insert(row.len()) != row.len() {
            let (first, len) = (columns.unwrap_or(0), row.len());
            let message = format!("row {index} has {len} numbers and the first row has {first}");
            return Err(PyValueError::new_err(message));
        }
        values.extend(row);
    }
    Ok(Operand {
        rows: rows.len(),
        columns: columns.unwrap_or(0),
        data: Data::F64(values),
    })
}
