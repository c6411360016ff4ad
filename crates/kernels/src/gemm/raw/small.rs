//! Products that need no workspace: small ones, and those with two vectors.

use super::super::simd::{MatVec, Real, SPILL_MAX, Strip};
use super::{Column, real_product};
use crate::{Isa, MatMut, MatRef};
use core::mem::MaybeUninit;
use core::ptr;

/// Items of the result of a small product.
const SMALL_ITEMS: usize = 1024;
/// Items of the matrix that a vector is multiplied with in a small product.
const SMALL_VECTOR_ITEMS: usize = 1 << 16;
/// Items of a small product's left operand that are copied at a time.
const SMALL_COPY: usize = 2048;

/// Computes a product whose parts would cost more than its items, and which needs no workspace; says whether it
/// did.
#[inline]
pub(in crate::gemm) fn small<T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    beta: T,
    c: MatMut<'_, T>,
) -> bool {
    let ((m, k), (_, n)) = (a.shape(), b.shape());
    if m == 0 || n == 0 || k == 0 {
        return false;
    }
    if m == 1 || n == 1 {
        return m.max(n).saturating_mul(k) <= SMALL_VECTOR_ITEMS
            && small_vector(isa, alpha, (a, b), beta, c);
    }
    m * n <= SMALL_ITEMS && k <= SMALL_ITEMS / 8 && small_matrix(isa, alpha, (a, b), beta, c)
}

fn small_vector<T: Real>(
    isa: Isa,
    alpha: T,
    operands: (MatRef<'_, T>, MatRef<'_, T>),
    beta: T,
    c: MatMut<'_, T>,
) -> bool {
    let whole = real_product(isa, alpha, operands, beta, c);
    let is_small = matches!(whole.column, Column::Cells(_));
    if is_small {
        // SAFETY: views hold all items of their shapes, which fit; there is no tile to want a workspace.
        unsafe { whole.run(ptr::null_mut()) };
    }
    is_small
}

fn small_matrix<T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    beta: T,
    mut c: MatMut<'_, T>,
) -> bool {
    // The columns of the result lie side by side, or its rows do and those of its transpose are computed.
    let (a, b, c_column) = match c.strides() {
        (1, column) => (a, b, column),
        (row, 1) => (b.transpose(), a.transpose(), row),
        _ => return false,
    };
    let ((m, k), (a_row, a_column)) = (a.shape(), a.strides());
    let loops = T::loops(isa);
    let height = loops.tile.rows;
    let strip = Strip {
        depth: k,
        a: a.data().as_ptr(),
        a_step: a_column,
        b: b.data().as_ptr(),
        b_step: b.strides().0,
        b_column: b.strides().1,
        c: c.data_mut().as_mut_ptr(),
        c_row: 1,
        c_column,
        rows: m,
        columns: b.shape().1,
        alpha,
        beta: (beta != T::default()).then_some(beta),
    };
    if a_row == 1 {
        // SAFETY: views hold all items of their shapes, which fit; a sum of so few products is one in blocks too.
        unsafe { (loops.small)(&strip) };
        return true;
    }
    if height * k + SPILL_MAX > SMALL_COPY {
        return false;
    }
    let mut copy = [MaybeUninit::<T>::uninit(); SMALL_COPY];
    let copy = copy.as_mut_ptr().cast::<T>();
    for i in (0..m).step_by(height) {
        let rows = height.min(m - i);
        let strip = Strip {
            a: copy,
            a_step: height,
            c: strip.c.wrapping_add(i),
            rows,
            ..strip
        };
        // SAFETY: as above; the copy has room for a tile's rows.
        unsafe {
            let from = a.data().as_ptr().wrapping_add(i * a_row).cast();
            (loops.packs.rows)(from, (a_row, a_column), (rows, k), copy);
            (loops.small)(&strip);
        }
    }
    true
}

/// The products of the matrix with two vectors; says whether its rows or its columns lie as the loops read them.
pub(in crate::gemm) fn pairs<T: Real>(isa: Isa, a: MatRef<'_, T>, x: &[T], y: &mut [T]) -> bool {
    let ((m, k), (row, column)) = (a.shape(), a.strides());
    let loops = T::loops(isa);
    let it = MatVec {
        rows: m,
        k,
        depth: k,
        a: a.data().as_ptr(),
        a_row: row,
        a_column: column,
        x: x.as_ptr(),
        y: y.as_mut_ptr(),
        y_step: 2,
        alpha: T::ONE,
        beta: None,
    };
    let fits = x.len() == 2 * k && y.len() == 2 * m;
    match (row, column) {
        // SAFETY: views hold all items of their shapes, and vectors and results are as long as they must be.
        (_, 1) if fits => unsafe { (loops.dot_pairs)(&it) },
        // SAFETY: as above.
        (1, _) if fits => unsafe { (loops.band_pairs)(&it) },
        _ => return false,
    }
    true
}
