//! Some singular values.

use super::eigsh::{EigenOptions, NEXT_RESIDUAL, ROUNDINGS};
use super::krylov::{Basis, Random, multiply, zeros};
use super::operator::Operator;
use crate::decompose::{self, Decompose, multiply_columns, turn_columns};
use crate::{Context, Error, ErrorKind, Float, MatMut, MatRef};

/// The `values.len()` largest singular values of an operator, descending, and their vectors `u` and `v` by columns, by
/// thick-restart Lanczos bidiagonalisation (J. Baglama, L. Reichel, SIAM J. Sci. Comput. 27, 2005) with full
/// orthogonalisation of both sides. Returns the number of products with `a`; there are as many with `a^T`.
///
/// In each column of `u` the first of the items with the largest absolute value is positive. Memory is `ncv` vectors of each
/// side. The product `a^T a` is never formed, so that small values are as exact as large ones: within rounding of the
/// largest.
///
/// # Errors
/// As [`eigsh`](super::eigsh()).
pub fn svds<T: Float>(
    engine: &impl Decompose<T>,
    a: &dyn Operator<T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
    options: &EigenOptions<'_>,
) -> Result<usize, Error> {
    let ((m, n), k) = (a.shape(), values.len());
    check_shapes("find", (m, n), k, vectors.as_ref())?;
    if k == 0 {
        return Ok(0);
    }
    let mut search = Search::new(a, k, options)?;
    let (left, right) = search.run(engine, values)?;
    if let Some((u, v)) = vectors {
        let width = search.width;
        let left = MatRef::with_strides(&left, (width, k), (1, width))?;
        let right = MatRef::with_strides(&right, (width, k), (1, width))?;
        search.left.restart(width, left, None);
        search.right.restart(width, right, None);
        let bases = (&search.left, &search.right);
        write_signed(
            if search.transposed {
                (bases.1, bases.0)
            } else {
                bases
            },
            (u, v),
        );
    }
    Ok(search.products)
}

pub(super) fn check_shapes<T>(
    operation: &str,
    (m, n): (usize, usize),
    k: usize,
    vectors: Option<&(MatMut<'_, T>, MatMut<'_, T>)>,
) -> Result<(), Error> {
    let fits = vectors.is_none_or(|(u, v)| u.shape() == (m, k) && v.shape() == (n, k));
    if k > m.min(n) || !fits {
        return Err(Error::invalid(format!(
            "cannot {operation} {k} singular values of a {m}x{n} operator: it has fewer, or vectors are not {m}x{k} and {n}x{k}"
        )));
    }
    Ok(())
}

/// Writes pairs of vectors with the signs of [`svd`](crate::decompose::svd()).
fn write_signed<T: Float>(
    (left, right): (&Basis<T>, &Basis<T>),
    (mut u, mut v): (MatMut<'_, T>, MatMut<'_, T>),
) {
    for j in 0..u.shape().1 {
        for (from, to) in [(left, &mut u), (right, &mut v)] {
            for (i, &item) in from.get(j).iter().enumerate() {
                *to.item(i, j) = item;
            }
        }
    }
    multiply_columns(&mut v, &turn_columns(&mut u));
}

const OPERATION: &str = "find singular values";

struct Search<'a, T> {
    a: &'a dyn Operator<T>,
    /// Whether the search is about the transposed operator: the right side is the shorter one, so that a basis of all of it
    /// leaves nothing out.
    transposed: bool,
    /// Rows and columns of what the search is about.
    shape: (usize, usize),
    k: usize,
    width: usize,
    options: &'a EigenOptions<'a>,
    left: Basis<T>,
    right: Basis<T>,
    /// The operator between the bases, by rows.
    projected: Vec<T>,
    random: Random,
    /// Sizes seen, by which rounding is judged.
    norm: T,
    products: usize,
}

impl<'a, T: Float> Search<'a, T> {
    fn new(a: &'a dyn Operator<T>, k: usize, options: &'a EigenOptions<'a>) -> Result<Self, Error> {
        let (m, n) = a.shape();
        let transposed = m < n;
        let (m, n) = (m.max(n), m.min(n));
        let width = options.width(k, n);
        Ok(Self {
            a,
            transposed,
            shape: (m, n),
            k,
            width,
            options,
            left: Basis::new(OPERATION, m, width)?,
            right: Basis::new(OPERATION, n, width + 1)?,
            projected: zeros(OPERATION, width, width)?,
            random: Random::new(options.seed),
            norm: T::default(),
            products: 0,
        })
    }

