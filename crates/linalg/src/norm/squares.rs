//! The root of a sum of squares in one reading, where nothing overflows and nothing is lost.

use crate::{Field, Float, MatRef};

/// Sums that run side by side; an item's column says which one it belongs to, whatever the strides.
const LANES: usize = 8;

/// Where a sum of squares has lost nothing that counts to underflow, and nothing to overflow.
const SAFE: std::ops::Range<f64> = 1e-270..f64::INFINITY;

/// The root of the sum of squares of all parts; `None` where it must be looked at more closely: for NaN,
/// infinities, nothing but zeros, and numbers whose squares leave the range.
pub(super) fn root<T: Field>(a: MatRef<'_, T>) -> Option<f64> {
    let ((m, n), (row, column)) = (a.shape(), a.strides());
    if n == 0 {
        return None;
    }
    let mut sums = [0.0; LANES];
    for i in 0..m {
        if column == 1 {
            add_row(&mut sums, &a.data()[i * row..i * row + n]);
        } else {
            for j in 0..n {
                sums[j % LANES] += square(a.get(i, j));
            }
        }
    }
    let sum: f64 = sums.iter().sum();
    SAFE.contains(&sum).then(|| sum.sqrt())
}

fn add_row<T: Field>(sums: &mut [f64; LANES], row: &[T]) {
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, item) in sums.iter_mut().zip(chunk) {
            *sum += square(*item);
        }
    }
    for (sum, item) in sums.iter_mut().zip(rest) {
        *sum += square(*item);
    }
}

#[inline]
fn square<T: Field>(item: T) -> f64 {
    let (re, im) = (item.re().to_f64(), item.im().to_f64());
    if T::IS_COMPLEX {
        re * re + im * im
    } else {
        re * re
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_change_no_bit_and_odd_items_are_left_to_others() {
        let items: Vec<f64> = (0..7 * 19).map(|i| f64::from(i).sin()).collect();
        let turned: Vec<f64> = (0..19 * 7).map(|i| items[i % 7 * 19 + i / 7]).collect();
        let rows = MatRef::new(&items, 7, 19).unwrap();
        let columns = MatRef::new(&turned, 19, 7).unwrap().transpose();
        assert_eq!(root(rows), root(columns));
        assert!(root(rows).is_some());
        for odd in [f64::NAN, f64::INFINITY, 0.0, 1e-200, 1e200] {
            assert_eq!(root(MatRef::new(&[odd; 9], 3, 3).unwrap()), None);
        }
        assert_eq!(
            root(MatRef::<f64>::with_strides(&[], (3, 0), (5, 1)).unwrap()),
            None
        );
    }
}
