//! Minimal residuals for symmetric systems.

use super::iterate::{Options, Outcome, Progress, Reason, System};
use super::operator::Operator;
use super::reduce::{dot, length};
use super::vector::add_scaled;
use crate::{Error, Float};

/// Solves `a x = b` for a symmetric `a`, which need not be definite, by minimal residuals (C. Paige, M. Saunders,
/// SIAM J. Numer. Anal. 12, 1975). `x` is where it begins, and becomes the solution.
///
/// A preconditioner is symmetric and positive definite. An iteration costs a product with each and ten passes over vectors;
/// eight vectors are allocated. It stops as [`cg`](super::cg) does, by the true residual.
///
/// # Errors
/// As [`cg`](super::cg).
pub fn minres<T: Float>(
    a: &dyn Operator<T>,
    preconditioner: Option<&dyn Operator<T>>,
    b: &[T],
    x: &mut [T],
    options: &Options<'_>,
) -> Result<Outcome, Error> {
    let system = System::new("minres", (a, preconditioner), (b, x), options)?;
    if let Some(outcome) = system.end_at_zero(x) {
        return Ok(outcome);
    }
    let mut r = vec![T::default(); b.len()];
    let mut progress = Progress::new();
    // The estimate has to be this much less than what is asked for: with a preconditioner it is another norm.
    let mut safety = 0.9;
    let mut iterations = 0;
    loop {
        let residual = system.residual(x, &mut r)?;
        if residual <= system.tolerance {
            return system.end(x, &mut r, (Reason::Converged, iterations));
        }
        if iterations >= system.maxiter {
            return system.end(x, &mut r, (Reason::Limit, iterations));
        }
        if !progress.goes_on(residual) {
            return system.end(x, &mut r, (Reason::Breakdown, iterations));
        }
        let goal = system.tolerance / residual * safety;
        safety = 0.1;
        if !pass(&system, x, &r, goal, &mut iterations)? {
            return system.end(x, &mut r, (Reason::Breakdown, iterations));
        }
    }
}

/// The three-term recurrence of Lanczos, and the last rotation of its triangular factor.
struct Lanczos<T> {
    /// The residual vectors of the last two steps, and the preconditioned one of the next.
    old: Vec<T>,
    new: Vec<T>,
    v: Vec<T>,
    z: Vec<T>,
    beta: T,
    old_beta: T,
}

/// Iterates from `x` with the residual `r`, until the estimated residual is `goal` times the first one. False where the
/// preconditioner is not positive.
fn pass<T: Float>(
    system: &System<'_, T>,
    x: &mut [T],
    r: &[T],
    goal: f64,
    iterations: &mut usize,
) -> Result<bool, Error> {
    let n = r.len();
    let zeros = || vec![T::default(); n];
    let mut lanczos = Lanczos {
        old: zeros(),
        new: r.to_vec(),
        v: zeros(),
        z: zeros(),
        beta: T::ONE,
        old_beta: T::ONE,
    };
    system.precondition(r, &mut lanczos.z)?;
    let square = dot(r, &lanczos.z);
    if square <= T::default() {
        return Ok(false);
    }
    lanczos.beta = square.sqrt();
    let first = lanczos.beta;
    let (mut direction, mut before, mut earlier) = (zeros(), zeros(), zeros());
    let (mut c, mut s) = (-T::ONE, T::default());
    let (mut epsilon, mut d_bar, mut phi) = (T::default(), T::default(), first);
    while phi.to_f64() > goal * first.to_f64() && *iterations < system.maxiter {
        system.check_stop()?;
        *iterations += 1;
        let (alpha, next) = lanczos.step(system)?;
        if next < T::default() {
            return Ok(false);
        }
        let next = next.sqrt();
        let old_epsilon = epsilon;
        let delta = c * d_bar + s * alpha;
        let g_bar = s * d_bar - c * alpha;
        epsilon = s * next;
        d_bar = -c * next;
        let gamma = length(&[g_bar, next]);
        if gamma == T::default() {
            break;
        }
        (c, s) = (g_bar / gamma, next / gamma);
        let tau = c * phi;
        phi = s * phi;
        std::mem::swap(&mut earlier, &mut before);
        std::mem::swap(&mut before, &mut direction);
        for i in 0..n {
            direction[i] = (lanczos.v[i] - old_epsilon * earlier[i] - delta * before[i]) / gamma;
        }
        add_scaled(tau, &direction, x);
        system.check("the iterate", x)?;
        if next <= T::EPSILON * first {
            break;
        }
        lanczos.beta = next;
    }
    Ok(true)
}

impl<T: Float> Lanczos<T> {
    /// The next diagonal item, and the square of the next one beside it.
    fn step(&mut self, system: &System<'_, T>) -> Result<(T, T), Error> {
        for (v, &z) in self.v.iter_mut().zip(&self.z) {
            *v = z / self.beta;
        }
        system.multiply(&self.v, &mut self.z)?;
        add_scaled(-(self.beta / self.old_beta), &self.old, &mut self.z);
        let alpha = dot(&self.v, &self.z);
        add_scaled(-(alpha / self.beta), &self.new, &mut self.z);
        // `old` becomes `new`, and `new` what has been made.
        std::mem::swap(&mut self.old, &mut self.new);
        self.new.copy_from_slice(&self.z);
        self.old_beta = self.beta;
        system.precondition(&self.new, &mut self.z)?;
        Ok((alpha, dot(&self.new, &self.z)))
    }
}
