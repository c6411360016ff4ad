//! What follows from elimination.

use super::determinant::determinant;
use super::eliminate::eliminate;
use super::tiny::Tiny;
use super::triangular::{singular, solve_rows};
use super::{Diagonal, LEAF, Triangle, copy_into, kept, order, with_space};
use crate::field::unit;
use crate::workspace::Room;
use crate::{Context, Error, Field, Float, MatMut, MatRef};
use std::ops::Range;

/// Solves `a x = b`, `b` becoming `x`: one or many right sides, a column each.
///
/// # Errors
/// `InvalidInput` when the shapes are not `(n, n)` and `(n, columns)`; `Singular` when a pivot is exactly zero,
/// with `b` as it was. NaN is no error: it spreads.
pub fn solve<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    mut b: MatMut<'_, T>,
) -> Result<(), Error> {
    let n = order("solve", &a)?;
    let (m, columns) = b.shape();
    if m != n {
        let message = format!("cannot solve {n}x{n} for {m}x{columns}: the rows differ");
        return Err(Error::invalid(message));
    }
    if let Some(done) = Tiny::solve(a, &mut b) {
        return done.map_err(|pivot| singular("solve with", n, pivot));
    }
    with_lu(context, a, |lu, rows| {
        if let Some(pivot) = lu.zero_pivot() {
            return Err(singular("solve with", n, pivot));
        }
        with_space((n, columns), |mut x| {
            for (i, &row) in rows.iter().enumerate() {
                copy_into(
                    b.as_ref().block(row..row + 1, 0..columns),
                    x.view().block(i..i + 1, 0..columns),
                );
            }
            lu.solve(context, x.view());
            copy_into(x.view().as_ref(), b.reborrow());
        });
        Ok(())
    })
}

/// The inverse of `a`, into `result`. To solve a system, [`solve`] is faster and more exact.
///
/// # Errors
/// As [`solve`].
pub fn inv<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    mut result: MatMut<'_, T>,
) -> Result<(), Error> {
    let n = order("invert", &a)?;
    if result.shape() != (n, n) {
        let (m, columns) = result.shape();
        let message = format!("cannot invert {n}x{n} into {m}x{columns}");
        return Err(Error::invalid(message));
    }
    if n == 0 {
        return Ok(());
    }
    if let Some(done) = Tiny::inv(a, &mut result) {
        return done.map_err(|pivot| singular("invert", n, pivot));
    }
    with_lu(context, a, |lu, rows| {
        if let Some(pivot) = lu.zero_pivot() {
            return Err(singular("invert", n, pivot));
        }
        T::with_items(n * n, |items| {
            items.fill(T::default());
            items
                .iter_mut()
                .step_by(n + 1)
                .for_each(|item| *item = T::ONE);
            let mut x = MatMut::new(items, n, n)?;
            invert_lower(context, lu.factors, x.reborrow());
            let upper = (Triangle::Upper, Diagonal::Stored);
            solve_rows(context, lu.factors, upper, x);
            let (row, column) = result.strides();
            let result = result.data_mut();
            for (i, line) in items.chunks_exact(n).enumerate() {
                for (&item, &j) in line.iter().zip(rows) {
                    result[i * row + j * column] = item;
                }
            }
            Ok(())
        })
    })
}

/// The determinant: the product of the pivots. Where it leaves the range of its type it is infinity or zero
/// ([`slogdet`] is neither); no partial product does.
///
/// # Errors
/// `InvalidInput` when the matrix is not square.
pub fn det<T: Field>(context: Context, a: MatRef<'_, T>) -> Result<T, Error> {
    order("take the determinant of", &a)?;
    if let Some(det) = Tiny::det(a) {
        return Ok(det);
    }
    with_lu(context, a, |lu, _| {
        let pivots = (0..lu.n()).map(|i| lu.pivot(i));
        Ok(determinant(lu.sign, pivots))
    })
}

