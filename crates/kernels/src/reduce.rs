//! Sums and dot products.

use crate::isa::Isa;
use crate::lanes::{Lanes, fold};
use crate::simd::{Kernel, dispatch};

/// The sum of `row`, in an order fixed by its length.
pub fn sum(isa: Isa, row: &[f32]) -> f32 {
    dispatch(isa, Sum { row })
}

/// The dot product of `a` and `b`, in an order fixed by their length.
///
/// # Panics
/// When the lengths differ.
pub fn dot(isa: Isa, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths of the two vectors");
    dispatch(isa, Dot { a, b })
}

struct Sum<'a> {
    row: &'a [f32],
}

impl Kernel for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f32 {
        fold!(L, self.row, 0.0, L::splat(0.0), |sum, x| sum.add(x)).reduce_add()
    }
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Kernel for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f32 {
        // Four registers hide the latency of the fused multiply-add.
        let mut sums = [L::splat(0.0); 4];
        let step = 4 * L::COUNT;
        let full = self.a.len() / step * step;
        for (a, b) in self.a[..full]
            .chunks_exact(step)
            .zip(self.b[..full].chunks_exact(step))
        {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = i * L::COUNT..(i + 1) * L::COUNT;
                *sum = L::load(&a[at.clone()]).mul_add(L::load(&b[at]), *sum);
            }
        }
        let body = sums[0].add(sums[1]).add(sums[2].add(sums[3])).reduce_add();
        let tail = self.a[full..]
            .iter()
            .zip(&self.b[full..])
            .map(|(a, b)| a * b);
        body + tail.sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_dots_equal_exact_integers_for_every_length() {
        for isa in Isa::all() {
            for n in 0..150 {
                let a: Vec<f32> = (0..n).map(|i| (i % 7) as f32 - 3.0).collect();
                let b: Vec<f32> = (0..n).map(|i| (i % 5) as f32).collect();
                assert_eq!(sum(isa, &a), a.iter().sum::<f32>());
                assert_eq!(
                    dot(isa, &a, &b),
                    a.iter().zip(&b).map(|(x, y)| x * y).sum::<f32>()
                );
            }
        }
    }
}
