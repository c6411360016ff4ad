//! Functions of matrices: exponential, logarithm, root, polar and Schur forms, Sylvester's equation, and what
//! singular values tell.

use crate::call::{Call, Pieces, Plan, piece};
use crate::dtype::{Element, Item, computing};
use crate::elementwise::broadcast_shape;
use crate::input::Operand;
use crate::norms::matrix_order;
use crate::output::{POLAR, SCHUR};
use crate::raw::{Array, Dtype, LinAlgError, Output, Stack};
use crate::run::run;
use crate::stacks::Shape;
use crate::text::shape;
use nexus_linalg::functions::{self, RealOrComplex, Side};
use nexus_linalg::norm::MatrixNorm;
use nexus_linalg::stack::{self, Failures, Stack as _};
use nexus_linalg::{Context, Error, Field, MatMut, MatRef, decompose, tensor};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Computed = (Array, Option<Array>);

/// Multiplications for each matrix, about.
fn cost(sizes: &Shape) -> f64 {
    10.0 * sizes.cube()
}

/// The exponential of each square matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn expm(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "expm", (errors, threads), (like, out))?;
    let sizes = Shape::square("expm", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let result = run(
        py,
        sizes.count() as f64 * cost(&sizes),
        move || computing!(a.dtype, T => exponentials::<T>(&plan, &a, &sizes)),
    )?;
    call.give_with(result)
}

fn exponentials<T: Element>(plan: &Plan, a: &Array, sizes: &Shape) -> PyResult<Computed> {
    let n = sizes.n;
    let mut results = Output::<T>::new(a.shape())?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let places = Pieces::new(results.items(), n * n, sizes.count());
    let failures = stack::map(
        plan.context,
        cost(sizes),
        places,
        |context, index, items| {
            functions::expm(context, matrices.get(index), MatMut::new(items, n, n)?)
        },
    );
    let info = plan.settle(a, failures, |index| {
        piece(results.items(), n * n, index).fill(T::NAN);
    })?;
    Ok((results.into_array(), info))
}

/// The principal logarithm of each square matrix; complex where a matrix of the stack is, or has a negative
/// eigenvalue.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn logm(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "logm", (errors, threads), (like, out))?;
    principal(py, &call, x.array, Principal::Logarithm)
}

/// The principal square root of each square matrix; complex where a matrix of the stack is, or has a negative
/// eigenvalue.
#[pyfunction]
#[pyo3(signature = (x, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn sqrtm(
    py: Python<'_>,
    x: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "sqrtm", (errors, threads), (like, out))?;
    principal(py, &call, x.array, Principal::Root)
}

/// A function with a cut along the negative axis.
#[derive(Clone, Copy)]
enum Principal {
    Logarithm,
    Root,
}

impl Principal {
    fn of<T: Field>(
        self,
        context: Context,
        a: MatRef<'_, T>,
    ) -> Result<RealOrComplex<T::Real>, Error> {
        match self {
            Self::Logarithm => functions::logm(context, a),
            Self::Root => functions::sqrtm(context, a),
        }
    }
}

fn principal(
    py: Python<'_>,
    call: &Call<'_, '_>,
    a: Array,
    function: Principal,
) -> PyResult<Py<PyAny>> {
    let plan = call.plan;
    let sizes = Shape::square(plan.name, &a)?;
    let result = run(
        py,
        4.0 * sizes.count() as f64 * cost(&sizes),
        move || computing!(a.dtype, T => principals::<T>(&plan, &a, &sizes, function)),
    )?;
    call.give_with(result)
}

fn principals<T: Element>(
    plan: &Plan,
    a: &Array,
    sizes: &Shape,
    function: Principal,
) -> PyResult<Computed> {
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let mut found: Vec<Option<RealOrComplex<T::Real>>> = vec![None; sizes.count()];
    let places = found.iter_mut();
    let failures = stack::map(
        plan.context,
        4.0 * cost(sizes),
        places,
        |context, index, place| {
            *place = Some(function.of(context, matrices.get(index))?);
            Ok(())
        },
    );
    let is_complex = |found: &Option<_>| matches!(found, Some(RealOrComplex::Complex(_)));
    if found.iter().any(is_complex) || T::IS_COMPLEX {
        let part = |found: &RealOrComplex<T::Real>, place: &mut [T::Complex]| match found {
            RealOrComplex::Complex(array) => assign(place, array, Into::into),
            RealOrComplex::Real(array) => assign(place, array, T::Complex::from_real),
        };
        gathered(plan, (a, sizes), failures, &found, part)
    } else {
        let part = |found: &RealOrComplex<T::Real>, place: &mut [T::Real]| {
            if let RealOrComplex::Real(array) = found {
                assign(place, array, |item| item);
            }
        };
        gathered(plan, (a, sizes), failures, &found, part)
    }
}

