//! Decompositions by eigenvalues, singular values and orthogonal factors, and what follows from them.

use crate::call::{Call, Pieces, Plan, piece};
use crate::dtype::{Element, Item, computing};
use crate::elementwise::broadcast_shape;
use crate::failed;
use crate::input::{Numbers, Operand, truth};
use crate::output::{EIG, EIGH, LSTSQ, QR, SVD};
use crate::raw::{Array, Dims, LinAlgError, Output, Stack};
use crate::run::run;
use crate::stacks::Shape;
use crate::text::shape;
use nexus_linalg::stack::{self, Stack as _};
use nexus_linalg::{Context, Error, Field, MatMut, decompose};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Multiplications of a decomposition of each matrix, about.
fn cost(sizes: &Shape) -> f64 {
    4.0 * sizes.cube()
}

/// A matrix whose items lie by columns.
fn by_columns<T>(items: &mut [T], (m, n): (usize, usize)) -> Result<MatMut<'_, T>, Error> {
    Ok(MatMut::with_strides(items, (m, n), (1, m.max(1)))?)
}

/// The eigenvalues, ascending, and eigenvectors of Hermitian matrices, whose lower triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn eigh(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "eigh", (errors, threads), (like, out))?;
    let sizes = Shape::square("eigh", &x.array)?;
    let (a, plan, n) = (x.array, call.plan, sizes.n);
    let parts = run(py, sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut values = Output::<<T as Field>::Real>::new(sizes.with(&[n])?)?;
            let mut vectors = Output::<T>::new(a.shape())?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let failures =
                stack::eigh(plan.context, &T::engine(), &matrices, values.items(), vectors.items());
            let failures = failures.map_err(|error| failed(&error))?;
            let info = plan.settle(&a, failures, |index| {
                piece(values.items(), n, index).fill(Field::NAN);
                piece(vectors.items(), n * n, index).fill(T::NAN);
            })?;
            Ok(([values.into_array(), vectors.into_array().transposed()], info))
        })
    })?;
    call.give_named(&EIGH, parts)
}

/// The eigenvalues of Hermitian matrices, ascending; the lower triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn eigvalsh(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "eigvalsh", (errors, threads), (like, out))?;
    let sizes = Shape::square("eigvalsh", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let values = run(py, sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut values = Output::<<T as Field>::Real>::new(sizes.with(&[sizes.n])?)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let failures =
                stack::eigh(plan.context, &T::engine(), &matrices, values.items(), &mut []);
            let info = plan.settle(&a, failures.map_err(|error| failed(&error))?, |index| {
                piece(values.items(), sizes.n, index).fill(Field::NAN);
            })?;
            Ok((values.into_array(), info))
        })
    })?;
    call.give_with(values)
}

/// `count` values of each matrix, by `work`.
fn values_of<T: Element, V: Item + Field>(
    plan: &Plan,
    a: &Array,
    sizes: &Shape,
    count: usize,
    work: impl Fn(Context, nexus_linalg::MatRef<'_, T>, &mut [V]) -> Result<(), Error> + Sync,
) -> PyResult<(Array, Option<Array>)> {
    let mut values = Output::<V>::new(sizes.with(&[count])?)?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let places = Pieces::new(values.items(), count, sizes.count());
    let failures = stack::map(plan.context, cost(sizes), places, |inner, index, values| {
        work(inner, matrices.get(index), values)
    });
    let info = plan.settle(a, failures, |index| {
        piece(values.items(), count, index).fill(V::NAN);
    })?;
    Ok((values.into_array(), info))
}

/// The eigenvalues and eigenvectors of square matrices: complex, in the order of the algorithm, each vector of
/// length 1.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn eig(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "eig", (errors, threads), (like, out))?;
    let sizes = Shape::square("eig", &x.array)?;
    let (a, plan, n) = (x.array, call.plan, sizes.n);
    let parts = run(py, 4.0 * sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut values = Output::<<T as Field>::Complex>::new(sizes.with(&[n])?)?;
            let mut vectors = Output::<<T as Field>::Complex>::new(a.shape())?;
            let prepared = a.prepared::<T>()?;
            let (matrices, count) = (Stack::<T>::new(&prepared), sizes.count());
            let places = Pieces::new(values.items(), n, count).zip(Pieces::new(vectors.items(), n * n, count));
            let failures = stack::map(plan.context, 4.0 * cost(&sizes), places, |_, index, (values, vectors)| {
                let vectors = by_columns(vectors, (n, n))?;
                decompose::eig(plan.context, &T::engine(), matrices.get(index), values, Some(vectors))
            });
            let info = plan.settle(&a, failures, |index| {
                piece(values.items(), n, index).fill(Field::NAN);
                piece(vectors.items(), n * n, index).fill(Field::NAN);
            })?;
            Ok(([values.into_array(), vectors.into_array().transposed()], info))
        })
    })?;
    call.give_named(&EIG, parts)
}

