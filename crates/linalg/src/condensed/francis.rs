//! The QR iteration with two shifts at a time, from Hessenberg to Schur form: J. G. F. Francis, "The QR transformation,
//! part 2" (1962), with the shifts and the tests of LAPACK's `dlahqr`.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::pair::Pair;
use super::simd::{Item, LANES, Loops, lanes, wide};
use crate::decompose::NoConvergence;
use crate::dense::copy_into;
use crate::{Isa, MatMut, MatRef};
use std::ops::Range;

/// Sweeps for each row, on average; the iteration takes about two for each eigenvalue.
const SWEEPS_PER_ROW_MAX: usize = 30;

/// After so many sweeps for one eigenvalue the shifts are others, lest the iteration goes round in circles.
const SWEEPS_OF_A_KIND: usize = 10;

/// Takes `h`, which has `n` rows and no items below its first subdiagonal, to blocks of one or two rows along the
/// diagonal. Blocks of two rows have equal items on the diagonal and a pair of conjugate eigenvalues.
///
/// With the transpose `q` of an orthogonal matrix, the whole of `h` goes to Schur form, and `q` is multiplied by the
/// inverse of the same from the left, so that rows are turned. Without it, only the blocks are right. Numbers are far
/// from overflow.
///
/// # Errors
/// When the iteration does not end within its limit.
pub(crate) fn iterate<T: Item>(
    isa: Isa,
    h: &mut [T],
    n: usize,
    q: Option<&mut [T]>,
) -> Result<(), NoConvergence> {
    wide(
        isa,
        Iteration {
            reflectors: Vec::with_capacity(n),
            columns: vec![T::default(); LANES * n],
            h,
            n,
            q,
        },
    )
}

/// A reflector `1 - tau v v^T` of two or three rows: the items of `v` but the first, which is one, and those of
/// `tau v`.
#[derive(Clone, Copy)]
struct Reflector<T> {
    v: [T; 2],
    scaled: [T; 3],
}

struct Iteration<'a, T> {
    h: &'a mut [T],
    n: usize,
    q: Option<&'a mut [T]>,
    /// Those of a sweep, which are still to be applied to rows above.
    reflectors: Vec<Reflector<T>>,
    /// Some rows, by columns.
    columns: Vec<T>,
}

impl<T: Item> Loops for Iteration<'_, T> {
    type Output = Result<(), NoConvergence>;

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) -> Self::Output {
        let mut left = SWEEPS_PER_ROW_MAX * self.n.max(SWEEPS_OF_A_KIND);
        // The rows from `end` on are done.
        let (mut end, mut sweeps) = (self.n, 0);
        while end > 1 {
            let start = self.active_start(end);
            if start + 1 == end {
                (end, sweeps) = (end - 1, 0);
            } else if start + 2 == end {
                self.finish(start);
                (end, sweeps) = (start, 0);
            } else {
                left = left.checked_sub(1).ok_or(NoConvergence)?;
                sweeps += 1;
                let shifts = self.shifts(start..end, sweeps);
                self.sweep::<FUSED>(start..end, shifts);
            }
        }
        Ok(())
    }
}

