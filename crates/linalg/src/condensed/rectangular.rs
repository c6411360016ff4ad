//! Reduction of matrices to bidiagonal form: G. Golub and W. Kahan, "Calculating the singular values and
//! pseudo-inverse of a matrix" (1965). The update of each step and both products of the next one are one pass over
//! the matrix: G. W. Howell et al., "Cache efficient bidiagonalization using BLAS 2.5 operators" (2008).

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::reflector::reflect;
use super::simd::{Item, LANES, Loops, dot, lanes, subtracted, total, wide};
use crate::dense::copy_into;
use crate::workspace::Room;
use crate::{Context, Isa, MatMut, MatRef};

/// Columns of a pass, of which a thread makes several.
const COLUMNS: usize = 128;

/// A bidiagonal matrix, and the reflectors that lead to it.
pub(super) struct Bidiagonal<T> {
    pub(super) diagonal: Room<f64>,
    pub(super) above: Room<f64>,
    pub(super) left: Reflectors<T>,
    pub(super) right: Reflectors<T>,
}

/// Row `i` of `vectors` has the vector of reflector `i`: from item `i` on those of the left side, from the next one on
/// those of the right side, and zeros before.
pub(super) struct Reflectors<T> {
    pub(super) vectors: Room<T>,
    pub(super) taus: Room<T>,
}

impl<T: Item> Bidiagonal<T> {
    /// Of a matrix that has no more columns than rows. The bits do not depend on the threads of `context`.
    pub(super) fn of(context: Context, a: MatRef<'_, T>) -> Self {
        let isa = context.isa();
        let (m, n) = a.shape();
        // Row `j` has column `j`.
        let mut items = Room::filled(T::default(), m * n);
        copy_into(
            a,
            MatMut::with_strides(&mut items, (m, n), (1, m)).expect("m times n items"),
        );
        let last = n.saturating_sub(1);
        let (mut diagonal, mut above) = (Room::filled(0.0, n), Room::filled(0.0, last));
        let mut left = Side::new(m);
        let mut right = Side::new(n);
        let mut row = Room::filled(T::default(), n);
        let mut sums = Room::filled(T::default(), n.div_ceil(COLUMNS) * m);
        let mut vectors = Room::filled(T::default(), last * n);
        let (mut left_taus, mut right_taus) = (
            Room::filled(T::default(), n),
            Room::filled(T::default(), last),
        );
        for k in 0..n {
            let (done, rest) = items.split_at_mut((k + 1) * m);
            let column = &mut done[k * m..];
            for (i, item) in column.iter_mut().enumerate().skip(k) {
                let update = left.vector[i] * right.product[k] + left.product[i] * right.vector[k];
                *item = *item - update;
            }
            let (tau, item) = reflect(isa, &mut column[k..]);
            column[..k].fill(T::default());
            left_taus[k] = tau;
            diagonal[k] = item.to_f64();
            if k + 1 == n {
                break;
            }
            let start = k + 1;
            let passes = rest
                .chunks_mut(COLUMNS * m)
                .zip(sums.chunks_exact_mut(m))
                .zip(right.vector[start..].chunks(COLUMNS))
                .zip(right.product[start..].chunks_mut(COLUMNS))
                .zip(row[start..].chunks_mut(COLUMNS));
            let (u, x) = (&left.vector[..], &left.product[..]);
            let column = &*column;
            let cost = (8 * COLUMNS * (m - k)) as f64;
            context.for_each(cost, passes, |((((items, product), v), y), row)| {
                let pass = Pass {
                    items,
                    first: (k, m),
                    left: (u, x),
                    right: (v, y),
                    by: (column, tau),
                    row,
                    product,
                };
                wide(isa, pass);
            });
            let mut product = std::mem::take(&mut left.next);
            product[k..].copy_from_slice(&sums[k..m]);
            for sums in sums
                .chunks_exact(m)
                .take((n - start).div_ceil(COLUMNS))
                .skip(1)
            {
                for (product, &sum) in product[k..].iter_mut().zip(&sums[k..]) {
                    *product = *product + sum;
                }
            }
            left.vector[k..].copy_from_slice(&column[k..]);
            let (tau, item, divisor) = reflect_row(isa, &mut row[start..]);
            above[k] = item.to_f64();
            right_taus[k] = tau;
            vectors[k * n + start..(k + 1) * n].copy_from_slice(&row[start..]);
            right.vector[start..].copy_from_slice(&row[start..]);
            wide(
                isa,
                Finish {
                    rows: start,
                    first: &rest[..m],
                    left: &left.vector,
                    right: (&right.vector[start..], &right.product[start..]),
                    reflector: (tau, item, divisor),
                    product: &mut product,
                },
            );
            left.next = std::mem::replace(&mut left.product, product);
        }
        Self {
            diagonal,
            above,
            left: Reflectors {
                vectors: items,
                taus: left_taus,
            },
            right: Reflectors {
                vectors,
                taus: right_taus,
            },
        }
    }
}