/// The eigenvalues of square matrices: complex, in the order of the algorithm.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn eigvals(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "eigvals", (errors, threads), (like, out))?;
    let sizes = Shape::square("eigvals", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let values = run(py, 4.0 * sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => values_of::<T, <T as Field>::Complex>(&plan, &a, &sizes, sizes.n, |context, matrix, values| {
            decompose::eig(context, &T::engine(), matrix, values, None)
        }))
    })?;
    call.give_with(values)
}

/// `x = Q R`: orthonormal columns and an upper triangle, whose diagonal is real and not negative.
#[pyfunction]
#[pyo3(signature = (x, /, *, mode = "reduced", errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn qr(
    py: Python<'_>,
    x: Operand,
    mode: &str,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "qr", (errors, threads), (like, out))?;
    let sizes = Shape::of("qr", &x.array)?;
    let complete = match mode {
        "reduced" => false,
        "complete" => true,
        other => {
            let message = format!("qr: mode is \"reduced\" or \"complete\", not \"{other}\"");
            return Err(PyValueError::new_err(message));
        }
    };
    let (a, plan, m, n) = (x.array, call.plan, sizes.m, sizes.n);
    let k = if complete { m } else { sizes.least() };
    let parts = run(py, sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut q = Output::<T>::new(sizes.with(&[m, k])?)?;
            let mut r = Output::<T>::new(sizes.with(&[k, n])?)?;
            let prepared = a.prepared::<T>()?;
            let (matrices, places) = (Stack::<T>::new(&prepared), (q.items(), r.items()));
            let failures = stack::qr(plan.context, &T::engine(), &matrices, k, places);
            let info = plan.settle(&a, failures.map_err(|error| failed(&error))?, |index| {
                piece(q.items(), m * k, index).fill(T::NAN);
                piece(r.items(), k * n, index).fill(T::NAN);
            })?;
            Ok(([q.into_array(), r.into_array()], info))
        })
    })?;
    call.give_named(&QR, parts)
}

/// `x = U diag(S) Vh`: singular values, descending, and their vectors.
#[pyfunction]
#[pyo3(signature = (x, /, *, full_matrices = true, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn svd(
    py: Python<'_>,
    x: Operand,
    #[pyo3(from_py_with = truth)] full_matrices: bool,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "svd", (errors, threads), (like, out))?;
    let sizes = Shape::of("svd", &x.array)?;
    let (a, plan, m, n, k) = (x.array, call.plan, sizes.m, sizes.n, sizes.least());
    let (u_width, v_width) = if full_matrices { (m, n) } else { (k, k) };
    let parts = run(py, 2.0 * sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut u = Output::<T>::new(sizes.with(&[u_width, m])?)?;
            let mut s = Output::<<T as Field>::Real>::new(sizes.with(&[k])?)?;
            let mut v = Output::<T>::new(sizes.with(&[v_width, n])?)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let (places, widths) = ((u.items(), v.items()), (u_width, v_width));
            let failures = stack::svd(plan.context, &T::engine(), &matrices, s.items(), places, widths);
            let failures = failures.map_err(|error| failed(&error))?;
            let info = plan.settle(&a, failures, |index| {
                piece(u.items(), m * u_width, index).fill(T::NAN);
                piece(s.items(), k, index).fill(Field::NAN);
                piece(v.items(), n * v_width, index).fill(T::NAN);
            })?;
            // The right vectors are the columns of `v`; their conjugates are the rows of the result.
            if T::IS_COMPLEX {
                v.items().iter_mut().for_each(|item| *item = item.conj());
            }
            Ok(([u.into_array().transposed(), s.into_array(), v.into_array()], info))
        })
    })?;
    call.give_named(&SVD, parts)
}

