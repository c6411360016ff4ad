//! Singular vectors of small bidiagonal matrices: the implicit iteration of G. Golub and C. Reinsch, "Singular value
//! decomposition and least squares solutions" (1970), whose rotations turn the rows of two matrices.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::bidiagonal::two;
use super::largest;
use super::rotate::rotate;
use super::simd::{Loops, wide};
use crate::Isa;
use crate::decompose::NoConvergence;

/// What numbers count as at least, where the largest of a matrix is near one: squares of their roundings are still
/// numbers.
pub(super) const SIZE_MIN: f64 = 1e-100;

/// Sweeps for each value; more than a few are never seen.
const SWEEPS_MAX: usize = 50;

/// Rows of vectors that are zeros but for as many columns as there are rows, from `start` on.
pub(super) struct Side<'a> {
    pub(super) rows: &'a mut [f64],
    /// The items of a row.
    pub(super) columns: usize,
    pub(super) start: usize,
}

/// The singular values into `diagonal`, in no order and not negative, and their vectors as rows that come as zeros.
/// Where there are as many items `above` the diagonal as on it, the last one is in a column of its own, and the right
/// side has one row more, which the matrix makes zero.
pub(super) fn iterate(
    diagonal: &mut [f64],
    above: &mut [f64],
    left: Side<'_>,
    right: Side<'_>,
    isa: Isa,
) -> Result<(), NoConvergence> {
    let (m, width) = (diagonal.len(), above.len() + 1);
    let size = largest(diagonal).max(largest(above)).max(SIZE_MIN);
    let mut it = Sweeps {
        diagonal,
        above,
        small: f64::EPSILON / 2.0 * size,
        left,
        right,
        width,
    };
    it.left.unit(m);
    it.right.unit(width);
    if width > m {
        it.close();
    }
    wide(isa, &mut it)?;
    for i in 0..m {
        if it.diagonal[i] < 0.0 {
            it.diagonal[i] = -it.diagonal[i];
            let right = &mut it.right;
            let row = &mut right.rows[i * right.columns..(i + 1) * right.columns];
            for item in row {
                *item = -*item;
            }
        }
    }
    Ok(())
}

impl Side<'_> {
    fn unit(&mut self, count: usize) {
        for i in 0..count {
            self.rows[i * self.columns + self.start + i] = 1.0;
        }
    }

    /// Turns row `i` and a later one, of `count` items that are no zeros.
    #[inline(always)]
    fn turn(&mut self, (i, j): (usize, usize), count: usize, by: Rotation) {
        let (low, high) = self.rows.split_at_mut(j * self.columns);
        let from = i * self.columns + self.start;
        let low = &mut low[from..from + count];
        let high = &mut high[self.start..self.start + count];
        rotate(low, high, (by.cosine, -by.sine));
    }
}

/// Takes `(f, g)` to `(length, 0)`.
#[derive(Clone, Copy)]
struct Rotation {
    cosine: f64,
    sine: f64,
    length: f64,
}

impl Rotation {
    #[inline(always)]
    fn of(f: f64, g: f64) -> Self {
        let length = (f * f + g * g).sqrt();
        if length < f64::MIN_POSITIVE {
            return Self {
                cosine: 1.0,
                sine: 0.0,
                length: f,
            };
        }
        Self {
            cosine: f / length,
            sine: g / length,
            length,
        }
    }

    #[inline(always)]
    fn apply(self, x: f64, y: f64) -> (f64, f64) {
        let Self { cosine, sine, .. } = self;
        (cosine * x + sine * y, cosine * y - sine * x)
    }
}

struct Sweeps<'a> {
    diagonal: &'a mut [f64],
    above: &'a mut [f64],
    /// What counts as zero.
    small: f64,
    left: Side<'a>,
    right: Side<'a>,
    /// The rows of the right side.
    width: usize,
}

impl Sweeps<'_> {
    /// Makes the last column zero.
    fn close(&mut self) {
        let m = self.diagonal.len();
        let mut item = self.above[m - 1];
        for i in (0..m).rev() {
            let by = Rotation::of(self.diagonal[i], item);
            self.diagonal[i] = by.length;
            self.right.turn((i, m), m + 1, by);
            if i > 0 {
                (self.above[i - 1], item) = by.apply(self.above[i - 1], 0.0);
            }
        }
        self.above[m - 1] = 0.0;
    }
}

