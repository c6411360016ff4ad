//! Decompositions by an engine, and the rules that hold for every engine.
//!
//! An engine does [`Decompose`] for finite matrices of ordinary size. The functions here bring it there: they
//! look for NaN and infinities, scale what would overflow, put values in order, and choose signs.
//!
//! - NaN in the part of a matrix that is read makes every number of the result NaN; [`rank`] has no such
//!   number and fails.
//! - An infinity is an error that names its place.
//! - The diagonal of `r` is real and not negative. In each eigenvector and in each left singular vector, the
//!   first of the items with the largest absolute value is real and positive.
//! - Of a Hermitian matrix the lower triangle is read, and of its diagonal the real parts, as LAPACK does.
//!
//! `x^H` is the conjugate transpose of `x`, for real items the transpose.

mod contents;
mod least_squares;
mod residual;
mod schur;
mod vectors;

pub(crate) use contents::Contents;
pub(crate) use least_squares::count_above;
pub use least_squares::{lstsq, pinv, rank};
pub use schur::schur;

use crate::dense::tiny::Tiny;
use crate::dense::{Triangle, copy_into};
use crate::workspace::Room;
use crate::{Context, Error, ErrorKind, Field, MatMut, MatRef};
use contents::Scale;
use residual::belong;
use vectors::{exchange, fill, identity, sort, turning, unit_columns};

pub(crate) use vectors::{multiply_columns, turn_columns};

/// An iteration did not end within its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoConvergence;

/// Decompositions, on the calling thread where they have no context; their bits do not depend on the threads of one. Shapes fit; operands have items, which are finite and far from overflow.
pub trait Decompose<T: Field> {
    /// `a = q r`: `q` is `m x k` with orthonormal columns, `r` is `k x n` with zeros below the diagonal; `k` is
    /// `m` or the lesser of `m` and `n`.
    fn qr(&self, context: Context, a: MatRef<'_, T>, q: MatMut<'_, T>, r: MatMut<'_, T>);

    /// `a = u diag(values) v^H`, values nearly descending; `u` and `v` are square, or as wide as there are values.
    ///
    /// # Errors
    /// When the iteration does not end.
    fn svd(
        &self,
        context: Context,
        a: MatRef<'_, T>,
        values: &mut [T::Real],
        vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
    ) -> Result<(), NoConvergence>;

    /// `a = v diag(values) v^H`, values nearly ascending; the lower triangle of `a` is read, and its diagonal is
    /// real. The bits do not depend on the threads of `context`.
    ///
    /// # Errors
    /// When the iteration does not end.
    fn eigh(
        &self,
        context: Context,
        a: MatRef<'_, T>,
        values: &mut [T::Real],
        vectors: Option<MatMut<'_, T>>,
    ) -> Result<(), NoConvergence>;

    /// `a v = v diag(values)`, vectors of any length. The values of a conjugate pair of a real matrix stand side
    /// by side, and their vectors are conjugate. The bits do not depend on the threads of `context`.
    ///
    /// # Errors
    /// When the iteration does not end.
    fn eig(
        &self,
        context: Context,
        a: MatRef<'_, T>,
        values: &mut [T::Complex],
        vectors: Option<MatMut<'_, T::Complex>>,
    ) -> Result<(), NoConvergence>;
}

/// What [`Decompose::qr`] says, for any matrix; the diagonal of `r` is real and not negative.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`.
pub fn qr<T: Field>(
    context: Context,
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    mut q: MatMut<'_, T>,
    mut r: MatMut<'_, T>,
) -> Result<(), Error> {
    let ((m, n), (_, k)) = (a.shape(), q.shape());
    if q.shape() != (m, k) || r.shape() != (k, n) || (k != m && k != m.min(n)) {
        return Err(Error::shapes("factor", (m, n), q.shape(), r.shape()));
    }
    if m == 0 || n == 0 {
        identity(&mut q);
        return Ok(());
    }
    let Contents::Finite(size) = Contents::of("factor", a, None)? else {
        fill(&mut q, T::NAN);
        fill(&mut r, T::NAN);
        return Ok(());
    };
    let scale = Scale::of(size);
    scale.apply(a, |a| {
        if !Tiny::qr(a, &mut q, &mut r) {
            engine.qr(context, a, q.reborrow(), r.reborrow());
        }
    });
    let mut signs = Room::filled(T::ONE, k.min(n));
    for (i, sign) in signs.iter_mut().enumerate() {
        let item = *r.item(i, i);
        let factor = turning(item);
        if factor != T::ONE {
            (i..n).for_each(|j| *r.item(i, j) = *r.item(i, j) * factor);
            *r.item(i, i) = T::from_real(item.abs());
            *sign = factor.conj();
        }
    }
    multiply_columns(&mut q, &signs);
    scale.undo_all(&mut r);
    Ok(())
}

/// What [`Decompose::svd`] says, for any matrix, with values that descend and are not negative, and signs that depend on the matrix alone.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn svd<T: Field>(
    context: Context,
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    values: &mut [T::Real],
    mut vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), Error> {
    let (m, n) = a.shape();
    let k = m.min(n);
    let fit = |width: usize, rows: usize| width == k || width == rows;
    let fits = vectors.as_ref().is_none_or(|(u, v)| {
        let ((u_rows, u_width), (v_rows, v_width)) = (u.shape(), v.shape());
        (u_rows, v_rows) == (m, n) && fit(u_width, m) && fit(v_width, n)
    });
    if values.len() != k || !fits {
        return Err(other_shapes((m, n)));
    }
    if k == 0 {
        if let Some((u, v)) = &mut vectors {
            identity(u);
            identity(v);
        }
        return Ok(());
    }
    let Contents::Finite(size) = Contents::of("decompose", a, None)? else {
        values.fill(T::Real::NAN);
        if let Some((u, v)) = &mut vectors {
            fill(u, T::NAN);
            fill(v, T::NAN);
        }
        return Ok(());
    };
    let scale = Scale::of(size);
    scale
        .apply(a, |a| {
            let both = vectors.as_mut().map(|(u, v)| (u.reborrow(), v.reborrow()));
            if Tiny::svd(a, values, both) {
                return Ok(());
            }
            let both = vectors.as_mut().map(|(u, v)| (u.reborrow(), v.reborrow()));
            engine.svd(context, a, values, both)
        })
        .map_err(|_| no_convergence("the singular values", (m, n)))?;
    order_singular(values, vectors);
    scale.undo(values);
    Ok(())
}

