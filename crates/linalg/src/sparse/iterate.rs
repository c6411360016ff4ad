//! What the solvers of systems share: when they stop, and what they say.

use super::operator::{Operator, Stopped, column, column_mut};
use super::reduce::length;
use super::vector::check_finite;
use crate::{Error, ErrorKind, Float};
use std::fmt;

/// When an iteration stops. The names and the rule are those of `scipy.sparse.linalg` 1.14: converged is
/// `|b - a x| <= max(rtol |b|, atol)`.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Relative tolerance.
    pub rtol: f64,
    /// Absolute tolerance.
    pub atol: f64,
    /// The greatest number of iterations; ten for each row where it is not given.
    pub maxiter: Option<usize>,
    /// Iterations of [`gmres`](super::gmres) between restarts; memory is this many vectors.
    pub restart: usize,
    /// Asked before each iteration: `true` ends it with `Cancelled`.
    pub stop: Option<&'a dyn Fn() -> bool>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            rtol: 1e-5,
            atol: 0.0,
            maxiter: None,
            restart: 20,
            stop: None,
        }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("rtol", &self.rtol)
            .field("atol", &self.atol)
            .field("maxiter", &self.maxiter)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

/// Why an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The residual is within the tolerance.
    Converged,
    /// `maxiter` iterations are done.
    Limit,
    /// No step leads further: a division by zero, for [`cg`](super::cg) a direction in which the operator is not
    /// positive, or a residual that rounding does not let shrink.
    Breakdown,
}

/// How an iteration ended. `x` is the best that it has, whatever the reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub reason: Reason,
    /// How many iterations were done: products with the operator, without those that check a residual.
    pub iterations: usize,
    /// `|b - a x|`, from a product of its own.
    pub residual: f64,
    /// What the residual had to reach.
    pub tolerance: f64,
}

impl Outcome {
    /// Whether the residual is within the tolerance.
    pub fn converged(&self) -> bool {
        self.reason == Reason::Converged
    }
}

/// A system that is being solved.
pub(super) struct System<'a, T> {
    pub(super) a: &'a dyn Operator<T>,
    preconditioner: Option<&'a dyn Operator<T>>,
    pub(super) b: &'a [T],
    options: &'a Options<'a>,
    pub(super) tolerance: f64,
    pub(super) maxiter: usize,
    name: &'static str,
}

