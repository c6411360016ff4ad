//! Some eigenvalues of symmetric operators.

use super::iterate::cancelled;
use super::krylov::{Basis, Random, multiply, zeros};
use super::operator::Operator;
use crate::decompose::{self, Decompose, turn_columns};
use crate::{Context, Error, ErrorKind, Float, MatMut, MatRef};
use std::cmp::Ordering;
use std::fmt;

/// Which eigenvalues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Of the largest absolute value: `LM`.
    LargestMagnitude,
    /// The largest: `LA`.
    Largest,
    /// The smallest: `SA`.
    Smallest,
}

/// How eigenvalues and singular values are sought.
#[derive(Clone, Copy)]
pub struct EigenOptions<'a> {
    /// Vectors in the basis, more than values are sought; twice as many and one, at least 40, where it is not given.
    pub ncv: Option<usize>,
    /// The residual `|a v - λ v|` may be this part of `|λ|`; 0 is as exact as rounding allows.
    pub tol: f64,
    /// The greatest number of restarts; ten for each row where it is not given.
    pub maxiter: Option<usize>,
    /// Where the random vector that it begins with comes from.
    pub seed: u64,
    /// Asked before each product: `true` ends the search with `Cancelled`.
    pub stop: Option<&'a dyn Fn() -> bool>,
}

impl Default for EigenOptions<'_> {
    fn default() -> Self {
        Self {
            ncv: None,
            tol: 0.0,
            maxiter: None,
            seed: 0,
            stop: None,
        }
    }
}

impl fmt::Debug for EigenOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EigenOptions")
            .field("ncv", &self.ncv)
            .field("tol", &self.tol)
            .field("maxiter", &self.maxiter)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl EigenOptions<'_> {
    /// Vectors in the basis for `k` values of an operator with `n` rows.
    pub(super) fn width(&self, k: usize, n: usize) -> usize {
        self.ncv.unwrap_or((2 * k + 1).max(40)).max(k + 2).min(n)
    }

    pub(super) fn limit(&self, n: usize) -> usize {
        self.maxiter.unwrap_or(n.saturating_mul(10))
    }

    pub(super) fn check_stop(&self, operation: &str) -> Result<(), Error> {
        match self.stop {
            Some(stop) if stop() => Err(cancelled(operation)),
            _ => Ok(()),
        }
    }
}

/// The `values.len()` eigenvalues of a symmetric operator at an end of its spectrum, ascending, and their vectors, by
/// thick-restart Lanczos (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22, 2000) with full orthogonalisation.
/// Returns the number of products.
///
/// In each vector the first of the items with the largest absolute value is positive. Memory is `ncv` vectors; a restart costs
/// about `ncv` products and `4 n ncv^2` multiplications. One more cycle from a random vector looks for values that the
/// first one missed; of many equal ones it may still miss some.
///
/// # Errors
/// `InvalidInput` when shapes do not fit; `NotANumber` and `Infinite` for the first such item of a product;
/// `NoConvergence` after `maxiter` restarts; `Cancelled`.
pub fn eigsh<T: Float>(
    engine: &impl Decompose<T>,
    a: &dyn Operator<T>,
    which: Which,
    values: &mut [T],
    vectors: Option<MatMut<'_, T>>,
    options: &EigenOptions<'_>,
) -> Result<usize, Error> {
    let (n, columns) = a.shape();
    let k = values.len();
    let fits = vectors.as_ref().is_none_or(|v| v.shape() == (n, k));
    if n != columns || k > n || !fits {
        return Err(Error::invalid(format!(
            "cannot find {k} eigenvalues of a {n}x{columns} operator: it is not square, has fewer, or vectors are not {n}x{k}"
        )));
    }
    if k == 0 {
        return Ok(0);
    }
    let mut search = Search::new(a, which, k, options)?;
    let weights = search.run(engine)?;
    let order = search.ascending();
    for (value, &at) in values.iter_mut().zip(&order) {
        *value = search.found[at];
    }
    if let Some(mut vectors) = vectors {
        let (width, kept) = (search.width, search.found.len());
        let weights = MatRef::with_strides(&weights, (width, kept), (1, width))?;
        search.basis.restart(width, weights, None);
        for (j, &at) in order.iter().enumerate() {
            for (i, &item) in search.basis.get(at).iter().enumerate() {
                *vectors.item(i, j) = item;
            }
        }
        turn_columns(&mut vectors);
    }
    Ok(search.products)
}

