//! What follows from singular values: ranks, pseudo-inverses, least squares.

use super::{Decompose, qr, svd};
use crate::dense::{Diagonal, Triangle, copy_into, inv, solve, solve_triangular};
use crate::{Conj, Context, Error, ErrorKind, Field, Float, MatMut, MatRef};

/// How many singular values are greater than `tolerance` times the largest one: the larger dimension times
/// epsilon where none is given.
///
/// # Errors
/// `Infinite`, `NotANumber`, `NoConvergence`.
pub fn rank<T: Field>(
    context: Context,
    engine: &impl Decompose<T>,
    a: MatRef<'_, T>,
    tolerance: Option<T::Real>,
) -> Result<usize, Error> {
    let (m, n) = a.shape();
    let mut values = vec![T::Real::default(); m.min(n)];
    svd(context, engine, a, &mut values, None)?;
    if values.first().is_some_and(|value| value.is_nan()) {
        let at = position(a, Field::is_nan).unwrap_or_default();
        let message = format!("cannot take the rank of a {m}x{n} matrix: NaN at {at:?}");
        return Err(Error::new(ErrorKind::NotANumber { at }, message));
    }
    Ok(count_above(&values, (m, n), tolerance))
}

/// The pseudo-inverse (E. H. Moore, R. Penrose) into `result`; singular values up to `tolerance` times the
/// largest one count as zero.
///
/// At full rank it costs the singular values and an inverse or a QR decomposition, else singular vectors too.
///
/// # Errors
/// `InvalidInput` when `result` is not `n x m`, `Infinite`, `NoConvergence`.
pub fn pinv<T: Field>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    tolerance: Option<T::Real>,
    mut result: MatMut<'_, T>,
) -> Result<(), Error> {
    let (m, n) = a.shape();
    if result.shape() != (n, m) {
        return Err(Error::shapes("invert", (m, n), (m, n), result.shape()));
    }
    let mut values = vec![T::Real::default(); m.min(n)];
    svd(context, engine, a, &mut values, None)?;
    if is_full(&values, (m, n), tolerance)
        && inverse_of_full_rank((context, engine), a, result.reborrow()).is_ok()
    {
        return Ok(());
    }
    let thin = Thin::of((context, engine), a, tolerance)?;
    let (u, v) = (thin.u(), thin.v_divided());
    let (v, u) = (MatRef::new(&v, n, thin.rank)?, u.transpose());
    T::gemm(
        context,
        T::ONE,
        (v, Conj::No),
        (u, Conj::Yes),
        T::default(),
        result,
    );
    Ok(())
}

/// The least-squares solution of `a x = b` with the least norm, into `x`, and the singular values of `a`,
/// descending, into `values`; returns the rank: how many values are greater than `tolerance` times the largest
/// one (the larger dimension times epsilon where none is given).
///
/// At full rank it costs the singular values and an elimination or a QR decomposition, else singular vectors
/// too. NaN in `a` makes all of `x` and `values` NaN.
///
/// # Errors
/// `InvalidInput` when the shapes are not `(m, n)`, `(m, columns)`, `(n, columns)` and the lesser of `m` and `n`,
/// `Infinite`, `NoConvergence`.
pub fn lstsq<T: Field>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    tolerance: Option<T::Real>,
    mut x: MatMut<'_, T>,
    values: &mut [T::Real],
) -> Result<usize, Error> {
    let ((m, n), (b_rows, columns)) = (a.shape(), b.shape());
    if b_rows != m || x.shape() != (n, columns) {
        return Err(Error::shapes("solve", (m, n), b.shape(), x.shape()));
    }
    // A column whose items lie apart is multiplied in another way, with other bits.
    let mut column = Vec::new();
    let b = if columns == 1 && b.strides().0 != 1 {
        column.extend((0..m).map(|i| b.get(i, 0)));
        MatRef::new(&column, m, 1)?
    } else {
        b
    };
    svd(context, engine, a, values, None)?;
    if is_full(values, (m, n), tolerance)
        && of_full_rank(engine, context, (a, b), x.reborrow()).is_ok()
    {
        return Ok(values.len());
    }
    let thin = Thin::of((context, engine), a, tolerance)?;
    let mut middle = vec![T::default(); thin.rank * columns];
    let mut projected = MatMut::new(&mut middle, thin.rank, columns)?;
    let u = (thin.u().transpose(), Conj::Yes);
    T::gemm(
        context,
        T::ONE,
        u,
        (b, Conj::No),
        T::default(),
        projected.reborrow(),
    );
    let v = thin.v_divided();
    let v = MatRef::new(&v, n, thin.rank)?;
    context.gemm(T::ONE, v, projected.as_ref(), T::default(), x);
    Ok(thin.rank)
}