/// The reflector's vector of one side, and what the other side's vector becomes by the matrix.
struct Side<T> {
    vector: Room<T>,
    product: Room<T>,
    next: Room<T>,
}

impl<T: Item> Side<T> {
    fn new(len: usize) -> Self {
        let zeros = || Room::filled(T::default(), len);
        Self {
            vector: zeros(),
            product: zeros(),
            next: zeros(),
        }
    }
}

/// [`reflect`], and by what the vector was divided: the difference of the first items. Rows of no account become
/// zeros, so that the divisor has all its bits.
fn reflect_row<T: Item>(isa: Isa, row: &mut [T]) -> (T, T, T) {
    let zero = T::default();
    let least = T::MIN_POSITIVE / T::EPSILON;
    if row.iter().all(|item| item.abs() < least) {
        row.fill(zero);
    }
    let first = row[0];
    let (tau, item) = reflect(isa, row);
    (tau, item, first - item)
}

/// Subtracts `u y^T + x v^T` from columns of the trailing matrix, and multiplies them from the left by a reflector's
/// vector, and from the right by their first row after that reflection.
struct Pass<'a, T> {
    items: &'a mut [T],
    /// The first row, and the items of each column.
    first: (usize, usize),
    /// `u` and `x`.
    left: (&'a [T], &'a [T]),
    /// `v` and `y`, which becomes the next one.
    right: (&'a [T], &'a mut [T]),
    by: (&'a [T], T),
    row: &'a mut [T],
    /// By the row.
    product: &'a mut [T],
}

impl<T: Item> Loops for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) {
        let (k, m) = self.first;
        let items = std::mem::take(&mut self.items);
        let mut pairs = items.chunks_exact_mut(2 * m);
        self.product[k..].fill(T::default());
        let mut j = 0;
        for pair in &mut pairs {
            let (a, b) = pair.split_at_mut(m);
            let own = (self.right.0[j], self.right.1[j]);
            let next = (self.right.0[j + 1], self.right.1[j + 1]);
            let (by, tau) = self.by;
            let both = (&mut a[k..], &mut b[k..]);
            let sums = update::<T, FUSED>(
                both,
                (own, next),
                (&self.left.0[k..], &self.left.1[k..]),
                &by[k..],
            );
            let (p, q) = (tau * sums.0, tau * sums.1);
            (self.right.1[j], self.right.1[j + 1]) = (p, q);
            let row = (a[k] - p, b[k] - q);
            (self.row[j], self.row[j + 1]) = row;
            accumulate::<T, FUSED>(&mut self.product[k..], (&a[k..], &b[k..]), row);
            j += 2;
        }
        let last = pairs.into_remainder();
        if !last.is_empty() {
            self.last::<FUSED>(last, j);
        }
    }
}

impl<T: Item> Pass<'_, T> {
    /// A column that has no other one beside it.
    #[inline(always)]
    fn last<const FUSED: bool>(&mut self, a: &mut [T], j: usize) {
        let k = self.first.0;
        let own = (self.right.0[j], self.right.1[j]);
        for ((item, &u), &x) in a[k..]
            .iter_mut()
            .zip(&self.left.0[k..])
            .zip(&self.left.1[k..])
        {
            [*item] = subtracted::<T, 1, FUSED>([*item], own, [u], [x]);
        }
        let sum = self.by.1 * dot::<T, FUSED>(&a[k..], &self.by.0[k..]);
        self.right.1[j] = sum;
        let row = a[k] - sum;
        self.row[j] = row;
        for (product, &item) in self.product[k..].iter_mut().zip(&a[k..]) {
            *product = item.multiply_add::<FUSED>(row, *product);
        }
    }
}