/// The eigenvalues nearest to `sigma`, ascending, and their vectors; `inverse` applies `(a - sigma)^-1`, for example a
/// [`Factor`](super::Factor). With `sigma` 0 these are the smallest in absolute value: `SM`.
///
/// `tol` is about the eigenvalues of `inverse`.
///
/// # Errors
/// As [`eigsh`].
pub fn eigsh_near<T: Float>(
    engine: &impl Decompose<T>,
    inverse: &dyn Operator<T>,
    sigma: T,
    values: &mut [T],
    mut vectors: Option<MatMut<'_, T>>,
    options: &EigenOptions<'_>,
) -> Result<usize, Error> {
    let k = values.len();
    let mut found = vec![T::default(); k];
    let both = vectors.as_mut().map(MatMut::reborrow);
    let products = eigsh(
        engine,
        inverse,
        Which::LargestMagnitude,
        &mut found,
        both,
        options,
    )?;
    let values_of: Vec<T> = found.iter().map(|&value| sigma + T::ONE / value).collect();
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&i, &j| compare(values_of[i], values_of[j]));
    for (value, &at) in values.iter_mut().zip(&order) {
        *value = values_of[at];
    }
    if let Some(vectors) = &mut vectors {
        for i in 0..vectors.shape().0 {
            let row: Vec<T> = vectors.as_ref().row(i).copied().collect();
            for (j, &at) in order.iter().enumerate() {
                *vectors.item(i, j) = row[at];
            }
        }
    }
    Ok(products)
}

fn compare<T: Float>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

const OPERATION: &str = "find eigenvalues";

/// The part of its distance from the wanted values that the residual of the next one may be in the end.
pub(super) const NEXT_RESIDUAL: f64 = 0.01;

/// Roundings of the operator's norm that a residual may be, whatever tolerance is asked for.
pub(super) const ROUNDINGS: f64 = 4.0;

struct Search<'a, T> {
    a: &'a dyn Operator<T>,
    which: Which,
    k: usize,
    width: usize,
    options: &'a EigenOptions<'a>,
    basis: Basis<T>,
    /// The operator in the basis, by rows.
    projected: Vec<T>,
    random: Random,
    /// Sizes seen, by which rounding is judged.
    norm: T,
    /// The wanted values of the last cycle, the most wanted first.
    found: Vec<T>,
    products: usize,
}

impl<'a, T: Float> Search<'a, T> {
    fn new(
        a: &'a dyn Operator<T>,
        which: Which,
        k: usize,
        options: &'a EigenOptions<'a>,
    ) -> Result<Self, Error> {
        let n = a.shape().0;
        let width = options.width(k, n);
        Ok(Self {
            a,
            which,
            k,
            width,
            options,
            basis: Basis::new(OPERATION, n, width + 1)?,
            projected: zeros(OPERATION, width, width)?,
            random: Random::new(options.seed),
            norm: T::default(),
            found: Vec::new(),
            products: 0,
        })
    }

