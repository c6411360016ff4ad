//! Reduction to Hessenberg form, without items below the first subdiagonal: A. S. Householder's reflections, a column
//! each (G. H. Golub and C. F. Van Loan, "Matrix Computations" (2013), 7.4.3). The update of each step and the products
//! of the next one pass over the matrix together.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::reflector::{apply, reflect};
use super::simd::{Item, LANES, Loops, dot, lanes, subtracted, total, wide};
use crate::{Context, Isa, MatMut, MatRef};

/// The reflectors that lead to a Hessenberg matrix.
pub(crate) struct Reflectors<T> {
    n: usize,
    /// Row `i` has the vector of reflector `i` from item `i + 1` on, and zeros before.
    vectors: Vec<T>,
    taus: Vec<T>,
}

impl<T: Item> Reflectors<T> {
    /// The transpose of the orthogonal `q` with `a = q h q^T`, by rows.
    pub(crate) fn transposed(&self, context: Context) -> Vec<T> {
        let n = self.n;
        let mut rows = vec![T::default(); n * n];
        rows.iter_mut()
            .step_by(n + 1)
            .for_each(|item| *item = T::ONE);
        let vectors = MatRef::new(&self.vectors, n, n).expect("n times n items");
        let view = MatMut::new(&mut rows, n, n).expect("n times n items");
        apply(context, (vectors, &self.taus, 1), view);
        rows
    }
}

/// Reduces a square matrix, by rows. Costs about `10/3 n^3` multiplications and additions in `n` passes.
pub(crate) fn reduce<T: Item>(isa: Isa, items: &mut [T], n: usize) -> Reflectors<T> {
    let steps = n.saturating_sub(2);
    let mut vectors = vec![T::default(); n * n];
    let mut taus = Vec::with_capacity(steps);
    // The update that is due, `v w^T + y v^T`, and the products of the vector that follows.
    let mut due = Due {
        v: vec![T::default(); n],
        w: vec![T::default(); n],
        y: vec![T::default(); n],
    };
    let mut products = (vec![T::default(); n], vec![T::default(); n]);
    for k in 0..n {
        let (from, to) = (due.w[k], due.v[k]);
        for (i, row) in items.chunks_exact_mut(n).enumerate() {
            row[k] = row[k] - (due.v[i] * from + due.y[i] * to);
        }
        if k >= steps {
            continue;
        }
        let v = &mut vectors[k * n..(k + 1) * n];
        for i in k + 1..n {
            v[i] = items[i * n + k];
            items[i * n + k] = T::default();
        }
        let (tau, lead) = reflect(isa, &mut v[k + 1..]);
        items[(k + 1) * n + k] = lead;
        taus.push(tau);
        products.0.fill(T::default());
        wide(
            isa,
            Pass {
                items,
                place: (k + 1, n),
                due: &due,
                v,
                products: (&mut products.0, &mut products.1),
            },
        );
        wide(
            isa,
            Finish {
                tau,
                v,
                products: (&products.0, &products.1),
                first: k + 1,
                due: &mut due,
            },
        );
    }
    Reflectors { n, vectors, taus }
}

struct Due<T> {
    v: Vec<T>,
    w: Vec<T>,
    y: Vec<T>,
}

/// Subtracts the update from the columns from the first on, and multiplies what is left by a vector from both sides.
struct Pass<'a, T> {
    items: &'a mut [T],
    /// The first row of the vector, which is the first column, and the items of a row.
    place: (usize, usize),
    due: &'a Due<T>,
    v: &'a [T],
    /// `v^T a` and `a v`.
    products: (&'a mut [T], &'a mut [T]),
}

impl<T: Item> Loops for Pass<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let (first, n) = self.place;
        let columns = first..n;
        let (old, w) = (&self.due.v[columns.clone()], &self.due.w[columns.clone()]);
        let by = &self.v[columns.clone()];
        let left = &mut self.products.0[columns.clone()];
        let (due, v) = (self.due, self.v);
        let at = |i: usize| [due.v[i], due.y[i], v[i]];
        let mut i = 0;
        let mut pairs = self.items.chunks_exact_mut(2 * n);
        for pair in &mut pairs {
            let (x, y) = pair.split_at_mut(n);
            let rows = [&mut x[columns.clone()], &mut y[columns.clone()]];
            let sums = pass::<T, 2, FUSED>(rows, [at(i), at(i + 1)], (w, old, by), left);
            self.products.1[i..i + 2].copy_from_slice(&sums);
            i += 2;
        }
        let rest = pairs.into_remainder();
        if !rest.is_empty() {
            let rows = [&mut rest[columns]];
            [self.products.1[i]] = pass::<T, 1, FUSED>(rows, [at(i)], (w, old, by), left);
        }
    }
}

/// A pass over some rows, with their own items of the vectors: returns their products.
#[inline(always)]
fn pass<T: Item, const ROWS: usize, const FUSED: bool>(
    mut rows: [&mut [T]; ROWS],
    own: [[T; 3]; ROWS],
    (w, old, by): (&[T], &[T], &[T]),
    left: &mut [T],
) -> [T; ROWS] {
    let len = left.len();
    let whole = len / LANES * LANES;
    let (w, old, by) = (&w[..len], &old[..len], &by[..len]);
    let mut sums = [[T::default(); LANES]; ROWS];
    for at in (0..whole).step_by(LANES) {
        let (w, old, by) = (lanes(w, at), lanes(old, at), lanes(by, at));
        let mut product = lanes(left, at);
        for ((row, own), sums) in rows.iter_mut().zip(own).zip(&mut sums) {
            let x = subtracted::<T, LANES, FUSED>(lanes(row, at), (own[1], own[0]), w, old);
            for lane in 0..LANES {
                product[lane] = x[lane].multiply_add::<FUSED>(own[2], product[lane]);
                sums[lane] = x[lane].multiply_add::<FUSED>(by[lane], sums[lane]);
            }
            row[at..at + LANES].copy_from_slice(&x);
        }
        left[at..at + LANES].copy_from_slice(&product);
    }
    for at in whole..len {
        for ((row, own), sums) in rows.iter_mut().zip(own).zip(&mut sums) {
            let [x] = subtracted::<T, 1, FUSED>([row[at]], (own[1], own[0]), [w[at]], [old[at]]);
            row[at] = x;
            left[at] = x.multiply_add::<FUSED>(own[2], left[at]);
            let lane = at - whole;
            sums[lane] = x.multiply_add::<FUSED>(by[at], sums[lane]);
        }
    }
    sums.map(total)
}

/// The update that is due after a pass: `(1 - tau v v^T) a (1 - tau v v^T) = a - v w^T - y v^T`.
struct Finish<'a, T> {
    tau: T,
    v: &'a [T],
    products: (&'a [T], &'a [T]),
    first: usize,
    due: &'a mut Due<T>,
}

impl<T: Item> Loops for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let (tau, due) = (self.tau, self.due);
        let inner = dot::<T, FUSED>(&self.products.0[self.first..], &self.v[self.first..]);
        let part = tau * tau * inner;
        due.v.copy_from_slice(self.v);
        for (w, &product) in due.w.iter_mut().zip(self.products.0) {
            *w = tau * product;
        }
        for (y, (&product, &v)) in due.y.iter_mut().zip(self.products.1.iter().zip(self.v)) {
            *y = tau * product - part * v;
        }
    }
}
