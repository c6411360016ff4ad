//! The exponential function in registers, which softmax and GELU share.

use crate::lanes::Lanes;

/// `e^x`, within 2 units in the last place for inputs in -87..=88; others are cut to that range.
///
/// Range reduction by powers of two and the degree-6 polynomial of Cephes `expf` (Moshier 1992).
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    // Operand order: a NaN lane stays NaN.
    let x = L::splat(EXP_INPUT_MAX).min(L::splat(EXP_INPUT_MIN).max(x));
    let n = x.mul(L::splat(core::f32::consts::LOG2_E)).round();
    // ln 2 in two parts, the first with so few bits that `n * LN_2_HIGH` is exact.
    let r = n.mul_add(L::splat(-LN_2_HIGH), x);
    let r = n.mul_add(L::splat(-LN_2_LOW), r);
    let mut p = L::splat(1.987_569_1e-4);
    for c in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p.mul_add(r, L::splat(c));
    }
    let p = p.mul_add(r.mul(r), r.add(L::splat(1.0)));
    p.mul(n.exp2_whole())
}

const EXP_INPUT_MIN: f32 = -87.0;
const EXP_INPUT_MAX: f32 = 88.0;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, dispatch};
    use crate::{Isa, lanes::map_in_place};

    struct ExpRow<'a>(&'a mut [f32]);

    impl Kernel for ExpRow<'_> {
        type Output = ();
        #[inline(always)]
        fn run<L: Lanes>(self) {
            map_in_place!(L, self.0, |x| exp(x));
        }
    }

    #[test]
    fn exp_is_within_two_ulps_of_the_library() {
        for isa in Isa::all() {
            let mut row: Vec<f32> = (-86_000..88_000).map(|i| i as f32 / 1000.0).collect();
            let inputs = row.clone();
            dispatch(isa, ExpRow(&mut row));
            for (x, y) in inputs.into_iter().zip(row) {
                let expected = f64::from(x).exp();
                let error = (f64::from(y) - expected).abs() / expected;
                assert!(
                    error < 2.5e-7,
                    "exp({x}) = {y}, not {expected} ({})",
                    isa.name()
                );
            }
        }
    }

    #[test]
    fn exp_of_nan_is_nan_and_of_huge_input_is_finite() {
        for isa in Isa::all() {
            let mut row = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
            dispatch(isa, ExpRow(&mut row));
            assert!(row[0].is_nan());
            assert!(row[1] > 1e38 && row[2] < 1e-37);
        }
    }
}
