//! Reduction of symmetric matrices to tridiagonal form: J. H. Wilkinson, "Householder's method for the solution of
//! the algebraic eigenproblem" (1960). The update of each step and the product of the next one pass over the
//! matrix together.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::reflector::{apply, reflect};
use super::simd::{Item, LANES, Loops, dot, lanes, subtracted, total, wide};
use super::svd::write;
use super::{banded, eigenvalues, eigenvectors};
use crate::decompose::NoConvergence;
use crate::dense::copy_into;
use crate::workspace::Room;
use crate::{Context, MatMut, MatRef};

/// Order from which values alone are found by way of a banded matrix: that costs more operations, most of them in
/// products, which do not wait for memory.
const BANDED_MIN: usize = 1536;

/// Columns of a pass, of which a thread makes several.
const COLUMNS: usize = 128;

/// The eigenvalues of a symmetric matrix, ascending, and its eigenvectors of length one by columns. The lower
/// triangle is read. Numbers are finite and far from overflow.
///
/// Costs about `4/3 n^3` multiplications and additions and one copy; with vectors at most `14/3 n^3` and memory for
/// five matrices. The bits do not depend on the threads of `context`.
///
/// # Errors
/// When an iteration does not end within its limit.
///
/// # Panics
/// When shapes do not fit.
pub fn eigh<T: Item>(
    context: Context,
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<MatMut<'_, T>>,
) -> Result<(), NoConvergence> {
    let n = values.len();
    if vectors.is_none() && n >= BANDED_MIN {
        let (mut diagonal, mut beside) = banded::symmetric(context, a).condensed(context.isa());
        eigenvalues(&mut diagonal, &mut beside)?;
        write(&diagonal, values);
        return Ok(());
    }
    let mut reduced = Tridiagonal::of(context, a);
    let (diagonal, beside) = (&mut reduced.diagonal, &mut reduced.beside);
    let Some(vectors) = vectors else {
        eigenvalues(diagonal, beside)?;
        write(diagonal, values);
        return Ok(());
    };
    let mut found = Room::filled(0.0, n * n);
    eigenvectors(context, diagonal, beside, &mut found)?;
    write(diagonal, values);
    let mut rows = found.map(T::from_f64);
    let mut view = MatMut::new(&mut rows, n, n).expect("n times n items");
    let reflectors = MatRef::new(&reduced.reflectors, n, n).expect("n times n items");
    apply(context, (reflectors, &reduced.taus, 1), view.reborrow());
    copy_into(view.as_ref(), vectors.transpose());
    Ok(())
}

/// A tridiagonal matrix, and the reflectors that lead to it.
struct Tridiagonal<T> {
    diagonal: Room<f64>,
    beside: Room<f64>,
    /// Row `i` has the vector of reflector `i` from item `i + 1` on, and zeros before.
    reflectors: Room<T>,
    taus: Room<T>,
}

impl<T: Item> Tridiagonal<T> {
    /// The bits do not depend on the threads of `context`.
    fn of(context: Context, a: MatRef<'_, T>) -> Self {
        let isa = context.isa();
        let n = a.shape().0;
        // Columns of the lower triangle side by side: row `j` has column `j`.
        let mut items = Room::filled(T::default(), n * n);
        copy_into(
            a,
            MatMut::with_strides(&mut items, (n, n), (1, n)).expect("n times n items"),
        );
        let last = n.saturating_sub(1);
        let (mut diagonal, mut beside) = (Room::filled(0.0, n), Room::filled(0.0, last));
        let mut taus = Room::filled(T::default(), last);
        let zeros = || Room::filled(T::default(), n);
        let (mut v, mut w, mut product) = (zeros(), zeros(), zeros());
        let mut sums = Room::filled(T::default(), n.div_ceil(COLUMNS) * n);
        for k in 0..n {
            let (done, rest) = items.split_at_mut((k + 1) * n);
            let row = &mut done[k * n..];
            row[..k].fill(T::default());
            for i in k..n {
                row[i] = row[i] - (v[i] * w[k] + w[i] * v[k]);
            }
            diagonal[k] = row[k].to_f64();
            if k + 1 == n {
                break;
            }
            row[k] = T::default();
            let (tau, item) = reflect(isa, &mut row[k + 1..]);
            beside[k] = item.to_f64();
            taus[k] = tau;
            let next = &row[..];
            let passes = rest.chunks_mut(COLUMNS * n).zip(sums.chunks_exact_mut(n));
            let starts = (k + 1..n).step_by(COLUMNS);
            let cost = (4 * COLUMNS * (n - k)) as f64;
            context.for_each(cost, starts.clone().zip(passes), |(first, pass)| {
                let (items, product) = pass;
                let pass = Pass {
                    items,
                    place: (first, n),
                    update: (&v, &w),
                    by: next,
                    product,
                };
                wide(isa, pass);
            });
            product[k + 1..].copy_from_slice(&sums[k + 1..n]);
            for (first, sums) in starts.zip(sums.chunks_exact(n)).skip(1) {
                for (product, &sum) in product[first..].iter_mut().zip(&sums[first..]) {
                    *product = *product + sum;
                }
            }
            v[k + 1..].copy_from_slice(&next[k + 1..]);
            wide(
                isa,
                Finish {
                    tau,
                    v: &v[k + 1..],
                    product: &product[k + 1..],
                    w: &mut w[k + 1..],
                },
            );
        }
        Self {
            diagonal,
            beside,
            reflectors: items,
            taus,
        }
    }
}

