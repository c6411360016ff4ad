//! Rows of `f32` as numbers of 8 bits with a scale, and sums of their products as `f32`.

use crate::isa::Isa;
use crate::lanes::Lanes;
use crate::simd::{Kernel, dispatch};

/// Writes the items of `row` as whole multiples of a scale, which it returns: a 127th of the largest absolute
/// value. No item moves by more than half of it.
///
/// NaN and infinities make the scale NaN. The numbers are -127 to 127 then, or arbitrary.
///
/// # Panics
/// When the lengths differ.
pub fn quantize_row(isa: Isa, row: &[f32], numbers: &mut [i8]) -> f32 {
    assert_eq!(row.len(), numbers.len(), "lengths of row and numbers");
    dispatch(isa, Quantize { row, numbers })
}

/// Writes `sums[i] * scale * scales[i]`: what products of quantized rows stand for.
///
/// # Panics
/// When the lengths differ.
pub fn scale_sums(isa: Isa, sums: &[i32], scale: f32, scales: &[f32], out: &mut [f32]) {
    assert_eq!(
        (out.len(), out.len()),
        (sums.len(), scales.len()),
        "lengths of out, sums and scales"
    );
    let kernel = ScaleSums {
        sums,
        row: scale,
        columns: scales,
        out,
    };
    dispatch(isa, kernel);
}

struct Quantize<'a> {
    row: &'a [f32],
    numbers: &'a mut [i8],
}

/// 1.5 * 2^23: what is added to it keeps no fraction, and its last bits are the whole number's.
const SHIFT: f32 = 12_582_912.0;

impl Kernel for Quantize<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f32 {
        let mut largest = [0.0_f32; 8];
        let mut doubt = [0.0_f32; 8];
        let chunks = self.row.chunks_exact(8);
        let rest = chunks.remainder();
        for chunk in chunks.chain([rest]) {
            for ((largest, doubt), &item) in largest.iter_mut().zip(&mut doubt).zip(chunk) {
                let size = item.abs();
                *largest = if size > *largest { size } else { *largest };
                // Zero, or NaN.
                *doubt += item * 0.0;
            }
        }
        let largest = largest.into_iter().fold(0.0_f32, f32::max);
        let doubt: f32 = doubt.into_iter().sum();
        let factor = if largest > f32::MIN_POSITIVE {
            127.0 / largest
        } else {
            0.0
        };
        for (number, item) in self.numbers.iter_mut().zip(self.row) {
            *number = (item * factor + SHIFT).to_bits() as i8;
        }
        largest / 127.0 + doubt
    }
}

struct ScaleSums<'a> {
    sums: &'a [i32],
    row: f32,
    columns: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for ScaleSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for ((out, &sum), column) in self.out.iter_mut().zip(self.sums).zip(self.columns) {
            *out = sum as f32 * (self.row * column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_of_zeros_stays_and_nan_and_infinity_are_seen_in_the_scale() {
        for isa in Isa::all() {
            let mut numbers = [1; 11];
            assert_eq!(quantize_row(isa, &[0.0; 11], &mut numbers), 0.0);
            assert_eq!(numbers, [0; 11]);
            for item in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in 0..11 {
                    let mut row = [1.0; 11];
                    row[at] = item;
                    assert!(quantize_row(isa, &row, &mut numbers).is_nan());
                }
            }
        }
    }

    #[test]
    fn sums_are_scaled_by_row_and_column() {
        for isa in Isa::all() {
            let mut out = [f32::NAN; 3];
            scale_sums(isa, &[2, -3, i32::MAX], 0.5, &[1.0, 4.0, 0.0], &mut out);
            assert_eq!(out, [1.0, -6.0, 0.0]);
        }
    }

    proptest! {
        #[test]
        fn no_item_moves_by_more_than_half_the_scale(
            row in proptest::collection::vec(-1.0_f32..1.0, 1..70),
            size in -80_i32..120,
        ) {
            let row: Vec<f32> = row.iter().map(|x| x * 2.0_f32.powi(size)).collect();
            for isa in Isa::all() {
                let mut numbers = vec![0; row.len()];
                let scale = f64::from(quantize_row(isa, &row, &mut numbers));
                for (&item, &number) in row.iter().zip(&numbers) {
                    let moved = (f64::from(item) - scale * f64::from(number)).abs();
                    prop_assert!(moved <= scale * 0.500_01, "{item} is {number} of {scale}");
                }
            }
        }
    }
}