fn assign<S: Copy, U>(place: &mut [U], array: &tensor::Array<S>, convert: impl Fn(S) -> U) {
    for (place, &item) in place.iter_mut().zip(array.items()) {
        *place = convert(item);
    }
}

/// Results as one array, each written by `part`; NaN where there is none.
fn gathered<V, U: Item + Field>(
    plan: &Plan,
    (a, sizes): (&Array, &Shape),
    failures: Failures,
    found: &[Option<V>],
    part: impl Fn(&V, &mut [U]),
) -> PyResult<Computed> {
    let size = sizes.n * sizes.n;
    let mut results = Output::<U>::new(a.shape())?;
    for (index, found) in found.iter().enumerate() {
        if let Some(found) = found {
            part(found, piece(results.items(), size, index));
        }
    }
    let info = plan.settle(a, failures, |index| {
        piece(results.items(), size, index).fill(U::NAN);
    })?;
    Ok((results.into_array(), info))
}

/// `x = U P`, or with `side="left"` `x = P U`: orthonormal columns or rows, and a positive semidefinite matrix.
#[pyfunction]
#[pyo3(signature = (x, /, *, side = "right", errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn polar(
    py: Python<'_>,
    x: Operand,
    side: &str,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "polar", (errors, threads), (like, out))?;
    let sizes = Shape::of("polar", &x.array)?;
    let side = match side {
        "left" => Side::Left,
        "right" => Side::Right,
        other => {
            let message = format!("polar: side is \"left\" or \"right\", not \"{other}\"");
            return Err(PyValueError::new_err(message));
        }
    };
    let (a, plan) = (x.array, call.plan);
    let parts = run(
        py,
        sizes.count() as f64 * cost(&sizes),
        move || computing!(a.dtype, T => polar_factors::<T>(&plan, &a, &sizes, side)),
    )?;
    call.give_named(&POLAR, parts)
}

fn polar_factors<T: Element>(
    plan: &Plan,
    a: &Array,
    sizes: &Shape,
    side: Side,
) -> PyResult<([Array; 2], Option<Array>)> {
    let (m, n, count) = (sizes.m, sizes.n, sizes.count());
    let order = if side == Side::Left { m } else { n };
    let mut unitary = Output::<T>::new(a.shape())?;
    let mut positive = Output::<T>::new(sizes.with(&[order, order])?)?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let places = Pieces::new(unitary.items(), m * n, count);
    let places = places.zip(Pieces::new(positive.items(), order * order, count));
    let failures = stack::map(
        plan.context,
        cost(sizes),
        places,
        |context, index, (u, p)| {
            let (u, p) = (MatMut::new(u, m, n)?, MatMut::new(p, order, order)?);
            functions::polar(&T::engine(), context, matrices.get(index), side, u, p)
        },
    );
    let info = plan.settle(a, failures, |index| {
        piece(unitary.items(), m * n, index).fill(T::NAN);
        piece(positive.items(), order * order, index).fill(T::NAN);
    })?;
    Ok(([unitary.into_array(), positive.into_array()], info))
}

/// `x = Z T Z^H` with unitary `Z`: `T` is an upper triangle, of real matrices with blocks of two rows on its diagonal
/// for pairs of complex eigenvalues, unless `output="complex"`.
#[pyfunction]
#[pyo3(signature = (x, /, *, output = "real", errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn schur(
    py: Python<'_>,
    x: Operand,
    output: &str,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "schur", (errors, threads), (like, out))?;
    let sizes = Shape::square("schur", &x.array)?;
    let real = match output {
        "real" => true,
        "complex" => false,
        other => {
            let message = format!("schur: output is \"real\" or \"complex\", not \"{other}\"");
            return Err(PyValueError::new_err(message));
        }
    };
    let (a, plan) = (x.array, call.plan);
    let parts = run(py, 4.0 * sizes.count() as f64 * cost(&sizes), move || {
        let whole = (&a, &sizes);
        match a.dtype.computed() {
            Dtype::F32 if real => schur_forms::<f32, f32>(&plan, whole, functions::real_schur),
            Dtype::F64 if real => schur_forms::<f64, f64>(&plan, whole, functions::real_schur),
            dtype => computing!(dtype, T => {
                schur_forms::<T, <T as Field>::Complex>(&plan, whole, decompose::schur)
            }),
        }
    })?;
    call.give_named(&SCHUR, parts)
}

