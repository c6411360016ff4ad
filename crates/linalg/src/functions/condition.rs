//! The condition number.

use crate::decompose::Decompose;
use crate::norm::{self, MatrixNorm};
use crate::{Context, Error, ErrorKind, Field, Float, MatMut, MatRef, dense};

/// The condition number of a matrix in a norm: how much a relative change of a right side may grow in the solution.
/// By singular values in the 2-norm, of any shape; else the norm times that of the inverse. Infinite for a
/// singular matrix, NaN for one with NaN. [`Lu::rcond`](crate::dense::Lu::rcond) estimates it for less.
///
/// # Errors
/// `InvalidInput` for a matrix without items, and for one that is not square in other norms than `Two` and
/// `MinusTwo`; `Infinite` and `NoConvergence` for the spectral norms.
pub fn cond<T: Field>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    norm: MatrixNorm,
) -> Result<T::Real, Error> {
    let (m, n) = a.shape();
    if m == 0 || n == 0 {
        let message =
            format!("cannot take the condition number of a {m}x{n} matrix: it has no items");
        return Err(Error::invalid(message));
    }
    let both = |a| -> Result<(T::Real, T::Real), Error> {
        let values = |kind| norm::matrix(engine, a, kind);
        Ok((values(MatrixNorm::Two)?, values(MatrixNorm::MinusTwo)?))
    };
    let value = match norm {
        MatrixNorm::Two => {
            let (largest, least) = both(a)?;
            largest / least
        }
        MatrixNorm::MinusTwo => {
            let (largest, least) = both(a)?;
            least / largest
        }
        _ => by_inverse(engine, context, a, norm)?,
    };
    let nan = (0..m).any(|i| a.row(i).any(|item| item.is_nan()));
    // A zero matrix is as singular as can be.
    Ok(if value.is_nan() && !nan {
        T::Real::from_f64(f64::INFINITY)
    } else {
        value
    })
}

fn by_inverse<T: Field>(
    engine: &impl Decompose<T>,
    context: Context,
    a: MatRef<'_, T>,
    kind: MatrixNorm,
) -> Result<T::Real, Error> {
    let (m, n) = a.shape();
    if m != n {
        let message =
            format!("cannot take the condition number of a {m}x{n} matrix: it is not square");
        return Err(Error::invalid(message));
    }
    let size = norm::matrix(engine, a, kind)?;
    let mut inverse = vec![T::default(); n * n];
    match dense::inv(context, a, MatMut::new(&mut inverse, n, n)?) {
        Err(error) if matches!(error.kind(), ErrorKind::Singular { .. }) => Ok(if size.is_nan() {
            T::Real::NAN
        } else {
            T::Real::from_f64(f64::INFINITY)
        }),
        Err(error) => Err(error),
        Ok(()) if inverse.iter().any(|item| !item.is_finite()) => Ok(T::Real::NAN),
        Ok(()) => Ok(size * norm::matrix(engine, MatRef::new(&inverse, n, n)?, kind)?),
    }
}