impl<T: Item> Iteration<'_, T> {
    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> T {
        self.h[i * self.n + j]
    }

    /// Where the last block begins that ends before row `end`; the item left of it becomes zero.
    ///
    /// M. Ahues and F. Tisseur, "A new deflation criterion for the QR algorithm" (1997).
    #[inline(always)]
    fn active_start(&mut self, end: usize) -> usize {
        let n = self.n;
        let least = T::MIN_POSITIVE / T::EPSILON * T::from_f64(n as f64);
        for i in (1..end).rev() {
            let below = self.at(i, i - 1).abs();
            let (above, corner) = (self.at(i - 1, i - 1), self.at(i, i));
            let mut around = above.abs() + corner.abs();
            if around == T::default() {
                around = if i > 1 {
                    self.at(i - 1, i - 2).abs()
                } else {
                    around
                };
                around = if i + 1 < n {
                    around + self.at(i + 1, i).abs()
                } else {
                    around
                };
            }
            let is_small = below <= T::EPSILON * around && {
                let (ab, ba) = ordered(below, self.at(i - 1, i).abs());
                let (aa, bb) = ordered(corner.abs(), (above - corner).abs());
                let sum = aa + ab;
                ba * (ab / sum) <= larger(least, T::EPSILON * (bb * (aa / sum)))
            };
            if below <= least || is_small {
                self.h[i * n + i - 1] = T::default();
                return i;
            }
        }
        0
    }

    /// Two shifts, by their real parts and the imaginary part of the first.
    #[inline(always)]
    fn shifts(&self, active: Range<usize>, sweeps: usize) -> [T; 3] {
        let (i, j) = (active.end - 2, active.end - 1);
        let [a, b, c, d] = if sweeps.is_multiple_of(SWEEPS_OF_A_KIND) {
            // In turn from the last rows and from the first ones.
            let (at, size) = if sweeps.is_multiple_of(2 * SWEEPS_OF_A_KIND) {
                (j, self.at(j, i).abs() + self.at(i, i - 1).abs())
            } else {
                let k = active.start;
                (k, self.at(k + 1, k).abs() + self.at(k + 2, k + 1).abs())
            };
            let item = T::from_f64(0.75) * size + self.at(at, at);
            [item, T::from_f64(-0.4375) * size, size, item]
        } else {
            [self.at(i, i), self.at(i, j), self.at(j, i), self.at(j, j)]
        };
        let size = a.abs() + b.abs() + c.abs() + d.abs();
        if size == T::default() {
            return [T::default(); 3];
        }
        let [a, b, c, last] = [a, b, c, d].map(|item| item / size);
        let mean = (a + last) * T::from_f64(0.5);
        let product = (a - mean) * (last - mean) - b * c;
        let root = product.abs().sqrt();
        if product >= T::default() {
            return [mean * size, mean * size, root * size];
        }
        // Of two real ones, twice that which is nearer to the last item.
        let (first, second) = (mean + root, mean - root);
        let is_first = (first - last).abs() <= (second - last).abs();
        let shift = size * if is_first { first } else { second };
        [shift, shift, T::default()]
    }

    /// The first column of the product of the matrix less each shift, from row `m` on, up to a factor.
    #[inline(always)]
    fn first_column(&self, m: usize, [first, second, imaginary]: [T; 3]) -> [T; 3] {
        let (item, next, below) = (self.at(m, m), self.at(m + 1, m + 1), self.at(m + 1, m));
        let norm = (item - second).abs() + imaginary.abs() + below.abs();
        if norm == T::default() {
            return [T::default(); 3];
        }
        let share = below / norm;
        let square = (item - first) * ((item - second) / norm);
        [
            share * self.at(m, m + 1) + square + imaginary * (imaginary / norm),
            share * (item + next - first - second),
            share * self.at(m + 2, m + 1),
        ]
    }

    /// Where the sweep may begin: below the last row at which two items of the subdiagonal are small together.
    #[inline(always)]
    fn sweep_start(&self, active: Range<usize>, shifts: [T; 3]) -> usize {
        for m in (active.start + 1..active.end - 2).rev() {
            let left = self.at(m, m - 1).abs();
            // Without a division, what is by far no candidate.
            let (item, below) = (self.at(m, m), self.at(m + 1, m).abs());
            let around = self.at(m - 1, m - 1).abs() + item.abs() + self.at(m + 1, m + 1).abs();
            let square = larger(around, larger(shifts[0].abs(), shifts[2].abs()));
            if left * below > T::EPSILON * T::from_f64(64.0) * (square * square) {
                continue;
            }
            let [x, y, z] = self.first_column(m, shifts);
            if left * (y.abs() + z.abs()) <= T::EPSILON * x.abs() * around {
                return m;
            }
        }
        active.start
    }

    /// One sweep over the rows that are active.
    #[inline(always)]
    fn sweep<const FUSED: bool>(&mut self, active: Range<usize>, shifts: [T; 3]) {
        let n = self.n;
        let first = self.sweep_start(active.clone(), shifts);
        let whole = if self.q.is_some() {
            0..n
        } else {
            active.clone()
        };
        let mut x = self.first_column(first, shifts);
        self.reflectors.clear();
        for k in first..active.end - 1 {
            let rows = (active.end - k).min(3);
            if k > first {
                x = [T::default(); 3];
                (0..rows).for_each(|i| x[i] = self.at(k + i, k - 1));
            }
            let (reflector, lead) = reflector(x);
            if k > first {
                self.h[k * n + k - 1] = lead;
                (1..rows).for_each(|i| self.h[(k + i) * n + k - 1] = T::default());
            } else if k > active.start {
                let item = &mut self.h[k * n + k - 1];
                *item = *item * (T::ONE - reflector.scaled[0]);
            }
            self.reflectors.push(reflector);
            let columns = k..whole.end;
            reflect_rows::<T, FUSED>(&mut self.h[k * n..], n, rows, columns, reflector);
            // The rows above wait until whole registers of them can be turned.
            let done = (k + 1 - whole.start) / LANES * LANES + whole.start;
            let until = (k + 4).min(active.end);
            for row in self.h[done * n..until * n].chunks_exact_mut(n) {
                reflect_columns::<T, FUSED>(&mut row[k..k + rows], reflector);
            }
            if let Some(q) = &mut self.q {
                reflect_rows::<T, FUSED>(&mut q[k * n..], n, rows, 0..n, reflector);
            }
        }
        self.turn_above::<FUSED>(first, whole.start, active.end);
    }

    /// Applies the reflectors of a sweep to the rows that have waited.
    #[inline(always)]
    fn turn_above<const FUSED: bool>(&mut self, first: usize, top: usize, end: usize) {
        let n = self.n;
        let mut at = top;
        // The rows up to `at + LANES` wait for the reflectors from `at + LANES - 1` on.
        while at + LANES < end {
            let k = (at + LANES - 1).max(first);
            let rows = &mut self.h[at * n + k..];
            let shape = (end - k, LANES);
            let columns = &mut self.columns[..LANES * shape.0];
            let view = MatMut::new(columns, shape.0, LANES).expect("columns of some rows");
            let part = MatRef::with_strides(rows, shape, (1, n)).expect("some rows");
            copy_into(part, view);
            turn_columns::<T, FUSED>(columns, &self.reflectors[k - first..]);
            let view = MatRef::new(columns, shape.0, LANES).expect("columns of some rows");
            let part = MatMut::with_strides(rows, shape, (1, n)).expect("some rows");
            copy_into(view, part);
            at += LANES;
        }
    }

    /// Turns a block of two rows to its final form.
    #[inline(always)]
    fn finish(&mut self, k: usize) {
        let n = self.n;
        let pair = Pair::of([
            self.at(k, k),
            self.at(k, k + 1),
            self.at(k + 1, k),
            self.at(k + 1, k + 1),
        ]);
        if let Some(q) = &mut self.q {
            pair.turn_rows(&mut self.h[k * n..(k + 2) * n], k + 2);
            pair.turn_rows(&mut q[k * n..(k + 2) * n], 0);
            for row in self.h[..k * n].chunks_exact_mut(n) {
                (row[k], row[k + 1]) = pair.turned(row[k], row[k + 1]);
            }
        }
        for (i, items) in pair.items.chunks_exact(2).enumerate() {
            self.h[(k + i) * n + k..][..2].copy_from_slice(items);
        }
    }
}

