//! One look over the items of a row.

use crate::field::largest_part;
use crate::{Field, Float};

/// Items that are looked at side by side.
const LANES: usize = 8;

/// The largest absolute value of a part, or `None` where an item is NaN or infinite.
pub(crate) fn largest_finite<T: Field>(row: &[T]) -> Option<T::Real> {
    let zeros = [T::Real::default(); LANES];
    let (mut most, mut odd) = (zeros, zeros);
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for ((most, odd), item) in most.iter_mut().zip(&mut odd).zip(chunk) {
            look(most, odd, *item);
        }
    }
    for ((most, odd), item) in most.iter_mut().zip(&mut odd).zip(rest) {
        look(most, odd, *item);
    }
    let largest = most
        .into_iter()
        .fold(T::Real::default(), |a, b| if b > a { b } else { a });
    odd.iter().all(|sum| !sum.is_nan()).then_some(largest)
}

/// What is not finite is NaN times zero, and stays in `odd`.
#[inline]
fn look<R: Float, T: Field<Real = R>>(most: &mut R, odd: &mut R, item: T) {
    let size = largest_part(item);
    *odd = *odd + item.re() * R::default();
    if T::IS_COMPLEX {
        *odd = *odd + item.im() * R::default();
    }
    *most = if size > *most { size } else { *most };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_finite_items_is_found_and_others_are_seen_anywhere() {
        for len in [0, 1, 7, 8, 9, 31] {
            let row: Vec<f64> = (0..len)
                .map(|i| f64::from(i) * (-1.0_f64).powi(i))
                .collect();
            let expected = row.iter().fold(0.0, |most: f64, item| most.max(item.abs()));
            assert_eq!(largest_finite(&row), Some(expected));
            for at in 0..row.len() {
                for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let mut row = row.clone();
                    row[at] = odd;
                    assert_eq!(largest_finite(&row), None);
                }
            }
        }
    }
}
