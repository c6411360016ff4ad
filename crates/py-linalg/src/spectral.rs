//! Decompositions by eigenvalues, singular values and orthogonal factors, and what follows from them.

use crate::input::Operand;
use crate::output::{EIGH, LSTSQ, Part, QR, SVD};
use crate::products::matrix_axes;
use crate::raw::LinAlgError;
use crate::raw::{Array, Dims, Dtype, Item, Output, Stack};
use crate::run::run;
use crate::stacks::{each, square};
use crate::text::shape;
use crate::{failed, failed_at};
use nexus_linalg::{Context, Error, MatMut, decompose};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Like<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// The axes of a stack: those before the matrices, and the matrices' own.
fn axes(a: &Array) -> (Vec<isize>, usize, usize) {
    let dims = a.shape();
    let [batch @ .., m, n] = &*dims else {
        unreachable!("matrix_axes was asked")
    };
    (batch.to_vec(), m.cast_unsigned(), n.cast_unsigned())
}

/// A shape that ends with these axes.
fn dims(batch: &[isize], last: &[usize]) -> PyResult<Dims> {
    let last = last.iter().map(|n| n.cast_signed());
    Dims::new(batch.iter().copied().chain(last))
}

/// Multiplications of a decomposition, about.
fn cost(a: &Array) -> f64 {
    let (batch, m, n) = axes(a);
    let count: isize = batch.iter().product();
    4.0 * count as f64 * m as f64 * n as f64 * m.min(n) as f64
}

/// The `index`th matrix of results that lie one after the other, each by columns.
fn by_columns<T>(
    items: &mut [T],
    index: usize,
    (m, n): (usize, usize),
) -> Result<MatMut<'_, T>, Error> {
    let len = m * n;
    let items = &mut items[index * len..(index + 1) * len];
    Ok(MatMut::with_strides(items, (m, n), (1, m.max(1)))?)
}

/// The eigenvalues, ascending, and eigenvectors of symmetric matrices, whose lower triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, like = None))]
pub(crate) fn eigh(py: Python<'_>, x: Operand, like: Like<'_, '_>) -> PyResult<Py<PyAny>> {
    square("eigh", &x.array)?;
    let a = x.array;
    let parts = run(py, cost(&a), move || {
        each!(a, T => {
            let (batch, n, _) = axes(&a);
            let mut values = Output::<T>::new(dims(&batch, &[n])?)?;
            let mut vectors = Output::<T>::new(a.shape())?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for index in 0..stack.len() {
                let own = &mut values.items()[index * n..(index + 1) * n];
                by_columns(vectors.items(), index, (n, n))
                    .and_then(|v| decompose::eigh(&T::engine(), stack.get(index), own, Some(v)))
                    .map_err(|error| failed_at("eigh", &error, &a, index))?;
            }
            Ok([values.into_array(), vectors.into_array().transposed()])
        })
    })?;
    EIGH.of(py, parts, like)
}

/// The eigenvalues of symmetric matrices, ascending; the lower triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, like = None))]
pub(crate) fn eigvalsh(py: Python<'_>, x: Operand, like: Like<'_, '_>) -> PyResult<Py<PyAny>> {
    square("eigvalsh", &x.array)?;
    let a = x.array;
    let values = run(py, cost(&a), move || {
        each!(a, T => {
            let (batch, n, _) = axes(&a);
            let mut values = Output::<T>::new(dims(&batch, &[n])?)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for index in 0..stack.len() {
                let own = &mut values.items()[index * n..(index + 1) * n];
                decompose::eigh(&T::engine(), stack.get(index), own, None)
                    .map_err(|error| failed_at("eigvalsh", &error, &a, index))?;
            }
            Ok(values.into_array())
        })
    })?;
    Part(values).into_python(py, like)
}