fn larger<T: Item>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

fn ordered<T: Item>(a: T, b: T) -> (T, T) {
    if b > a { (b, a) } else { (a, b) }
}

/// The reflector that takes `x` to its first item, and that.
#[inline(always)]
fn reflector<T: Item>(x: [T; 3]) -> (Reflector<T>, T) {
    let zero = T::default();
    let rest = larger(x[1].abs(), x[2].abs());
    if rest == zero {
        let none = Reflector {
            v: [zero; 2],
            scaled: [zero; 3],
        };
        return (none, x[0]);
    }
    // Squares of small numbers would lose their bits.
    let size = larger(rest, x[0].abs());
    let scale = if size < T::SMALL { size } else { T::ONE };
    let y = if size < T::SMALL {
        x.map(|item| item / scale)
    } else {
        x
    };
    let length = (y[0] * y[0] + (y[1] * y[1] + y[2] * y[2])).sqrt();
    let lead = if y[0] < zero { length } else { -length };
    let inverse = T::ONE / (y[0] - lead);
    let v = [y[1] * inverse, y[2] * inverse];
    let tau = (lead - y[0]) / lead;
    let scaled = [tau, tau * v[0], tau * v[1]];
    (Reflector { v, scaled }, lead * scale)
}

/// What a reflector makes of three items.
#[inline(always)]
fn reflected<T: Item, const N: usize, const FUSED: bool>(
    [x, y, z]: [[T; N]; 3],
    Reflector { v, scaled }: Reflector<T>,
) -> [[T; N]; 3] {
    let mut turned = [x, y, z];
    for lane in 0..N {
        let sum = z[lane].multiply_add::<FUSED>(v[1], y[lane].multiply_add::<FUSED>(v[0], x[lane]));
        for (item, factor) in turned.iter_mut().zip(scaled) {
            item[lane] = (-sum).multiply_add::<FUSED>(factor, item[lane]);
        }
    }
    turned
}

