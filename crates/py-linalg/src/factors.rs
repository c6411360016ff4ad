//! Factors of matrices that are kept, and systems solved with them.

use crate::call::{Call, Pieces, Plan, piece};
use crate::dtype::{Element, Kind, computing};
use crate::elementwise::conjugated;
use crate::input::{Operand, truth};
use crate::output::{LDL, LU, LU_FACTOR};
use crate::raw::{Array, LinAlgError, Output, Stack};
use crate::run::run;
use crate::stacks::{Shape, System};
use crate::text::shape;
use nexus_linalg::dense::{self, Diagonal, Ldl, Lu, LuRef, Orientation, Symmetry, Triangle};
use nexus_linalg::stack::{self, Stack as _};
use nexus_linalg::{Field, MatMut};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

type Given<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

fn triangle(lower: bool) -> Triangle {
    if lower {
        Triangle::Lower
    } else {
        Triangle::Upper
    }
}

/// `x = P L U`: a permutation, a triangle with ones on its diagonal and items up to one, and an upper triangle.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = 1, like = None, out = None))]
pub(crate) fn lu(
    py: Python<'_>,
    x: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "lu", ("raise", threads), (like, out))?;
    let sizes = Shape::of("lu", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let parts = run(
        py,
        sizes.count() as f64 * sizes.cube(),
        move || computing!(a.dtype, T => unpacked::<T>(&plan, &a, &sizes)),
    )?;
    call.give_named(&LU, (parts, None))
}

fn unpacked<T: Element>(plan: &Plan, a: &Array, sizes: &Shape) -> PyResult<[Array; 3]> {
    let (m, n, k, count) = (sizes.m, sizes.n, sizes.least(), sizes.count());
    let mut permutations = Output::<T>::new(sizes.with(&[m, m])?)?;
    let mut lower = Output::<T>::new(sizes.with(&[m, k])?)?;
    let mut upper = Output::<T>::new(sizes.with(&[k, n])?)?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let factors =
        Pieces::new(lower.items(), m * k, count).zip(Pieces::new(upper.items(), k * n, count));
    let places = Pieces::new(permutations.items(), m * m, count).zip(factors);
    let failures = stack::map(
        plan.context,
        sizes.cube(),
        places,
        |context, index, (p, (l, u))| {
            let lu = Lu::factor(context, matrices.get(index));
            for (to, &from) in lu.permutation().iter().enumerate() {
                p[from * m + to] = T::ONE;
            }
            lu.unpack(MatMut::new(l, m, k)?, MatMut::new(u, k, n)?)
        },
    );
    plan.settle(a, failures, |_| ())?;
    Ok([
        permutations.into_array(),
        lower.into_array(),
        upper.into_array(),
    ])
}

/// Both triangles of `lu` in one matrix, and the row that each row was exchanged with, in turn: what `lu_solve`
/// takes.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = 1, like = None, out = None))]
pub(crate) fn lu_factor(
    py: Python<'_>,
    x: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "lu_factor", ("raise", threads), (like, out))?;
    let sizes = Shape::of("lu_factor", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let parts = run(
        py,
        sizes.count() as f64 * sizes.cube(),
        move || computing!(a.dtype, T => packed::<T>(&plan, &a, &sizes)),
    )?;
    call.give_named(&LU_FACTOR, (parts, None))
}

fn packed<T: Element>(plan: &Plan, a: &Array, sizes: &Shape) -> PyResult<[Array; 2]> {
    let (m, n, k, count) = (sizes.m, sizes.n, sizes.least(), sizes.count());
    let mut factors = Output::<T>::new(a.shape())?;
    let mut pivots = Output::<i64>::new(sizes.with(&[k])?)?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let places =
        Pieces::new(factors.items(), m * n, count).zip(Pieces::new(pivots.items(), k, count));
    let failures = stack::map(
        plan.context,
        sizes.cube(),
        places,
        |context, index, (items, pivots)| {
            let mut rows = vec![0; k];
            Lu::factor_into(context, matrices.get(index), items, &mut rows)?;
            for (pivot, row) in pivots.iter_mut().zip(rows) {
                *pivot = row as i64;
            }
            Ok(())
        },
    );
    plan.settle(a, failures, |_| ())?;
    Ok([factors.into_array(), pivots.into_array()])
}

