//! Stabilised biconjugate gradients.

use super::iterate::{Options, Outcome, Progress, Reason, System};
use super::operator::Operator;
use super::reduce::{dot, length};
use super::vector::add_scaled;
use crate::{Error, Float};

/// Solves `a x = b` for any square `a` by stabilised biconjugate gradients (H. van der Vorst, SIAM J. Sci. Stat.
/// Comput. 13, 1992), preconditioned from the right. `x` is where it begins, and becomes the solution.
///
/// An iteration costs two products with the operator and two with the preconditioner; seven vectors are allocated. It may
/// break down where [`gmres`](super::gmres) does not, and needs less memory.
///
/// # Errors
/// As [`cg`](super::cg).
pub fn bicgstab<T: Float>(
    a: &dyn Operator<T>,
    preconditioner: Option<&dyn Operator<T>>,
    b: &[T],
    x: &mut [T],
    options: &Options<'_>,
) -> Result<Outcome, Error> {
    let system = System::new("bicgstab", (a, preconditioner), (b, x), options)?;
    if let Some(outcome) = system.end_at_zero(x) {
        return Ok(outcome);
    }
    let zeros = || vec![T::default(); b.len()];
    let (mut r, mut p, mut v, mut t) = (zeros(), zeros(), zeros(), zeros());
    let (mut near_p, mut near_s, mut shadow) = (zeros(), zeros(), zeros());
    let mut progress = Progress::new();
    let mut iterations = 0;
    loop {
        let residual = system.residual(x, &mut r)?;
        if residual <= system.tolerance {
            return system.end(x, &mut t, (Reason::Converged, iterations));
        }
        if !progress.goes_on(residual) {
            return system.end(x, &mut t, (Reason::Breakdown, iterations));
        }
        shadow.copy_from_slice(&r);
        p.fill(T::default());
        v.fill(T::default());
        let (mut rho, mut alpha, mut omega) = (T::ONE, T::ONE, T::ONE);
        while length(&r).to_f64() > system.tolerance {
            if iterations >= system.maxiter {
                return system.end(x, &mut t, (Reason::Limit, iterations));
            }
            system.check_stop()?;
            let old = rho;
            rho = dot(&shadow, &r);
            let beta = (rho / old) * (alpha / omega);
            if rho == T::default() || !beta.is_finite() {
                break;
            }
            for ((p, &v), &r) in p.iter_mut().zip(&v).zip(&r) {
                *p = r + beta * (*p - omega * v);
            }
            system.precondition(&p, &mut near_p)?;
            system.multiply(&near_p, &mut v)?;
            alpha = rho / dot(&shadow, &v);
            if !alpha.is_finite() {
                break;
            }
            iterations += 1;
            add_scaled(alpha, &near_p, x);
            add_scaled(-alpha, &v, &mut r);
            if length(&r).to_f64() <= system.tolerance {
                break;
            }
            system.precondition(&r, &mut near_s)?;
            system.multiply(&near_s, &mut t)?;
            omega = dot(&t, &r) / dot(&t, &t);
            if omega == T::default() || !omega.is_finite() {
                break;
            }
            add_scaled(omega, &near_s, x);
            add_scaled(-omega, &t, &mut r);
            system.check("the residual", &r)?;
        }
    }
}
