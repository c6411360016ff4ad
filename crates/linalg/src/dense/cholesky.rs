//! Cholesky's factorisation.

use super::triangular::{solve_rows, solve_triangular};
use super::{Dense, Diagonal, LEAF, Triangle, conjugated, copy_into, order, with_copy, with_space};
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
    // The upper triangle of the transpose is the lower one of the matrix.
    with_copy(a.transpose(), |mut upper| {
        match Contents::of("factor", a, Some(Triangle::Lower))? {
            Contents::NaN => upper.items.fill(T::NAN),
            Contents::Finite(_) => factor(context, &mut upper, 0..n).map_err(|minor| {
                let message = format!(
                    "cannot factor a {n}x{n} matrix: it is not positive definite, minor {minor} is not positive"
                );
                Error::new(ErrorKind::NotPositiveDefinite { minor }, message)
            })?,
        }
        for i in 1..n {
            upper.items[i * n..i * n + i].fill(T::default());
        }
        copy_into(upper.view().as_ref().transpose(), result.reborrow());
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

/// Factors a block on the diagonal into `u^H u`, or says which minor is not positive.
fn factor<T: Field>(
    context: Context,
    a: &mut Dense<'_, T>,
    block: Range<usize>,
) -> Result<(), usize> {
    if block.len() <= LEAF {
        return block.clone().try_for_each(|i| factor_row(a, i, block.end));
    }
    let (n, middle) = (a.columns, block.start + block.len() / 2);
    let (left, right) = (block.start..middle, middle..block.end);
    factor(context, a, left.clone())?;
    let (top, bottom) = a.items.split_at_mut(middle * n);
    let mut top = MatMut::new(top, middle, n).expect("whole rows");
    let bottom = MatMut::new(bottom, n - middle, n).expect("whole rows");
    with_space((left.len(), left.len()), |mut known| {
        let mut known = known.view();
        copy_into(
            top.as_ref().block(left.clone(), left.clone()),
            known.reborrow(),
        );
        if T::IS_COMPLEX {
            for item in known.reborrow().into_data() {
                *item = item.conj();
            }
        }
        let lower = (Triangle::Lower, Diagonal::Stored);
        let rest = top.reborrow().block(left.clone(), right.clone());
        solve_rows(context, known.as_ref().transpose(), lower, rest);
    });
    let known = top.as_ref().block(left, right.clone());
    subtract_square(context, known, bottom.block(0..right.len(), right.clone()));
    factor(context, a, right)
}

/// `c - u^H u`, where the upper triangle of `c` is wanted.
fn subtract_square<T: Field>(context: Context, u: MatRef<'_, T>, mut c: MatMut<'_, T>) {
    let ((k, _), (n, _)) = (u.shape(), c.shape());
    if n <= 4 * LEAF {
        return subtract_product(context, u, u, c);
    }
    let (first, last) = (0..n / 2, n / 2..n);
    let (left, right) = (u.block(0..k, first.clone()), u.block(0..k, last.clone()));
    let corner = c.reborrow().block(first.clone(), last.clone());
    subtract_product(context, left, right, corner);
    subtract_square(context, left, c.reborrow().block(first.clone(), first));
    subtract_square(context, right, c.block(last.clone(), last));
}

/// `c - u^H v`.
fn subtract_product<T: Field>(
    context: Context,
    u: MatRef<'_, T>,
    v: MatRef<'_, T>,
    c: MatMut<'_, T>,
) {
    let adjoint = (u.transpose(), Conj::Yes);
    T::gemm(context, -T::ONE, adjoint, (v, Conj::No), T::ONE, c);
}

/// One row, and its part of the rows below, up to column `end`.
fn factor_row<T: Field>(a: &mut Dense<'_, T>, i: usize, end: usize) -> Result<(), usize> {
    let n = a.columns;
    let (top, bottom) = a.items.split_at_mut((i + 1) * n);
    let row = &mut top[i * n..i * n + end];
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
    for (below, rest) in (i + 1..end).zip(bottom.chunks_exact_mut(n)) {
        let factor = row[below].conj();
        for (item, &above) in rest[below..end].iter_mut().zip(&row[below..]) {
            *item = *item - factor * above;
        }
    }
    Ok(())
}
