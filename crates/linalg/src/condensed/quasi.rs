//! Eigenvalues and eigenvectors of real Schur forms, by substitution from the last row on: G. H. Golub and
//! C. F. Van Loan, "Matrix Computations" (2013), 7.6.4. Some vectors go together, one in each lane.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::simd::{Item, LANES, Loops, wide};
use crate::{Complex, Isa};
use std::array::from_fn;

/// The part of the range that items of an eigenvector grow into before it is scaled.
const GROWTH_MAX: f64 = 0.25;

/// The eigenvalues along the diagonal; of a pair, that with the positive imaginary part first.
pub(super) fn eigenvalues<T: Item>(t: &[T], n: usize, values: &mut [Complex<T>]) {
    let zero = T::default();
    let mut k = 0;
    while k < n {
        let value = t[k * n + k];
        if let Some(size) = imaginary(t, n, k) {
            values[k] = Complex::new(value, size);
            values[k + 1] = Complex::new(value, -size);
            k += 2;
        } else {
            values[k] = Complex::new(value, zero);
            k += 1;
        }
    }
}

/// The imaginary part of the block that begins in this row, if it has two.
fn imaginary<T: Item>(t: &[T], n: usize, k: usize) -> Option<T> {
    if k + 1 == n || t[(k + 1) * n + k] == T::default() {
        return None;
    }
    Some(t[k * n + k + 1].abs().sqrt() * t[(k + 1) * n + k].abs().sqrt())
}

/// The eigenvectors of a Schur form as rows, which are zeros on entry: of a pair, the real and the imaginary part of
/// the first one's. Costs about `n^3 / 3` multiplications and additions.
pub(super) fn eigenvectors<T: Item>(
    isa: Isa,
    t: &[T],
    n: usize,
    values: &[Complex<T>],
    rows: &mut [T],
) {
    let size = t.iter().fold(T::default(), |sum, item| sum + item.abs());
    let least = larger(T::EPSILON * size / T::from_f64(n as f64), T::MIN_POSITIVE);
    let mut parts = vec![[[T::default(); LANES]; 2]; n];
    let mut lanes = Vec::with_capacity(LANES);
    let mut k = 0;
    while k < n {
        lanes.clear();
        while k < n && lanes.len() < LANES {
            lanes.push(k);
            k += if values[k].im == T::default() { 1 } else { 2 };
        }
        wide(
            isa,
            Substitution {
                t,
                n,
                least,
                starts: from_fn(|lane| lanes.get(lane).copied()),
                values: from_fn(|lane| lanes.get(lane).map_or(values[0], |&k| values[k])),
                parts: &mut parts[..k],
            },
        );
        for (lane, &start) in lanes.iter().enumerate() {
            let (re, im) = rows[start * n..].split_at_mut(n);
            let is_pair = values[start].im != T::default();
            for (i, [part, other]) in parts[..(start + 2).min(k)].iter().enumerate() {
                re[i] = part[lane];
                if is_pair {
                    im[i] = other[lane];
                }
            }
        }
    }
}

/// Real and imaginary parts of some numbers.
type Parts<T> = [[T; LANES]; 2];

struct Substitution<'a, T> {
    t: &'a [T],
    n: usize,
    /// Gaps between eigenvalues are at least that.
    least: T,
    /// The first row of the block of each eigenvalue.
    starts: [Option<usize>; LANES],
    values: [Complex<T>; LANES],
    /// The items of the vectors, row by row, as far as the last one goes.
    parts: &'a mut [Parts<T>],
}

impl<T: Item> Loops for Substitution<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        let mut end = self.parts.len();
        while end > 0 {
            let i = end - 1;
            let is_pair = i > 0 && self.t[i * self.n + i - 1] != T::default();
            if is_pair {
                self.pair::<FUSED>(i - 1);
                end -= 2;
            } else {
                self.single::<FUSED>(i);
                end -= 1;
            }
        }
    }
}

