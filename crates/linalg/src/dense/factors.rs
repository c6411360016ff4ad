//! Elimination that is kept: the factors of a matrix, for many right sides.

use super::eliminate::eliminate;
use super::triangular::{singular, solve_rows};
use super::{Diagonal, Triangle, conjugated, copy_into, kept, with_space};
use crate::norm::estimate::estimate_one;
use crate::{Context, Error, Field, Float, MatMut, MatRef};

/// Which system a factored matrix solves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// `a x = b`.
    AsIs,
    /// `a^T x = b`.
    Transposed,
    /// `a^H x = b`.
    Adjoint,
}

/// The factors `l` and `u` of a matrix whose rows are exchanged, so that no item of `l` is greater than one:
/// `a[permutation] = l u`. Any shape has them; that a matrix is singular shows when it is solved with.
///
/// ```
/// use nexus_linalg::dense::{Lu, Orientation};
/// use nexus_linalg::{Context, MatMut, MatRef};
///
/// let a = [1.0_f64, 2.0, 4.0, 4.0];
/// let lu = Lu::factor(Context::default(), MatRef::new(&a, 2, 2)?);
/// assert_eq!(lu.permutation(), [1, 0]);
/// let mut x = [3.0, 8.0];
/// lu.solve(Context::default(), Orientation::AsIs, MatMut::new(&mut x, 2, 1)?)?;
/// assert_eq!(x, [1.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lu<T> {
    items: Vec<T>,
    shape: (usize, usize),
    exchanges: Vec<usize>,
    permutation: Vec<usize>,
    norm_one: f64,
}

/// Borrowed factors of a square matrix in the layout of LAPACK's `getrf`: `u` on and above the diagonal, `l` without
/// its ones below, and which row each row was exchanged with, in turn.
#[derive(Clone, Copy, Debug)]
pub struct LuRef<'a, T> {
    factors: MatRef<'a, T>,
    exchanges: &'a [usize],
}

impl<T: Field> Lu<T> {
    /// Factors `a`, `m x n`, by the elimination that [`solve`](super::solve) runs. Costs about `m n k - k^3 / 3`
    /// multiplications where `k` is the lesser of `m` and `n`, and one copy. NaN and infinities spread.
    pub fn factor(context: Context, a: MatRef<'_, T>) -> Self {
        let (m, n) = a.shape();
        let mut items = vec![T::default(); m * n];
        let mut exchanges = vec![0; m.min(n)];
        eliminate(context, a, &mut items, &mut exchanges);
        let mut permutation: Vec<usize> = (0..m).collect();
        for (i, &j) in exchanges.iter().enumerate() {
            permutation.swap(i, j);
        }
        let norm_one = norm_one(a);
        Self {
            items,
            shape: (m, n),
            exchanges,
            permutation,
            norm_one,
        }
    }

    /// Factors `a`, `m x n`, in memory of the caller's: [`packed`](Self::packed) in row-major order, and the
    /// [`exchanges`](Self::exchanges).
    ///
    /// # Errors
    /// `InvalidInput` when these are not `m n` items and the lesser of `m` and `n`.
    pub fn factor_into(
        context: Context,
        a: MatRef<'_, T>,
        packed: &mut [T],
        exchanges: &mut [usize],
    ) -> Result<(), Error> {
        let (m, n) = a.shape();
        if (packed.len(), exchanges.len()) != (m * n, m.min(n)) {
            let (items, rows) = (packed.len(), exchanges.len());
            return Err(Error::invalid(format!(
                "cannot factor a {m}x{n} matrix into {items} items and {rows} exchanges"
            )));
        }
        eliminate(context, a, packed, exchanges);
        Ok(())
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// Both factors in one matrix, `m x n`: `u` on and above the diagonal, `l` without its ones below.
    pub fn packed(&self) -> MatRef<'_, T> {
        kept(&self.items, self.shape)
    }

    /// For each row of the factors, the row of the matrix that it was.
    pub fn permutation(&self) -> &[usize] {
        &self.permutation
    }

    /// For each step, the row that its row was exchanged with: the pivots of LAPACK, counted from 0.
    pub fn exchanges(&self) -> &[usize] {
        &self.exchanges
    }

    /// Writes `l`, `m x k`, and `u`, `k x n`.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes are others.
    pub fn unpack(&self, mut l: MatMut<'_, T>, mut u: MatMut<'_, T>) -> Result<(), Error> {
        let (m, n) = self.shape;
        let k = m.min(n);
        if l.shape() != (m, k) || u.shape() != (k, n) {
            return Err(Error::shapes("unpack", (m, n), l.shape(), u.shape()));
        }
        let packed = self.packed();
        for i in 0..m {
            for j in 0..k {
                *l.item(i, j) = match i.cmp(&j) {
                    std::cmp::Ordering::Less => T::default(),
                    std::cmp::Ordering::Equal => T::ONE,
                    std::cmp::Ordering::Greater => packed.get(i, j),
                };
            }
        }
        for i in 0..k {
            for j in 0..n {
                *u.item(i, j) = if j < i {
                    T::default()
                } else {
                    packed.get(i, j)
                };
            }
        }
        Ok(())
    }

    /// As [`LuRef::solve`].
    ///
    /// # Errors
    /// As [`LuRef::solve`], and `InvalidInput` when the matrix is not square.
    pub fn solve(
        &self,
        context: Context,
        orientation: Orientation,
        b: MatMut<'_, T>,
    ) -> Result<(), Error> {
        LuRef::new(self.packed(), &self.exchanges)?.solve(context, orientation, b)
    }

