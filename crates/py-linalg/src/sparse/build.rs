//! Sparse matrices from arrays, from other libraries' and from dense ones.

use super::matrix::{Format, Sparse, check_real, with_index, with_real};
use crate::failed;
use crate::input::Operand;
use crate::raw::{Array, Class, Dims, LinAlgError, Matrix};
use crate::run::run;
use nexus_linalg::sparse::Csr;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

type Arrays<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

impl Sparse {
    /// The sparse matrix that an object is: ours, or one of `scipy.sparse`, whose memory is shared.
    pub(crate) fn of_sparse(
        name: &'static str,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Self>> {
        if let Some(own) = Self::of(object) {
            return Ok(Some(own.clone()));
        }
        if Matrix::of(object).is_some()
            || object.is_instance_of::<PyList>()
            || !object.hasattr("indptr")?
        {
            return Ok(None);
        }
        let format: String = object.getattr("format")?.extract()?;
        let Some(format) = Format::named(&format) else {
            return Self::of_sparse(name, &object.call_method0("tocsr")?);
        };
        let shape = object.getattr("shape")?.extract()?;
        let array = |attribute| {
            let array = object.getattr(attribute)?.extract::<Operand>()?.array;
            Ok::<_, PyErr>(array)
        };
        let arrays = [array("data")?, array("indices")?, array("indptr")?];
        Self::new(object.py(), name, (format, shape), arrays).map(Some)
    }

    /// The matrix that an object is, sparse or dense; a dense one becomes one of `format`.
    pub(crate) fn of_any(
        name: &'static str,
        format: Format,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        if let Some(sparse) = Self::of_sparse(name, object)? {
            return Ok(sparse);
        }
        if object.hasattr("tocsr")? {
            let converted = object.call_method0("tocsr")?;
            return Self::of_sparse(name, &converted)?.ok_or_else(|| {
                PyTypeError::new_err(format!("{name}: `tocsr` gives no compressed rows"))
            });
        }
        let dense = object.extract::<Operand>()?.array;
        Self::of_dense(object.py(), name, format, &dense)
    }
}

/// Row or column numbers: lists of integers too.
fn numbers(object: &Bound<'_, PyAny>) -> PyResult<Array> {
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let numbers: Vec<i64> = object.extract()?;
        return Array::of(&numbers, Dims::shape(&[numbers.len()])?);
    }
    Ok(object.extract::<Operand>()?.array)
}

/// A sparse matrix of compressed rows: of the items, their columns and where rows begin, which are shared; or
/// of another matrix, sparse or dense.
#[pyfunction]
#[pyo3(signature = (data, indices = None, indptr = None, *, shape = None))]
pub(crate) fn csr<'py>(
    data: &Bound<'py, PyAny>,
    indices: Arrays<'_, 'py>,
    indptr: Arrays<'_, 'py>,
    shape: Option<(usize, usize)>,
) -> PyResult<Bound<'py, PyAny>> {
    compressed("csr", Format::Csr, (data, indices, indptr), shape)
}

/// A sparse matrix of compressed columns: of the items, their rows and where columns begin, which are shared; or
/// of another matrix, sparse or dense.
#[pyfunction]
#[pyo3(signature = (data, indices = None, indptr = None, *, shape = None))]
pub(crate) fn csc<'py>(
    data: &Bound<'py, PyAny>,
    indices: Arrays<'_, 'py>,
    indptr: Arrays<'_, 'py>,
    shape: Option<(usize, usize)>,
) -> PyResult<Bound<'py, PyAny>> {
    compressed("csc", Format::Csc, (data, indices, indptr), shape)
}

fn compressed<'py>(
    name: &'static str,
    format: Format,
    (data, indices, indptr): (&Bound<'py, PyAny>, Arrays<'_, 'py>, Arrays<'_, 'py>),
    shape: Option<(usize, usize)>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let (indices, indptr) = match (indices, indptr) {
        (Some(indices), Some(indptr)) => (numbers(indices)?, numbers(indptr)?),
        (None, None) => {
            let matrix = Sparse::of_any(name, format, data)?.of_format(py, format)?;
            if shape.is_some_and(|shape| shape != matrix.shape) {
                let (m, n) = matrix.shape;
                let message = format!("{name}: the matrix is {m}x{n}, not of this shape");
                return Err(LinAlgError::new_err(message));
            }
            return matrix.give(py);
        }
        _ => {
            let message = format!("{name}: give a matrix, or data, indices and indptr");
            return Err(PyTypeError::new_err(message));
        }
    };
    let shape = shape.unwrap_or_else(|| {
        let major = indptr.len().saturating_sub(1);
        let minor = count(&indices);
        match format {
            Format::Csr => (major, minor),
            Format::Csc => (minor, major),
        }
    });
    let arrays = [data.extract::<Operand>()?.array, indices, indptr];
    Sparse::new(py, name, (format, shape), arrays)?.give(py)
}

/// One more than the greatest of some numbers.
fn count(numbers: &Array) -> usize {
    let most = numbers.values::<i64>().iter().copied().max();
    most.map_or(0, |most| {
        usize::try_from(most.saturating_add(1)).unwrap_or(0)
    })
}

/// A sparse matrix of the items `data[k]` at `(rows[k], columns[k])`; those of one place are summed.
#[pyfunction]
#[pyo3(signature = (data, rows, columns, *, shape = None, format = "csr"))]
pub(crate) fn coo<'py>(
    data: &Bound<'py, PyAny>,
    rows: &Bound<'py, PyAny>,
    columns: &Bound<'py, PyAny>,
    shape: Option<(usize, usize)>,
    format: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(format) = Format::named(format) else {
        let message = format!("coo: format is \"csr\" or \"csc\", not \"{format}\"");
        return Err(PyValueError::new_err(message));
    };
    let py = data.py();
    let data = data.extract::<Operand>()?.array;
    check_real("coo", "data", data.dtype)?;
    let (rows, columns) = (numbers(rows)?, numbers(columns)?);
    let wide = super::matrix::index_type("coo", &rows)?
        .promote(super::matrix::index_type("coo", &columns)?);
    let shape = shape.unwrap_or_else(|| (count(&rows), count(&columns)));
    let made = run(py, 10.0 * data.len() as f64, move || {
        let (major, minor, sizes) = match format {
            Format::Csr => (&rows, &columns, shape),
            Format::Csc => (&columns, &rows, (shape.1, shape.0)),
        };
        with_real!(data.dtype, T => with_index!(wide, I => {
            let (major, minor) = (major.values::<I>(), minor.values::<I>());
            let made = Csr::<T, I>::from_triplets(sizes, &major, &minor, &data.values::<T>());
            Sparse::of_rows((format, shape), made.map_err(|error| failed(&error))?)
        }))
    })?;
    made.give(py)
}

/// The matrix that was pickled.
#[pyfunction(name = "_rebuild_sparse")]
#[pyo3(signature = (format, shape, data, indices, indptr, /))]
pub(crate) fn rebuild_sparse<'py>(
    py: Python<'py>,
    format: &str,
    shape: (usize, usize),
    data: Operand,
    indices: Operand,
    indptr: Operand,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(format) = Format::named(format) else {
        let message = format!("cannot unpickle a SparseMatrix of format \"{format}\"");
        return Err(PyValueError::new_err(message));
    };
    let arrays = [data.array, indices.array, indptr.array];
    Sparse::new(py, "unpickle", (format, shape), arrays)?.give(py)
}