/// Reflects the first rows, of so many items, in these columns.
#[inline(always)]
fn reflect_rows<T: Item, const FUSED: bool>(
    items: &mut [T],
    n: usize,
    rows: usize,
    columns: Range<usize>,
    reflector: Reflector<T>,
) {
    let (x, rest) = items.split_at_mut(n);
    let (y, rest) = rest.split_at_mut(n);
    let (x, y) = (&mut x[columns.clone()], &mut y[columns.clone()]);
    let len = x.len();
    let y = &mut y[..len];
    let whole = len / LANES * LANES;
    let zero = T::default();
    if rows == 2 {
        for (x, y) in x.iter_mut().zip(y) {
            let [[left], [right], _] = reflected::<T, 1, FUSED>([[*x], [*y], [zero]], reflector);
            (*x, *y) = (left, right);
        }
        return;
    }
    let z = &mut rest[columns][..len];
    for at in (0..whole).step_by(LANES) {
        let three = [lanes(x, at), lanes(y, at), lanes(z, at)];
        let three = reflected::<T, LANES, FUSED>(three, reflector);
        x[at..at + LANES].copy_from_slice(&three[0]);
        y[at..at + LANES].copy_from_slice(&three[1]);
        z[at..at + LANES].copy_from_slice(&three[2]);
    }
    for at in whole..len {
        let three = reflected::<T, 1, FUSED>([[x[at]], [y[at]], [z[at]]], reflector);
        [[x[at]], [y[at]], [z[at]]] = three;
    }
}

/// Reflects two or three items of a row.
#[inline(always)]
fn reflect_columns<T: Item, const FUSED: bool>(row: &mut [T], reflector: Reflector<T>) {
    if let [x, y, z] = row {
        [[*x], [*y], [*z]] = reflected::<T, 1, FUSED>([[*x], [*y], [*z]], reflector);
    } else if let [x, y] = row {
        let zero = T::default();
        [[*x], [*y], _] = reflected::<T, 1, FUSED>([[*x], [*y], [zero]], reflector);
    }
}

/// Reflects columns, each reflector one further than the one before; the last one has two of them.
#[inline(always)]
fn turn_columns<T: Item, const FUSED: bool>(columns: &mut [T], reflectors: &[Reflector<T>]) {
    let (mut x, mut y) = (lanes(columns, 0), lanes(columns, LANES));
    let last = reflectors.len() - 1;
    for (k, &reflector) in reflectors.iter().enumerate() {
        let at = k * LANES;
        let z = if k < last {
            lanes(columns, at + 2 * LANES)
        } else {
            [T::default(); LANES]
        };
        let [done, next, far] = reflected::<T, LANES, FUSED>([x, y, z], reflector);
        columns[at..at + LANES].copy_from_slice(&done);
        (x, y) = (next, far);
    }
    columns[(last + 1) * LANES..].copy_from_slice(&x);
}