impl<T: Item> Substitution<'_, T> {
    /// What known items take from some rows, of which the items from `first` on are not known.
    #[inline(always)]
    fn sums<const ROWS: usize, const FUSED: bool>(&self, first: usize) -> [Parts<T>; ROWS] {
        let (n, end) = (self.n, self.parts.len());
        let known = first + ROWS..end;
        let rows: [&[T]; ROWS] = from_fn(|row| &self.t[(first + row) * n..][known.clone()]);
        let mut sums = [[[T::default(); LANES]; 2]; ROWS];
        for (at, [re, im]) in self.parts[known].iter().enumerate() {
            for (sums, row) in sums.iter_mut().zip(rows) {
                let factor = row[at];
                for lane in 0..LANES {
                    sums[0][lane] = re[lane].multiply_add::<FUSED>(factor, sums[0][lane]);
                    sums[1][lane] = im[lane].multiply_add::<FUSED>(factor, sums[1][lane]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn single<const FUSED: bool>(&mut self, i: usize) {
        let [[re, im]] = self.sums::<1, FUSED>(i);
        let corner = self.t[i * self.n + i];
        let zero = T::default();
        let found: [Complex<T>; LANES] = from_fn(|lane| {
            let value = self.values[lane];
            let gap = Complex::new(corner - value.re, -value.im);
            let is_near = gap.re.abs() + gap.im.abs() < self.least;
            let gap = if is_near {
                Complex::new(self.least, zero)
            } else {
                gap
            };
            quotient(Complex::new(-re[lane], -im[lane]), gap)
        });
        for (lane, found) in found.into_iter().enumerate() {
            let item = match self.starts[lane] {
                Some(start) if start > i => found,
                Some(start) if start == i => Complex::new(T::ONE, zero),
                _ => Complex::new(zero, zero),
            };
            self.set(i, lane, item);
        }
        self.shrink(i..i + 1);
    }

    /// Two rows whose items are found together.
    #[inline(always)]
    fn pair<const FUSED: bool>(&mut self, i: usize) {
        let [upper, lower] = self.sums::<2, FUSED>(i);
        let (n, zero) = (self.n, T::default());
        let (corner, b, c) = (
            self.t[i * n + i],
            self.t[i * n + i + 1],
            self.t[(i + 1) * n + i],
        );
        let own = b.abs().sqrt() * c.abs().sqrt();
        let found: [[Complex<T>; 2]; LANES] = from_fn(|lane| {
            let value = self.values[lane];
            let p = corner - value.re;
            let w = value.im;
            // Of `(p - i w)^2 + own^2`, so that neighbours lose nothing.
            let mut determinant = Complex::new(p * p + (own - w) * (own + w), -(p + p) * w);
            let least = self.least * (p.abs() + w.abs() + own);
            let least = larger(least, T::MIN_POSITIVE);
            if determinant.re.abs() + determinant.im.abs() < least {
                determinant = Complex::new(least, zero);
            }
            // The other row's share, less that of the own one times `p - i w`.
            let crossed = |own: &Parts<T>, other: &Parts<T>, factor: T| {
                Complex::new(
                    other[0][lane] * factor - (p * own[0][lane] + w * own[1][lane]),
                    other[1][lane] * factor - (p * own[1][lane] - w * own[0][lane]),
                )
            };
            [
                quotient(crossed(&upper, &lower, b), determinant),
                quotient(crossed(&lower, &upper, c), determinant),
            ]
        });
        for (lane, found) in found.into_iter().enumerate() {
            let items = match self.starts[lane] {
                Some(start) if start > i => found,
                Some(start) if start == i => {
                    if b.abs() < c.abs() {
                        [Complex::new(zero, own / c), Complex::new(T::ONE, zero)]
                    } else {
                        [Complex::new(T::ONE, zero), Complex::new(zero, own / b)]
                    }
                }
                _ => [Complex::new(zero, zero); 2],
            };
            self.set(i, lane, items[0]);
            self.set(i + 1, lane, items[1]);
        }
        self.shrink(i..i + 2);
    }

    #[inline(always)]
    fn set(&mut self, i: usize, lane: usize, item: Complex<T>) {
        self.parts[i][0][lane] = item.re;
        self.parts[i][1][lane] = item.im;
    }

    /// Scales vectors that have grown by these items.
    #[inline(always)]
    fn shrink(&mut self, rows: std::ops::Range<usize>) {
        let limit = T::from_f64(T::MAX.to_f64().powf(GROWTH_MAX));
        let mut sizes = [T::default(); LANES];
        for parts in self.parts[rows.clone()].iter().flatten() {
            for (size, part) in sizes.iter_mut().zip(parts) {
                *size = larger(*size, part.abs());
            }
        }
        for (lane, &size) in sizes.iter().enumerate() {
            if size > limit {
                for part in self.parts[rows.start..].iter_mut().flatten() {
                    part[lane] = part[lane] / size;
                }
            }
        }
    }
}

/// A quotient whose divisor is not zero, and may be tiny.
#[inline(always)]
fn quotient<T: Item>(a: Complex<T>, b: Complex<T>) -> Complex<T> {
    let size = larger(b.re.abs(), b.im.abs());
    let (re, im) = (b.re / size, b.im / size);
    let inverse = T::ONE / (re * re + im * im) / size;
    let (re, im) = (re * inverse, im * inverse);
    Complex::new(a.re * re + a.im * im, a.im * re - a.re * im)
}

fn larger<T: Item>(a: T, b: T) -> T {
    if b > a { b } else { a }
}