/// The update of two columns; returns their products with `by`.
#[inline(always)]
fn update<T: Item, const FUSED: bool>(
    (a, b): (&mut [T], &mut [T]),
    (own, next): ((T, T), (T, T)),
    (u, x): (&[T], &[T]),
    by: &[T],
) -> (T, T) {
    let len = a.len();
    let whole = len / LANES * LANES;
    let (b, u, x, by) = (&mut b[..len], &u[..len], &x[..len], &by[..len]);
    let mut sums = [[T::default(); LANES]; 2];
    for at in (0..whole).step_by(LANES) {
        let (u, x, by) = (lanes(u, at), lanes(x, at), lanes(by, at));
        let left = subtracted::<T, LANES, FUSED>(lanes(a, at), own, u, x);
        let right = subtracted::<T, LANES, FUSED>(lanes(b, at), next, u, x);
        for lane in 0..LANES {
            sums[0][lane] = left[lane].multiply_add::<FUSED>(by[lane], sums[0][lane]);
            sums[1][lane] = right[lane].multiply_add::<FUSED>(by[lane], sums[1][lane]);
        }
        a[at..at + LANES].copy_from_slice(&left);
        b[at..at + LANES].copy_from_slice(&right);
    }
    for i in whole..len {
        [a[i]] = subtracted::<T, 1, FUSED>([a[i]], own, [u[i]], [x[i]]);
        [b[i]] = subtracted::<T, 1, FUSED>([b[i]], next, [u[i]], [x[i]]);
        let lane = i % LANES;
        sums[0][lane] = a[i].multiply_add::<FUSED>(by[i], sums[0][lane]);
        sums[1][lane] = b[i].multiply_add::<FUSED>(by[i], sums[1][lane]);
    }
    (total(sums[0]), total(sums[1]))
}

/// Adds two columns times their factors.
#[inline(always)]
fn accumulate<T: Item, const FUSED: bool>(
    sum: &mut [T],
    (a, b): (&[T], &[T]),
    (first, second): (T, T),
) {
    let len = sum.len();
    let whole = len / LANES * LANES;
    let (a, b) = (&a[..len], &b[..len]);
    for at in (0..whole).step_by(LANES) {
        let (a, b, mut new) = (lanes(a, at), lanes(b, at), lanes(sum, at));
        for lane in 0..LANES {
            let part = a[lane].multiply_add::<FUSED>(first, new[lane]);
            new[lane] = b[lane].multiply_add::<FUSED>(second, part);
        }
        sum[at..at + LANES].copy_from_slice(&new);
    }
    for i in whole..len {
        let part = a[i].multiply_add::<FUSED>(first, sum[i]);
        sum[i] = b[i].multiply_add::<FUSED>(second, part);
    }
}

/// Turns the product with the row into `tau` times that with the reflector's vector, of the matrix after the left
/// reflection: `v` is the row but for its first item, divided.
struct Finish<'a, T> {
    rows: usize,
    /// The first column of the trailing matrix.
    first: &'a [T],
    left: &'a [T],
    /// `v` and `y`.
    right: (&'a [T], &'a [T]),
    /// `tau`, the first item after the reflection, and the divisor.
    reflector: (T, T, T),
    product: &'a mut [T],
}

impl<T: Item> Loops for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let (tau, item, divisor) = self.reflector;
        let product = &mut self.product[self.rows..];
        if tau == T::default() {
            return product.fill(tau);
        }
        let factor = tau / divisor;
        let back = tau * dot::<T, FUSED>(self.right.0, self.right.1);
        let others = self.first[self.rows..].iter().zip(&self.left[self.rows..]);
        for (product, (&first, &left)) in product.iter_mut().zip(others) {
            let whole = (-item).multiply_add::<FUSED>(first, *product);
            *product = (-left).multiply_add::<FUSED>(back, factor * whole);
        }
    }
}