/// The singular values, descending.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn svdvals(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "svdvals", (errors, threads), (like, out))?;
    let sizes = Shape::of("svdvals", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let values = run(py, sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let k = sizes.least();
            let mut values = Output::<<T as Field>::Real>::new(sizes.with(&[k])?)?;
            let prepared = a.prepared::<T>()?;
            let (matrices, none) = (Stack::<T>::new(&prepared), (&mut [][..], &mut [][..]));
            let failures =
                stack::svd(plan.context, &T::engine(), &matrices, values.items(), none, (0, 0));
            let info = plan.settle(&a, failures.map_err(|error| failed(&error))?, |index| {
                piece(values.items(), k, index).fill(Field::NAN);
            })?;
            Ok((values.into_array(), info))
        })
    })?;
    call.give_with(values)
}

/// The tolerance of each matrix of a stack, where one is given.
struct Tolerance(Option<Array>);

impl Tolerance {
    fn new(name: &str, rtol: Option<Numbers>, a: &Array) -> PyResult<Self> {
        let Some(rtol) = rtol else {
            return Ok(Self(None));
        };
        let sizes = Shape::of(name, a)?;
        let found = shape(&rtol.array.shape());
        let under = rtol.array.broadcast(&sizes.batch).ok_or_else(|| {
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

/// How many singular values are greater than `rtol` times the largest one; -1 for a matrix without a rank.
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol = None, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn matrix_rank(
    py: Python<'_>,
    x: Operand,
    rtol: Option<Numbers>,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "matrix_rank", (errors, threads), (like, out))?;
    let sizes = Shape::of("matrix_rank", &x.array)?;
    let tolerance = Tolerance::new("matrix_rank", rtol, &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let ranks = run(py, sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut ranks = Output::<i64>::new(sizes.batch)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let places = Pieces::new(ranks.items(), 1, sizes.count());
            let failures = stack::map(plan.context, cost(&sizes), places, |inner, index, place| {
                place[0] = -1;
                let found = decompose::rank(inner, &T::engine(), matrices.get(index), tolerance.get(index))?;
                place[0] = found as i64;
                Ok(())
            });
            let info = plan.settle(&a, failures, |_| ())?;
            Ok((ranks.into_array(), info))
        })
    })?;
    call.give_with(ranks)
}

/// The pseudo-inverse of each matrix; singular values up to `rtol` times the largest one count as zero.
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol = None, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn pinv(
    py: Python<'_>,
    x: Operand,
    rtol: Option<Numbers>,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "pinv", (errors, threads), (like, out))?;
    let sizes = Shape::of("pinv", &x.array)?;
    let tolerance = Tolerance::new("pinv", rtol, &x.array)?;
    let (a, plan, m, n) = (x.array, call.plan, sizes.m, sizes.n);
    let inverses = run(py, 2.0 * sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut inverses = Output::<T>::new(sizes.with(&[n, m])?)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let places = Pieces::new(inverses.items(), m * n, sizes.count());
            let failures = stack::map(plan.context, 2.0 * cost(&sizes), places, |context, index, items| {
                let (matrix, rtol) = (matrices.get(index), tolerance.get(index));
                decompose::pinv(&T::engine(), context, matrix, rtol, MatMut::new(items, n, m)?)
            });
            let info = plan.settle(&a, failures, |index| {
                piece(inverses.items(), m * n, index).fill(T::NAN);
            })?;
            Ok((inverses.into_array(), info))
        })
    })?;
    call.give_with(inverses)
}

