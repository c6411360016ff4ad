//! Systems, inverses, determinants, Cholesky factors, powers.

use crate::call::{Call, Pieces, piece};
use crate::dtype::{Element, computing};
use crate::failed;
use crate::input::{Operand, truth};
use crate::output::SLOGDET;
use crate::products::product;
use crate::raw::{Array, Output, Stack};
use crate::run::run;
use crate::stacks::{Shape, System};
use nexus_linalg::Field;
use nexus_linalg::dense::{self, Triangle};
use nexus_linalg::stack::{self, Stack as _};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

/// Solves `x1 @ x = x2`: for a vector, or for the columns of each matrix of a stack.
#[pyfunction]
#[pyo3(signature = (x1, x2, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn solve(
    py: Python<'_>,
    x1: Operand,
    x2: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "solve", (errors, threads), (like, out))?;
    let system = System::of("solve", &x1.array, &x2.array)?;
    let (plan, shaped) = (call.plan, system.shaper());
    let (n, width) = (system.whole.m, system.whole.n);
    let cost = system.whole.count() as f64 * ((n * n * n) as f64 / 3.0 + (n * n * width) as f64);
    let (x, info) = run(py, cost, move || {
        let (left, right) = (&system.matrices, &system.sides);
        computing!(system.dtype(), T => {
            let (prepared, mut x) = (left.prepared::<T>()?, Output::<T>::new(right.shape())?);
            x.items().copy_from_slice(&right.values::<T>());
            let failures = stack::solve(plan.context, &Stack::<T>::new(&prepared), x.items(), width);
            let failures = failures.map_err(|error| failed(&error))?;
            let info = plan.settle(left, failures, |index| {
                piece(x.items(), n * width, index).fill(T::NAN);
            })?;
            Ok((x.into_array(), info))
        })
    })?;
    call.give_with((shaped(x), info))
}

/// The inverse of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn inv(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "inv", (errors, threads), (like, out))?;
    call.give_with(inverse(py, &call, &x.array)?)
}

fn inverse(py: Python<'_>, call: &Call<'_, '_>, x: &Array) -> PyResult<(Array, Option<Array>)> {
    let plan = call.plan;
    let sizes = Shape::square(plan.name, x)?;
    let a = x.clone();
    run(py, sizes.count() as f64 * sizes.cube(), move || {
        computing!(a.dtype, T => {
            let (prepared, mut inverses) = (a.prepared::<T>()?, Output::<T>::new(a.shape())?);
            let failures = stack::inv(plan.context, &Stack::<T>::new(&prepared), inverses.items());
            let failures = failures.map_err(|error| failed(&error))?;
            let info = plan.settle(&a, failures, |index| {
                piece(inverses.items(), sizes.n * sizes.n, index).fill(T::NAN);
            })?;
            Ok((inverses.into_array(), info))
        })
    })
}

/// The determinant of each matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = 1, like = None, out = None))]
pub(crate) fn det(
    py: Python<'_>,
    x: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "det", ("raise", threads), (like, out))?;
    let sizes = Shape::square("det", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let dets = run(py, sizes.count() as f64 * sizes.cube() / 3.0, move || {
        computing!(a.dtype, T => {
            let (prepared, mut dets) = (a.prepared::<T>()?, Output::<T>::new(sizes.batch)?);
            let failures = stack::det(plan.context, &Stack::<T>::new(&prepared), dets.items());
            plan.settle(&a, failures.map_err(|error| failed(&error))?, |_| ())?;
            Ok(dets.into_array())
        })
    })?;
    call.give(dets)
}

/// The sign of each determinant (of a complex one, a number of size 1) and the logarithm of its absolute value.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = 1, like = None, out = None))]
pub(crate) fn slogdet(
    py: Python<'_>,
    x: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "slogdet", ("raise", threads), (like, out))?;
    let sizes = Shape::square("slogdet", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let parts = run(py, sizes.count() as f64 * sizes.cube() / 3.0, move || {
        computing!(a.dtype, T => {
            let mut signs = Output::<T>::new(sizes.batch)?;
            let mut logs = Output::<<T as Field>::Real>::new(sizes.batch)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let count = sizes.count();
            let places = Pieces::new(signs.items(), 1, count).zip(Pieces::new(logs.items(), 1, count));
            let failures = stack::map(plan.context, sizes.cube() / 3.0, places, |context, index, (sign, log)| {
                (sign[0], log[0]) = dense::slogdet(context, matrices.get(index))?;
                Ok(())
            });
            plan.settle(&a, failures, |_| ())?;
            Ok([signs.into_array(), logs.into_array()])
        })
    })?;
    call.give_named(&SLOGDET, (parts, None))
}