impl Loops for &mut Sweeps<'_> {
    type Output = Result<(), NoConvergence>;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> Self::Output {
        let m = self.diagonal.len();
        let mut sweeps = SWEEPS_MAX * m;
        let mut end = m;
        while end > 1 {
            let last = end - 1;
            let first = (0..last)
                .rev()
                .find(|&i| self.above[i].abs() <= self.small)
                .map_or(0, |i| i + 1);
            if first == last {
                self.above[last - 1] = 0.0;
                end = last;
            } else if sweeps == 0 {
                return Err(NoConvergence);
            } else {
                sweeps -= 1;
                self.sweep(first, last);
            }
        }
        Ok(())
    }
}

impl Sweeps<'_> {
    /// The first column of the shifted square, over its first item, which is not zero where there is a shift.
    #[inline(always)]
    fn start(&self, first: usize, last: usize) -> (f64, f64) {
        let (d, e) = (&*self.diagonal, &*self.above);
        let least = d[first..=last]
            .iter()
            .fold(f64::INFINITY, |least, item| item.abs().min(least));
        if least <= self.small {
            return (d[first], e[first]);
        }
        let (f, g, h) = (d[last - 1], e[last - 1], d[last]);
        let shift = two(f * f, g * g, h * h).1.sqrt();
        let size = d[first].abs();
        (
            (size - shift) * (1.0 + shift / size) * d[first].signum(),
            e[first],
        )
    }

    /// One sweep from the first row to the last.
    #[inline(always)]
    fn sweep(&mut self, first: usize, last: usize) {
        let (mut f, mut g) = self.start(first, last);
        let (m, width) = (self.diagonal.len(), self.width);
        for i in first..last {
            let right = Rotation::of(f, g);
            let (d, e) = (&mut *self.diagonal, &mut *self.above);
            if i > first {
                e[i - 1] = right.length;
            }
            (f, e[i]) = right.apply(d[i], e[i]);
            (g, d[i + 1]) = right.apply(0.0, d[i + 1]);
            let left = Rotation::of(f, g);
            d[i] = left.length;
            (f, d[i + 1]) = left.apply(e[i], d[i + 1]);
            if i + 1 < last {
                (g, e[i + 1]) = left.apply(0.0, e[i + 1]);
            }
            self.right.turn((i, i + 1), width, right);
            self.left.turn((i, i + 1), m, left);
        }
        self.above[last - 1] = f;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_belong_to_their_values() {
        for extra in [0, 1] {
            for kind in 0..4 {
                let m = 13;
                let n = m + extra;
                let item = |i: usize| match kind {
                    0 => (i as f64 * 1.7).sin(),
                    1 => (i as f64 * 0.3).exp(),
                    2 => f64::from(u8::from(!i.is_multiple_of(4))),
                    _ => 0.0,
                };
                let diagonal: Vec<f64> = (0..m).map(|i| item(i + 1)).collect();
                let above: Vec<f64> = (0..n - 1).map(|i| item(3 * i + 2)).collect();
                let (mut values, mut beside) = (diagonal.clone(), above.clone());
                let (mut u, mut v) = (vec![0.0; m * m], vec![0.0; n * n]);
                let side = |rows, columns| Side {
                    rows,
                    columns,
                    start: 0,
                };
                let isa = Isa::detect();
                iterate(
                    &mut values,
                    &mut beside,
                    side(&mut u, m),
                    side(&mut v, n),
                    isa,
                )
                .unwrap();
                let size = largest(&values).max(1e-300);
                for i in 0..m {
                    for j in 0..n {
                        let sum: f64 = (0..m)
                            .map(|k| u[k * m + i] * values[k] * v[k * n + j])
                            .sum();
                        let wanted = match j {
                            _ if j == i => diagonal[i],
                            _ if j == i + 1 => above[i],
                            _ => 0.0,
                        };
                        assert!((sum - wanted).abs() <= 2e-14 * size, "{kind} {i} {j}");
                    }
                }
                for (rows, order) in [(&u, m), (&v, n)] {
                    for i in 0..order {
                        for j in 0..order {
                            let (a, b) = (&rows[i * order..][..order], &rows[j * order..][..order]);
                            let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                            assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-14);
                        }
                    }
                }
                assert!(values.iter().all(|&value| value >= 0.0));
            }
        }
    }
}
