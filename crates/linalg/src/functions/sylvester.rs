//! Sylvester's equation.

use super::schur::Triangular;
use super::triangular::{ZeroSum, owned, solve_sylvester};
use super::{C, Square, check_result, fill, wide, write_rounded};
use crate::decompose::Contents;
use crate::{Context, Error, ErrorKind, Field, MatMut, MatRef};

/// Solves `a x + x b = c`, for `a` of `m` and `b` of `n` rows, into `x`, which is `m x n` as `c` is. It has one solution
/// where no eigenvalue of `a` is that of `-b`. NaN makes all of `x` NaN.
///
/// R. H. Bartels, G. W. Stewart, "Solution of the matrix equation AX + XB = C" (1972), in complex numbers. Costs two
/// Schur forms and products.
///
/// # Errors
/// `InvalidInput` when the shapes do not fit, `Infinite`, `NoConvergence`; `Singular` when the sum of two eigenvalues is
/// exactly zero, with the row of a Schur form of `a`.
pub fn sylvester<T: Field>(
    context: Context,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    c: MatRef<'_, T>,
    x: MatMut<'_, T>,
) -> Result<(), Error> {
    let operation = "solve Sylvester's equation with";
    let (m, n) = (a.shape().0, b.shape().0);
    let forms = (Triangular::of(operation, a)?, Triangular::of(operation, b)?);
    if c.shape() != (m, n) {
        return Err(Error::shapes(operation, (m, m), (n, n), c.shape()));
    }
    check_result("solve Sylvester's equation for", (m, n), &x)?;
    let c_contents = Contents::of(operation, c, None)?;
    let ((Some(a_form), Some(b_form)), Contents::Finite(_)) = (forms, c_contents) else {
        fill(x, T::NAN);
        return Ok(());
    };
    let (a_form, b_form) = (a_form.unscaled(), b_form.unscaled());
    let ((s, u), (r, v)) = ((a_form.t, a_form.q), (b_form.t, b_form.q));
    let right: Vec<C> = (0..m)
        .flat_map(|i| c.row(i).map(|&item| wide(item)))
        .collect();
    let adjoint = |q: &Square<C>| {
        let turned = owned(q.view().transpose());
        turned
            .iter()
            .map(|&item| Field::conj(item))
            .collect::<Vec<_>>()
    };
    let (u_adjoint, v_adjoint) = (adjoint(&u), adjoint(&v));
    let right = MatRef::new(&right, m, n)?;
    let mut y = between(context, MatRef::new(&u_adjoint, m, m)?, right, v.view());
    let view = MatMut::new(&mut y, m, n)?;
    solve_sylvester(context, s.view(), r.view(), view).map_err(|ZeroSum(pivot, other)| {
        let message = format!(
            "cannot solve Sylvester's equation with {m}x{m} and {n}x{n}: eigenvalues {pivot} and {other} add up to zero"
        );
        Error::new(ErrorKind::Singular { pivot }, message)
    })?;
    let y = MatRef::new(&y, m, n)?;
    let solution = between(context, u.view(), y, MatRef::new(&v_adjoint, n, n)?);
    write_rounded(&solution, x);
    Ok(())
}

/// A product of three matrices.
fn between(context: Context, a: MatRef<'_, C>, b: MatRef<'_, C>, c: MatRef<'_, C>) -> Vec<C> {
    let (m, n) = b.shape();
    let (zero, one) = (C::default(), C::new(1.0, 0.0));
    let (mut half, mut all) = (vec![zero; m * n], vec![zero; m * n]);
    let mut view = MatMut::new(&mut half, m, n).expect("m times n items");
    context.gemm(one, a, b, zero, view.reborrow());
    let result = MatMut::new(&mut all, m, n).expect("m times n items");
    context.gemm(one, view.as_ref(), c, zero, result);
    all
}
