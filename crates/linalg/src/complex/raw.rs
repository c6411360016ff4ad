//! Complex items as pairs of real ones.

use crate::Complex;

/// The parts of each item, one after the other.
pub(super) fn parts<R>(items: &[Complex<R>]) -> &[R] {
    // SAFETY: `Complex` is `repr(C)` and holds its real and its imaginary part, so that a slice of it is twice as
    // many parts.
    unsafe { std::slice::from_raw_parts(items.as_ptr().cast(), items.len() * 2) }
}

/// The same, to be written.
pub(super) fn parts_mut<R>(items: &mut [Complex<R>]) -> &mut [R] {
    // SAFETY: as above; the items stay borrowed mutably.
    unsafe { std::slice::from_raw_parts_mut(items.as_mut_ptr().cast(), items.len() * 2) }
}
