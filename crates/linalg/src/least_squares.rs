//! Least squares with singular values, without singular vectors where the rank is full.

use crate::decompose::{self, Decompose};
use crate::dense::{self, Diagonal, Triangle, copy_into};
use crate::{Context, Error, Float, MatMut, MatRef};

/// The least-squares solution of `a x = b` with the least norm, into `x`, and the singular values of `a`,
/// descending, into `values`; returns the rank: how many values are greater than `tolerance` times the largest
/// one (the larger dimension times epsilon where none is given).
///
/// At full rank it costs the singular values and an elimination or a QR decomposition: half of what
/// [`decompose::lstsq`] costs, which does the rest. NaN in `a` makes all of `x` and `values` NaN.
///
/// # Errors
/// `InvalidInput` when the shapes are not `(m, n)`, `(m, columns)`, `(n, columns)` and the lesser of `m` and `n`,
/// `Infinite`, `NoConvergence`.
pub fn solve<T: Float>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    tolerance: Option<T>,
    mut x: MatMut<'_, T>,
    values: &mut [T],
) -> Result<usize, Error> {
    let ((m, n), (b_rows, columns)) = (a.shape(), b.shape());
    if b_rows != m || x.shape() != (n, columns) {
        return Err(Error::shapes("solve", (m, n), b.shape(), x.shape()));
    }
    decompose::svd(engine, a, values, None)?;
    let limit = tolerance.unwrap_or(T::from_f64(m.max(n) as f64) * T::EPSILON);
    let largest = values.first().copied().unwrap_or_default();
    let is_full = !values.is_empty() && values.iter().all(|&value| value > limit * largest);
    if is_full && of_full_rank(engine, context, (a, b), x.reborrow()).is_ok() {
        return Ok(values.len());
    }
    decompose::lstsq(engine, context, a, b, tolerance, x)
}

/// The solution where all rows or all columns are independent.
fn of_full_rank<T: Float>(
    engine: &impl Decompose<T>,
    context: Context,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    mut x: MatMut<'_, T>,
) -> Result<(), Error> {
    let ((m, n), (_, columns)) = (a.shape(), b.shape());
    if m == n {
        copy_into(b, x.reborrow());
        return dense::solve(context, a, x);
    }
    let (rows, k) = (m.max(n), m.min(n));
    let tall = if m > n { a } else { a.transpose() };
    let (mut q, mut r) = (vec![T::default(); rows * k], vec![T::default(); k * k]);
    let factors = (MatMut::new(&mut q, rows, k)?, MatMut::new(&mut r, k, k)?);
    decompose::qr(engine, tall, factors.0, factors.1)?;
    let (q, r) = (MatRef::new(&q, rows, k)?, MatRef::new(&r, k, k)?);
    let upper = (Triangle::Upper, Diagonal::Stored);
    if m > n {
        context.gemm(T::ONE, q.transpose(), b, T::default(), x.reborrow());
        return dense::solve_triangular(context, r, upper, x);
    }
    let mut middle = vec![T::default(); k * columns];
    copy_into(b, MatMut::new(&mut middle, k, columns)?);
    let lower = (Triangle::Lower, Diagonal::Stored);
    let known = MatMut::new(&mut middle, k, columns)?;
    dense::solve_triangular(context, r.transpose(), lower, known)?;
    let middle = MatRef::new(&middle, k, columns)?;
    context.gemm(T::ONE, q, middle, T::default(), x);
    Ok(())
}
