//! Columns of vectors: their order, length and signs.

use crate::dense::copy_into;
use crate::field::{largest_part, unit};
use crate::workspace::Room;
use crate::{Field, Float, MatMut, MatRef};

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

/// The number of size one by which a number becomes real and not negative.
pub(super) fn turning<T: Field>(item: T) -> T {
    let zero = T::Real::default();
    if item.im() != zero || item.re() < zero {
        unit(item).conj()
    } else {
        T::ONE
    }
}

/// Multiplies each column by its factor.
pub(crate) fn multiply_columns<T: Field>(a: &mut MatMut<'_, T>, factors: &[T]) {
    let m = a.shape().0;
    let (row, column) = a.strides();
    // A sum with zero is no zero with a sign; also where the factor is one, so that all layouts have the same bits.
    let multiply = |item: &mut T, factor: T| *item = *item * factor + T::default();
    if column == 1 {
        for i in 0..m {
            let items = &mut a.data_mut()[i * row..][..factors.len()];
            for (item, &factor) in items.iter_mut().zip(factors) {
                multiply(item, factor);
            }
        }
        return;
    }
    for (j, &factor) in factors.iter().enumerate() {
        let items = a.data_mut()[j * column..].iter_mut().step_by(row);
        items.take(m).for_each(|item| multiply(item, factor));
    }
}

/// Makes the leading item of each column real and positive: the first of the largest ones. Returns by which factors.
pub(crate) fn turn_columns<T: Field>(a: &mut MatMut<'_, T>) -> Room<T> {
    let (m, n) = a.shape();
    let (row, column) = a.strides();
    let zero = T::Real::default();
    let (mut sizes, mut rows) = (Room::filled(zero, n), Room::filled(0, n));
    let mut compare = |(i, j): (usize, usize), item: T| {
        let size = item.abs();
        if size > sizes[j] {
            (sizes[j], rows[j]) = (size, i);
        }
    };
    if column == 1 {
        for i in 0..m {
            let items = &a.as_ref().data()[i * row..][..n];
            (0..n).for_each(|j| compare((i, j), items[j]));
        }
    } else {
        for j in 0..n {
            let items = a.as_ref().data()[j * column..].iter().step_by(row);
            items
                .take(m)
                .enumerate()
                .for_each(|(i, &item)| compare((i, j), item));
        }
    }
    let lead = |(j, &row): (usize, &usize)| turning(a.as_ref().get(row, j));
    let factors = Room::gather(rows.iter().enumerate().map(lead));
    multiply_columns(a, &factors);
    for (j, (&size, &row)) in sizes.iter().zip(rows.iter()).enumerate() {
        *a.item(row, j) = T::from_real(size);
    }
    factors
}

/// Columns that are copied at once.
const COLUMNS: usize = 8;

/// Gives columns the length 1, and makes the first of the largest items of each real and positive.
pub(super) fn unit_columns<T: Field>(a: &mut MatMut<'_, T>) {
    let (m, n) = a.shape();
    let mut items = vec![T::default(); COLUMNS.min(n) * m];
    for first in (0..n).step_by(COLUMNS) {
        let columns = first..(first + COLUMNS).min(n);
        let items = &mut items[..columns.len() * m];
        let mut part = a.reborrow().block(0..m, columns.clone());
        let shape = (m, columns.len());
        copy_into(
            part.as_ref(),
            MatMut::with_strides(items, shape, (1, m)).expect("some columns"),
        );
        items.chunks_exact_mut(m).for_each(unit_column);
        let items = MatRef::with_strides(items, shape, (1, m)).expect("some columns");
        copy_into(items, part.reborrow());
    }
}

fn unit_column<T: Field>(items: &mut [T]) {
    let zero = T::Real::default();
    let largest = items.iter().fold(zero, |most, &item| {
        let size = largest_part(item);
        if size > most { size } else { most }
    });
    // A long one would overflow.
    let divisor = if largest > zero {
        largest
    } else {
        T::Real::ONE
    };
    for item in items.iter_mut() {
        *item = item.shrink(divisor);
    }
    let squares = |item: T| item.re() * item.re() + item.im() * item.im();
    let (sum, most) = items.iter().fold((zero, zero), |(sum, most), &item| {
        let square = squares(item);
        (sum + square, if square > most { square } else { most })
    });
    // Squares that are equal may be of sizes that are not.
    let near = most * T::Real::from_f64(1.0 - 8.0 * T::Real::EPSILON.to_f64());
    let (mut lead, mut size) = (T::ONE, zero);
    let mut row = 0;
    for (i, &item) in items.iter().enumerate() {
        if squares(item) >= near && item.abs() > size {
            (row, lead, size) = (i, item, item.abs());
        }
    }
    if sum == zero {
        return;
    }
    let length = sum.sqrt();
    let factor = unit(lead).conj().shrink(length);
    for item in items.iter_mut() {
        *item = *item * factor;
    }
    items[row] = T::from_real(size / length);
}
