//! The passes without intrinsics.

use super::{HALF, sample};
use crate::kernel::{Kernel, Taps};

/// Columns whose sums are kept at once.
const COLUMNS: usize = 32;

/// Rows become rows of the target's width.
#[inline]
pub(super) fn across<const N: usize>(kernel: &Kernel, sources: &[&[u8]], target: &mut [u8]) {
    let targets = target.chunks_exact_mut(kernel.len() * N);
    for (source, target) in sources.iter().zip(targets) {
        for (at, pixel) in target.as_chunks_mut::<N>().0.iter_mut().enumerate() {
            *pixel = across_one(kernel.taps(at), source);
        }
    }
}

/// One pixel of the target.
#[inline]
pub(super) fn across_one<const N: usize>(taps: Taps<'_>, source: &[u8]) -> [u8; N] {
    let mut sums = [HALF; N];
    let pixels = source[taps.start * N..].as_chunks::<N>().0;
    for (pixel, &weight) in pixels.iter().zip(taps.weights) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(value)));
        }
    }
    sums.map(sample)
}

/// The weighted sum of rows.
pub(super) fn down(taps: Taps<'_>, rows: &[&[u8]], target: &mut [u8]) {
    down_from(0, taps, rows, target);
}

/// The weighted sum of rows from a column on.
#[inline]
pub(super) fn down_from(column: usize, taps: Taps<'_>, rows: &[&[u8]], target: &mut [u8]) {
    let mut start = column;
    for chunk in target[column..].chunks_mut(COLUMNS) {
        let mut sums = [HALF; COLUMNS];
        for (row, &weight) in rows.iter().zip(taps.weights) {
            for (sum, &value) in sums.iter_mut().zip(&row[start..][..chunk.len()]) {
                *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(value)));
            }
        }
        for (out, &sum) in chunk.iter_mut().zip(&sums) {
            *out = sample(sum);
        }
        start += chunk.len();
    }
}
