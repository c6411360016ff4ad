//! Systems, inverses, determinants, Cholesky factors, powers.

use crate::elementwise::broadcast_shape;
use crate::failed_at;
use crate::input::Operand;
use crate::output::{Part, SLOGDET};
use crate::products::product;
use crate::raw::LinAlgError;
use crate::raw::{Array, Dims, Dtype, Item, Output, Stack};
use crate::run::run;
use crate::stacks::{Square, each, square};
use crate::text::shape;
use nexus_linalg::dense::{self, Triangle};
use nexus_linalg::{Context, MatMut};
use pyo3::prelude::*;
use std::num::NonZero;

type Like<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Solves `x1 @ x = x2`: for a vector, or for the columns of each matrix of a stack.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn solve(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let (a, b) = (x1.array, x2.array);
    let Square { batch, n } = square("solve", &a)?;
    let vector = b.rank() == 1;
    let misfit = || {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        LinAlgError::new_err(format!("solve: {a} does not fit {b}"))
    };
    if b.rank() == 0 {
        return Err(misfit());
    }
    let columns = if vector { b.expanded(1)? } else { b.clone() };
    let b_shape = columns.shape();
    let [b_batch @ .., rows, width] = &*b_shape else {
        unreachable!("two axes")
    };
    let whole = broadcast_shape(&batch, b_batch)
        .filter(|_| *rows == n)
        .ok_or_else(misfit)?;
    let under = |array: &Array, columns| {
        let dims: Vec<isize> = whole.iter().copied().chain([n, columns]).collect();
        array.broadcast(&dims).ok_or_else(misfit)
    };
    let (left, right) = (under(&a, n)?, under(&columns, *width)?);
    let count: isize = whole.iter().product();
    let cost = count as f64 * n as f64 * n as f64 * (n as f64 / 3.0 + *width as f64);
    let context = Context::default().threads(threads);
    let x = run(py, cost, move || match left.dtype.promote(right.dtype) {
        Dtype::F32 => solve_each::<f32>(context, &left, &right),
        _ => solve_each::<f64>(context, &left, &right),
    })?;
    let x = if vector { x.select(x.rank() - 1, 0) } else { x };
    Part(x).into_python(py, like)
}

fn solve_each<T: Item>(context: Context, a: &Array, b: &Array) -> PyResult<Array> {
    let (left, mut output) = (a.prepared::<T>()?, Output::<T>::new(b.shape())?);
    output.items().copy_from_slice(&b.values::<T>());
    let left = Stack::<T>::new(&left);
    let n = left.shape().0;
    let width = b.shape()[b.rank() - 1].cast_unsigned();
    if output.items().is_empty() {
        return Ok(output.into_array());
    }
    for (index, items) in output.items().chunks_exact_mut(n * width).enumerate() {
        let x = MatMut::new(items, n, width).map_err(|error| crate::failed(&error.into()))?;
        let done = dense::solve(context, left.get(index), x);
        done.map_err(|error| failed_at("solve", &error, a, index))?;
    }
    Ok(output.into_array())
}

/// The inverse of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn inv(
    py: Python<'_>,
    x: Operand,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    Part(inverse(py, "inv", &x.array, threads)?).into_python(py, like)
}

fn inverse(
    py: Python<'_>,
    name: &'static str,
    x: &Array,
    threads: NonZero<usize>,
) -> PyResult<Array> {
    let sizes = square(name, x)?;
    let (a, context) = (x.clone(), Context::default().threads(threads));
    run(py, sizes.cube(), move || {
        each!(a, T => {
            let mut output = Output::<T>::new(a.shape())?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            let n = stack.shape().0;
            for (index, items) in output.items().chunks_exact_mut((n * n).max(1)).enumerate() {
                let view = MatMut::new(items, n, n).map_err(|error| crate::failed(&error.into()))?;
                dense::inv(context, stack.get(index), view)
                    .map_err(|error| failed_at(name, &error, &a, index))?;
            }
            Ok(output.into_array())
        })
    })
}

