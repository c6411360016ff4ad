//! Copies between a matrix by columns and one by rows.

use super::simd::Leaf;
use std::array::from_fn;

/// Rows and columns of a square that goes through registers.
const SQUARE: usize = 8;

/// Items, and how many lie between a line and the next; the items of a line lie side by side.
pub(super) type Lines<'a, T> = (&'a [T], usize);

/// Item `i` of line `j` of the source becomes item `j` of line `i` of the target, for `lines` lines of the target.
pub(super) fn copy<T: Leaf>(
    (source, from): Lines<'_, T>,
    (target, to): (&mut [T], usize),
    (lines, len): (usize, usize),
) {
    if T::turn((source, from), (&mut *target, to), (lines, len)) {
        return;
    }
    let whole = (lines / SQUARE * SQUARE, len / SQUARE * SQUARE);
    for i in (0..whole.0).step_by(SQUARE) {
        for j in (0..whole.1).step_by(SQUARE) {
            let square: [&[T; SQUARE]; SQUARE] = from_fn(|line| {
                let at = (j + line) * from + i;
                source[at..].first_chunk().expect("a whole square")
            });
            for line in 0..SQUARE {
                let at = (i + line) * to + j;
                let items = square.map(|column| column[line]);
                target[at..at + SQUARE].copy_from_slice(&items);
            }
        }
    }
    for i in 0..lines {
        let start = if i < whole.0 { whole.1 } else { 0 };
        for j in start..len {
            target[i * to + j] = source[j * from + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Complex, Field};

    fn check<T: Field>() {
        let number = |at: usize| T::from_real(crate::Float::from_f64(at as f64));
        for (lines, len) in [(0, 0), (1, 1), (7, 9), (8, 8), (17, 30), (24, 16)] {
            let (from, to) = (lines + 3, len + 1);
            let source: Vec<T> = (0..from * len).map(number).collect();
            let mut target = vec![-T::ONE; to * lines];
            super::copy((&source, from), (&mut target, to), (lines, len));
            for i in 0..lines {
                assert!((0..len).all(|j| target[i * to + j] == number(j * from + i)));
                assert_eq!(target[i * to + len], -T::ONE);
            }
        }
    }

    #[test]
    fn every_item_changes_its_row_with_its_column() {
        check::<f32>();
        check::<f64>();
        check::<Complex<f64>>();
    }
}
