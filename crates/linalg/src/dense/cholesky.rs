//! Cholesky's factorisation.

use super::tiny::Tiny;
use super::triangular::solve_triangular;
use super::{Diagonal, LEAF, Triangle, conjugated, copy_into, fill, order};
use crate::decompose::Contents;
use crate::{Conj, Context, Error, ErrorKind, Field, Float, MatMut, MatRef};
use std::ops::Range;

/// The lower triangular `l` with `a = l l^H` and a positive diagonal, into `result`, zeros above. The lower
/// triangle of `a` is read, of its diagonal only the real parts, as LAPACK does. NaN there gives a triangle of
/// NaN.
///
/// # Errors
/// `InvalidInput` when the shapes are not square and equal; `NotPositiveDefinite` with the first minor that is
/// not positive, and `result` as it was.
pub fn cholesky<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    mut result: MatMut<'_, T>,
) -> Result<(), Error> {
    let n = order("factor", &a)?;
    if result.shape() != (n, n) {
        let (m, columns) = result.shape();
        let message = format!("cannot factor {n}x{n} into {m}x{columns}");
        return Err(Error::invalid(message));
    }
    if Tiny::cholesky(a, &mut result) {
        return Ok(());
    }
    let step = padded::<T>(n);
    T::with_items(n * step, |items| {
        // The upper triangle of the transpose is the lower one of the matrix.
        for (rows, columns) in bands(n) {
            let mut upper = MatMut::new(&mut *items, n, step)?;
            let band = a.transpose().block(rows.clone(), columns.clone());
            copy_into(band, upper.reborrow().block(rows, columns));
        }
        match factor(context, (items, step), n) {
            Ok(()) => write_lower(MatMut::new(items, n, step)?, result),
            Err(minor) => match Contents::of("factor", a, Some(Triangle::Lower))? {
                Contents::NaN => {
                    items.fill(T::NAN);
                    write_lower(MatMut::new(items, n, step)?, result);
                }
                Contents::Finite(_) => {
                    let message = format!(
                        "cannot factor a {n}x{n} matrix: it is not positive definite, minor {minor} is not positive"
                    );
                    let kind = ErrorKind::NotPositiveDefinite { minor };
                    return Err(Error::new(kind, message));
                }
            },
        }
        Ok(())
    })
}

