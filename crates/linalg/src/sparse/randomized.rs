//! Singular values by a random sketch.

use super::iterate::cancelled;
use super::krylov::{Random, zeros};
use super::operator::{Operator, Stopped};
use super::svds::check_shapes;
use super::vector::check_finite;
use crate::decompose::{self, Decompose, multiply_columns, turn_columns};
use crate::{Context, Error, Float, MatMut, MatRef};
use std::fmt;

/// How a sketch is taken.
#[derive(Clone, Copy)]
pub struct RandomizedOptions<'a> {
    /// Columns of the sketch beyond the values that are sought.
    pub oversampling: usize,
    /// Products with `a a^T` that the sketch goes through, with an orthogonalisation after each half.
    pub power_iterations: usize,
    /// Where the sketch comes from: the same seed gives the same result.
    pub seed: u64,
    /// Asked before each product: `true` ends the search with `Cancelled`.
    pub stop: Option<&'a dyn Fn() -> bool>,
}

impl Default for RandomizedOptions<'_> {
    fn default() -> Self {
        Self {
            oversampling: 10,
            power_iterations: 4,
            seed: 0,
            stop: None,
        }
    }
}

impl fmt::Debug for RandomizedOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomizedOptions")
            .field("oversampling", &self.oversampling)
            .field("power_iterations", &self.power_iterations)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Nearly the `values.len()` largest singular values of an operator, descending, and their vectors `u` and `v` by columns
/// (N. Halko, P. Martinsson, J. Tropp, SIAM Review 53, 2011: algorithms 4.4 and 5.1).
///
/// `|a - u diag(values) v^T|` is near the next singular value; the more so, the more power iterations there are and the
/// faster values decay. In each column of `u` the first of the items with the largest absolute value is positive. Costs
/// `2 power_iterations + 2` products with `values.len() + oversampling` columns and as many QR of these.
///
/// # Errors
/// `InvalidInput` when shapes do not fit; `NotANumber` and `Infinite` for the first such item of a product;
/// `NoConvergence`; `Cancelled`.
pub fn randomized_svd<T: Float>(
    engine: &impl Decompose<T>,
    a: &dyn Operator<T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
    options: &RandomizedOptions<'_>,
) -> Result<(), Error> {
    let ((m, n), k) = (a.shape(), values.len());
    check_shapes("sketch", (m, n), k, vectors.as_ref())?;
    if k == 0 {
        return Ok(());
    }
    let width = k.saturating_add(options.oversampling).min(m).min(n);
    let sketch = Sketch {
        a,
        width,
        stop: options.stop,
    };
    let mut right = zeros(OPERATION, n, width)?;
    Random::new(options.seed).fill(&mut right);
    let mut left = sketch.range(engine, false, &right)?;
    for _ in 0..options.power_iterations {
        right = sketch.range(engine, true, &left)?;
        left = sketch.range(engine, false, &right)?;
    }
    // a is near q q^T a, and a^T q = v diag(values) w^T.
    let projected = sketch.product(true, &left)?;
    let projected = MatRef::new(&projected, n, width)?;
    let (mut all, mut w) = (vec![T::default(); width], vec![T::default(); width * width]);
    let both = (
        MatMut::new(&mut right, n, width)?,
        MatMut::new(&mut w, width, width)?,
    );
    decompose::svd(Context::default(), engine, projected, &mut all, Some(both))?;
    values.copy_from_slice(&all[..k]);
    if let Some((mut u, mut v)) = vectors {
        let w = MatRef::new(&w, width, width)?.block(0..width, 0..k);
        let left = MatRef::new(&left, m, width)?;
        Context::default().gemm(T::ONE, left, w, T::default(), u.reborrow());
        let right = MatRef::new(&right, n, width)?.block(0..n, 0..k);
        crate::dense::copy_into(right, v.reborrow());
        multiply_columns(&mut v, &turn_columns(&mut u));
    }
    Ok(())
}

const OPERATION: &str = "sketch singular values";

struct Sketch<'a, T> {
    a: &'a dyn Operator<T>,
    width: usize,
    stop: Option<&'a dyn Fn() -> bool>,
}

impl<T: Float> Sketch<'_, T> {
    /// `a x`, or `a^T x`, by rows.
    fn product(&self, transposed: bool, x: &[T]) -> Result<Vec<T>, Error> {
        if self.stop.is_some_and(|stop| stop()) {
            return Err(cancelled(OPERATION));
        }
        let (m, n) = self.a.shape();
        let (rows, from) = if transposed { (n, m) } else { (m, n) };
        let mut y = zeros(OPERATION, rows, self.width)?;
        let (x, target) = (
            MatRef::new(x, from, self.width)?,
            MatMut::new(&mut y, rows, self.width)?,
        );
        let applied = if transposed {
            self.a.apply_transpose(x, target)
        } else {
            self.a.apply(x, target)
        };
        applied.map_err(|Stopped| cancelled(OPERATION))?;
        check_finite(OPERATION, "a product with the operator", &y)?;
        Ok(y)
    }

    /// An orthonormal basis of the product.
    fn range(
        &self,
        engine: &impl Decompose<T>,
        transposed: bool,
        x: &[T],
    ) -> Result<Vec<T>, Error> {
        let y = self.product(transposed, x)?;
        let rows = y.len() / self.width;
        let mut q = vec![T::default(); y.len()];
        let mut r = vec![T::default(); self.width * self.width];
        decompose::qr(
            Context::default(),
            engine,
            MatRef::new(&y, rows, self.width)?,
            MatMut::new(&mut q, rows, self.width)?,
            MatMut::new(&mut r, self.width, self.width)?,
        )?;
        Ok(q)
    }
}
