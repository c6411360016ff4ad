//! How much memory calls compute in: bytes of a [`Workspace`](crate::Workspace).

use super::LEAF;
use super::cholesky;
use super::eliminate::{ALONE, PANEL, Panel};
use crate::workspace::bytes;
use crate::{Field, complex};

/// The most bytes that [`solve`](super::solve) takes for a matrix of order `n` and so many right sides.
#[must_use]
pub fn solve_bytes<T: Field>(n: usize, columns: usize) -> usize {
    let solving = bytes::<T>(n * columns) + product::<T>(n, n, columns);
    factors::<T>(n, elimination::<T>(n, n).max(solving))
}

/// The most bytes that [`inv`](super::inv) takes for a matrix of order `n`.
#[must_use]
pub fn inv_bytes<T: Field>(n: usize) -> usize {
    let inverting = bytes::<T>(n * n) + product::<T>(n, n, n);
    factors::<T>(n, elimination::<T>(n, n).max(inverting))
}

/// The most bytes that [`det`](super::det) and [`slogdet`](super::slogdet) take for a matrix of order `n`.
#[must_use]
pub fn det_bytes<T: Field>(n: usize) -> usize {
    factors::<T>(n, elimination::<T>(n, n))
}

/// The most bytes that [`Lu::factor_into`](super::Lu::factor_into) takes for an `m x n` matrix.
#[must_use]
pub fn lu_bytes<T: Field>((m, n): (usize, usize)) -> usize {
    elimination::<T>(m, n)
}

/// The most bytes that [`cholesky`](super::cholesky()) takes for a matrix of order `n`.
#[must_use]
pub fn cholesky_bytes<T: Field>(n: usize) -> usize {
    bytes::<T>(n * cholesky::padded::<T>(n)) + product::<T>(n, n, n)
}

/// Factors that are kept, while more is taken.
fn factors<T: Field>(n: usize, more: usize) -> usize {
    bytes::<usize>(2 * n) + bytes::<T>(n * n) + more
}

fn elimination<T: Field>(m: usize, n: usize) -> usize {
    let leaf = bytes::<T>(LEAF * m) + product::<T>(m, PANEL.max(LEAF), n.min(ALONE));
    if n <= ALONE {
        return leaf;
    }
    bytes::<T>(m * n) + bytes::<Panel<'_, T>>(n.div_ceil(PANEL)) + leaf
}

/// What a product of complex items takes; one of real items has blocks that its thread keeps.
fn product<T: Field>(m: usize, k: usize, n: usize) -> usize {
    if T::IS_COMPLEX {
        let copy = bytes::<T>(k * n.max(m));
        bytes::<T::Real>(complex::space(m, k, n)) + copy
    } else {
        0
    }
}
