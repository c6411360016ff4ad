//! Layer normalisation and the Euclidean norm.

use crate::isa::Isa;
use crate::lanes::{Lanes, fold};
use crate::simd::{Kernel, dispatch};

/// Replaces `row` by `(row - mean) / sqrt(variance + epsilon) * weight + bias` (Ba, Kiros and
/// Hinton 2016). The variance is the mean of the squared distances, taken in a second pass.
///
/// # Panics
/// When `weight` or `bias` is not as long as `row`.
pub fn layer_norm(isa: Isa, row: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    assert_eq!(
        (row.len(), row.len()),
        (weight.len(), bias.len()),
        "lengths of row, weight and bias"
    );
    dispatch(
        isa,
        LayerNorm {
            row,
            weight,
            bias,
            epsilon,
        },
    );
}

/// For each row of `rows`: adds `add` (a bias) and the row of `residual`, then [`layer_norm`].
/// The result lands in `residual`.
///
/// # Panics
/// When `rows` and `residual` differ in length or are no whole rows of `weight.len()` columns, or
/// when `add`, `weight` and `bias` differ in length.
pub fn add_bias_layer_norm(
    isa: Isa,
    rows: &[f32],
    add: &[f32],
    residual: &mut [f32],
    (weight, bias, epsilon): (&[f32], &[f32], f32),
) {
    let columns = weight.len();
    assert_eq!(rows.len(), residual.len(), "lengths of rows and residual");
    assert_eq!(
        (columns, columns),
        (add.len(), bias.len()),
        "lengths of weight, add and bias"
    );
    assert!(
        columns > 0 && rows.len().is_multiple_of(columns),
        "no whole rows of {columns} columns"
    );
    for (x, row) in rows
        .chunks_exact(columns)
        .zip(residual.chunks_exact_mut(columns))
    {
        dispatch(isa, AddTwo { x, add, row });
        dispatch(
            isa,
            LayerNorm {
                row,
                weight,
                bias,
                epsilon,
            },
        );
    }
}

/// Divides `row` by its Euclidean norm; a row of zeros stays as it is.
pub fn l2_normalize(isa: Isa, row: &mut [f32]) {
    let norm = libm::sqrtf(crate::dot(isa, row, row));
    if norm > 0.0 {
        for x in row {
            *x /= norm;
        }
    }
}

struct LayerNorm<'a> {
    row: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl Kernel for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self {
            row,
            weight,
            bias,
            epsilon,
        } = self;
        if row.is_empty() {
            return;
        }
        let count = row.len() as f32;
        let mean = fold!(L, row, 0.0, L::splat(0.0), |sum, x| sum.add(x)).reduce_add() / count;
        // Padding with the mean adds nothing to the variance.
        let squares = fold!(L, row, mean, L::splat(0.0), |sum, x| {
            let distance = x.sub(L::splat(mean));
            distance.mul_add(distance, sum)
        });
        let variance = squares.reduce_add() / count;
        let factor = 1.0 / libm::sqrtf(variance + epsilon);
        let full = row.len() / L::COUNT * L::COUNT;
        let (body, tail) = row.split_at_mut(full);
        let chunks = body.chunks_exact_mut(L::COUNT);
        let parameters = weight
            .chunks_exact(L::COUNT)
            .zip(bias.chunks_exact(L::COUNT));
        for (x, (w, b)) in chunks.zip(parameters) {
            let normal = L::load(x).sub(L::splat(mean)).mul(L::splat(factor));
            normal.mul_add(L::load(w), L::load(b)).store(x);
        }
        for (x, (w, b)) in tail
            .iter_mut()
            .zip(weight[full..].iter().zip(&bias[full..]))
        {
            *x = (*x - mean) * factor * w + b;
        }
    }
}

struct AddTwo<'a> {
    x: &'a [f32],
    add: &'a [f32],
    row: &'a mut [f32],
}

impl Kernel for AddTwo<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let full = self.row.len() / L::COUNT * L::COUNT;
        let (body, tail) = self.row.split_at_mut(full);
        let addends = self
            .x
            .chunks_exact(L::COUNT)
            .zip(self.add.chunks_exact(L::COUNT));
        for (r, (x, a)) in body.chunks_exact_mut(L::COUNT).zip(addends) {
            L::load(r).add(L::load(x).add(L::load(a))).store(r);
        }
        for (r, (x, a)) in tail
            .iter_mut()
            .zip(self.x[full..].iter().zip(&self.add[full..]))
        {
            *r += x + a;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(row: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) -> Vec<f64> {
        let n = row.len() as f64;
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = row
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / n;
        let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
        (0..row.len())
            .map(|i| (f64::from(row[i]) - mean) * scale * f64::from(weight[i]) + f64::from(bias[i]))
            .collect()
    }

    #[test]
    fn layer_norm_equals_its_naive_twin_for_every_length() {
        for isa in Isa::all() {
            for n in 1..70 {
                let row: Vec<f32> = (0..n).map(|i| ((i * 37 % 17) as f32 - 5.0) / 3.0).collect();
                let weight: Vec<f32> = (0..n).map(|i| 1.0 + i as f32 / 50.0).collect();
                let bias: Vec<f32> = (0..n).map(|i| i as f32 / 20.0 - 1.0).collect();
                let mut fast = row.clone();
                layer_norm(isa, &mut fast, &weight, &bias, 1e-12);
                for (a, b) in fast.iter().zip(naive(&row, &weight, &bias, 1e-12)) {
                    assert!(
                        (f64::from(*a) - b).abs() < 1e-5 * b.abs().max(1.0),
                        "n = {n}: {a}, {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_fused_form_equals_its_parts() {
        for isa in Isa::all() {
            for n in [1, 8, 21] {
                let x: Vec<f32> = (0..2 * n).map(|i| i as f32 / 7.0).collect();
                let mut residual: Vec<f32> = (0..2 * n).map(|i| (i % 5) as f32).collect();
                let add: Vec<f32> = (0..n).map(|i| i as f32 / 3.0).collect();
                let (weight, bias) = (vec![1.5; n], vec![0.25; n]);
                let mut plain = residual.clone();
                for (i, value) in plain.iter_mut().enumerate() {
                    *value += x[i] + add[i % n];
                }
                plain
                    .chunks_exact_mut(n)
                    .for_each(|row| layer_norm(isa, row, &weight, &bias, 1e-5));
                add_bias_layer_norm(isa, &x, &add, &mut residual, (&weight, &bias, 1e-5));
                assert_eq!(plain, residual);
            }
        }
    }

    #[test]
    fn a_normalised_row_has_norm_one_and_zeros_stay() {
        for isa in Isa::all() {
            let mut row = [3.0, 4.0];
            l2_normalize(isa, &mut row);
            assert_eq!(row, [0.6, 0.8]);
            let mut zeros = [0.0; 3];
            l2_normalize(isa, &mut zeros);
            assert_eq!(zeros, [0.0; 3]);
        }
    }
}
