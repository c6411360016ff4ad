//! Elimination with row exchanges, and what follows from it.
//!
//! The recursion over columns is S. Toledo, "Locality of reference in LU decomposition with partial pivoting"
//! (1997).

use super::tiny::Tiny;
use super::triangular::{singular, solve_rows};
use super::{Dense, Diagonal, LEAF, Triangle, copy_into, order, with_copy, with_space};
use crate::field::unit;
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
    if let Some(done) = Tiny::inv(a, &mut result) {
        return done.map_err(|pivot| singular("invert", n, pivot));
    }
    with_lu(context, a, |lu, rows| {
        if let Some(pivot) = lu.zero_pivot() {
            return Err(singular("invert", n, pivot));
        }
        with_space((n, n), |mut x| {
            for (i, &row) in rows.iter().enumerate() {
                *x.view().item(i, row) = T::ONE;
            }
            lu.solve(context, x.view());
            copy_into(x.view().as_ref(), result.reborrow());
        });
        Ok(())
    })
}

/// The determinant: the product of the pivots, which may overflow to infinity or to zero ([`slogdet`] does not).
///
/// # Errors
/// `InvalidInput` when the matrix is not square.
pub fn det<T: Field>(context: Context, a: MatRef<'_, T>) -> Result<T, Error> {
    order("take the determinant of", &a)?;
    if let Some(det) = Tiny::det(a) {
        return Ok(det);
    }
    with_lu(context, a, |lu, _| {
        Ok((0..lu.n()).fold(lu.sign, |product, i| product * lu.pivot(i)))
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

/// Factors a copy of `a` and calls `work` with it, and with the row of `a` that became each row.
fn with_lu<T: Field, R>(
    context: Context,
    a: MatRef<'_, T>,
    work: impl FnOnce(&Lu<'_, T>, &[usize]) -> R,
) -> R {
    let n = a.shape().0;
    with_copy(a, |mut copy| {
        let mut small = [0; LEAF];
        let mut large = Vec::new();
        let rows = if n <= LEAF {
            &mut small[..n]
        } else {
            large.resize(n, 0);
            &mut large[..]
        };
        rows.iter_mut().enumerate().for_each(|(i, row)| *row = i);
        let mut sign = T::ONE;
        eliminate(context, &mut copy, 0..n, &mut |i, j| {
            rows.swap(i, j);
            sign = -sign;
        });
        let factors = copy.view();
        let lu = Lu {
            factors: factors.as_ref(),
            sign,
        };
        work(&lu, rows)
    })
}

/// Factors these columns, from the row of the first one on, and tells each exchange of whole rows. There are at
/// least as many rows as columns to factor.
pub(super) fn eliminate<T: Field>(
    context: Context,
    a: &mut Dense<'_, T>,
    columns: Range<usize>,
    exchanged: &mut impl FnMut(usize, usize),
) {
    if columns.len() <= LEAF {
        if !T::IS_COMPLEX && a.rows() - columns.start >= TALL {
            return eliminate_panel(context, a, columns, exchanged);
        }
        for column in columns.clone() {
            eliminate_column(a, column, columns.end, exchanged);
        }
        return;
    }
    let middle = columns.start + columns.len() / 2;
    let (left, right) = (columns.start..middle, middle..columns.end);
    eliminate(context, a, left.clone(), exchanged);
    let (m, n) = (a.rows(), a.columns);
    let (top, bottom) = a.items.split_at_mut(middle * n);
    let mut top = MatMut::new(top, middle, n).expect("whole rows");
    let mut bottom = MatMut::new(bottom, m - middle, n).expect("whole rows");
    let below = 0..m - middle;
    let lower = (Triangle::Lower, Diagonal::Ones);
    let half = left.len();
    with_space((half, half), |mut factor| {
        copy_into(
            top.as_ref().block(left.clone(), left.clone()),
            factor.view(),
        );
        let block = top.reborrow().block(left.clone(), right.clone());
        solve_rows(context, factor.view().as_ref(), lower, block);
    });
    with_space((m - middle, half), |mut factor| {
        copy_into(
            bottom.as_ref().block(below.clone(), left.clone()),
            factor.view(),
        );
        let (factor, known) = (factor.view(), top.as_ref().block(left, right.clone()));
        let rest = bottom.reborrow().block(below, right.clone());
        context.gemm(-T::ONE, factor.as_ref(), known, T::ONE, rest);
    });
    eliminate(context, a, right, exchanged);
}

/// Rows from which a copy of a panel pays.
const TALL: usize = 48;

/// The columns of a leaf, in a copy by columns: to each the multiples of all before it are added at once.
fn eliminate_panel<T: Field>(
    context: Context,
    a: &mut Dense<'_, T>,
    columns: Range<usize>,
    exchanged: &mut impl FnMut(usize, usize),
) {
    let (first, width, n) = (columns.start, columns.len(), a.columns);
    let (rows, m) = (first..a.rows(), a.rows() - first);
    with_space((width, m), |mut panel| {
        let block = a.view().block(rows.clone(), columns.clone());
        copy_into(block.as_ref().transpose(), panel.view());
        for j in 0..width {
            let (known, rest) = panel.items.split_at_mut(j * m);
            take_known(context, known, &mut rest[..m], j);
            let largest = j + first_largest(&rest[j..m]);
            if largest != j {
                for column in panel.items.chunks_exact_mut(m) {
                    column.swap(j, largest);
                }
                let (top, bottom) = a.items.split_at_mut((first + largest) * n);
                top[(first + j) * n..][..n].swap_with_slice(&mut bottom[..n]);
                exchanged(first + j, first + largest);
            }
            let column = &mut panel.items[j * m..(j + 1) * m];
            let pivot = column[j];
            if pivot != T::default() {
                for item in &mut column[j + 1..] {
                    *item = item.divide(pivot);
                }
            }
        }
        let block = a.view().block(rows, columns);
        copy_into(panel.view().as_ref().transpose(), block);
    });
}

/// Takes the multiples of the `j` columns before a column from it.
fn take_known<T: Field>(context: Context, known: &[T], column: &mut [T], j: usize) {
    let m = column.len();
    for k in 0..j {
        let factor = column[k];
        for i in k + 1..j {
            column[i] = column[i] - known[k * m + i] * factor;
        }
    }
    let (top, bottom) = column.split_at_mut(j);
    if j == 0 || bottom.is_empty() {
        return;
    }
    let known = MatRef::with_strides(&known[j..], (m - j, j), (1, m)).expect("columns of m items");
    let factors = MatRef::new(top, j, 1).expect("j items");
    let rest = MatMut::with_strides(bottom, (m - j, 1), (1, m)).expect("the rest of m items");
    context.gemm(-T::ONE, known, factors, T::ONE, rest);
}

/// The place of the first of the items with the largest absolute value; NaN stays where it is.
fn first_largest<T: Field>(items: &[T]) -> usize {
    const LANES: usize = 8;
    let zero = T::Real::default();
    if items[0].is_nan() {
        return 0;
    }
    let mut most = [zero; LANES];
    for chunk in items.chunks(LANES) {
        for (most, item) in most.iter_mut().zip(chunk) {
            let size = item.abs1();
            *most = if size > *most { size } else { *most };
        }
    }
    let most = most
        .into_iter()
        .fold(zero, |a, b| if b > a { b } else { a });
    items
        .iter()
        .position(|item| item.abs1() == most)
        .unwrap_or(0)
}

/// One column: the largest item comes to the diagonal, and multiples of its row are taken from those below,
/// up to column `end`.
fn eliminate_column<T: Field>(
    a: &mut Dense<'_, T>,
    column: usize,
    end: usize,
    exchanged: &mut impl FnMut(usize, usize),
) {
    let (m, n) = (a.rows(), a.columns);
    let mut largest = column;
    for i in column + 1..m {
        if a.items[i * n + column].abs1() > a.items[largest * n + column].abs1() {
            largest = i;
        }
    }
    if largest != column {
        let (top, bottom) = a.items.split_at_mut(largest * n);
        top[column * n..(column + 1) * n].swap_with_slice(&mut bottom[..n]);
        exchanged(column, largest);
    }
    let (top, bottom) = a.items.split_at_mut((column + 1) * n);
    let row = &top[column * n..];
    let pivot = row[column];
    if pivot == T::default() {
        return;
    }
    for below in bottom.chunks_exact_mut(n) {
        let factor = below[column].divide(pivot);
        below[column] = factor;
        for (item, &above) in below[column + 1..end].iter_mut().zip(&row[column + 1..end]) {
            *item = *item - factor * above;
        }
    }
}
