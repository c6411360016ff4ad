//! Sums of products in several lanes, in an order that depends on the length alone.

use crate::{Float, norm};

/// Partial sums that are added side by side, so that the compiler may use registers of several items.
const LANES: usize = 8;

/// The sum of products.
pub(super) fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::default(); LANES];
    let (a_parts, b_parts) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_parts.remainder(), b_parts.remainder());
    for (a, b) in a_parts.zip(b_parts) {
        for lane in 0..LANES {
            sums[lane] = sums[lane] + a[lane] * b[lane];
        }
    }
    let mut rest = T::default();
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        rest = rest + a * b;
    }
    for width in [4, 2, 1] {
        for lane in 0..width {
            sums[lane] = sums[lane] + sums[lane + width];
        }
    }
    sums[0] + rest
}

/// The 2-norm; NaN and infinities give themselves.
pub(super) fn length<T: Float>(a: &[T]) -> T {
    root(dot(a, a), a)
}

/// The 2-norm, where the sum of squares is known.
pub(super) fn root<T: Float>(squares: T, a: &[T]) -> T {
    // Where squares overflow or vanish, the careful way.
    let (least, most) = (
        T::MIN_POSITIVE.to_f64() / T::EPSILON.to_f64(),
        T::MAX.to_f64(),
    );
    if squares.to_f64() > least && squares.to_f64() < most {
        squares.sqrt()
    } else {
        norm::vector(a.iter().copied(), 2.0)
    }
}
