//! Eigenvectors of small symmetric tridiagonal matrices: the implicit QL iteration, B. N. Parlett, "The Symmetric
//! Eigenvalue Problem" (1998), section 8.13, whose rotations turn the rows of a matrix.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::simd::{Loops, wide};
use crate::Isa;
use crate::decompose::NoConvergence;
use std::array::from_fn;

/// Sweeps for each eigenvalue; more than a few are never seen.
const SWEEPS_MAX: usize = 50;

/// The eigenvalues into `diagonal`, in no order, and their vectors as rows of `n` items that are zeros but from
/// column `start` on.
pub(super) fn iterate(
    diagonal: &mut [f64],
    beside: &mut [f64],
    rows: &mut [f64],
    (start, n): (usize, usize),
    isa: Isa,
) -> Result<(), NoConvergence> {
    let m = diagonal.len();
    // The iteration is for matrices whose larger items are at the end.
    let is_turned = diagonal[m - 1].abs() < diagonal[0].abs();
    if is_turned {
        diagonal.reverse();
        beside.reverse();
    }
    for i in 0..m {
        let column = if is_turned { m - 1 - i } else { i };
        rows[i * n + start + column] = 1.0;
    }
    wide(
        isa,
        Sweeps {
            diagonal,
            beside,
            rows,
            place: (start, n),
        },
    )
}

struct Sweeps<'a> {
    diagonal: &'a mut [f64],
    beside: &'a mut [f64],
    rows: &'a mut [f64],
    place: (usize, usize),
}

impl Loops for Sweeps<'_> {
    type Output = Result<(), NoConvergence>;

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) -> Self::Output {
        let m = self.diagonal.len();
        let mut left = SWEEPS_MAX * m;
        let mut first = 0;
        while first < m {
            let last = (first..m - 1)
                .find(|&i| self.is_negligible(i))
                .unwrap_or(m - 1);
            if last < m - 1 {
                self.beside[last] = 0.0;
            }
            if last == first {
                first += 1;
            } else if left == 0 {
                return Err(NoConvergence);
            } else {
                left -= 1;
                self.sweep(first, last);
            }
        }
        Ok(())
    }
}

impl Sweeps<'_> {
    #[inline(always)]
    fn is_negligible(&self, i: usize) -> bool {
        let sum = self.diagonal[i].abs() + self.diagonal[i + 1].abs();
        let item = self.beside[i].abs();
        item <= f64::EPSILON / 2.0 * sum || item < f64::MIN_POSITIVE
    }

    /// One sweep from the last row to the first, with Wilkinson's shift.
    #[inline(always)]
    fn sweep(&mut self, first: usize, last: usize) {
        let (d, e) = (&mut *self.diagonal, &mut *self.beside);
        let slope = (d[first + 1] - d[first]) / (2.0 * e[first]);
        let root = slope.hypot(1.0).copysign(slope);
        let mut g = d[last] - d[first] + e[first] / (slope + root);
        let (mut cosine, mut sine, mut taken) = (1.0, 1.0, 0.0);
        for i in (first..last).rev() {
            let (f, b) = (sine * e[i], cosine * e[i]);
            let length = (f * f + g * g).sqrt();
            if i + 1 < last {
                e[i + 1] = length;
            }
            if length == 0.0 {
                // The matrix falls apart here.
                d[i + 1] -= taken;
                return;
            }
            let inverse = 1.0 / length;
            (sine, cosine) = (f * inverse, g * inverse);
            let before = d[i + 1] - taken;
            let change = (d[i] - before) * sine + 2.0 * cosine * b;
            taken = sine * change;
            d[i + 1] = before + taken;
            g = cosine * change - b;
            let (start, n) = self.place;
            let width = d.len();
            let (low, high) = self.rows.split_at_mut((i + 1) * n);
            let low = &mut low[i * n + start..i * n + start + width];
            let high = &mut high[start..start + width];
            rotate(low, high, (cosine, sine));
        }
        d[first] -= taken;
        e[first] = g;
    }
}

/// Turns two rows of one length.
#[inline(always)]
pub(super) fn rotate(x: &mut [f64], y: &mut [f64], (cosine, sine): (f64, f64)) {
    const LANES: usize = 4;
    let turned = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
    let whole = x.len() / LANES * LANES;
    let y = &mut y[..x.len()];
    for at in (0..whole).step_by(LANES) {
        let both: [_; LANES] = from_fn(|lane| turned(x[at + lane], y[at + lane]));
        x[at..at + LANES].copy_from_slice(&both.map(|(x, _)| x));
        y[at..at + LANES].copy_from_slice(&both.map(|(_, y)| y));
    }
    for (x, y) in x[whole..].iter_mut().zip(&mut y[whole..]) {
        (*x, *y) = turned(*x, *y);
    }
}