impl<'a, T: Float> System<'a, T> {
    /// Checks shapes and numbers.
    pub(super) fn new(
        name: &'static str,
        (a, preconditioner): (&'a dyn Operator<T>, Option<&'a dyn Operator<T>>),
        (b, x): (&'a [T], &[T]),
        options: &'a Options<'a>,
    ) -> Result<Self, Error> {
        let n = b.len();
        let (rows, columns) = a.shape();
        if (rows, columns) != (n, n) || x.len() != n {
            return Err(Error::invalid(format!(
                "cannot solve by {name}: the operator is {rows}x{columns}, `b` has {n} items, `x` {}",
                x.len()
            )));
        }
        if let Some((rows, columns)) = preconditioner
            .map(Operator::shape)
            .filter(|&shape| shape != (n, n))
        {
            return Err(Error::invalid(format!(
                "cannot solve by {name}: the operator is {n}x{n}, the preconditioner {rows}x{columns}"
            )));
        }
        for (what, value) in [("rtol", options.rtol), ("atol", options.atol)] {
            if !value.is_finite() || value < 0.0 {
                return Err(Error::invalid(format!(
                    "cannot solve by {name}: {what} is {value}"
                )));
            }
        }
        let operation = format!("solve by {name}");
        check_finite(&operation, "`b`", b)?;
        check_finite(&operation, "`x0`", x)?;
        let size = length(b).to_f64();
        if !size.is_finite() {
            let message = format!("cannot {operation}: the norm of `b` overflows");
            return Err(Error::invalid(message));
        }
        let tolerance = (options.rtol * size).max(options.atol);
        let maxiter = options.maxiter.unwrap_or(n.saturating_mul(10));
        Ok(Self {
            a,
            preconditioner,
            b,
            options,
            tolerance,
            maxiter,
            name,
        })
    }

    /// The outcome without a right side, as that of `scipy`: `x` becomes zero, wherever it begins.
    pub(super) fn end_at_zero(&self, x: &mut [T]) -> Option<Outcome> {
        if self.b.iter().any(|&b| b != T::default()) {
            return None;
        }
        x.fill(T::default());
        Some(Outcome {
            reason: Reason::Converged,
            iterations: 0,
            residual: 0.0,
            tolerance: self.tolerance,
        })
    }

    /// `y = a x`, finite.
    pub(super) fn multiply(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        self.multiply_unchecked(x, y)?;
        self.check("a product with the operator", y)
    }

    /// `y = a x`, whatever it holds.
    pub(super) fn multiply_unchecked(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        let applied = self.a.apply(column(x), column_mut(y));
        applied.map_err(|Stopped| self.cancelled())
    }

    /// `y = m x` with the preconditioner, finite.
    pub(super) fn precondition(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        let Some(preconditioner) = self.preconditioner else {
            y.copy_from_slice(x);
            return Ok(());
        };
        let applied = preconditioner.apply(column(x), column_mut(y));
        applied.map_err(|Stopped| self.cancelled())?;
        self.check("a product with the preconditioner", y)
    }

    /// Whether there is a preconditioner.
    pub(super) fn is_preconditioned(&self) -> bool {
        self.preconditioner.is_some()
    }

    /// `r = b - a x` and its length.
    pub(super) fn residual(&self, x: &[T], r: &mut [T]) -> Result<f64, Error> {
        self.multiply(x, r)?;
        for (r, &b) in r.iter_mut().zip(self.b) {
            *r = b - *r;
        }
        self.check("the residual", r)?;
        Ok(length(r).to_f64())
    }

    /// Fails when the caller wants to end.
    pub(super) fn check_stop(&self) -> Result<(), Error> {
        match self.options.stop {
            Some(stop) if stop() => Err(self.cancelled()),
            _ => Ok(()),
        }
    }

    pub(super) fn check(&self, what: &str, x: &[T]) -> Result<(), Error> {
        check_finite(&format!("solve by {}", self.name), what, x)
    }

    /// The outcome, with the true residual of `x`.
    pub(super) fn end(
        &self,
        x: &[T],
        work: &mut [T],
        (reason, iterations): (Reason, usize),
    ) -> Result<Outcome, Error> {
        let residual = self.residual(x, work)?;
        let reason = if residual <= self.tolerance {
            Reason::Converged
        } else {
            reason
        };
        Ok(Outcome {
            reason,
            iterations,
            residual,
            tolerance: self.tolerance,
        })
    }

    fn cancelled(&self) -> Error {
        cancelled(&format!("solve by {}", self.name))
    }
}

/// The error of work that was ended from outside.
pub(super) fn cancelled(operation: &str) -> Error {
    let message = format!("cannot {operation}: the caller or an operator ended it");
    Error::new(ErrorKind::Cancelled, message)
}

/// Tells apart residuals that shrink from those that rounding holds up.
pub(super) struct Progress {
    best: f64,
    patience: usize,
}

impl Progress {
    /// True residuals in a row that may be no better than half the best one.
    const PATIENCE: usize = 3;

    pub(super) fn new() -> Self {
        Self {
            best: f64::INFINITY,
            patience: Self::PATIENCE,
        }
    }

    /// Whether another attempt from a true residual is worth it.
    pub(super) fn goes_on(&mut self, residual: f64) -> bool {
        if residual < 0.5 * self.best {
            self.patience = Self::PATIENCE;
        } else {
            self.patience -= 1;
        }
        self.best = self.best.min(residual);
        self.patience > 0
    }
}