/// The least-squares solutions of `x1 @ x = x2` with the least norm, the ranks of `x1` and its singular values.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, rtol = None, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn lstsq(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    rtol: Option<f64>,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "lstsq", (errors, threads), (like, out))?;
    let (a, b) = (x1.array, x2.array);
    let sizes = Shape::of("lstsq", &a)?;
    let vector = b.rank() == 1;
    let misfit = || {
        let (a, b) = (shape(&a.shape()), shape(&b.shape()));
        LinAlgError::new_err(format!("lstsq: {a} does not fit {b}"))
    };
    if b.rank() == 0 {
        return Err(misfit());
    }
    let columns = if vector { b.expanded(1)? } else { b.clone() };
    let right = Shape::of("lstsq", &columns)?;
    let batch = broadcast_shape(&sizes.batch, &right.batch)
        .filter(|_| right.m == sizes.m)
        .ok_or_else(misfit)?;
    let sizes = Shape { batch, ..sizes };
    let under = |array: &Array, dims: Dims| array.broadcast(&dims).ok_or_else(misfit);
    let left = under(&a, sizes.with(&[sizes.m, sizes.n])?)?;
    let right_side = under(&columns, sizes.with(&[sizes.m, right.n])?)?;
    let (plan, width) = (call.plan, right.n);
    let ([x, ranks, values], info) = run(
        py,
        2.0 * sizes.count() as f64 * cost(&sizes),
        move || {
            let dtype = left.dtype.computed().promote(right_side.dtype.computed());
            computing!(dtype, T => least_squares::<T>(&plan, (&left, &right_side), (sizes, width), rtol))
        },
    )?;
    let x = if vector { x.select(x.rank() - 1, 0) } else { x };
    call.give_named(&LSTSQ, ([x, ranks, values], info))
}

fn least_squares<T: Element>(
    plan: &Plan,
    (a, b): (&Array, &Array),
    (sizes, width): (Shape, usize),
    rtol: Option<f64>,
) -> PyResult<([Array; 3], Option<Array>)> {
    let (n, k, count) = (sizes.n, sizes.least(), sizes.count());
    let (left, right) = (a.prepared::<T>()?, b.prepared::<T>()?);
    let (left, right) = (Stack::<T>::new(&left), Stack::<T>::new(&right));
    let mut x = Output::<T>::new(sizes.with(&[n, width])?)?;
    let mut ranks = Output::<i64>::new(sizes.batch)?;
    let mut values = Output::<T::Real>::new(sizes.with(&[k])?)?;
    let numbers = Pieces::new(ranks.items(), 1, count).zip(Pieces::new(values.items(), k, count));
    let places = Pieces::new(x.items(), n * width, count).zip(numbers);
    let rtol = rtol.map(<T::Real as Item>::of_real);
    let failures = stack::map(
        plan.context,
        2.0 * cost(&sizes),
        places,
        |context, index, (x, (rank, values))| {
            rank[0] = -1;
            let (a, b) = (left.get(index), right.get(index));
            let x = MatMut::new(x, n, width)?;
            rank[0] = decompose::lstsq(&T::engine(), context, a, b, rtol, x, values)? as i64;
            Ok(())
        },
    );
    let info = plan.settle(a, failures, |index| {
        piece(x.items(), n * width, index).fill(T::NAN);
        piece(values.items(), k, index).fill(Field::NAN);
    })?;
    Ok((
        [x.into_array(), ranks.into_array(), values.into_array()],
        info,
    ))
}
