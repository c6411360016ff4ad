//! Norms, traces, diagonals, condition numbers, softmax.

use crate::failed_at;
use crate::input::Operand;
use crate::output::Part;
use crate::products::{axis_of, matrix_axes};
use crate::raw::LinAlgError;
use crate::raw::{Array, Dims, Dtype, Item, Output, Stack};
use crate::run::run;
use crate::stacks::each;
use crate::text::shape;
use nexus_linalg::kernels::{Isa, softmax as softmax_row};
use nexus_linalg::norm::{self, MatrixNorm};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

type Like<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The norm `ord` of a matrix, by its name in the array API standard.
fn matrix_order(ord: Option<&Bound<'_, PyAny>>) -> PyResult<MatrixNorm> {
    let Some(ord) = ord else {
        return Ok(MatrixNorm::Frobenius);
    };
    let unknown = || {
        let message =
            format!("matrix_norm: ord is \"fro\", \"nuc\", 1, -1, 2, -2, inf or -inf, not {ord}");
        PyValueError::new_err(message)
    };
    if let Ok(name) = ord.cast::<PyString>() {
        return match name.to_str()? {
            "fro" => Ok(MatrixNorm::Frobenius),
            "nuc" => Ok(MatrixNorm::Nuclear),
            _ => Err(unknown()),
        };
    }
    let number: f64 = ord.extract().map_err(|_| unknown())?;
    [
        (1.0, MatrixNorm::One),
        (-1.0, MatrixNorm::MinusOne),
        (2.0, MatrixNorm::Two),
        (-2.0, MatrixNorm::MinusTwo),
        (f64::INFINITY, MatrixNorm::Infinity),
        (f64::NEG_INFINITY, MatrixNorm::MinusInfinity),
    ]
    .into_iter()
    .find_map(|(order, norm)| (order == number).then_some(norm))
    .ok_or_else(unknown)
}

/// The norm of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, keepdims = false, ord = None, like = None))]
pub(crate) fn matrix_norm(
    py: Python<'_>,
    x: Operand,
    keepdims: bool,
    ord: Option<&Bound<'_, PyAny>>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("matrix_norm", &x.array)?;
    let order = matrix_order(ord)?;
    let a = x.array;
    let (rank, len) = (a.rank(), a.len() as f64);
    let least = a.shape().iter().rev().take(2).copied().min().unwrap_or(0);
    let spectral = matches!(
        order,
        MatrixNorm::Nuclear | MatrixNorm::Two | MatrixNorm::MinusTwo
    );
    let cost = if spectral {
        4.0 * len * least as f64
    } else {
        len
    };
    let norms = run(py, cost, move || {
        each!(a, T => {
            let batch = Dims::new(a.shape()[..rank - 2].iter().copied())?;
            let mut output = Output::<T>::new(batch)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for (index, item) in output.items().iter_mut().enumerate() {
                *item = norm::matrix(&T::engine(), stack.get(index), order)
                    .map_err(|error| failed_at("matrix_norm", &error, &a, index))?;
            }
            Ok(output.into_array())
        })
    })?;
    let norms = if keepdims {
        norms.expanded(rank - 2)?.expanded(rank - 1)?
    } else {
        norms
    };
    Part(norms).into_python(py, like)
}

/// One axis, or several.
#[derive(FromPyObject)]
pub(crate) enum NormAxes {
    One(isize),
    Several(Vec<isize>),
}