    /// An estimate of the reciprocal condition number `1 / (norm(a) * norm(inverse))` in the 1-norm: 0 for a singular
    /// matrix, 1 for one of no rows, NaN where the matrix has it. The estimate is never too small by rounding
    /// alone, and seldom more than three times too large (N. J. Higham, "Fortran codes for estimating the one-norm
    /// of a real or complex matrix", 1988). Costs about ten solutions.
    ///
    /// # Errors
    /// `InvalidInput` when the matrix is not square.
    pub fn rcond(&self, context: Context) -> Result<T::Real, Error> {
        let n = self.shape.0;
        let lu = LuRef::new(self.packed(), &self.exchanges)?;
        if n == 0 {
            return Ok(T::Real::ONE);
        }
        if self.norm_one.is_nan() {
            return Ok(T::Real::NAN);
        }
        if lu.zero_pivot().is_some() || self.norm_one.is_infinite() {
            return Ok(T::Real::default());
        }
        let inverse = estimate_one(
            n,
            |x| lu.replace(context, Orientation::AsIs, x),
            |x| lu.replace(context, Orientation::Adjoint, x),
        );
        let rcond = 1.0 / inverse / self.norm_one;
        Ok(T::Real::from_f64(rcond))
    }
}

impl<'a, T: Field> LuRef<'a, T> {
    /// Borrows factors that an elimination left.
    ///
    /// # Errors
    /// `InvalidInput` when the factors are not square, or the exchanges are not one for each row with that row or a
    /// later one.
    pub fn new(factors: MatRef<'a, T>, exchanges: &'a [usize]) -> Result<Self, Error> {
        let n = super::order("solve with the factors of", &factors)?;
        let wrong = (0..n).find(|&i| exchanges.get(i).is_none_or(|&j| j < i || j >= n));
        if exchanges.len() != n || wrong.is_some() {
            let message = format!(
                "cannot solve with the factors of a {n}x{n} matrix: its {} exchanges are not one for each row with that or a later one",
                exchanges.len()
            );
            return Err(Error::invalid(message));
        }
        Ok(Self { factors, exchanges })
    }

    /// Solves `a x = b`, `a^T x = b` or `a^H x = b`, `b` becoming `x`: one or many right sides, a column each. Costs `n^2`
    /// multiplications for each column.
    ///
    /// # Errors
    /// `InvalidInput` when `b` has not as many rows as the matrix; `Singular` when a pivot is exactly zero, with `b`
    /// as it was. NaN is no error: it spreads.
    pub fn solve(
        &self,
        context: Context,
        orientation: Orientation,
        mut b: MatMut<'_, T>,
    ) -> Result<(), Error> {
        let (n, (m, columns)) = (self.exchanges.len(), b.shape());
        if m != n {
            let message = format!("cannot solve {n}x{n} for {m}x{columns}: the rows differ");
            return Err(Error::invalid(message));
        }
        if let Some(pivot) = self.zero_pivot() {
            return Err(singular("solve with", n, pivot));
        }
        if orientation == Orientation::Adjoint {
            return conjugated(b, |b| self.solve(context, Orientation::Transposed, b));
        }
        let kind = (Triangle::Lower, Diagonal::Ones);
        let stored = (Triangle::Upper, Diagonal::Stored);
        with_space((n, columns), |mut copy| {
            let mut x = copy.view();
            copy_into(b.as_ref(), x.reborrow());
            let steps = self.exchanges.iter().copied().enumerate();
            match orientation {
                Orientation::AsIs => {
                    steps.for_each(|(i, j)| exchange_rows(&mut x, i, j));
                    solve_rows(context, self.factors, kind, x.reborrow());
                    solve_rows(context, self.factors, stored, x.reborrow());
                }
                Orientation::Transposed | Orientation::Adjoint => {
                    let turned = self.factors.transpose();
                    let (first, last) = (
                        (Triangle::Lower, Diagonal::Stored),
                        (Triangle::Upper, Diagonal::Ones),
                    );
                    solve_rows(context, turned, first, x.reborrow());
                    solve_rows(context, turned, last, x.reborrow());
                    steps.rev().for_each(|(i, j)| exchange_rows(&mut x, i, j));
                }
            }
            copy_into(x.as_ref(), b.reborrow());
        });
        Ok(())
    }

    /// The solution for one right side, where no pivot is zero.
    fn replace(&self, context: Context, orientation: Orientation, x: &mut [T]) {
        let b = MatMut::new(x, self.exchanges.len(), 1).expect("n items");
        let solved = self.solve(context, orientation, b);
        solved.expect("it has no zero pivot");
    }

    fn zero_pivot(&self) -> Option<usize> {
        (0..self.exchanges.len()).find(|&i| self.factors.get(i, i) == T::default())
    }
}

/// Exchanges two rows that lie without gaps.
pub(super) fn exchange_rows<T: Field>(a: &mut MatMut<'_, T>, i: usize, j: usize) {
    let columns = a.shape().1;
    let items = a.data_mut();
    if i < j {
        let (top, bottom) = items.split_at_mut(j * columns);
        top[i * columns..(i + 1) * columns].swap_with_slice(&mut bottom[..columns]);
    }
}

/// The largest sum of absolute values of a column; NaN where one is.
fn norm_one<T: Field>(a: MatRef<'_, T>) -> f64 {
    let (m, n) = a.shape();
    let mut sums = vec![0.0; n];
    for i in 0..m {
        for (sum, item) in sums.iter_mut().zip(a.row(i)) {
            *sum += item.abs().to_f64();
        }
    }
    let largest = |most: f64, &sum: &f64| {
        if sum > most || sum.is_nan() {
            sum
        } else {
            most
        }
    };
    sums.iter().fold(0.0, largest)
}