/// Solves `a x = b` by the factor of [`cholesky`]: a lower triangular `l` with `a = l l^H`, or an upper triangular
/// `u` with `a = u^H u`. `b` becomes `x`. Costs `2 n^2` multiplications for each column of `b`.
///
/// # Errors
/// As [`solve_triangular`].
pub fn cholesky_solve<T: Field>(
    context: Context,
    (factor, triangle): (MatRef<'_, T>, Triangle),
    mut b: MatMut<'_, T>,
) -> Result<(), Error> {
    let turned = factor.transpose();
    let (lower, upper) = (
        (Triangle::Lower, Diagonal::Stored),
        (Triangle::Upper, Diagonal::Stored),
    );
    match triangle {
        Triangle::Lower => {
            solve_triangular(context, factor, lower, b.reborrow())?;
            conjugated(b, |b| solve_triangular(context, turned, upper, b))
        }
        Triangle::Upper => {
            conjugated(b.reborrow(), |b| {
                solve_triangular(context, turned, lower, b)
            })?;
            solve_triangular(context, factor, upper, b)
        }
    }
}

/// Rows that go from one triangle to the other at a time.
const BAND: usize = 32;

/// Rows of an upper triangle, and the columns that they reach.
fn bands(n: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let from = (0..n).step_by(BAND);
    from.map(move |i| (i..n.min(i + BAND), i..n))
}

/// The distance of rows which no cache puts in one place.
pub(super) fn padded<T>(n: usize) -> usize {
    const PAGE: usize = 512;
    let step = n.next_multiple_of(8);
    if (step * size_of::<T>()).is_multiple_of(PAGE) {
        step + 8
    } else {
        step
    }
}

/// The transposed of an upper triangle, with zeros above its diagonal.
fn write_lower<T: Field>(mut upper: MatMut<'_, T>, mut result: MatMut<'_, T>) {
    for (rows, columns) in bands(result.shape().0) {
        let (start, end) = (rows.start, rows.end);
        for i in rows.clone() {
            (start..i).for_each(|j| *upper.item(i, j) = T::default());
        }
        let band = upper.as_ref().block(rows.clone(), columns.clone());
        copy_into(
            band.transpose(),
            result.reborrow().block(columns.clone(), rows.clone()),
        );
        fill(
            &mut result.reborrow().block(rows, end..columns.end),
            T::default(),
        );
    }
}

/// Rows that the leaves of real items factor at a time, and those of a matrix that they factor alone.
const BLOCK: usize = 64;
const ALONE: usize = 96;

/// Factors the upper triangle of a matrix of `n` rows, which lie `step` items apart, into `u^H u`, or says which
/// minor is not positive. Of each block of rows what the rows above take from it is one product.
fn factor<T: Field>(
    context: Context,
    (items, step): (&mut [T], usize),
    n: usize,
) -> Result<(), usize> {
    let most = match T::IS_COMPLEX {
        true => LEAF,
        false if n <= ALONE => ALONE,
        false => BLOCK,
    };
    for start in (0..n).step_by(most) {
        let rows = start..n.min(start + most);
        let known = T::factor_rows((&mut *items, step), rows.clone(), rows.clone(), 0);
        let right = if known.is_some() { rows.end } else { start };
        if let Some(known) = known {
            known.map_err(|row| row + 1)?;
        }
        take_above(context, (&mut *items, step), rows.clone(), right..n);
        if T::factor_rows((&mut *items, step), rows.clone(), right..n, start).is_none() {
            rows.clone()
                .try_for_each(|i| factor_row((&mut *items, step), i, rows.end, n))?;
        }
    }
    Ok(())
}

/// Takes the multiples of the rows above a block from these columns of it.
fn take_above<T: Field>(
    context: Context,
    (items, step): (&mut [T], usize),
    rows: Range<usize>,
    columns: Range<usize>,
) {
    let start = rows.start;
    if start == 0 || columns.is_empty() {
        return;
    }
    let (above, block) = items.split_at_mut(start * step);
    let above = MatRef::new(above, start, step).expect("whole rows");
    let block = &mut block[..rows.len() * step];
    let block = MatMut::new(block, rows.len(), step).expect("whole rows");
    let factor = above.block(0..start, rows.clone()).transpose();
    let known = above.block(0..start, columns.clone());
    let rest = block.block(0..rows.len(), columns);
    T::gemm(
        context,
        -T::ONE,
        (factor, Conj::Yes),
        (known, Conj::No),
        T::ONE,
        rest,
    );
}

/// One row up to column `n`, and its part of the rows below up to row `end`.
fn factor_row<T: Field>(
    (items, step): (&mut [T], usize),
    i: usize,
    end: usize,
    n: usize,
) -> Result<(), usize> {
    let (top, bottom) = items.split_at_mut((i + 1) * step);
    let row = &mut top[i * step..i * step + n];
    let (pivot, zero) = (row[i].re(), T::Real::default());
    // What overflowed on the way is no pivot either.
    if !(pivot > zero && pivot.is_finite()) {
        return Err(i + 1);
    }
    let root = pivot.sqrt();
    row[i] = T::from_real(root);
    for item in &mut row[i + 1..] {
        *item = item.shrink(root);
    }
    for (below, rest) in (i + 1..end).zip(bottom.chunks_exact_mut(step)) {
        let factor = row[below].conj();
        for (item, &above) in rest[below..n].iter_mut().zip(&row[below..]) {
            *item = *item - factor * above;
        }
    }
    Ok(())
}