/// Makes values positive and descending, and gives vectors their signs.
pub(crate) fn order_singular<T: Field>(
    values: &mut [T::Real],
    mut vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) {
    let mut signs = Room::filled(T::ONE, values.len());
    for (value, sign) in values.iter_mut().zip(signs.iter_mut()) {
        if *value < T::Real::default() {
            (*value, *sign) = (-*value, -T::ONE);
        }
    }
    if let Some((_, v)) = &mut vectors
        && signs.iter().any(|&sign| sign != T::ONE)
    {
        multiply_columns(v, &signs);
    }
    sort(
        values,
        |a, b| a > b,
        |i, j| {
            if let Some((u, v)) = &mut vectors {
                exchange(u, i, j);
                exchange(v, i, j);
            }
        },
    );
    let Some((mut u, mut v)) = vectors else {
        return;
    };
    let factors = turn_columns(&mut u);
    multiply_columns(&mut v, &factors[..values.len()]);
}

/// What [`Decompose::eigh`] says, for any Hermitian matrix, with values that ascend and signs that depend on the matrix alone.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn eigh<T: Field>(
    context: Context,
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    values: &mut [T::Real],
    mut vectors: Option<MatMut<'_, T>>,
) -> Result<(), Error> {
    let n = check_eigen(a, values.len(), vectors.as_ref())?;
    if n == 0 {
        return Ok(());
    }
    let Contents::Finite(size) = Contents::of("decompose", a, Some(Triangle::Lower))? else {
        values.fill(T::Real::NAN);
        if let Some(v) = &mut vectors {
            fill(v, T::NAN);
        }
        return Ok(());
    };
    let scale = Scale::of(size);
    with_real_diagonal(a, |a| {
        scale.apply(a, |a| {
            if Tiny::eigh(a, values, vectors.as_mut()).is_some() {
                return Ok(());
            }
            engine.eigh(context, a, values, vectors.as_mut().map(MatMut::reborrow))
        })
    })
    .map_err(|_| no_convergence("the eigenvalues", (n, n)))?;
    arrange(values, vectors);
    scale.undo(values);
    Ok(())
}

/// Puts eigenvalues in order, and gives their vectors their signs.
pub(crate) fn arrange<T: Field>(values: &mut [T::Real], mut vectors: Option<MatMut<'_, T>>) {
    sort(
        values,
        |a, b| a < b,
        |i, j| {
            if let Some(v) = &mut vectors {
                exchange(v, i, j);
            }
        },
    );
    if let Some(v) = &mut vectors {
        turn_columns(v);
    }
}

