//! Products of matrices and vectors.

use crate::elementwise::{self, Operation, broadcast_shape};
use crate::input::Operand;
use crate::output::Part;
use crate::raw::LinAlgError;
use crate::raw::{Array, Dims, Dtype, Item, Output, Stack};
use crate::run::run;
use crate::text::shape;
use nexus_linalg::{Context, MatMut};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::num::NonZero;

type Like<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The matrix product; a vector on the left is a row, one on the right a column.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn matmul(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    product(py, &x1.array, &x2.array, threads.get())?.into_python(py, like)
}

/// The product of `a` and `b` on up to `threads` threads.
pub(crate) fn product(py: Python<'_>, a: &Array, b: &Array, threads: usize) -> PyResult<Part> {
    let misfit = |why: &str| {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        LinAlgError::new_err(format!("cannot multiply {a} by {b}: {why}"))
    };
    if a.rank() == 0 || b.rank() == 0 {
        return Err(misfit("use `*` for numbers"));
    }
    let row = if a.rank() == 1 {
        a.expanded(0)?
    } else {
        a.clone()
    };
    let column = if b.rank() == 1 {
        b.expanded(1)?
    } else {
        b.clone()
    };
    let (a_shape, b_shape) = (row.shape(), column.shape());
    let ([a_batch @ .., m, k], [b_batch @ .., k_b, n]) = (&*a_shape, &*b_shape) else {
        unreachable!("two axes")
    };
    if k != k_b {
        return Err(misfit("the inner sizes differ"));
    }
    let batch = broadcast_shape(a_batch, b_batch).ok_or_else(|| misfit("the stacks differ"))?;
    let under = |array: &Array, rows, columns| {
        let whole: Vec<isize> = batch.iter().copied().chain([rows, columns]).collect();
        array
            .broadcast(&whole)
            .ok_or_else(|| misfit("the stacks differ"))
    };
    let (left, right) = (under(&row, *m, *k)?, under(&column, *k, *n)?);
    let result = Dims::new(batch.iter().copied().chain([*m, *n]))?;
    let count: isize = batch.iter().product();
    let cost = [*m, *k, *n, count].map(|n| n as f64).iter().product();
    let threads = NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN);
    let context = Context::default().threads(threads);
    let product = run(py, cost, move || match left.dtype.promote(right.dtype) {
        Dtype::F32 => multiply::<f32>(context, &left, &right, result),
        _ => multiply::<f64>(context, &left, &right, result),
    })?;
    let rank = product.rank();
    let product = if b.rank() == 1 {
        product.select(rank - 1, 0)
    } else {
        product
    };
    let product = if a.rank() == 1 {
        product.select(product.rank() - if b.rank() == 1 { 1 } else { 2 }, 0)
    } else {
        product
    };
    Ok(Part(product))
}

fn multiply<T: Item>(context: Context, a: &Array, b: &Array, shape: Dims) -> PyResult<Array> {
    let mut output = Output::<T>::new(shape)?;
    let (a, b) = (a.prepared::<T>()?, b.prepared::<T>()?);
    let (a, b) = (Stack::<T>::new(&a), Stack::<T>::new(&b));
    let (m, n) = (a.shape().0, b.shape().1);
    for (index, items) in output.items().chunks_exact_mut((m * n).max(1)).enumerate() {
        let view = MatMut::new(items, m, n).map_err(|error| crate::failed(&error.into()))?;
        let done = context.matmul(a.get(index), b.get(index), view);
        done.map_err(|error| crate::failed(&error))?;
    }
    Ok(output.into_array())
}

/// Refuses what is no matrix and no stack of matrices.
pub(crate) fn matrix_axes(name: &str, array: &Array) -> PyResult<()> {
    if array.rank() >= 2 {
        return Ok(());
    }
    let found = shape(&array.shape());
    let message = format!("{name}: expected a matrix or a stack of them, found shape {found}");
    Err(LinAlgError::new_err(message))
}

/// Each matrix with its rows and columns exchanged: a view.
#[pyfunction]
#[pyo3(signature = (x, /, *, like = None))]
pub(crate) fn matrix_transpose(
    py: Python<'_>,
    x: Operand,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("matrix_transpose", &x.array)?;
    Part(x.array.transposed()).into_python(py, like)
}

/// The products of the items of two vectors.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, like = None))]
pub(crate) fn outer(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let (a, b) = (x1.array, x2.array);
    if a.rank() != 1 || b.rank() != 1 {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        return Err(LinAlgError::new_err(format!(
            "outer: expected two vectors, found {a} and {b}"
        )));
    }
    product(py, &a.expanded(1)?, &b.expanded(0)?, 1)?.into_python(py, like)
}

/// An axis counted from the front.
pub(crate) fn axis_of(name: &str, axis: isize, rank: usize) -> PyResult<usize> {
    let rank = rank.cast_signed();
    let at = if axis < 0 { axis + rank } else { axis };
    if (0..rank).contains(&at) {
        Ok(at.cast_unsigned())
    } else {
        Err(PyValueError::new_err(format!(
            "{name}: axis {axis} is out of range for {rank} axes"
        )))
    }
}

/// An axis moved to the end.
fn last(array: &Array, axis: usize) -> Array {
    let order: Vec<usize> = (0..array.rank())
        .filter(|&i| i != axis)
        .chain([axis])
        .collect();
    array.permuted(&order)
}

