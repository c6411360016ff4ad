//! Conjugate gradients.

use super::iterate::{Options, Outcome, Progress, Reason, System};
use super::operator::Operator;
use super::reduce::{dot, root};
use super::vector::{scale_add, step};
use crate::{Error, Float};

/// Solves `a x = b` for a symmetric positive definite `a` by conjugate gradients (M. Hestenes, E. Stiefel,
/// J. Res. NBS 49, 1952). `x` is where it begins, and becomes the solution.
///
/// A preconditioner is a symmetric positive definite operator that is near the inverse of `a`. An iteration costs a
/// product with each and ten readings of vectors; four vectors are allocated. Where the recurrence says that the
/// residual is small enough and the true one is not, it starts again from there.
///
/// # Errors
/// `InvalidInput` when shapes or tolerances do not fit; `NotANumber` and `Infinite` at the first such item;
/// `Cancelled`. That it does not converge is no error: the outcome says so.
pub fn cg<T: Float>(
    a: &dyn Operator<T>,
    preconditioner: Option<&dyn Operator<T>>,
    b: &[T],
    x: &mut [T],
    options: &Options<'_>,
) -> Result<Outcome, Error> {
    let system = System::new("cg", (a, preconditioner), (b, x), options)?;
    if let Some(outcome) = system.end_at_zero(x) {
        return Ok(outcome);
    }
    let zeros = || vec![T::default(); b.len()];
    let (mut r, mut z, mut p, mut q) = (zeros(), zeros(), zeros(), zeros());
    let mut progress = Progress::new();
    let mut iterations = 0;
    loop {
        let residual = system.residual(x, &mut r)?;
        if residual <= system.tolerance {
            return system.end(x, &mut q, (Reason::Converged, iterations));
        }
        if !progress.goes_on(residual) {
            return system.end(x, &mut q, (Reason::Breakdown, iterations));
        }
        let mut rho = T::default();
        let mut first = true;
        loop {
            let squares = dot(&r, &r);
            // Also where it is NaN: the true residual tells.
            let above = root(squares, &r).to_f64() > system.tolerance;
            if !above {
                break;
            }
            if iterations >= system.maxiter {
                return system.end(x, &mut q, (Reason::Limit, iterations));
            }
            system.check_stop()?;
            let old = rho;
            let near = if system.is_preconditioned() {
                system.precondition(&r, &mut z)?;
                rho = dot(&r, &z);
                &z
            } else {
                rho = squares;
                &r
            };
            scale_add(near, if first { T::default() } else { rho / old }, &mut p);
            first = false;
            system.multiply_unchecked(&p, &mut q)?;
            // What is not finite in `q` makes the sum so.
            let curvature = dot(&p, &q);
            let alpha = rho / curvature;
            if !(curvature > T::default() && rho > T::default() && alpha.is_finite()) {
                system.check("a product with the operator", &q)?;
                return system.end(x, &mut q, (Reason::Breakdown, iterations));
            }
            iterations += 1;
            step(alpha, (&p, &q), (x, &mut r));
        }
    }
}
