//! The trait that matrix multiplication stands behind, and its naive twin.

mod raw;
mod simd;

use crate::Isa;
use crate::matrix::{MatMut, MatRef};
use core::ops::{Add, Mul};

pub use raw::{GemmPart, GemmParts};
pub use simd::{BrainPair, Cell, Dotted, Narrow, Pair, Quad, Real, Small};

/// General matrix multiplication on one thread: `c = alpha * a * b + beta * c`.
///
/// With `beta` zero, `c` is written without being read, so NaN in it does not survive (as BLAS
/// defines it: Dongarra et al., "A set of level 3 BLAS", 1990).
pub trait Gemm<T> {
    /// Multiplies.
    ///
    /// # Panics
    /// When the shapes do not fit: `(m, k) * (k, n)` into `(m, n)`.
    fn gemm(&self, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, c: MatMut<'_, T>);
}

/// Cuts `c = alpha * a * b + beta * c` into about `count` parts, which may run on different threads.
///
/// Blocks fit the caches and tiles the registers. An item of the result depends on its row of `a` and its
/// column of `b` alone: it has the same bits in any part of the product, in any number of parts, at any
/// strides.
///
/// # Panics
/// When the shapes do not fit.
pub fn gemm_parts<'a, T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'a, T>, MatRef<'a, T>),
    beta: T,
    c: MatMut<'a, T>,
    count: usize,
) -> GemmParts<'a, T> {
    let ((m, k), (k_b, n)) = (a.shape(), b.shape());
    assert_eq!((k, (m, n)), (k_b, c.shape()), "shapes of a, b and c");
    raw::parts(isa, alpha, (a, b), beta, c, count)
}

/// Computes `c = alpha * a * b + beta * c` without a workspace, or says that it does not: where the product is not
/// small, or neither rows nor columns of the result lie side by side.
///
/// Each item has the bits that [`gemm_parts`] gives it.
///
/// # Panics
/// When the shapes do not fit.
#[inline]
pub fn gemm_small<T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    beta: T,
    c: MatMut<'_, T>,
) -> bool {
    let ((m, k), (k_b, n)) = (a.shape(), b.shape());
    assert_eq!((k, (m, n)), (k_b, c.shape()), "shapes of a, b and c");
    raw::small(isa, alpha, (a, b), beta, c)
}

/// Multiplies a matrix of `m x k` items with two vectors on one thread, reading it once.
///
/// The items of the second vector lie in `x` after the `k` of the first. The two results of a row lie side by side in
/// `y`; their bits depend on the row, the vectors, and on whether rows or columns lie side by side.
///
/// # Panics
/// When `x` has not `2 k` items or `y` not `2 m`, and where neither the items of rows nor those of columns lie side by
/// side.
pub fn gemv_pair<T: Real>(isa: Isa, a: MatRef<'_, T>, x: &[T], y: &mut [T]) {
    assert!(raw::pairs(isa, a, x, y), "lengths of x and y, strides of a");
}

/// Cuts `c = a * b` into about `count` parts, as [`gemm_parts`] does, for items whose products are added up in
/// a wider type.
///
/// Items become wider ones while blocks are copied, so no copy of an operand is made. Sums of whole numbers are
/// exact modulo 2^32 (`i64`: 2^64); sums of `f32` are added up in the order that they have for `f32` operands.
/// `i64` operands must fit `i32`: of others the low 32 bits are multiplied.
///
/// # Panics
/// When the shapes do not fit.
pub fn narrow_parts<'a, A: Narrow, B: Narrow<Cell = A::Cell>>(
    isa: Isa,
    (a, b): (MatRef<'a, A>, MatRef<'a, B>),
    c: MatMut<'a, <A::Cell as Cell>::Sum>,
    count: usize,
) -> GemmParts<'a, A::Cell> {
    let ((m, k), (k_b, n)) = (a.shape(), b.shape());
    assert_eq!((k, (m, n)), (k_b, c.shape()), "shapes of a, b and c");
    raw::narrow_parts(isa, (a, b), c, count)
}

/// Three loops: the twin that tests compare fast engines with, and the code for machines without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct NaiveGemm;

impl<T> Gemm<T> for NaiveGemm
where
    T: Copy + Default + PartialEq + Add<Output = T> + Mul<Output = T>,
{
    fn gemm(&self, alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, mut c: MatMut<'_, T>) {
        let ((m, k), (k_b, n)) = (a.shape(), b.shape());
        assert_eq!((k, (m, n)), (k_b, c.shape()), "shapes of a, b and c");
        let (row_stride, column_stride) = c.strides();
        for i in 0..m {
            for j in 0..n {
                let product = (0..k).fold(T::default(), |sum, l| sum + a.get(i, l) * b.get(l, j));
                let place = &mut c.data_mut()[i * row_stride + j * column_stride];
                let old = if beta == T::default() {
                    T::default()
                } else {
                    beta * *place
                };
                *place = alpha * product + old;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_by_two_is_right_and_beta_zero_forgets_nan() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let mut c = [f64::NAN; 4];
        let view = |data| MatRef::new(data, 2, 2).unwrap();
        NaiveGemm.gemm(
            1.0,
            view(&a),
            view(&b),
            0.0,
            MatMut::new(&mut c, 2, 2).unwrap(),
        );
        assert_eq!(c, [19.0, 22.0, 43.0, 50.0]);
        NaiveGemm.gemm(
            1.0,
            view(&a),
            view(&b).transpose(),
            2.0,
            MatMut::new(&mut c, 2, 2).unwrap(),
        );
        assert_eq!(c, [17.0 + 38.0, 23.0 + 44.0, 39.0 + 86.0, 53.0 + 100.0]);
    }
}
