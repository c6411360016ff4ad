//! Norms, traces, diagonals, condition numbers, softmax.

use crate::call::{Call, Pieces, piece};
use crate::dtype::{Element, Item, Kind, computing};
use crate::input::{Operand, truth};
use crate::output::Part;
use crate::products::{axis_of, dtype_named};
use crate::raw::{Array, Dims, Dtype, LinAlgError, Output, Stack};
use crate::run::run;
use crate::stacks::Shape;
use crate::text::shape;
use nexus_linalg::kernels::{Isa, softmax as softmax_row};
use nexus_linalg::norm::{self, MatrixNorm};
use nexus_linalg::stack::{self, Stack as _};
use nexus_linalg::{Complex, Field};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The norm `ord` of a matrix, by its name in the array API standard.
pub(crate) fn matrix_order(name: &str, ord: &Bound<'_, PyAny>) -> PyResult<MatrixNorm> {
    let unknown = || {
        let message =
            format!("{name}: the norm is \"fro\", \"nuc\", 1, -1, 2, -2, inf or -inf, not {ord}");
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
#[pyo3(signature = (x, /, *, keepdims = false, ord = None, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn matrix_norm(
    py: Python<'_>,
    x: Operand,
    #[pyo3(from_py_with = truth)] keepdims: bool,
    ord: Option<&Bound<'_, PyAny>>,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "matrix_norm", (errors, threads), (like, out))?;
    let order = ord.map_or(Ok(MatrixNorm::Frobenius), |ord| {
        matrix_order("matrix_norm", ord)
    })?;
    let sizes = Shape::of("matrix_norm", &x.array)?;
    let (plan, rank) = (call.plan, x.array.rank());
    let a = x.array;
    let spectral = matches!(
        order,
        MatrixNorm::Nuclear | MatrixNorm::Two | MatrixNorm::MinusTwo
    );
    let cost = if spectral {
        4.0 * sizes.cube()
    } else {
        (sizes.m * sizes.n) as f64
    };
    let (norms, info) = run(py, sizes.count() as f64 * cost, move || {
        computing!(a.dtype, T => {
            let mut norms = Output::<<T as Field>::Real>::new(sizes.batch)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let places = Pieces::new(norms.items(), 1, sizes.count());
            let failures = stack::map(plan.context, cost, places, |_, index, place| {
                place[0] = norm::matrix(&T::engine(), matrices.get(index), order)?;
                Ok(())
            });
            let info = plan.settle(&a, failures, |index| {
                piece(norms.items(), 1, index).fill(Field::NAN);
            })?;
            Ok((norms.into_array(), info))
        })
    })?;
    let norms = if keepdims {
        norms.expanded(rank - 2)?.expanded(rank - 1)?
    } else {
        norms
    };
    call.give_with((norms, info))
}

/// One axis, or several.
#[derive(FromPyObject)]
pub(crate) enum NormAxes {
    One(isize),
    Several(Vec<isize>),
}

/// The norm of the vectors along axes: of all items where none are named.
#[pyfunction]
#[pyo3(signature = (x, /, *, axis = None, keepdims = false, ord = 2.0, like = None, out = None))]
pub(crate) fn vector_norm(
    py: Python<'_>,
    x: Operand,
    axis: Option<NormAxes>,
    #[pyo3(from_py_with = truth)] keepdims: bool,
    ord: f64,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::plain(py, "vector_norm", (like, out))?;
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
        computing!(rows.dtype, T => {
            let mut output = Output::<<T as Field>::Real>::new(Dims::new(kept.iter().map(|&axis| dims[axis]))?)?;
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
    call.give(norms)
}

/// The items `(i, i + offset)` of each matrix: a view.
#[pyfunction]
#[pyo3(signature = (x, /, *, offset = 0, like = None))]
pub(crate) fn diagonal(
    py: Python<'_>,
    x: Operand,
    offset: isize,
    like: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::plain(py, "diagonal", (like, None))?;
    Shape::of("diagonal", &x.array)?;
    call.give(x.array.diagonal(offset))
}

/// The sum of the items `(i, i + offset)` of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, offset = 0, dtype = None, like = None, out = None))]
pub(crate) fn trace(
    py: Python<'_>,
    x: Operand,
    offset: isize,
    dtype: Option<&str>,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::plain(py, "trace", (like, out))?;
    Shape::of("trace", &x.array)?;
    let diagonal = x.array.diagonal(offset);
    let dtype = dtype.map(|name| dtype_named("trace", name)).transpose()?;
    let dtype = dtype.unwrap_or(match diagonal.dtype.kind() {
        Kind::Whole => Dtype::I64,
        _ => diagonal.dtype,
    });
    let sums = match dtype.kind() {
        Kind::Whole => sums(&diagonal, i64::wrapping_add),
        Kind::Real => sums(&diagonal, |a: f64, b| a + b),
        Kind::Complex => sums(&diagonal, |a: Complex<f64>, b| a + b),
    }?;
    call.give(sums.of_type(dtype)?)
}

/// The sums along the last axis.
fn sums<T: Item>(array: &Array, add: impl Fn(T, T) -> T) -> PyResult<Array> {
    let dims = array.shape();
    let (length, batch) = dims.split_last().expect("a diagonal has an axis");
    let mut output = Output::<T>::new(Dims::new(batch.iter().copied())?)?;
    let values = array.values::<T>();
    let length = length.cast_unsigned();
    for (index, item) in output.items().iter_mut().enumerate() {
        let row = &values[index * length..(index + 1) * length];
        *item = row.iter().fold(T::default(), |sum, &value| add(sum, value));
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