/// The determinant of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn det(
    py: Python<'_>,
    x: Operand,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let sizes = square("det", &x.array)?;
    let (a, context) = (x.array, Context::default().threads(threads));
    let result = run(py, sizes.cube(), move || {
        each!(a, T => {
            let mut output = Output::<T>::new(Dims::new(sizes.batch.iter().copied())?)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for (index, item) in output.items().iter_mut().enumerate() {
                *item = dense::det(context, stack.get(index))
                    .map_err(|error| failed_at("det", &error, &a, index))?;
            }
            Ok(output.into_array())
        })
    })?;
    Part(result).into_python(py, like)
}

/// The sign of each determinant and the logarithm of its absolute value.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn slogdet(
    py: Python<'_>,
    x: Operand,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let sizes = square("slogdet", &x.array)?;
    let (a, context) = (x.array, Context::default().threads(threads));
    let parts = run(py, sizes.cube(), move || {
        each!(a, T => {
            let dims = Dims::new(sizes.batch.iter().copied())?;
            let (mut signs, mut logs) = (Output::<T>::new(dims)?, Output::<T>::new(dims)?);
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            let places = signs.items().iter_mut().zip(logs.items());
            for (index, (sign, log)) in places.enumerate() {
                (*sign, *log) = dense::slogdet(context, stack.get(index))
                    .map_err(|error| failed_at("slogdet", &error, &a, index))?;
            }
            Ok([signs.into_array(), logs.into_array()])
        })
    })?;
    SLOGDET.of(py, parts, like)
}

/// The triangular factor of each symmetric positive definite matrix, whose lower triangle is read; with
/// `upper`, the factor is upper triangular and the upper triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, upper = false, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn cholesky(
    py: Python<'_>,
    x: Operand,
    upper: bool,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let sizes = square("cholesky", &x.array)?;
    let (x, context) = (x.array, Context::default().threads(threads));
    let triangle = if upper {
        Triangle::Upper
    } else {
        Triangle::Lower
    };
    let factor = run(py, sizes.cube() / 3.0, move || {
        let a = if triangle == Triangle::Upper {
            x.transposed()
        } else {
            x
        };
        each!(a, T => {
            let mut output = Output::<T>::new(a.shape())?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            let n = stack.shape().0;
            for (index, items) in output.items().chunks_exact_mut((n * n).max(1)).enumerate() {
                let view = MatMut::new(items, n, n).map_err(|error| crate::failed(&error.into()))?;
                dense::cholesky(context, stack.get(index), view)
                    .map_err(|error| failed_at("cholesky", &error, &a, index))?;
            }
            let lower = output.into_array();
            Ok(if triangle == Triangle::Upper { lower.transposed() } else { lower })
        })
    })?;
    Part(factor).into_python(py, like)
}

/// Each square matrix multiplied `n` times by itself; with a negative `n`, its inverse.
#[pyfunction]
#[pyo3(signature = (x, n, /, *, threads = NonZero::<usize>::MIN, like = None))]
pub(crate) fn matrix_power(
    py: Python<'_>,
    x: Operand,
    n: i64,
    threads: NonZero<usize>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    square("matrix_power", &x.array)?;
    let mut base = if n < 0 {
        inverse(py, "matrix_power", &x.array, threads)?
    } else {
        x.array
    };
    let mut rest = n.unsigned_abs();
    let mut power: Option<Array> = None;
    // Binary powers: as many products as `n` has digits, and one for each that is one.
    while rest > 0 {
        if rest % 2 == 1 {
            power = Some(match power {
                None => base.clone(),
                Some(power) => product(py, &power, &base, threads.get())?.0,
            });
        }
        rest /= 2;
        if rest > 0 {
            base = product(py, &base, &base, threads.get())?.0;
        }
    }
    let power = match power {
        Some(power) if power.dtype != Dtype::I64 => power,
        Some(power) => Array::of::<f64>(&power.values(), power.shape())?,
        None => identities(&base)?,
    };
    Part(power).into_python(py, like)
}

/// The identity in the place of each matrix.
fn identities(a: &Array) -> PyResult<Array> {
    each!(a, T => {
        let mut output = Output::<T>::new(a.shape())?;
        let n = a.shape()[a.rank() - 1].cast_unsigned();
        for items in output.items().chunks_exact_mut((n * n).max(1)) {
            items.iter_mut().step_by(n + 1).for_each(|item| *item = 1.0);
        }
        Ok(output.into_array())
    })
}