    /// Fills the bases until the wanted values have converged; returns the weights of their vectors, by columns.
    fn run(
        &mut self,
        engine: &impl Decompose<T>,
        found: &mut [T],
    ) -> Result<(Vec<T>, Vec<T>), Error> {
        let ((m, n), width, k) = (self.shape, self.width, self.k);
        let mut work = (vec![T::default(); m], vec![T::default(); n]);
        self.right
            .put(0, &mut work.1, T::default(), &mut self.random);
        let (mut kept, mut confirmed) = (0, None::<Vec<T>>);
        // Values that had converged when the last random vector came.
        let mut known = k;
        let mut values = vec![T::default(); width];
        let (mut u, mut v) = (
            vec![T::default(); width * width],
            vec![T::default(); width * width],
        );
        for _ in 0..=self.options.limit(n) {
            let beta = self.cycle(kept, (&mut work.0, &mut work.1))?;
            let projected = MatRef::new(&self.projected, width, width)?;
            let shape = ((width, width), (1, width));
            let left = MatMut::with_strides(&mut u, shape.0, shape.1)?;
            let right = MatMut::with_strides(&mut v, shape.0, shape.1)?;
            decompose::svd(
                Context::default(),
                engine,
                projected,
                &mut values,
                Some((left, right)),
            )?;
            let residual = |at: usize| (beta * u[at * width + width - 1]).abs();
            let converged = (0..k)
                .filter(|&at| residual(at) <= self.tolerance(values[at]))
                .count();
            let done = converged == k;
            // A value of the rest of the space that is known well enough to say that it is not wanted.
            let next = known == width || {
                let enough = (values[k - 1] - values[known]) * T::from_f64(NEXT_RESIDUAL);
                residual(known) <= enough || residual(known) <= self.tolerance(values[known])
            };
            found.copy_from_slice(&values[..k]);
            let agrees = confirmed
                .as_ref()
                .is_some_and(|before| self.agrees(before, found));
            if done && (width == n || next && agrees) {
                u.truncate(k * width);
                v.truncate(k * width);
                return Ok((u, v));
            }
            let anew = done && (next || confirmed.is_none());
            kept = if anew {
                // What has not converged must not lose the vector that it is coupled to.
                (0..width)
                    .take_while(|&at| residual(at) <= self.tolerance(values[at]))
                    .count()
                    .min(k + (width - k) / 2)
            } else {
                // Some more: equal values come in mixtures, and half of one does not lead further.
                known + (width - known) / 2
            };
            kept = kept.min(width - 1);
            let part = |items| MatRef::with_strides(items, (width, kept), (1, width));
            self.left.restart(width, part(&u)?, None);
            self.right.restart(width, part(&v)?, Some(width));
            self.projected.fill(T::default());
            for (i, &value) in values[..kept].iter().enumerate() {
                self.projected[i * width + i] = value;
            }
            if anew {
                known = kept;
                confirmed = Some(found.to_vec());
                // What has no part in the first vector is not in its space: look from another one.
                self.right.put(
                    kept,
                    &mut vec![T::default(); n],
                    T::default(),
                    &mut self.random,
                );
            }
        }
        let (m, n) = self.a.shape();
        let message = format!(
            "cannot find {k} singular values of a {m}x{n} operator: they have not converged after {} restarts",
            self.options.limit(m.min(n))
        );
        Err(Error::new(ErrorKind::NoConvergence, message))
    }

    /// Extends the bases from `kept` vectors to `width`; returns what couples them to the next one on the right.
    fn cycle(&mut self, kept: usize, (left, right): (&mut [T], &mut [T])) -> Result<T, Error> {
        let width = self.width;
        let mut beta = T::default();
        for j in kept..width {
            self.options.check_stop(OPERATION)?;
            self.products += 1;
            multiply(
                OPERATION,
                (self.a, self.transposed),
                self.right.get(j),
                left,
            )?;
            let mut parts = vec![T::default(); j];
            self.left.orthogonalize(left, &mut parts);
            for (i, &part) in parts.iter().enumerate() {
                self.projected[i * width + j] = part;
                self.see(part);
            }
            let alpha = self
                .left
                .put(j, left, self.norm * T::EPSILON, &mut self.random);
            self.projected[j * width + j] = alpha;
            self.see(alpha);
            multiply(
                OPERATION,
                (self.a, !self.transposed),
                self.left.get(j),
                right,
            )?;
            self.right
                .orthogonalize(right, &mut vec![T::default(); j + 1]);
            beta = self
                .right
                .put(j + 1, right, self.norm * T::EPSILON, &mut self.random);
            self.see(beta);
        }
        Ok(beta)
    }

    fn see(&mut self, size: T) {
        self.norm = if size.abs() > self.norm {
            size.abs()
        } else {
            self.norm
        };
    }

    /// Whether the values are those that had converged before.
    fn agrees(&self, before: &[T], found: &[T]) -> bool {
        let slack = T::from_f64(self.k as f64 + 10.0);
        let mut pairs = before.iter().zip(found);
        pairs.all(|(&a, &b)| (a - b).abs() <= slack * self.tolerance(b))
    }

    fn tolerance(&self, value: T) -> T {
        let asked = T::from_f64(self.options.tol) * value;
        let rounding = self.norm * T::EPSILON * T::from_f64(ROUNDINGS);
        if asked > rounding { asked } else { rounding }
    }
}