/// The triangular factor of each Hermitian positive definite matrix, whose lower triangle is read; with `upper`,
/// the factor is upper triangular and the upper triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, upper = false, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn cholesky(
    py: Python<'_>,
    x: Operand,
    #[pyo3(from_py_with = truth)] upper: bool,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "cholesky", (errors, threads), (like, out))?;
    let triangle = if upper {
        Triangle::Upper
    } else {
        Triangle::Lower
    };
    call.give_with(positive_factors(py, &call, x.array, triangle)?)
}

/// Cholesky's factor on this side of the diagonal of each matrix, of which that triangle is read.
pub(crate) fn positive_factors(
    py: Python<'_>,
    call: &Call<'_, '_>,
    x: Array,
    triangle: Triangle,
) -> PyResult<(Array, Option<Array>)> {
    let plan = call.plan;
    let sizes = Shape::square(plan.name, &x)?;
    run(py, sizes.count() as f64 * sizes.cube() / 6.0, move || {
        // The lower triangle of the transpose is the upper one; its factor is conjugated, and so is its transpose.
        let a = if triangle == Triangle::Upper {
            x.transposed()
        } else {
            x
        };
        computing!(a.dtype, T => {
            let (prepared, mut factors) = (a.prepared::<T>()?, Output::<T>::new(a.shape())?);
            let failures = stack::cholesky(plan.context, &Stack::<T>::new(&prepared), factors.items());
            let failures = failures.map_err(|error| failed(&error))?;
            let info = plan.settle(&a, failures, |index| {
                piece(factors.items(), sizes.n * sizes.n, index).fill(T::NAN);
            })?;
            let lower = factors.into_array();
            Ok((if triangle == Triangle::Upper { lower.transposed() } else { lower }, info))
        })
    })
}

/// Each square matrix multiplied `n` times by itself; with a negative `n`, its inverse.
#[pyfunction]
#[pyo3(signature = (x, n, /, *, threads = 1, like = None, out = None))]
pub(crate) fn matrix_power(
    py: Python<'_>,
    x: Operand,
    n: &Bound<'_, PyAny>,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "matrix_power", ("raise", threads), (like, out))?;
    let context = call.plan.context;
    Shape::square("matrix_power", &x.array)?;
    // Binary powers: as many products as `n` has digits, and one for each that is one.
    let n = n
        .call_method0("__index__")
        .map_err(|_| PyTypeError::new_err(format!("matrix_power: n is a whole number, not {n}")))?;
    let digits: String = n.call_method1("__format__", ("b",))?.extract()?;
    let (mut base, digits) = match digits.strip_prefix('-') {
        Some(digits) => (inverse(py, &call, &x.array)?.0, digits),
        None => (x.array, &digits[..]),
    };
    let mut power: Option<Array> = None;
    for (place, digit) in digits.bytes().rev().enumerate() {
        if place > 0 {
            base = product(py, &base, &base, context)?;
        }
        if digit == b'1' {
            power = Some(match power {
                None => base.clone(),
                Some(power) => product(py, &power, &base, context)?,
            });
        }
    }
    call.give(match power {
        Some(power) => power,
        None => identities(&base)?,
    })
}

/// The identity in the place of each matrix.
fn identities(a: &Array) -> PyResult<Array> {
    fn go<T: Element>(a: &Array) -> PyResult<Array> {
        let mut output = Output::<T>::new(a.shape())?;
        let n = a.shape()[a.rank() - 1].cast_unsigned();
        for items in output.items().chunks_exact_mut((n * n).max(1)) {
            items
                .iter_mut()
                .step_by(n + 1)
                .for_each(|item| *item = T::ONE);
        }
        output.into_array().of_type(a.dtype)
    }
    computing!(a.dtype, T => go::<T>(a))
}