/// An estimate of the reciprocal condition number of each square matrix in the 1-norm, by elimination.
#[pyfunction]
#[pyo3(signature = (x, /, *, threads = 1, like = None, out = None))]
pub(crate) fn rcond(
    py: Python<'_>,
    x: Operand,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "rcond", ("raise", threads), (like, out))?;
    let sizes = Shape::square("rcond", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let values = run(py, sizes.count() as f64 * sizes.cube(), move || {
        computing!(a.dtype, T => {
            let mut values = Output::<<T as Field>::Real>::new(sizes.batch)?;
            let prepared = a.prepared::<T>()?;
            let matrices = Stack::<T>::new(&prepared);
            let places = Pieces::new(values.items(), 1, sizes.count());
            let failures = stack::map(plan.context, sizes.cube(), places, |context, index, place| {
                place[0] = Lu::factor(context, matrices.get(index)).rcond(context)?;
                Ok(())
            });
            plan.settle(&a, failures, |_| ())?;
            Ok(values.into_array())
        })
    })?;
    call.give(values)
}

/// `x = L D L^H` for Hermitian matrices, of which one triangle is read: `D` has blocks of one or two rows, and
/// `L[perm]` is triangular with ones on its diagonal. With `hermitian=False`, complex matrices are symmetric:
/// `x = L D L^T`.
#[pyfunction]
#[pyo3(signature = (x, /, *, lower = true, hermitian = true, threads = 1, like = None, out = None))]
pub(crate) fn ldl(
    py: Python<'_>,
    x: Operand,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] hermitian: bool,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "ldl", ("raise", threads), (like, out))?;
    let sizes = Shape::square("ldl", &x.array)?;
    let (a, plan) = (x.array, call.plan);
    let symmetry = if hermitian {
        Symmetry::Hermitian
    } else {
        Symmetry::Symmetric
    };
    let cost = sizes.count() as f64 * sizes.cube() / 3.0;
    let parts = run(
        py,
        cost,
        move || computing!(a.dtype, T => symmetric_factors::<T>(&plan, &a, &sizes, (triangle(lower), symmetry))),
    )?;
    call.give_named(&LDL, (parts, None))
}

fn symmetric_factors<T: Element>(
    plan: &Plan,
    a: &Array,
    sizes: &Shape,
    (triangle, symmetry): (Triangle, Symmetry),
) -> PyResult<[Array; 3]> {
    let (n, count) = (sizes.n, sizes.count());
    let mut factors = Output::<T>::new(a.shape())?;
    let mut blocks = Output::<T>::new(a.shape())?;
    let mut permutations = Output::<i64>::new(sizes.with(&[n])?)?;
    let prepared = a.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let both =
        Pieces::new(factors.items(), n * n, count).zip(Pieces::new(blocks.items(), n * n, count));
    let places = Pieces::new(permutations.items(), n, count).zip(both);
    let failures = stack::map(
        plan.context,
        sizes.cube() / 3.0,
        places,
        |_, index, (perm, (l, d))| {
            let ldl = Ldl::factor(matrices.get(index), triangle, symmetry)?;
            let mut triangular = vec![T::default(); n * n];
            ldl.unpack(MatMut::new(&mut triangular, n, n)?, MatMut::new(d, n, n)?)?;
            // Row `i` of the triangle is row `perm[i]` of the factor.
            let rows = triangular.chunks_exact(n.max(1)).zip(ldl.permutation());
            for (to, (row, from)) in rows.enumerate() {
                l[from * n..(from + 1) * n].copy_from_slice(row);
                perm[to] = from as i64;
            }
            Ok(())
        },
    );
    plan.settle(a, failures, |_| ())?;
    Ok([
        factors.into_array(),
        blocks.into_array(),
        permutations.into_array(),
    ])
}