/// The sums of products along an axis, with broadcasting over the others.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, axis = -1, like = None))]
pub(crate) fn vecdot(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    axis: isize,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    // The axis counts from the end for both, as the standard asks.
    let moved = |array: &Array| {
        let rank = array.rank().cast_signed();
        let from_end = if axis < 0 { axis } else { axis - rank };
        axis_of("vecdot", from_end, array.rank()).map(|at| last(array, at))
    };
    let (a, b) = (moved(&x1.array)?, moved(&x2.array)?);
    if a.shape().last() != b.shape().last() {
        let (a, b) = (shape(&x1.array.shape()), shape(&x2.array.shape()));
        let message = format!("vecdot: axis {axis} of {a} and of {b} differ in length");
        return Err(LinAlgError::new_err(message));
    }
    let row = a.expanded(a.rank() - 1)?;
    let column = b.expanded(b.rank())?;
    let product = product(py, &row, &column, 1)?.0;
    let rank = product.rank();
    Part(product.select(rank - 1, 0).select(rank - 2, 0)).into_python(py, like)
}

/// The vector product of vectors of three items along an axis.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, axis = -1, like = None))]
pub(crate) fn cross(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    axis: isize,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let rank = x1.array.rank().max(x2.array.rank());
    let at = axis_of("cross", axis, rank)?;
    let part = |array: &Array| {
        let more = rank - array.rank();
        let own = at.checked_sub(more).filter(|&own| array.shape()[own] == 3);
        own.map(|own| last(array, own)).ok_or_else(|| {
            let found = shape(&array.shape());
            LinAlgError::new_err(format!("cross: axis {axis} of {found} has not length 3"))
        })
    };
    let (a, b) = (part(&x1.array)?, part(&x2.array)?);
    let turned = |array: &Array, by: isize| array.select(array.rank() - 1, by % 3);
    let item = |i: isize| {
        let (ahead, behind) = (i + 1, i + 2);
        let plus = elementwise::binary(
            py,
            &turned(&a, ahead),
            &turned(&b, behind),
            Operation::Multiply,
        )?;
        let minus = elementwise::binary(
            py,
            &turned(&a, behind),
            &turned(&b, ahead),
            Operation::Multiply,
        )?;
        elementwise::binary(py, &plus, &minus, Operation::Subtract)
    };
    let parts = [item(0)?, item(1)?, item(2)?];
    Part(stacked(&parts, at)?).into_python(py, like)
}

/// Arrays of one shape and type as one, side by side along a new axis.
fn stacked(parts: &[Array; 3], axis: usize) -> PyResult<Array> {
    fn go<T: Item>(parts: &[Array; 3], axis: usize) -> PyResult<Array> {
        let values: Vec<T> = parts
            .iter()
            .flat_map(|part| part.values::<T>().into_owned())
            .collect();
        let dims = Dims::new([3].into_iter().chain(parts[0].shape().iter().copied()))?;
        let front = Array::of(&values, dims)?;
        let mut order: Vec<usize> = (1..front.rank()).collect();
        order.insert(axis, 0);
        Ok(front.permuted(&order))
    }
    match parts[0].dtype {
        Dtype::F32 => go::<f32>(parts, axis),
        _ => go::<f64>(parts, axis),
    }
}

/// Which axes `tensordot` sums over.
#[derive(FromPyObject)]
pub(crate) enum Axes {
    /// The last of one operand and the first of the other.
    Count(usize),
    /// These, in pairs.
    Pairs(Vec<isize>, Vec<isize>),
}

/// The sums of products over several axes.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, axes = Axes::Count(2), like = None))]
pub(crate) fn tensordot(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    axes: Axes,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let (a, b) = (x1.array, x2.array);
    let (from_a, from_b) = match axes {
        Axes::Count(count) if count <= a.rank().min(b.rank()) => {
            ((a.rank() - count..a.rank()).collect(), (0..count).collect())
        }
        Axes::Count(count) => {
            let message = format!("tensordot: the operands have no {count} axes to sum over");
            return Err(PyValueError::new_err(message));
        }
        Axes::Pairs(left, right) => {
            let axes = |axes: &[isize], rank| -> PyResult<Vec<usize>> {
                axes.iter()
                    .map(|&axis| axis_of("tensordot", axis, rank))
                    .collect()
            };
            (axes(&left, a.rank())?, axes(&right, b.rank())?)
        }
    };
    let once = |axes: &[usize]| (0..axes.len()).all(|i| !axes[..i].contains(&axes[i]));
    let fit = from_a.len() == from_b.len()
        && once(&from_a)
        && once(&from_b)
        && from_a
            .iter()
            .zip(&from_b)
            .all(|(&i, &j)| a.shape()[i] == b.shape()[j]);
    if !fit {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        let message = format!("tensordot: axes {from_a:?} of {a} and {from_b:?} of {b} do not fit");
        return Err(LinAlgError::new_err(message));
    }
    let kept = |array: &Array, used: &[usize]| -> Vec<usize> {
        (0..array.rank())
            .filter(|axis| !used.contains(axis))
            .collect()
    };
    let (kept_a, kept_b) = (kept(&a, &from_a), kept(&b, &from_b));
    let length = |array: &Array, axes: &[usize]| -> isize {
        axes.iter().map(|&axis| array.shape()[axis]).product()
    };
    let k = length(&a, &from_a);
    let rows = a.permuted(&[&kept_a[..], &from_a].concat());
    let rows = rows.reshaped(Dims::new([length(&a, &kept_a), k])?)?;
    let columns = b.permuted(&[&from_b[..], &kept_b].concat());
    let columns = columns.reshaped(Dims::new([k, length(&b, &kept_b)])?)?;
    let result = product(py, &rows, &columns, 1)?.0;
    let lengths = kept_a.iter().map(|&axis| a.shape()[axis]);
    let lengths = lengths.chain(kept_b.iter().map(|&axis| b.shape()[axis]));
    Part(result.reshaped(Dims::new(lengths)?)?).into_python(py, like)
}
