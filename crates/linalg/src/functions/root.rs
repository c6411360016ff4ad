//! The square root.

use super::elementary;
use super::schur::Triangular;
use super::triangular::{ZeroSum, owned, solve_sylvester};
use super::{C, RealOrComplex, Square, product};
use crate::{Context, Error, ErrorKind, Field, MatMut, MatRef};

/// The principal square root of a square matrix: the one whose eigenvalues have arguments in `(-pi/2, pi/2]`. That
/// of a real matrix is real unless an eigenvalue is negative.
///
/// By a Schur form: Å. Björck, S. Hammarling, "A Schur method for the square root of a matrix" (1983), with the
/// recursion of E. Deadman, N. J. Higham, R. Ralha, "Blocked Schur algorithms for computing the matrix square root"
/// (2013). Costs a Schur form and about as much again.
///
/// # Errors
/// `InvalidInput` when the matrix is not square, `Infinite`, `NoConvergence`; `Singular` for a singular matrix that has
/// no square root in this way, with the row of a Schur form.
pub fn sqrtm<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
) -> Result<RealOrComplex<T::Real>, Error> {
    let n = a.shape().0;
    let Some(form) = Triangular::of("take the square root of", a)? else {
        return Ok(RealOrComplex::nan(n, !T::IS_COMPLEX));
    };
    let Triangular { mut t, q, scale } = form;
    let root = scale.sqrt();
    let real = !T::IS_COMPLEX && is_off_the_negative_axis(&t);
    square_root(context, t.view_mut()).map_err(|pivot| {
        let message = format!(
            "cannot take the square root of a {n}x{n} matrix: it is singular, and eigenvalue {pivot} is a defective zero"
        );
        Error::new(ErrorKind::Singular { pivot }, message)
    })?;
    Ok(RealOrComplex::of(&back(context, &t, &q).scaled(root), real))
}

/// Whether no eigenvalue of an upper triangular matrix is real and negative.
pub(super) fn is_off_the_negative_axis(t: &Square<C>) -> bool {
    (0..t.n).all(|i| t.at(i, i).im != 0.0 || t.at(i, i).re >= 0.0)
}

/// `q t q^H`.
pub(super) fn back(context: Context, t: &Square<C>, q: &Square<C>) -> Square<C> {
    let adjoint: Vec<_> = q.items.iter().map(|&item| Field::conj(item)).collect();
    let adjoint = MatRef::new(&adjoint, q.n, q.n).expect("n times n items");
    product(context, q.times(context, t).view(), adjoint.transpose())
}

/// The square root of an upper triangular matrix, in its place; or which eigenvalue stands against it.
pub(super) fn square_root(context: Context, mut t: MatMut<'_, C>) -> Result<(), usize> {
    let n = t.shape().0;
    if n <= 1 {
        if n == 1 {
            *t.item(0, 0) = elementary::square_root(t.as_ref().get(0, 0));
        }
        return Ok(());
    }
    let (top, bottom) = (0..n / 2, n / 2..n);
    square_root(context, t.reborrow().block(top.clone(), top.clone()))?;
    square_root(context, t.reborrow().block(bottom.clone(), bottom.clone()))
        .map_err(|i| i + n / 2)?;
    let first = owned(t.as_ref().block(top.clone(), top.clone()));
    let last = owned(t.as_ref().block(bottom.clone(), bottom.clone()));
    let square = |items, n| MatRef::new(items, n, n).expect("n times n items");
    let (first, last) = (square(&first, top.len()), square(&last, bottom.len()));
    solve_sylvester(context, first, last, t.block(top, bottom)).map_err(|ZeroSum(i, _)| i)
}
