//! Bias and GELU.

use crate::exp::exp;
use crate::isa::Isa;
use crate::lanes::{Lanes, map_in_place};
use crate::simd::{Kernel, dispatch};

/// Replaces each item by `GELU(x) = x / 2 * (1 + erf(x / sqrt 2))` (Hendrycks and Gimpel 2016),
/// within 4e-7 of the exact value for |x| up to 10.
///
/// The error function is formula 7.1.26 of Abramowitz and Stegun (1964), good to 1.5e-7.
pub fn gelu(isa: Isa, row: &mut [f32]) {
    dispatch(isa, Gelu { row });
}

/// Adds `bias` to every row of `rows` and applies [`gelu`], in one pass.
///
/// # Panics
/// When `rows.len()` is not a multiple of `bias.len()`.
pub fn bias_gelu(isa: Isa, rows: &mut [f32], bias: &[f32]) {
    assert_rows(rows, bias);
    dispatch(
        isa,
        BiasMap {
            rows,
            bias,
            gelu: true,
        },
    );
}

/// Adds `bias` to every row of `rows`.
///
/// # Panics
/// When `rows.len()` is not a multiple of `bias.len()`.
pub fn add_bias(isa: Isa, rows: &mut [f32], bias: &[f32]) {
    assert_rows(rows, bias);
    dispatch(
        isa,
        BiasMap {
            rows,
            bias,
            gelu: false,
        },
    );
}

fn assert_rows(rows: &[f32], bias: &[f32]) {
    assert!(
        rows.is_empty() || (!bias.is_empty() && rows.len().is_multiple_of(bias.len())),
        "{} items are no whole rows of {} columns",
        rows.len(),
        bias.len()
    );
}

struct Gelu<'a> {
    row: &'a mut [f32],
}

impl Kernel for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        map_in_place!(L, self.row, |x| gelu_lanes(x));
    }
}

struct BiasMap<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
    gelu: bool,
}

impl Kernel for BiasMap<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let full = self.bias.len() / L::COUNT * L::COUNT;
        for row in self.rows.chunks_exact_mut(self.bias.len().max(1)) {
            let (body, tail) = row.split_at_mut(full);
            let chunks = body
                .chunks_exact_mut(L::COUNT)
                .zip(self.bias.chunks_exact(L::COUNT));
            for (x, b) in chunks {
                let sum = L::load(x).add(L::load(b));
                (if self.gelu { gelu_lanes(sum) } else { sum }).store(x);
            }
            for (x, b) in tail.iter_mut().zip(&self.bias[full..]) {
                *x += b;
            }
            if self.gelu {
                map_in_place!(L, tail, |x| gelu_lanes(x));
            }
        }
    }
}

#[inline(always)]
fn gelu_lanes<L: Lanes>(x: L) -> L {
    let size = x.abs();
    let z = size.mul(L::splat(core::f32::consts::FRAC_1_SQRT_2));
    let t = L::splat(1.0).div(z.mul_add(L::splat(0.327_591_1), L::splat(1.0)));
    let mut p = L::splat(1.061_405_4);
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p.mul_add(t, L::splat(c));
    }
    let tail = p.mul(t).mul(exp(L::splat(0.0).sub(z.mul(z))));
    // x * erf(x / sqrt 2) = |x| * erf(|x| / sqrt 2), and erf = 1 - tail.
    let half = L::splat(0.5);
    size.mul(L::splat(1.0).sub(tail)).mul_add(half, x.mul(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(x: f32) -> f64 {
        let x = f64::from(x);
        0.5 * x * (1.0 + libm::erf(x / core::f64::consts::SQRT_2))
    }

    #[test]
    fn gelu_is_within_4e_7_of_the_exact_value() {
        for isa in Isa::all() {
            let mut row: Vec<f32> = (-10_000..=10_000).map(|i| i as f32 / 1000.0).collect();
            let inputs = row.clone();
            gelu(isa, &mut row);
            for (x, y) in inputs.into_iter().zip(row) {
                let error = (f64::from(y) - exact(x)).abs();
                assert!(
                    error < 4e-7 * f64::from(x.abs()).max(1.0),
                    "gelu({x}) = {y}, off by {error:e}"
                );
            }
        }
    }

    #[test]
    fn bias_is_added_to_every_row_before_gelu() {
        for isa in Isa::all() {
            for columns in [1, 7, 8, 19, 32] {
                let bias: Vec<f32> = (0..columns).map(|i| i as f32 / 8.0 - 1.0).collect();
                let rows: Vec<f32> = (0..3 * columns)
                    .map(|i| (i % 13) as f32 / 4.0 - 1.5)
                    .collect();
                let (mut plain, mut fused) = (rows.clone(), rows);
                add_bias(isa, &mut plain, &bias);
                gelu(isa, &mut plain);
                bias_gelu(isa, &mut fused, &bias);
                for (a, b) in plain.iter().zip(&fused) {
                    assert!((a - b).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "5 items are no whole rows of 2 columns")]
    fn a_bias_of_the_wrong_length_is_a_programming_error() {
        add_bias(Isa::portable(), &mut [0.0; 5], &[0.0; 2]);
    }
}