fn schur_forms<T: Element, U: Item + Field>(
    plan: &Plan,
    (a, sizes): (&Array, &Shape),
    form: impl Fn(MatRef<'_, T>, MatMut<'_, U>, MatMut<'_, U>) -> Result<(), Error> + Sync,
) -> PyResult<([Array; 2], Option<Array>)> {
    let (n, count) = (sizes.n, sizes.count());
    let mut triangles = Output::<U>::new(a.shape())?;
    let mut bases = Output::<U>::new(a.shape())?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let places = Pieces::new(triangles.items(), n * n, count);
    let places = places.zip(Pieces::new(bases.items(), n * n, count));
    let failures = stack::map(
        plan.context,
        4.0 * cost(sizes),
        places,
        |_, index, (t, z)| {
            let (t, z) = (MatMut::new(t, n, n)?, MatMut::new(z, n, n)?);
            form(matrices.get(index), t, z)
        },
    );
    let info = plan.settle(a, failures, |index| {
        piece(triangles.items(), n * n, index).fill(U::NAN);
        piece(bases.items(), n * n, index).fill(U::NAN);
    })?;
    Ok(([triangles.into_array(), bases.into_array()], info))
}

/// Solves Sylvester's equation `a x + x b = q` for each matrix of the stacks.
#[pyfunction]
#[pyo3(signature = (a, b, q, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn solve_sylvester(
    py: Python<'_>,
    a: Operand,
    b: Operand,
    q: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "solve_sylvester", (errors, threads), (like, out))?;
    let (a, b, q) = (a.array, b.array, q.array);
    let (left, right) = (
        Shape::square("solve_sylvester", &a)?,
        Shape::square("solve_sylvester", &b)?,
    );
    let sides = Shape::of("solve_sylvester", &q)?;
    let (m, n) = (left.n, right.n);
    let misfit = || {
        let (a, b, q) = (shape(&a.shape()), shape(&b.shape()), shape(&q.shape()));
        LinAlgError::new_err(format!("solve_sylvester: {a} and {b} do not fit {q}"))
    };
    let batch = broadcast_shape(&left.batch, &right.batch)
        .and_then(|batch| broadcast_shape(&batch, &sides.batch))
        .filter(|_| (sides.m, sides.n) == (m, n))
        .ok_or_else(misfit)?;
    let whole = Shape { batch, m, n };
    let under = |array: &Array, m, n| {
        let dims = whole.with(&[m, n])?;
        array.broadcast(&dims).ok_or_else(misfit)
    };
    let operands = [under(&a, m, m)?, under(&b, n, n)?, under(&q, m, n)?];
    let plan = call.plan;
    let cost = 40.0 * whole.count() as f64 * ((m * m * m) as f64 + (n * n * n) as f64);
    let result = run(py, cost, move || {
        let dtype = operands[0].dtype.computed();
        let dtype = dtype.promote(operands[1].dtype.computed());
        let dtype = dtype.promote(operands[2].dtype.computed());
        computing!(dtype, T => sylvester::<T>(&plan, &operands, &whole, cost))
    })?;
    call.give_with(result)
}

fn sylvester<T: Element>(
    plan: &Plan,
    operands: &[Array; 3],
    whole: &Shape,
    cost: f64,
) -> PyResult<Computed> {
    let (m, n, count) = (whole.m, whole.n, whole.count());
    let [a, b, q] = operands;
    let prepared = [a.prepared::<T>()?, b.prepared::<T>()?, q.prepared::<T>()?];
    let [lefts, rights, sides] = prepared.each_ref().map(Stack::<T>::new);
    let mut x = Output::<T>::new(whole.with(&[m, n])?)?;
    let places = Pieces::new(x.items(), m * n, count);
    let each = cost / count.max(1) as f64;
    let failures = stack::map(plan.context, each, places, |context, index, items| {
        let (left, right) = (lefts.get(index), rights.get(index));
        functions::sylvester(
            context,
            (left, right),
            sides.get(index),
            MatMut::new(items, m, n)?,
        )
    });
    let info = plan.settle(q, failures, |index| {
        piece(x.items(), m * n, index).fill(T::NAN);
    })?;
    Ok((x.into_array(), info))
}

