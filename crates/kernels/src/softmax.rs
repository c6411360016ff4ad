//! Softmax of one row.

use crate::exp::exp;
use crate::isa::Isa;
use crate::lanes::{Lanes, fold, map_in_place};
use crate::simd::{Kernel, dispatch};

/// Replaces `row` by `softmax(scale * row)`, subtracting the greatest item first, so that nothing
/// overflows as long as `scale * row` is finite.
///
/// Cost: four passes over the row, no allocation. An empty row stays empty; a NaN item makes the
/// whole row NaN.
pub fn softmax(isa: Isa, row: &mut [f32], scale: f32) {
    dispatch(isa, Softmax { row, scale });
}

struct Softmax<'a> {
    row: &'a mut [f32],
    scale: f32,
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let scale = L::splat(self.scale);
        // Scaled once, so that the greatest item is subtracted from itself to exactly zero.
        map_in_place!(L, self.row, |x| x.mul(scale));
        let lowest = f32::NEG_INFINITY;
        let greatest =
            fold!(L, self.row, lowest, L::splat(lowest), |most, x| most.max(x)).reduce_max();
        let greatest = L::splat(greatest);
        map_in_place!(L, self.row, |x| exp(x.sub(greatest)));
        let total = fold!(L, self.row, 0.0, L::splat(0.0), |sum, x| sum.add(x)).reduce_add();
        let factor = L::splat(1.0 / total);
        map_in_place!(L, self.row, |x| x.mul(factor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(row: &[f32], scale: f32) -> Vec<f64> {
        let scaled: Vec<f64> = row
            .iter()
            .map(|&x| f64::from(x) * f64::from(scale))
            .collect();
        let greatest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scaled.iter().map(|x| (x - greatest).exp()).sum();
        scaled
            .iter()
            .map(|x| (x - greatest).exp() / total)
            .collect()
    }

    proptest! {
        #[test]
        fn softmax_equals_its_naive_twin(
            row in prop::collection::vec(-50.0_f32..50.0, 1..70), scale in 0.01_f32..2.0,
        ) {
            for isa in Isa::all() {
                let mut fast = row.clone();
                softmax(isa, &mut fast, scale);
                for (a, b) in fast.iter().zip(naive(&row, scale)) {
                    prop_assert!((f64::from(*a) - b).abs() < 2e-6, "{a} against {b}");
                }
            }
        }
    }

    #[test]
    fn softmax_of_huge_items_stays_finite_and_of_nan_is_nan() {
        for isa in Isa::all() {
            let mut row = [1e30_f32, 1e30, -1e30];
            softmax(isa, &mut row, 1.0);
            assert_eq!(row, [0.5, 0.5, row[2]]);
            assert!(row[2] < 1e-30);
            let mut row = [0.0, f32::NAN, 1.0];
            softmax(isa, &mut row, 1.0);
            assert!(row.iter().all(|x| x.is_nan()), "{row:?}");
            for n in 1..40 {
                let mut row = vec![1e30_f32; n];
                softmax(isa, &mut row, 0.37);
                assert!(
                    row.iter().all(|x| (x * n as f32 - 1.0).abs() < 1e-5),
                    "{row:?}"
                );
                let mut row: Vec<f32> = (0..n).map(|i| i as f32).collect();
                softmax(isa, &mut row, 0.0);
                assert!(
                    row.iter().all(|x| (x * n as f32 - 1.0).abs() < 1e-5),
                    "{row:?}"
                );
            }
            softmax(isa, &mut [], 1.0);
        }
    }
}