/// The solution where all rows or all columns are independent.
fn of_full_rank<T: Field>(
    engine: &impl Decompose<T>,
    context: Context,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    mut x: MatMut<'_, T>,
) -> Result<(), Error> {
    let ((m, n), (_, columns)) = (a.shape(), b.shape());
    if m == n {
        copy_into(b, x.reborrow());
        return solve(context, a, x);
    }
    let (rows, k) = (m.max(n), m.min(n));
    let (q, r) = tall_factors((context, engine), a)?;
    let q = MatRef::with_strides(&q, (rows, k), (1, rows))?;
    let r = MatRef::new(&r, k, k)?;
    let (one, zero) = (T::ONE, T::default());
    if m > n {
        let q = (q.transpose(), Conj::Yes);
        T::gemm(context, one, q, (b, Conj::No), zero, x.reborrow());
        return solve_triangular(context, r, (Triangle::Upper, Diagonal::Stored), x);
    }
    let mut middle = vec![zero; k * columns];
    let mut known = MatMut::new(&mut middle, k, columns)?;
    copy_into(b, known.reborrow());
    let lower = (Triangle::Lower, Diagonal::Stored);
    solve_triangular(context, r.transpose(), lower, known.reborrow())?;
    let known = (known.as_ref(), Conj::No);
    T::gemm(context, one, (q, Conj::Yes), known, zero, x);
    Ok(())
}

/// The inverse, or the pseudo-inverse where all rows or all columns are independent: `r^-1 q^H` of the tall one of the
/// matrix and its transpose.
fn inverse_of_full_rank<T: Field>(
    (context, engine): (Context, &impl Decompose<T>),
    a: MatRef<'_, T>,
    result: MatMut<'_, T>,
) -> Result<(), Error> {
    let (m, n) = a.shape();
    if m == n {
        return inv(context, a, result);
    }
    let (rows, k) = (m.max(n), m.min(n));
    let (q, r) = tall_factors((context, engine), a)?;
    let q = MatRef::with_strides(&q, (rows, k), (1, rows))?;
    let r = MatRef::new(&r, k, k)?;
    let mut result = if m > n { result } else { result.transpose() };
    for i in 0..k {
        (0..rows).for_each(|j| *result.item(i, j) = q.get(j, i).conj());
    }
    solve_triangular(context, r, (Triangle::Upper, Diagonal::Stored), result)
}

/// The factors `q`, by columns, and `r` of a matrix, or of its transpose where it has more columns than rows.
fn tall_factors<T: Field>(
    (context, engine): (Context, &impl Decompose<T>),
    a: MatRef<'_, T>,
) -> Result<(Vec<T>, Vec<T>), Error> {
    let (m, n) = a.shape();
    let (rows, k) = (m.max(n), m.min(n));
    let tall = if m > n { a } else { a.transpose() };
    let (mut q, mut r) = (vec![T::default(); rows * k], vec![T::default(); k * k]);
    let factors = (
        MatMut::with_strides(&mut q, (rows, k), (1, rows))?,
        MatMut::new(&mut r, k, k)?,
    );
    qr(context, engine, tall, factors.0, factors.1)?;
    Ok((q, r))
}

/// A thin singular value decomposition, as far as the values count. NaN leaves one column of NaN.
struct Thin<T: Field> {
    shape: (usize, usize),
    values: Vec<T::Real>,
    /// By columns.
    u: Vec<T>,
    /// By columns.
    v: Vec<T>,
    rank: usize,
}

impl<T: Field> Thin<T> {
    fn of(
        (context, engine): (Context, &impl Decompose<T>),
        a: MatRef<'_, T>,
        tolerance: Option<T::Real>,
    ) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let k = m.min(n);
        let zeros = |len| vec![T::default(); len];
        let (mut u, mut v) = (zeros(m * k), zeros(n * k));
        let mut values = vec![T::Real::default(); k];
        let vectors = (
            MatMut::with_strides(&mut u, (m, k), (1, m))?,
            MatMut::with_strides(&mut v, (n, k), (1, n))?,
        );
        svd(context, engine, a, &mut values, Some(vectors))?;
        let nan = values.first().is_some_and(|value| value.is_nan());
        let rank = if nan {
            1
        } else {
            count_above(&values, (m, n), tolerance)
        };
        Ok(Self {
            shape: (m, n),
            values,
            u,
            v,
            rank,
        })
    }

    fn u(&self) -> MatRef<'_, T> {
        let m = self.shape.0;
        MatRef::with_strides(&self.u, (m, self.rank), (1, m)).expect("as many columns as values")
    }

    /// `v` with each column divided by its singular value, by rows.
    fn v_divided(&self) -> Vec<T> {
        let n = self.shape.1;
        (0..n)
            .flat_map(|i| (0..self.rank).map(move |j| self.v[j * n + i].shrink(self.values[j])))
            .collect()
    }
}

/// Whether all values count, and there are some.
fn is_full<T: Float>(values: &[T], shape: (usize, usize), tolerance: Option<T>) -> bool {
    !values.is_empty() && count_above(values, shape, tolerance) == values.len()
}

pub(crate) fn count_above<T: Float>(
    values: &[T],
    (m, n): (usize, usize),
    tolerance: Option<T>,
) -> usize {
    let default = T::from_f64(m.max(n) as f64) * T::EPSILON;
    let limit = values.first().map_or(T::default(), |&largest| {
        largest * tolerance.unwrap_or(default)
    });
    values.iter().filter(|&&value| value > limit).count()
}

fn position<T: Field>(a: MatRef<'_, T>, is: impl Fn(T) -> bool) -> Option<(usize, usize)> {
    let (m, n) = a.shape();
    (0..m)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .find(|&(i, j)| is(a.get(i, j)))
}