    /// Fills the basis until the wanted values have converged; returns the weights of their vectors, by columns.
    fn run(&mut self, engine: &impl Decompose<T>) -> Result<Vec<T>, Error> {
        let (n, width) = (self.a.shape().0, self.width);
        let mut work = vec![T::default(); n];
        self.basis.put(0, &mut work, T::default(), &mut self.random);
        let mut kept = 0;
        // Values that had converged when the last random vector came.
        let mut known = self.k;
        let mut confirmed: Option<Vec<T>> = None;
        let (mut values, mut vectors) =
            (vec![T::default(); width], vec![T::default(); width * width]);
        for _ in 0..=self.options.limit(n) {
            let beta = self.cycle(kept, &mut work)?;
            let projected = MatRef::new(&self.projected, width, width)?;
            let target = MatMut::with_strides(&mut vectors, (width, width), (1, width))?;
            decompose::eigh(
                Context::default(),
                engine,
                projected,
                &mut values,
                Some(target),
            )?;
            let order = self.wanted_first(&values);
            let residual = |at: usize| (beta * vectors[at * width + width - 1]).abs();
            let converged = order[..self.k]
                .iter()
                .filter(|&&at| residual(at) <= self.tolerance(values[at]))
                .count();
            self.found = order[..self.k].iter().map(|&at| values[at]).collect();
            let done = converged == self.k;
            // A value of the rest of the space that is known well enough to say that it is not wanted.
            let next = order.get(known).is_none_or(|&at| {
                let gap = (values[order[self.k - 1]].abs() - values[at].abs()).abs();
                let enough = gap * T::from_f64(NEXT_RESIDUAL);
                residual(at) <= enough || residual(at) <= self.tolerance(values[at])
            });
            let agrees = confirmed.as_ref().is_some_and(|before| self.agrees(before));
            if done && (width == n || next && agrees) {
                let column = |&at: &usize| &vectors[at * width..(at + 1) * width];
                return Ok(order[..self.k].iter().flat_map(column).copied().collect());
            }
            let anew = done && (next || confirmed.is_none());
            kept = if anew {
                // What has not converged must not lose the vector that it is coupled to.
                order
                    .iter()
                    .take_while(|&&at| residual(at) <= self.tolerance(values[at]))
                    .count()
                    .min(self.k + (width - self.k) / 2)
            } else {
                // Some more: equal values come in mixtures, and half of one does not lead further.
                known + (width - known) / 2
            };
            kept = kept.min(width - 1);
            let chosen: Vec<T> = order[..kept]
                .iter()
                .flat_map(|&at| &vectors[at * width..(at + 1) * width])
                .copied()
                .collect();
            let weights = MatRef::with_strides(&chosen, (width, kept), (1, width))?;
            self.basis.restart(width, weights, Some(width));
            self.projected.fill(T::default());
            for (i, &at) in order[..kept].iter().enumerate() {
                self.projected[i * width + i] = values[at];
            }
            if anew {
                known = kept;
                confirmed = Some(self.found.clone());
                // What has no part in the first vector is not in its space: look from another one.
                self.basis.put(
                    kept,
                    &mut vec![T::default(); n],
                    T::default(),
                    &mut self.random,
                );
            }
        }
        let message = format!(
            "cannot find {} eigenvalues of a {n}x{n} operator: they have not converged after {} restarts",
            self.k,
            self.options.limit(n)
        );
        Err(Error::new(ErrorKind::NoConvergence, message))
    }

    /// Extends the basis from `kept` vectors and the next one to `width`; returns what couples it to the one after.
    fn cycle(&mut self, kept: usize, work: &mut [T]) -> Result<T, Error> {
        let width = self.width;
        let mut beta = T::default();
        for j in kept..width {
            self.options.check_stop(OPERATION)?;
            self.products += 1;
            multiply(OPERATION, (self.a, false), self.basis.get(j), work)?;
            let mut parts = vec![T::default(); j + 1];
            self.basis.orthogonalize(work, &mut parts);
            for (i, &part) in parts.iter().enumerate() {
                self.projected[i * width + j] = part;
                self.projected[j * width + i] = part;
                self.norm = if part.abs() > self.norm {
                    part.abs()
                } else {
                    self.norm
                };
            }
            let rounding = self.norm * T::EPSILON;
            beta = self.basis.put(j + 1, work, rounding, &mut self.random);
        }
        Ok(beta)
    }

    fn tolerance(&self, value: T) -> T {
        let asked = T::from_f64(self.options.tol) * value.abs();
        let rounding = self.norm * T::EPSILON * T::from_f64(ROUNDINGS);
        if asked > rounding { asked } else { rounding }
    }

    /// Whether the values are those that had converged before.
    fn agrees(&self, before: &[T]) -> bool {
        let slack = T::from_f64(self.k as f64) + T::from_f64(10.0);
        let mut pairs = self.found.iter().zip(before);
        pairs.all(|(&a, &b)| (a - b).abs() <= slack * self.tolerance(a))
    }

    /// The places of values, the most wanted first.
    fn wanted_first(&self, values: &[T]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&i, &j| match self.which {
            Which::LargestMagnitude => compare(values[j].abs(), values[i].abs()),
            Which::Largest => compare(values[j], values[i]),
            Which::Smallest => compare(values[i], values[j]),
        });
        order
    }

    /// The places of the found values, ascending.
    fn ascending(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.found.len()).collect();
        order.sort_by(|&i, &j| compare(self.found[i], self.found[j]));
        order
    }
}