/// `x = Q R`: orthonormal columns and an upper triangle, whose diagonal is not negative.
#[pyfunction]
#[pyo3(signature = (x, /, *, mode = "reduced", like = None))]
pub(crate) fn qr(
    py: Python<'_>,
    x: Operand,
    mode: &str,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("qr", &x.array)?;
    let complete = match mode {
        "reduced" => false,
        "complete" => true,
        other => {
            let message = format!("qr: mode is \"reduced\" or \"complete\", not \"{other}\"");
            return Err(PyValueError::new_err(message));
        }
    };
    let a = x.array;
    let parts = run(py, cost(&a), move || {
        each!(a, T => {
            let (batch, m, n) = axes(&a);
            let k = if complete { m } else { m.min(n) };
            let mut q = Output::<T>::new(dims(&batch, &[k, m])?)?;
            let mut r = Output::<T>::new(dims(&batch, &[n, k])?)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for index in 0..stack.len() {
                let own = by_columns(q.items(), index, (m, k));
                own.and_then(|q| Ok((q, by_columns(r.items(), index, (k, n))?)))
                    .and_then(|(q, r)| decompose::qr(&T::engine(), stack.get(index), q, r))
                    .map_err(|error| failed_at("qr", &error, &a, index))?;
            }
            Ok([q.into_array().transposed(), r.into_array().transposed()])
        })
    })?;
    QR.of(py, parts, like)
}

/// `x = U diag(S) Vh`: singular values, descending, and their vectors.
#[pyfunction]
#[pyo3(signature = (x, /, *, full_matrices = true, like = None))]
pub(crate) fn svd(
    py: Python<'_>,
    x: Operand,
    full_matrices: bool,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("svd", &x.array)?;
    let a = x.array;
    let parts = run(py, 2.0 * cost(&a), move || {
        each!(a, T => {
            let (batch, m, n) = axes(&a);
            let k = m.min(n);
            let (u_width, v_width) = if full_matrices { (m, n) } else { (k, k) };
            let mut u = Output::<T>::new(dims(&batch, &[u_width, m])?)?;
            let mut s = Output::<T>::new(dims(&batch, &[k])?)?;
            let mut v = Output::<T>::new(dims(&batch, &[v_width, n])?)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for index in 0..stack.len() {
                let values = &mut s.items()[index * k..(index + 1) * k];
                let own = by_columns(u.items(), index, (m, u_width));
                own.and_then(|u| Ok((u, by_columns(v.items(), index, (n, v_width))?)))
                    .and_then(|both| decompose::svd(&T::engine(), stack.get(index), values, Some(both)))
                    .map_err(|error| failed_at("svd", &error, &a, index))?;
            }
            Ok([u.into_array().transposed(), s.into_array(), v.into_array()])
        })
    })?;
    SVD.of(py, parts, like)
}

/// The singular values, descending.
#[pyfunction]
#[pyo3(signature = (x, /, *, like = None))]
pub(crate) fn svdvals(py: Python<'_>, x: Operand, like: Like<'_, '_>) -> PyResult<Py<PyAny>> {
    matrix_axes("svdvals", &x.array)?;
    let a = x.array;
    let values = run(py, cost(&a), move || {
        each!(a, T => {
            let (batch, m, n) = axes(&a);
            let k = m.min(n);
            let mut values = Output::<T>::new(dims(&batch, &[k])?)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for index in 0..stack.len() {
                let own = &mut values.items()[index * k..(index + 1) * k];
                decompose::svd(&T::engine(), stack.get(index), own, None)
                    .map_err(|error| failed_at("svdvals", &error, &a, index))?;
            }
            Ok(values.into_array())
        })
    })?;
    Part(values).into_python(py, like)
}

/// The tolerance of each matrix of a stack, where one is given.
struct Tolerance(Option<Array>);

impl Tolerance {
    fn new(name: &str, rtol: Option<Operand>, a: &Array) -> PyResult<Self> {
        let Some(rtol) = rtol else {
            return Ok(Self(None));
        };
        let (batch, ..) = axes(a);
        let found = shape(&rtol.array.shape());
        let under = rtol.array.broadcast(&batch).ok_or_else(|| {
            LinAlgError::new_err(format!(
                "{name}: rtol {found} does not fit {}",
                shape(&a.shape())
            ))
        })?;
        Ok(Self(Some(under.copied()?)))
    }

    fn get<T: Item>(&self, index: usize) -> Option<T> {
        self.0.as_ref().map(|array| array.values::<T>()[index])
    }
}

