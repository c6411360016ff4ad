//! Triangular systems.

use super::{LEAF, copy_into, order, with_space};
use crate::{Context, Error, ErrorKind, Field, MatMut, MatRef};

/// Which triangle of a matrix is read; the other may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triangle {
    /// On and below the diagonal.
    Lower,
    /// On and above the diagonal.
    Upper,
}

/// What the diagonal of a triangular matrix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagonal {
    /// Its items are read.
    Stored,
    /// All ones; its items are not read.
    Ones,
}

/// Solves `a x = b` for a triangular `a`, `b` becoming `x`. Costs `n^2` multiplications for each column of `b`.
///
/// # Errors
/// `InvalidInput` when the shapes are not `(n, n)` and `(n, columns)`; `Singular` when an item of the diagonal is
/// zero, with `b` as it was.
pub fn solve_triangular<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    (triangle, diagonal): (Triangle, Diagonal),
    mut b: MatMut<'_, T>,
) -> Result<(), Error> {
    let n = order("solve with", &a)?;
    if b.shape().0 != n {
        let (m, columns) = b.shape();
        let message = format!("cannot solve {n}x{n} for {m}x{columns}: the rows differ");
        return Err(Error::invalid(message));
    }
    if diagonal == Diagonal::Stored
        && let Some(pivot) = (0..n).find(|&i| a.get(i, i) == T::default())
    {
        return Err(singular("solve with", n, pivot));
    }
    let (row, column) = b.strides();
    if column == 1 && row >= b.shape().1 {
        solve_rows(context, a, (triangle, diagonal), b);
    } else {
        with_space(b.shape(), |mut copy| {
            copy_into(b.as_ref(), copy.view());
            solve_rows(context, a, (triangle, diagonal), copy.view());
            copy_into(copy.view().as_ref(), b.reborrow());
        });
    }
    Ok(())
}

pub(super) fn singular(operation: &str, n: usize, pivot: usize) -> Error {
    let message =
        format!("cannot {operation} a {n}x{n} matrix: it is singular, pivot {pivot} is zero");
    Error::new(ErrorKind::Singular { pivot }, message)
}

/// Rows up to which leaves of real items solve.
const LEAF_ROWS: usize = 64;

/// Columns of right sides that fill registers, and the rows up to which plain loops run over them.
const WIDE: usize = 8;
const WIDE_LEAF: usize = 4;

/// [`solve_triangular`] where the rows of `b` lie one after the other, and no diagonal item is zero.
pub(super) fn solve_rows<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    (triangle, diagonal): (Triangle, Diagonal),
    mut b: MatMut<'_, T>,
) {
    let (n, columns) = b.shape();
    if columns == 0 {
        return;
    }
    if n <= LEAF_ROWS && T::substitute(a, (triangle, diagonal), &mut b) {
        return;
    }
    // Of wide right sides more is left to products.
    let leaf = if columns < WIDE { LEAF } else { WIDE_LEAF };
    if n <= leaf {
        return substitute(a, (triangle, diagonal), b);
    }
    let half = n / 2;
    let (top, bottom) = (0..half, half..n);
    let Ok((mut first, mut last)) = b.split_rows(half) else {
        unreachable!("rows lie one after the other")
    };
    let kind = (triangle, diagonal);
    match triangle {
        Triangle::Lower => {
            solve_rows(
                context,
                a.block(top.clone(), top.clone()),
                kind,
                first.reborrow(),
            );
            let factor = a.block(bottom.clone(), top);
            take(context, factor, first.as_ref(), last.reborrow());
            solve_rows(context, a.block(bottom.clone(), bottom), kind, last);
        }
        Triangle::Upper => {
            solve_rows(
                context,
                a.block(bottom.clone(), bottom.clone()),
                kind,
                last.reborrow(),
            );
            let factor = a.block(top.clone(), bottom);
            take(context, factor, last.as_ref(), first.reborrow());
            solve_rows(context, a.block(top.clone(), top), kind, first);
        }
    }
}

/// Takes the multiples of what is known from the rest.
fn take<T: Field>(context: Context, a: MatRef<'_, T>, known: MatRef<'_, T>, rest: MatMut<'_, T>) {
    // A column may have other bits for other strides of `a`; the same product for a row has not.
    let (left, right, rest) = if rest.shape().1 == 1 {
        (known.transpose(), a.transpose(), rest.transpose())
    } else {
        (a, known, rest)
    };
    context.gemm(-T::ONE, left, right, T::ONE, rest);
}

/// Row by row.
fn substitute<T: Field>(
    a: MatRef<'_, T>,
    (triangle, diagonal): (Triangle, Diagonal),
    mut b: MatMut<'_, T>,
) {
    let (n, columns) = b.shape();
    let (step, _) = b.strides();
    let items = b.data_mut();
    for turn in 0..n {
        let i = match triangle {
            Triangle::Lower => turn,
            Triangle::Upper => n - 1 - turn,
        };
        let known = match triangle {
            Triangle::Lower => 0..i,
            Triangle::Upper => i + 1..n,
        };
        for j in known {
            let factor = a.get(i, j);
            let (from, to) = (j * step, i * step);
            for column in 0..columns {
                items[to + column] = items[to + column] - factor * items[from + column];
            }
        }
        if diagonal == Diagonal::Stored {
            let pivot = a.get(i, i);
            for item in &mut items[i * step..i * step + columns] {
                *item = item.divide(pivot);
            }
        }
    }
}