/// What [`Decompose::eig`] says, for any square matrix, with vectors of length 1 and signs that depend on the
/// matrix alone.
///
/// Values have no order but that of the engine, save that of a conjugate pair of a real matrix the one with the
/// positive imaginary part stands first, and the other one next to it. Where the engine's values do not add up to
/// the trace, or its vectors do not belong to them, they come from the complex [`schur`] form, and pairs are
/// conjugate but for their last bits, in any order.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`.
pub fn eig<T: Field>(
    context: Context,
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    values: &mut [T::Complex],
    mut vectors: Option<MatMut<'_, T::Complex>>,
) -> Result<(), Error> {
    let n = check_eigen(a, values.len(), vectors.as_ref())?;
    if n == 0 {
        return Ok(());
    }
    let Contents::Finite(size) = Contents::of("decompose", a, None)? else {
        values.fill(T::Complex::NAN);
        if let Some(v) = &mut vectors {
            fill(v, T::Complex::NAN);
        }
        return Ok(());
    };
    let scale = Scale::of(size);
    scale
        .apply(a, |a| {
            values.fill(T::Complex::NAN);
            let own = vectors.as_mut().map(MatMut::reborrow);
            let done = engine.eig(context, a, values, own);
            if let Some(v) = &mut vectors {
                unit_columns(v);
            }
            // An engine may leave out values that are equal but for roundings, and vectors of a matrix that nearly
            // lacks some may overflow in it.
            let found = vectors.as_ref().map(MatMut::as_ref);
            if done.is_ok() && belong(context, a, values, found) {
                return Ok(());
            }
            schur::eig(a, values, vectors.as_mut().map(MatMut::reborrow))?;
            if let Some(v) = &mut vectors {
                unit_columns(v);
            }
            Ok(())
        })
        .map_err(|NoConvergence| no_convergence("the eigenvalues", (n, n)))?;
    if !T::IS_COMPLEX {
        order_pairs(values, vectors.as_mut());
    }
    scale.undo(values);
    Ok(())
}

/// Puts the value with the positive imaginary part before its conjugate.
fn order_pairs<C: Field>(values: &mut [C], mut vectors: Option<&mut MatMut<'_, C>>) {
    let zero = C::Real::default();
    let mut j = 0;
    while j + 1 < values.len() {
        if values[j].im() == zero {
            j += 1;
            continue;
        }
        if values[j + 1] != values[j].conj() {
            j += 1;
            continue;
        }
        if values[j].im() < zero {
            values.swap(j, j + 1);
            if let Some(v) = &mut vectors {
                exchange(v, j, j + 1);
            }
        }
        j += 2;
    }
}

/// Calls `work` with the matrix, or with a copy that has nothing but zeros for the imaginary parts of its
/// diagonal.
fn with_real_diagonal<T: Field, R>(a: MatRef<'_, T>, work: impl FnOnce(MatRef<'_, T>) -> R) -> R {
    let n = a.shape().0;
    if (0..n).all(|i| a.get(i, i).im() == T::Real::default()) {
        return work(a);
    }
    let mut copy = Room::filled(T::default(), n * n);
    let mut view = MatMut::new(&mut copy, n, n).expect("n times n items");
    copy_into(a, view.reborrow());
    for i in 0..n {
        let item = view.item(i, i);
        *item = T::from_real(item.re());
    }
    work(view.as_ref())
}

fn check_eigen<T: Field, V>(
    a: MatRef<'_, T>,
    values: usize,
    vectors: Option<&MatMut<'_, V>>,
) -> Result<usize, Error> {
    let (m, n) = a.shape();
    if m != n {
        let message = format!("cannot take the eigenvalues of a {m}x{n} matrix: it is not square");
        return Err(Error::invalid(message));
    }
    if values != n || vectors.is_some_and(|v| v.shape() != (n, n)) {
        return Err(other_shapes((n, n)));
    }
    Ok(n)
}

fn other_shapes((m, n): (usize, usize)) -> Error {
    Error::invalid(format!(
        "cannot decompose {m}x{n}: the results have other shapes"
    ))
}

fn no_convergence(what: &str, (m, n): (usize, usize)) -> Error {
    let message = format!("cannot find {what} of a {m}x{n} matrix: the iteration does not end");
    Error::new(ErrorKind::NoConvergence, message)
}