/// Cholesky's factor of each Hermitian positive definite matrix, and whether it is the lower one: what `cho_solve`
/// takes. Only that triangle is read.
#[pyfunction]
#[pyo3(signature = (x, /, *, lower = false, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn cho_factor(
    py: Python<'_>,
    x: Operand,
    #[pyo3(from_py_with = truth)] lower: bool,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "cho_factor", (errors, threads), (like, out))?;
    let (factor, info) = crate::solving::positive_factors(py, &call, x.array, triangle(lower))?;
    let pair = (call.give(factor)?, lower).into_pyobject(py)?;
    call.with_info(pair.into_any().unbind(), info)
}

/// Factors that systems are solved with.
enum Factors {
    /// Of elimination: pivots for each matrix.
    Lu(Vec<usize>, Orientation),
    Cholesky(Triangle),
    Triangle(Triangle, Diagonal),
}

/// The orientation that `SciPy` gives this number.
fn orientation(name: &str, trans: i64) -> PyResult<Orientation> {
    match trans {
        0 => Ok(Orientation::AsIs),
        1 => Ok(Orientation::Transposed),
        2 => Ok(Orientation::Adjoint),
        _ => {
            let message = format!("{name}: trans is 0, 1 or 2, not {trans}");
            Err(PyValueError::new_err(message))
        }
    }
}

/// Solves `A x = b` by the factors of `lu_factor(A)`; with `trans=1` `A^T x = b`, with `trans=2` `A^H x = b`.
#[pyfunction]
#[pyo3(signature = (lu_and_piv, b, /, *, trans = 0, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn lu_solve(
    py: Python<'_>,
    lu_and_piv: (Operand, Operand),
    b: Operand,
    trans: i64,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "lu_solve", (errors, threads), (like, out))?;
    let (lu, piv) = (lu_and_piv.0.array, lu_and_piv.1.array);
    let system = System::of("lu_solve", &lu, &b.array)?;
    let orientation = orientation("lu_solve", trans)?;
    let pivots = pivots(&system, &lu, &piv)?;
    solved(py, &call, system, Factors::Lu(pivots, orientation))
}

/// The pivots of each matrix, broadcast to the system's stack.
fn pivots(system: &System, lu: &Array, piv: &Array) -> PyResult<Vec<usize>> {
    let n = system.whole.m;
    let own = Shape::of("lu_solve", lu)?.with(&[])?;
    let dims = piv.shape();
    let fit = piv.rank() == own.len() + 1
        && dims[..own.len()] == *own
        && dims[own.len()] == n.cast_signed();
    let misfit = || {
        let (piv, lu) = (shape(&dims), shape(&lu.shape()));
        LinAlgError::new_err(format!(
            "lu_solve: piv of shape {piv} does not fit lu of shape {lu}"
        ))
    };
    let whole = system.whole.with(&[n])?;
    let under = piv.broadcast(&whole).filter(|_| fit).ok_or_else(misfit)?;
    if piv.dtype.kind() != Kind::Whole {
        let message = format!("lu_solve: piv has whole numbers, not {}", piv.dtype.name());
        return Err(PyTypeError::new_err(message));
    }
    let values = under.values::<i64>();
    let place = |(at, &row): (usize, &i64)| {
        let first = at % n;
        let row = usize::try_from(row)
            .ok()
            .filter(|row| (first..n).contains(row));
        row.ok_or_else(|| {
            let row = values[at];
            let message =
                format!("lu_solve: piv[{first}] is {row}, not a row from {first} up to {n}");
            PyValueError::new_err(message)
        })
    };
    values.iter().enumerate().map(place).collect()
}

