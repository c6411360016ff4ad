//! Complex items as pairs of real ones.

use crate::Complex;

/// The parts of each item, one after the other.
pub(super) fn parts<R>(items: &[Complex<R>]) -> &[R] {
    // SAFETY: `Complex` is `repr(C)` and holds its real and its imaginary part, so that a slice of it is twice as
    // many parts.
    unsafe { std::slice::from_raw_parts(items.as_ptr().cast(), items.len() * 2) }
}