/// The condition number of each matrix in the norm `p`: the 2-norm where none is named. Infinite for a singular one.
#[pyfunction]
#[pyo3(signature = (x, /, p = None, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn cond(
    py: Python<'_>,
    x: Operand,
    p: Option<&Bound<'_, PyAny>>,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "cond", (errors, threads), (like, out))?;
    let norm = p.map_or(Ok(MatrixNorm::Two), |p| matrix_order("cond", p))?;
    let sizes = match norm {
        MatrixNorm::Two | MatrixNorm::MinusTwo => Shape::of("cond", &x.array)?,
        _ => Shape::square("cond", &x.array)?,
    };
    if sizes.least() == 0 {
        let found = shape(&x.array.shape());
        let message =
            format!("cond: matrices without items have no condition number, found shape {found}");
        return Err(LinAlgError::new_err(message));
    }
    let (a, plan) = (x.array, call.plan);
    let values = run(py, sizes.count() as f64 * cost(&sizes), move || {
        computing!(a.dtype, T => {
            let mut values = Output::<<T as Field>::Real>::new(sizes.batch)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let places = Pieces::new(values.items(), 1, sizes.count());
            let failures = stack::map(plan.context, cost(&sizes), places, |context, index, place| {
                place[0] = functions::cond(&T::engine(), context, matrices.get(index), norm)?;
                Ok(())
            });
            let info = plan.settle(&a, failures, |index| {
                piece(values.items(), 1, index).fill(Field::NAN);
            })?;
            Ok((values.into_array(), info))
        })
    })?;
    call.give_with(values)
}

/// An orthonormal basis of what each matrix reaches, as columns; the matrices of a stack must have one rank. Singular
/// values greater than `rtol` times the largest one count.
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol = None, threads = 1, like = None, out = None))]
pub(crate) fn orth(
    py: Python<'_>,
    x: Operand,
    rtol: Option<f64>,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "orth", ("raise", threads), (like, out))?;
    basis(py, &call, x.array, rtol, Space::Range)
}

/// An orthonormal basis of what each matrix takes to zero, as columns; the matrices of a stack must have one rank.
/// Singular values greater than `rtol` times the largest one count.
#[pyfunction]
#[pyo3(signature = (x, /, *, rtol = None, threads = 1, like = None, out = None))]
pub(crate) fn null_space(
    py: Python<'_>,
    x: Operand,
    rtol: Option<f64>,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "null_space", ("raise", threads), (like, out))?;
    basis(py, &call, x.array, rtol, Space::Null)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Range,
    Null,
}

fn basis(
    py: Python<'_>,
    call: &Call<'_, '_>,
    a: Array,
    rtol: Option<f64>,
    space: Space,
) -> PyResult<Py<PyAny>> {
    let plan = call.plan;
    let sizes = Shape::of(plan.name, &a)?;
    let result = run(
        py,
        sizes.count() as f64 * cost(&sizes),
        move || computing!(a.dtype, T => bases::<T>(&plan, (&a, &sizes), rtol, space)),
    )?;
    call.give(result)
}

fn bases<T: Element>(
    plan: &Plan,
    (a, sizes): (&Array, &Shape),
    rtol: Option<f64>,
    space: Space,
) -> PyResult<Array> {
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let tolerance = rtol.map(<T as Field>::Real::of_real);
    let mut found: Vec<Option<tensor::Array<T>>> = vec![None; sizes.count()];
    let failures = stack::map(
        plan.context,
        cost(sizes),
        found.iter_mut(),
        |_, index, place| {
            let (engine, a) = (T::engine(), matrices.get(index));
            *place = Some(match space {
                Space::Range => functions::orth(&engine, a, tolerance)?,
                Space::Null => functions::null_space(&engine, a, tolerance)?,
            });
            Ok(())
        },
    );
    plan.settle(a, failures, |_| ())?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let widths: Vec<usize> = found.iter().map(|basis| basis.shape()[1]).collect();
    let width = widths.first().copied().unwrap_or(0);
    if let Some(other) = widths.iter().position(|&own| own != width) {
        let rank = |width| match space {
            Space::Range => width,
            Space::Null => sizes.n - width,
        };
        let message = format!(
            "{}: the matrices of the stack {} have different ranks: {} at 0, {} at {other}",
            plan.name,
            shape(&a.shape()),
            rank(width),
            rank(widths[other])
        );
        return Err(LinAlgError::new_err(message));
    }
    let rows = if space == Space::Range {
        sizes.m
    } else {
        sizes.n
    };
    let items: Vec<T> = found
        .into_iter()
        .flat_map(tensor::Array::into_items)
        .collect();
    Array::of(&items, sizes.with(&[rows, width])?)
}