/// Subtracts `v w^T + w v^T` from columns of the trailing matrix and multiplies these, on both sides of the diagonal, by
/// a vector.
struct Pass<'a, T> {
    items: &'a mut [T],
    /// The first column, and the items of each.
    place: (usize, usize),
    update: (&'a [T], &'a [T]),
    by: &'a [T],
    product: &'a mut [T],
}

impl<T: Item> Loops for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let (first, n) = self.place;
        let mut j = first;
        self.product[first..].fill(T::default());
        let mut pairs = self.items.chunks_exact_mut(2 * n);
        let at = |j: usize| [self.update.0[j], self.update.1[j], self.by[j]];
        for pair in &mut pairs {
            let (x, y) = pair.split_at_mut(n);
            let (own, next) = (at(j), at(j + 1));
            // The corner of the triangle.
            let update = |item: T, a: [T; 3], b: [T; 3]| item - (a[0] * b[1] + a[1] * b[0]);
            x[j] = update(x[j], own, own);
            x[j + 1] = update(x[j + 1], next, own);
            y[j + 1] = update(y[j + 1], next, next);
            let sums = columns::<T, FUSED>(
                (&mut x[j + 2..], &mut y[j + 2..]),
                (own, next),
                (&self.update.0[j + 2..n], &self.update.1[j + 2..n]),
                &self.by[j + 2..n],
                &mut self.product[j + 2..],
            );
            let (p, q) = (own[2], next[2]);
            self.product[j] = self.product[j] + (x[j] * p + x[j + 1] * q) + sums.0;
            self.product[j + 1] = self.product[j + 1] + (x[j + 1] * p + y[j + 1] * q) + sums.1;
            j += 2;
        }
        if let Some(last) = pairs.into_remainder().get_mut(j) {
            let [v, w, by] = at(j);
            *last = *last - (v * w + w * v);
            self.product[j] = self.product[j] + *last * by;
        }
    }
}

/// The part of a pass below the corner of two columns; returns the sums of both.
#[inline(always)]
fn columns<T: Item, const FUSED: bool>(
    (x, y): (&mut [T], &mut [T]),
    (own, next): ([T; 3], [T; 3]),
    (v, w): (&[T], &[T]),
    by: &[T],
    product: &mut [T],
) -> (T, T) {
    let len = x.len();
    let whole = len / LANES * LANES;
    let (y, v, w) = (&mut y[..len], &v[..len], &w[..len]);
    let (by, product) = (&by[..len], &mut product[..len]);
    let mut sums = [[T::default(); LANES]; 2];
    for at in (0..whole).step_by(LANES) {
        let range = at..at + LANES;
        let (v, w, by) = (lanes(v, at), lanes(w, at), lanes(by, at));
        let left = subtracted::<T, LANES, FUSED>(lanes(x, at), (own[0], own[1]), v, w);
        let right = subtracted::<T, LANES, FUSED>(lanes(y, at), (next[0], next[1]), v, w);
        let mut new = lanes(product, at);
        for lane in 0..LANES {
            new[lane] = left[lane].multiply_add::<FUSED>(own[2], new[lane]);
            new[lane] = right[lane].multiply_add::<FUSED>(next[2], new[lane]);
            sums[0][lane] = left[lane].multiply_add::<FUSED>(by[lane], sums[0][lane]);
            sums[1][lane] = right[lane].multiply_add::<FUSED>(by[lane], sums[1][lane]);
        }
        x[range.clone()].copy_from_slice(&left);
        y[range.clone()].copy_from_slice(&right);
        product[range].copy_from_slice(&new);
    }
    for i in whole..len {
        let [left] = subtracted::<T, 1, FUSED>([x[i]], (own[0], own[1]), [v[i]], [w[i]]);
        let [right] = subtracted::<T, 1, FUSED>([y[i]], (next[0], next[1]), [v[i]], [w[i]]);
        (x[i], y[i]) = (left, right);
        let sum = left.multiply_add::<FUSED>(own[2], product[i]);
        product[i] = right.multiply_add::<FUSED>(next[2], sum);
        let lane = i % LANES;
        sums[0][lane] = left.multiply_add::<FUSED>(by[i], sums[0][lane]);
        sums[1][lane] = right.multiply_add::<FUSED>(by[i], sums[1][lane]);
    }
    (total(sums[0]), total(sums[1]))
}

/// The second vector of an update: `w = tau (p - tau / 2 (p . v) v)`.
struct Finish<'a, T> {
    tau: T,
    v: &'a [T],
    product: &'a [T],
    w: &'a mut [T],
}

impl<T: Item> Loops for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let half = self.tau * T::from_f64(0.5) * dot::<T, FUSED>(self.product, self.v);
        for (w, (&p, &v)) in self.w.iter_mut().zip(self.product.iter().zip(self.v)) {
            *w = self.tau * (-half).multiply_add::<FUSED>(v, p);
        }
    }
}
