//! Columns of vectors: their order, length and signs.

use crate::field::largest_part;
use crate::{Field, Float, MatMut, MatRef, norm};

pub(super) fn fill<T: Field>(a: &mut MatMut<'_, T>, value: T) {
    let (m, n) = a.shape();
    for i in 0..m {
        for j in 0..n {
            *a.item(i, j) = value;
        }
    }
}

pub(super) fn identity<T: Field>(a: &mut MatMut<'_, T>) {
    fill(a, T::default());
    let (m, n) = a.shape();
    for i in 0..m.min(n) {
        *a.item(i, i) = T::ONE;
    }
}

/// Sorts values that are nearly in order, and tells each exchange of neighbours.
pub(super) fn sort<R: Float>(
    values: &mut [R],
    before: impl Fn(R, R) -> bool,
    mut exchanged: impl FnMut(usize, usize),
) {
    for end in 1..values.len() {
        for i in (1..=end).rev() {
            if !before(values[i], values[i - 1]) {
                break;
            }
            values.swap(i - 1, i);
            exchanged(i - 1, i);
        }
    }
}

pub(super) fn exchange<T: Field>(a: &mut MatMut<'_, T>, first: usize, last: usize) {
    for i in 0..a.shape().0 {
        let item = *a.item(i, first);
        *a.item(i, first) = std::mem::replace(a.item(i, last), item);
    }
}

pub(crate) fn multiply_column<T: Field>(mut a: MatMut<'_, T>, column: usize, factor: T) {
    for i in 0..a.shape().0 {
        let item = a.item(i, column);
        *item = *item * factor;
    }
}

/// Gives a column the length 1: first its largest item, so that a long one does not overflow.
pub(super) fn normalize<T: Field>(a: &mut MatMut<'_, T>, column: usize) {
    let size = largest_part(lead(a.as_ref(), column).1);
    shrink(a, column, size);
    let view = a.as_ref();
    let items = (0..view.shape().0).map(|i| view.get(i, column));
    shrink(a, column, norm::vector(items, 2.0));
}

fn shrink<T: Field>(a: &mut MatMut<'_, T>, column: usize, divisor: T::Real) {
    if divisor > T::Real::default() {
        for i in 0..a.shape().0 {
            let item = a.item(i, column);
            *item = item.shrink(divisor);
        }
    }
}

/// The first of the largest items of a column, and its row.
pub(super) fn lead<T: Field>(a: MatRef<'_, T>, column: usize) -> (usize, T) {
    let (mut row, mut size) = (0, T::Real::default());
    for i in 0..a.shape().0 {
        let item = a.get(i, column).abs();
        if item > size {
            (row, size) = (i, item);
        }
    }
    (row, a.get(row, column))
}