/// The norm of the vectors along axes: of all items where none are named.
#[pyfunction]
#[pyo3(signature = (x, /, *, axis = None, keepdims = false, ord = 2.0, like = None))]
pub(crate) fn vector_norm(
    py: Python<'_>,
    x: Operand,
    axis: Option<NormAxes>,
    keepdims: bool,
    ord: f64,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let a = x.array;
    let rank = a.rank();
    if ord.is_nan() {
        return Err(PyValueError::new_err("vector_norm: ord is nan"));
    }
    let named = match axis {
        None => (0..rank).map(usize::cast_signed).collect(),
        Some(NormAxes::One(axis)) => vec![axis],
        Some(NormAxes::Several(axes)) => axes,
    };
    let axes = named
        .iter()
        .map(|&axis| axis_of("vector_norm", axis, rank))
        .collect::<PyResult<Vec<_>>>()?;
    if (0..axes.len()).any(|i| axes[..i].contains(&axes[i])) {
        let message = format!("vector_norm: an axis stands twice in {named:?}");
        return Err(PyValueError::new_err(message));
    }
    let kept: Vec<usize> = (0..rank).filter(|axis| !axes.contains(axis)).collect();
    let (dims, order) = (a.shape(), [&kept[..], &axes].concat());
    let norms = run(py, a.len() as f64, move || {
        let length: isize = axes.iter().map(|&axis| dims[axis]).product();
        let rows = a.permuted(&order);
        each!(rows, T => {
            let mut output = Output::<T>::new(Dims::new(kept.iter().map(|&axis| dims[axis]))?)?;
            let values = rows.values::<T>();
            let length = length.cast_unsigned();
            for (index, item) in output.items().iter_mut().enumerate() {
                let row = &values[index * length..(index + 1) * length];
                *item = norm::vector(row.iter().copied(), ord);
            }
            Ok(output.into_array())
        })
    })?;
    let norms = if keepdims {
        let one = |(axis, &n): (usize, &isize)| {
            let reduced = named
                .iter()
                .any(|&own| axis_of("", own, rank).is_ok_and(|own| own == axis));
            if reduced { 1 } else { n }
        };
        norms.reshaped(Dims::new(dims.iter().enumerate().map(one))?)?
    } else {
        norms
    };
    Part(norms).into_python(py, like)
}

/// The items `(i, i + offset)` of each matrix: a view.
#[pyfunction]
#[pyo3(signature = (x, /, *, offset = 0, like = None))]
pub(crate) fn diagonal(
    py: Python<'_>,
    x: Operand,
    offset: isize,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("diagonal", &x.array)?;
    Part(x.array.diagonal(offset)).into_python(py, like)
}

/// The sum of the items `(i, i + offset)` of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, offset = 0, dtype = None, like = None))]
pub(crate) fn trace(
    py: Python<'_>,
    x: Operand,
    offset: isize,
    dtype: Option<&str>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("trace", &x.array)?;
    let diagonal = x.array.diagonal(offset);
    let result = match dtype {
        None => diagonal.dtype,
        Some("float32") => Dtype::F32,
        Some("float64") => Dtype::F64,
        Some(other) => {
            let message = format!("trace: dtype is \"float32\" or \"float64\", not \"{other}\"");
            return Err(PyTypeError::new_err(message));
        }
    };
    let sums = match result {
        Dtype::F32 => sums::<f32>(&diagonal),
        _ => sums::<f64>(&diagonal),
    }?;
    Part(sums).into_python(py, like)
}

/// The sums along the last axis, taken in float64.
fn sums<T: Item>(array: &Array) -> PyResult<Array> {
    let dims = array.shape();
    let (length, batch) = dims.split_last().expect("a diagonal has an axis");
    let mut output = Output::<T>::new(Dims::new(batch.iter().copied())?)?;
    let values = array.values::<f64>();
    let length = length.cast_unsigned();
    for (index, item) in output.items().iter_mut().enumerate() {
        let sum = values[index * length..(index + 1) * length].iter().sum();
        *item = T::from_f64(sum);
    }
    Ok(output.into_array())
}

/// Softmax of each row, in float32.
#[pyfunction]
#[pyo3(signature = (a, /))]
pub(crate) fn softmax(py: Python<'_>, a: Operand) -> PyResult<Py<PyAny>> {
    let a = a.array;
    if a.rank() != 2 {
        let message = format!(
            "softmax: expected a matrix, found shape {}",
            shape(&a.shape())
        );
        return Err(LinAlgError::new_err(message));
    }
    let rows = run(py, 4.0 * a.len() as f64, move || {
        let mut output = Output::<f32>::new(a.shape())?;
        output.items().copy_from_slice(&a.values::<f32>());
        let columns = a.shape()[1].cast_unsigned().max(1);
        let rows = output.items().chunks_exact_mut(columns);
        rows.for_each(|row| softmax_row(Isa::detect(), row, 1.0));
        Ok(output.into_array())
    })?;
    Part(rows).into_python(py, None)
}
