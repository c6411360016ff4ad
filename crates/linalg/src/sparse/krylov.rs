//! Orthonormal bases that grow, and where they begin.

use super::iterate::cancelled;
use super::operator::{Operator, Stopped, column, column_mut};
use super::reduce::length;
use super::vector::{check_finite, scale};
use crate::{Context, Error, Float, MatMut, MatRef};

/// Numbers that look random (G. Marsaglia's normal pairs, on the generator splitmix64 of G. Steele, D. Lea and
/// C. Flood): the same ones for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform between -1 and 1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 * (0.5_f64).powi(52) - 1.0
    }

    /// A pair of normal numbers.
    fn pair(&mut self) -> (f64, f64) {
        loop {
            let (x, y) = (self.uniform(), self.uniform());
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                return (x * factor, y * factor);
            }
        }
    }

    /// Fills with normal numbers.
    pub(super) fn fill<T: Float>(&mut self, target: &mut [T]) {
        for items in target.chunks_mut(2) {
            let (x, y) = self.pair();
            for (item, value) in items.iter_mut().zip([x, y]) {
                *item = T::from_f64(value);
            }
        }
    }
}

/// Orthonormal vectors of one length, by columns.
pub(super) struct Basis<T> {
    items: Vec<T>,
    rows: usize,
}

impl<T: Float> Basis<T> {
    /// Room for `columns` vectors of `rows` items.
    pub(super) fn new(operation: &str, rows: usize, columns: usize) -> Result<Self, Error> {
        let items = zeros(operation, rows, columns)?;
        Ok(Self { items, rows })
    }

    /// Vector `j`.
    pub(super) fn get(&self, j: usize) -> &[T] {
        &self.items[j * self.rows..(j + 1) * self.rows]
    }

    pub(super) fn get_mut(&mut self, j: usize) -> &mut [T] {
        &mut self.items[j * self.rows..(j + 1) * self.rows]
    }

    /// The first `count` vectors as the columns of a matrix.
    pub(super) fn view(&self, count: usize) -> MatRef<'_, T> {
        let items = &self.items[..count * self.rows];
        MatRef::with_strides(items, (self.rows, count), (1, self.rows)).expect("count columns")
    }

    /// Makes `w` orthogonal to the first `parts.len()` vectors, in two passes, and adds to `parts` what it took away.
    pub(super) fn orthogonalize(&self, w: &mut [T], parts: &mut [T]) {
        let context = Context::default();
        let basis = self.view(parts.len());
        let mut step = vec![T::default(); parts.len()];
        for _ in 0..2 {
            let weights = column_mut(&mut step);
            context.gemm(T::ONE, basis.transpose(), column(w), T::default(), weights);
            context.gemm(-T::ONE, basis, column(&step), T::ONE, column_mut(w));
            for (part, &step) in parts.iter_mut().zip(&step) {
                *part = *part + step;
            }
        }
    }

    /// Puts `w`, which is orthogonal to the first `j` vectors, into place `j`, and returns its length. Where it is as short
    /// as rounding, a random vector takes its place, and the length is zero.
    pub(super) fn put(&mut self, j: usize, w: &mut [T], rounding: T, random: &mut Random) -> T {
        let size = length(w);
        if size > rounding {
            scale(T::ONE / size, w);
            self.get_mut(j).copy_from_slice(w);
            return size;
        }
        // A random vector has hardly ever no part of its own; where the basis is whole, none has one.
        for _ in 0..3 {
            random.fill(w);
            let before = length(w);
            self.orthogonalize(w, &mut vec![T::default(); j]);
            let after = length(w);
            if after > before * T::from_f64(1e-3) * T::from_f64((self.rows as f64).sqrt().recip()) {
                scale(T::ONE / after, w);
                break;
            }
            w.fill(T::default());
        }
        self.get_mut(j).copy_from_slice(w);
        T::default()
    }

    /// The first vectors become `self * weights`; vector `last` follows them.
    pub(super) fn restart(&mut self, count: usize, weights: MatRef<'_, T>, last: Option<usize>) {
        let kept = weights.shape().1;
        let mut turned = vec![T::default(); self.rows * kept];
        let target = MatMut::with_strides(&mut turned, (self.rows, kept), (1, self.rows))
            .expect("kept columns");
        Context::default().gemm(T::ONE, self.view(count), weights, T::default(), target);
        if let Some(last) = last {
            let from = last * self.rows;
            self.items
                .copy_within(from..from + self.rows, kept * self.rows);
        }
        self.items[..turned.len()].copy_from_slice(&turned);
    }
}

/// Zeros, where there is memory for them.
pub(super) fn zeros<T: Float>(
    operation: &str,
    rows: usize,
    columns: usize,
) -> Result<Vec<T>, Error> {
    let mut zeros = Vec::new();
    let reserved = rows
        .checked_mul(columns)
        .map(|len| (len, zeros.try_reserve_exact(len)));
    let Some((len, Ok(()))) = reserved else {
        let message =
            format!("cannot {operation}: no memory for {columns} vectors of {rows} items");
        return Err(Error::invalid(message));
    };
    zeros.resize(len, T::default());
    Ok(zeros)
}

/// `y = a x` or `y = a^T x` for one vector, finite.
pub(super) fn multiply<T: Float>(
    operation: &str,
    (a, transposed): (&dyn Operator<T>, bool),
    x: &[T],
    y: &mut [T],
) -> Result<(), Error> {
    let (x, target) = (column(x), column_mut(y));
    let applied = if transposed {
        a.apply_transpose(x, target)
    } else {
        a.apply(x, target)
    };
    applied.map_err(|Stopped| cancelled(operation))?;
    check_finite(operation, "a product with the operator", y)
}