/// Solves `A x = b` by the pair of `cho_factor(A)`.
#[pyfunction]
#[pyo3(signature = (c_and_lower, b, /, *, errors = "raise", threads = 1, like = None, out = None))]
pub(crate) fn cho_solve(
    py: Python<'_>,
    c_and_lower: (Operand, bool),
    b: Operand,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "cho_solve", (errors, threads), (like, out))?;
    let (factor, lower) = c_and_lower;
    let system = System::of("cho_solve", &factor.array, &b.array)?;
    solved(py, &call, system, Factors::Cholesky(triangle(lower)))
}

/// Solves `a x = b` for triangular matrices, of which one triangle is read; with `trans=1` `a^T x = b`, with
/// `trans=2` `a^H x = b`. With `unit_diagonal`, the diagonal counts as ones.
#[pyfunction]
#[pyo3(signature = (
    a, b, /, *, lower = false, unit_diagonal = false, trans = 0, errors = "raise", threads = 1, like = None, out = None
))]
pub(crate) fn solve_triangular(
    py: Python<'_>,
    a: Operand,
    b: Operand,
    #[pyo3(from_py_with = truth)] lower: bool,
    #[pyo3(from_py_with = truth)] unit_diagonal: bool,
    trans: i64,
    errors: &str,
    threads: isize,
    like: Given<'_, '_>,
    out: Given<'_, '_>,
) -> PyResult<Py<PyAny>> {
    let call = Call::new(py, "solve_triangular", (errors, threads), (like, out))?;
    Shape::square("solve_triangular", &a.array)?;
    let (matrices, lower) = match orientation("solve_triangular", trans)? {
        Orientation::AsIs => (a.array, lower),
        Orientation::Transposed => (a.array.transposed(), !lower),
        Orientation::Adjoint => (conjugated(&a.array)?.transposed(), !lower),
    };
    let diagonal = if unit_diagonal {
        Diagonal::Ones
    } else {
        Diagonal::Stored
    };
    let system = System::of("solve_triangular", &matrices, &b.array)?;
    solved(
        py,
        &call,
        system,
        Factors::Triangle(triangle(lower), diagonal),
    )
}

/// The solutions of a system whose matrices are factors.
fn solved(
    py: Python<'_>,
    call: &Call<'_, '_>,
    system: System,
    factors: Factors,
) -> PyResult<Py<PyAny>> {
    let (plan, shaped) = (call.plan, system.shaper());
    let cost = system.whole.count() as f64
        * system.whole.m as f64
        * (system.whole.m * system.whole.n) as f64;
    let (x, info) = run(
        py,
        cost,
        move || computing!(system.dtype(), T => substituted::<T>(&plan, &system, &factors)),
    )?;
    call.give_with((shaped(x), info))
}

fn substituted<T: Element>(
    plan: &Plan,
    system: &System,
    factors: &Factors,
) -> PyResult<(Array, Option<Array>)> {
    let (n, width) = (system.whole.m, system.whole.n);
    let prepared = system.matrices.prepared::<T>()?;
    let matrices = Stack::<T>::new(&prepared);
    let mut x = Output::<T>::new(system.sides.shape())?;
    x.items().copy_from_slice(&system.sides.values::<T>());
    let places = Pieces::new(x.items(), n * width, system.whole.count());
    let cost = (n * n * width) as f64;
    let failures = stack::map(plan.context, cost, places, |context, index, items| {
        let (a, b) = (matrices.get(index), MatMut::new(items, n, width)?);
        match factors {
            Factors::Lu(pivots, orientation) => {
                LuRef::new(a, &pivots[index * n..(index + 1) * n])?.solve(context, *orientation, b)
            }
            Factors::Cholesky(triangle) => dense::cholesky_solve(context, (a, *triangle), b),
            Factors::Triangle(triangle, diagonal) => {
                dense::solve_triangular(context, a, (*triangle, *diagonal), b)
            }
        }
    });
    let info = plan.settle(&system.matrices, failures, |index| {
        piece(x.items(), n * width, index).fill(T::NAN);
    })?;
    Ok((x.into_array(), info))
}
