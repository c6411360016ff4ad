//! Generalised minimal residuals.

use super::iterate::{Options, Outcome, Reason, System};
use super::operator::Operator;
use super::reduce::{dot, length};
use super::vector::{add_scaled, scale};
use crate::{Error, Float};

/// Solves `a x = b` for any square `a` by restarted generalised minimal residuals (Y. Saad, M. Schultz, SIAM J. Sci.
/// Stat. Comput. 7, 1986), preconditioned from the right: residuals are those of the system itself. `x` is where it
/// begins, and becomes the solution.
///
/// Memory is `restart` vectors; iteration `j` after a restart costs a product and `4 j` passes over
/// vectors, which are orthogonalised twice. `maxiter` counts iterations, not restarts.
///
/// # Errors
/// As [`cg`](super::cg); `InvalidInput` also where `restart` is 0.
pub fn gmres<T: Float>(
    a: &dyn Operator<T>,
    preconditioner: Option<&dyn Operator<T>>,
    b: &[T],
    x: &mut [T],
    options: &Options<'_>,
) -> Result<Outcome, Error> {
    let system = System::new("gmres", (a, preconditioner), (b, x), options)?;
    let n = b.len();
    if options.restart == 0 {
        return Err(Error::invalid(
            "cannot solve by gmres: `restart` is 0".to_owned(),
        ));
    }
    if let Some(outcome) = system.end_at_zero(x) {
        return Ok(outcome);
    }
    let steps = options.restart.min(n);
    let (mut r, mut near) = (vec![T::default(); n], vec![T::default(); n]);
    let (mut previous, mut patience) = (f64::INFINITY, PATIENCE);
    let mut iterations = 0;
    loop {
        let residual = system.residual(x, &mut r)?;
        if residual <= system.tolerance {
            return system.end(x, &mut near, (Reason::Converged, iterations));
        }
        patience = if residual < STEADY * previous {
            PATIENCE
        } else {
            patience - 1
        };
        previous = residual;
        if patience == 0 {
            return system.end(x, &mut near, (Reason::Breakdown, iterations));
        }
        let mut cycle = Cycle::new(&r, residual);
        while cycle.columns.len() < steps && cycle.residual > system.tolerance {
            if iterations >= system.maxiter {
                break;
            }
            system.check_stop()?;
            iterations += 1;
            system.precondition(cycle.last(), &mut near)?;
            system.multiply(&near, &mut r)?;
            if !cycle.step(&mut r) {
                break;
            }
        }
        let change = cycle.solve(n);
        system.check("a step", &change)?;
        system.precondition(&change, &mut near)?;
        add_scaled(T::ONE, &near, x);
        if iterations >= system.maxiter {
            return system.end(x, &mut near, (Reason::Limit, iterations));
        }
    }
}

/// A cycle that leaves more than this of the residual leads nowhere.
const STEADY: f64 = 0.9999;

/// How many such cycles there may be in a row.
const PATIENCE: usize = 5;

/// The iterations between two restarts: a basis of the Krylov space, and the least-squares problem in it, which
/// rotations keep triangular.
struct Cycle<T> {
    basis: Vec<Vec<T>>,
    /// Column `j` of the triangle has `j + 1` items.
    columns: Vec<Vec<T>>,
    rotations: Vec<(T, T)>,
    right: Vec<T>,
    residual: f64,
}

impl<T: Float> Cycle<T> {
    /// From a residual, which is not zero.
    fn new(r: &[T], residual: f64) -> Self {
        let mut first = r.to_vec();
        scale(T::from_f64(residual.recip()), &mut first);
        Self {
            basis: vec![first],
            columns: Vec::new(),
            rotations: Vec::new(),
            right: vec![T::from_f64(residual)],
            residual,
        }
    }

    fn last(&self) -> &[T] {
        self.basis.last().map_or(&[], |last| last)
    }

    /// Takes in the next vector; false where it adds nothing to the space.
    fn step(&mut self, w: &mut [T]) -> bool {
        let before = length(w);
        let mut column = vec![T::default(); self.basis.len()];
        // Twice is enough (L. Giraud, J. Langou, M. Rozloznik, 2005).
        for _ in 0..2 {
            for (v, h) in self.basis.iter().zip(&mut column) {
                let part = dot(v, w);
                add_scaled(-part, v, w);
                *h = *h + part;
            }
        }
        let next = length(w);
        for (j, &(c, s)) in self.rotations.iter().enumerate() {
            let (above, below) = (column[j], column[j + 1]);
            column[j] = c * above + s * below;
            column[j + 1] = c * below - s * above;
        }
        let at = self.columns.len();
        let ends = next <= before * T::EPSILON;
        let next = if ends { T::default() } else { next };
        let size = length(&[column[at], next]);
        if size == T::default() {
            return false;
        }
        let (c, s) = (column[at] / size, next / size);
        column[at] = size;
        let turned = self.right[at];
        self.right[at] = c * turned;
        self.right.push(-s * turned);
        self.residual = self.right[at + 1].abs().to_f64();
        self.rotations.push((c, s));
        self.columns.push(column);
        if !ends {
            let mut vector = w.to_vec();
            scale(T::ONE / next, &mut vector);
            self.basis.push(vector);
        }
        !ends
    }

    /// The step in the space with the least residual.
    fn solve(&self, n: usize) -> Vec<T> {
        let mut weights = self.right[..self.columns.len()].to_vec();
        for j in (0..weights.len()).rev() {
            weights[j] = weights[j] / self.columns[j][j];
            let weight = weights[j];
            for (above, &factor) in weights[..j].iter_mut().zip(&self.columns[j]) {
                *above = *above - weight * factor;
            }
        }
        let mut change = vec![T::default(); n];
        for (v, &weight) in self.basis.iter().zip(&weights) {
            add_scaled(weight, v, &mut change);
        }
        change
    }
}