/// The sign of the determinant, for complex items a number of absolute value 1, and the logarithm of its
/// absolute value: `(0, -inf)` for a singular matrix.
///
/// # Errors
/// `InvalidInput` when the matrix is not square.
pub fn slogdet<T: Field>(context: Context, a: MatRef<'_, T>) -> Result<(T, T::Real), Error> {
    order("take the determinant of", &a)?;
    with_lu(context, a, |lu, _| {
        let (mut sign, mut log) = (lu.sign, 0.0);
        for i in 0..lu.n() {
            let pivot = lu.pivot(i);
            let size = pivot.abs();
            sign = if pivot.is_nan() {
                T::NAN
            } else if pivot == T::default() {
                T::default()
            } else {
                sign * unit(pivot)
            };
            log += size.to_f64().ln();
        }
        if sign == T::default() {
            log = f64::NEG_INFINITY;
        }
        if T::IS_COMPLEX && sign != T::default() {
            sign = unit(sign);
        }
        Ok((sign, T::Real::from_f64(log)))
    })
}

/// A factored matrix: `U` on and above the diagonal, `L` without its ones below.
struct Lu<'a, T> {
    factors: MatRef<'a, T>,
    sign: T,
}

impl<T: Field> Lu<'_, T> {
    fn n(&self) -> usize {
        self.factors.shape().0
    }

    fn pivot(&self, i: usize) -> T {
        self.factors.get(i, i)
    }

    fn zero_pivot(&self) -> Option<usize> {
        (0..self.n()).find(|&i| self.pivot(i) == T::default())
    }

    /// `b`, whose rows are exchanged already, becomes the solution.
    fn solve(&self, context: Context, mut b: MatMut<'_, T>) {
        let lower = (Triangle::Lower, Diagonal::Ones);
        solve_rows(context, self.factors, lower, b.reborrow());
        let upper = (Triangle::Upper, Diagonal::Stored);
        solve_rows(context, self.factors, upper, b);
    }
}

/// Factors `a` and calls `work` with its factors, and with the row of `a` that became each row.
fn with_lu<T: Field, R>(
    context: Context,
    a: MatRef<'_, T>,
    work: impl FnOnce(&Lu<'_, T>, &[usize]) -> R,
) -> R {
    let n = a.shape().0;
    let mut small = [0; 2 * LEAF];
    let mut large;
    let numbers = if n <= LEAF {
        &mut small[..2 * n]
    } else {
        large = Room::filled(0, 2 * n);
        &mut large[..]
    };
    let (exchanges, rows) = numbers.split_at_mut(n);
    T::with_items(n * n, |items| {
        eliminate(context, a, items, exchanges);
        rows.iter_mut().enumerate().for_each(|(i, row)| *row = i);
        let mut sign = T::ONE;
        for (i, &j) in exchanges.iter().enumerate() {
            if i != j {
                rows.swap(i, j);
                sign = -sign;
            }
        }
        let factors = kept(items, (n, n));
        work(&Lu { factors, sign }, rows)
    })
}

/// Makes an identity the inverse of a unit lower triangle: what is above the diagonal stays zero.
fn invert_lower<T: Field>(context: Context, a: MatRef<'_, T>, x: MatMut<'_, T>) {
    let kind = (Triangle::Lower, Diagonal::Ones);
    let n = a.shape().0;
    if n <= LEAF {
        return solve_rows(context, a, kind, x);
    }
    let (first, last) = (0..n / 2, n / 2..n);
    let Ok((mut top, mut bottom)) = x.split_rows(n / 2) else {
        unreachable!("rows lie one after the other")
    };
    let block =
        |rows: &Range<usize>, columns: &Range<usize>| a.block(rows.clone(), columns.clone());
    let rest = 0..last.len();
    let mut known = top.reborrow().block(first.clone(), first.clone());
    invert_lower(context, block(&first, &first), known.reborrow());
    let mut below = bottom.reborrow().block(rest.clone(), first.clone());
    context.gemm(
        -T::ONE,
        block(&last, &first),
        known.as_ref(),
        T::default(),
        below.reborrow(),
    );
    solve_rows(context, block(&last, &last), kind, below);
    invert_lower(
        context,
        block(&last, &last),
        bottom.block(rest, last.clone()),
    );
}