/// How many singular values are greater than `rtol` times the largest one.
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol = None, like = None))]
pub(crate) fn matrix_rank(
    py: Python<'_>,
    x: Operand,
    rtol: Option<Operand>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("matrix_rank", &x.array)?;
    let tolerance = Tolerance::new("matrix_rank", rtol, &x.array)?;
    let a = x.array;
    let ranks = run(py, cost(&a), move || {
        each!(a, T => {
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            let ranks = (0..stack.len())
                .map(|index| {
                    decompose::rank(&T::engine(), stack.get(index), tolerance.get(index))
                        .map(|rank| rank as i64)
                        .map_err(|error| failed_at("matrix_rank", &error, &a, index))
                })
                .collect::<PyResult<Vec<_>>>()?;
            Array::of_longs(&ranks, dims(&axes(&a).0, &[])?)
        })
    })?;
    Part(ranks).into_python(py, like)
}

/// The pseudo-inverse of each matrix; singular values up to `rtol` times the largest one count as zero.
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol = None, like = None))]
pub(crate) fn pinv(
    py: Python<'_>,
    x: Operand,
    rtol: Option<Operand>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    matrix_axes("pinv", &x.array)?;
    let tolerance = Tolerance::new("pinv", rtol, &x.array)?;
    let a = x.array;
    let inverses = run(py, 2.0 * cost(&a), move || {
        each!(a, T => {
            let (batch, m, n) = axes(&a);
            let mut output = Output::<T>::new(dims(&batch, &[n, m])?)?;
            let prepared = a.prepared::<T>()?;
            let stack = Stack::<T>::new(&prepared);
            for index in 0..stack.len() {
                let items = &mut output.items()[index * m * n..(index + 1) * m * n];
                let view = MatMut::new(items, n, m).map_err(|error| failed(&error.into()))?;
                let (matrix, tolerance) = (stack.get(index), tolerance.get(index));
                decompose::pinv(&T::engine(), Context::default(), matrix, tolerance, view)
                    .map_err(|error| failed_at("pinv", &error, &a, index))?;
            }
            Ok(output.into_array())
        })
    })?;
    Part(inverses).into_python(py, like)
}

/// The least-squares solution of `x1 @ x = x2` with the least norm, the rank of `x1` and its singular values.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, rtol = None, like = None))]
pub(crate) fn lstsq(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    rtol: Option<f64>,
    like: Like<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let (a, b) = (x1.array, x2.array);
    let vector = b.rank() == 1;
    let misfit = || {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        LinAlgError::new_err(format!("lstsq: {a} does not fit {b}"))
    };
    if a.rank() != 2 || !(vector || b.rank() == 2) || a.shape()[0] != b.shape()[0] {
        return Err(misfit());
    }
    let columns = if vector { b.expanded(1)? } else { b.clone() };
    let dtype = a.dtype.promote(b.dtype);
    let left = a.clone();
    let (x, rank, values) = run(py, 2.0 * cost(&a), move || match dtype {
        Dtype::F32 => least_squares::<f32>(&left, &columns, rtol),
        _ => least_squares::<f64>(&left, &columns, rtol),
    })?;
    let x = if vector { x.select(1, 0) } else { x };
    LSTSQ.of(py, [x, rank, values], like)
}

fn least_squares<T: Item>(
    a: &Array,
    b: &Array,
    rtol: Option<f64>,
) -> PyResult<(Array, Array, Array)> {
    let (left, right) = (a.prepared::<T>()?, b.prepared::<T>()?);
    let (left, right) = (Stack::<T>::new(&left), Stack::<T>::new(&right));
    let ((m, n), width) = (left.shape(), right.shape().1);
    let at = |error: Error| failed_at("lstsq", &error, a, 0);
    let mut values = Output::<T>::new(dims(&[], &[m.min(n)])?)?;
    decompose::svd(&T::engine(), left.get(0), values.items(), None).map_err(at)?;
    let mut x = Output::<T>::new(dims(&[], &[n, width])?)?;
    let view = MatMut::new(x.items(), n, width).map_err(|error| failed(&error.into()))?;
    let (matrix, tolerance) = (left.get(0), rtol.map(T::from_f64));
    let rank = decompose::lstsq(
        &T::engine(),
        Context::default(),
        matrix,
        right.get(0),
        tolerance,
        view,
    )
    .map_err(at)?;
    let rank = Array::of_longs(&[rank as i64], Dims::new([])?)?;
    Ok((x.into_array(), rank, values.into_array()))
}
