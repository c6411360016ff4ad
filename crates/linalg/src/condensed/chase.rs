//! Reduction of banded matrices to tridiagonal and bidiagonal ones: each reflector makes a bulge, which is chased off
//! the end. B. Lang, "A parallel algorithm for reducing symmetric banded matrices to tridiagonal form" (1993);
//! A. Haidar, J. Kurzak and P. Luszczek, "An improved parallel singular value algorithm and its implementation for
//! multicore hardware" (2013).

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::reflector::reflect;
use super::simd::{Item, LANES, Loops, total, wide};
use crate::Isa;
use crate::workspace::Room;

/// Items beside the diagonal.
pub(super) const WIDTH: usize = 32;

/// The distance of two items beside each other in a row: columns have room for their bulges.
const STEP: usize = 3 * WIDTH;

/// Which band a matrix has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Symmetric,
    /// On and above the diagonal.
    Upper,
}

/// A banded matrix by columns, with zeros behind its end, so that all blocks are whole.
pub(super) struct Band<T> {
    items: Room<T>,
    n: usize,
    shape: Shape,
}

impl<T: Item> Band<T> {
    pub(super) fn new(n: usize, shape: Shape) -> Self {
        let len = (n + 3 * WIDTH) * (STEP + 1);
        Self {
            items: Room::filled(T::default(), len),
            n,
            shape,
        }
    }

    /// Items of a column lie one after the other.
    fn at(row: usize, column: usize) -> usize {
        2 * WIDTH + column * STEP + row
    }

    /// Sets an item, and the one across the diagonal where it is kept.
    pub(super) fn set(&mut self, row: usize, column: usize, value: T) {
        self.items[Self::at(row, column)] = value;
        if self.shape == Shape::Symmetric && row < column + WIDTH {
            self.items[Self::at(column, row)] = value;
        }
    }

    /// The diagonal, and the items beside it, of a matrix with nothing else and the same eigenvalues, or singular
    /// values. Costs about `6 n^2` or `8 n^2` times [`WIDTH`] multiplications and additions.
    pub(super) fn condensed(self, isa: Isa) -> (Room<f64>, Room<f64>) {
        wide(isa, Chase { band: self, isa })
    }
}

struct Chase<T> {
    band: Band<T>,
    isa: Isa,
}

type Vector<T> = [T; WIDTH];

/// Rows of a block whose sums stay in registers.
const ROWS: usize = 2 * LANES;

impl<T: Item> Loops for Chase<T> {
    type Output = (Room<f64>, Room<f64>);

    #[inline(always)]
    fn run<const FUSED: bool>(mut self) -> Self::Output {
        let n = self.band.n;
        let mut diagonal = Room::filled(0.0, n);
        let mut beside = Room::filled(0.0, n.saturating_sub(1));
        for i in 0..n {
            diagonal[i] = self.band.items[Band::<T>::at(i, i)].to_f64();
            if i + 1 < n {
                let item = match self.band.shape {
                    Shape::Symmetric => self.symmetric::<FUSED>(i),
                    Shape::Upper => self.upper::<FUSED>(i),
                };
                beside[i] = item.to_f64();
            }
        }
        (diagonal, beside)
    }
}

impl<T: Item> Chase<T> {
    #[inline(always)]
    fn block(&mut self, row: usize, column: usize) -> Block<'_, T> {
        let start = Band::<T>::at(row, column);
        Block(&mut self.band.items[start..start + WIDTH * STEP])
    }

    /// Makes a column zero below the item under its diagonal; returns that item.
    #[inline(always)]
    fn symmetric<const FUSED: bool>(&mut self, column: usize) -> T {
        let isa = self.isa;
        let half = T::from_f64(0.5);
        let mut v = self.block(column + 1, column).column(0);
        let (mut tau, item) = reflect(isa, &mut v);
        let mut first = column + 1;
        loop {
            let mut block = self.block(first, first);
            let product = block.times::<FUSED>(&v);
            let back = -tau * half * dot::<T, FUSED>(&product, &v);
            let w = scaled(product, tau);
            let w: Vector<T> = added::<T, FUSED>(&w, &v, tau * back);
            block.update::<FUSED>((&v, &w), (&w, &v));
            if first + WIDTH >= self.band.n {
                return item;
            }
            let mut block = self.block(first + WIDTH, first);
            let u = scaled(block.times::<FUSED>(&v), tau);
            let mut next = added::<T, FUSED>(&block.column(0), &u, -v[0]);
            let (next_tau, item) = reflect(isa, &mut next);
            let sums = block.dots::<FUSED>(&next);
            let back = -dot::<T, FUSED>(&next, &u);
            let sums = scaled(added::<T, FUSED>(&sums, &v, back), next_tau);
            block.update::<FUSED>((&u, &v), (&next, &sums));
            block.set_column(item);
            let row = block.row();
            let across = Band::<T>::at(first, first + WIDTH);
            self.band.items[across + 1..across + WIDTH].copy_from_slice(&row[1..]);
            (v, tau) = (next, next_tau);
            first += WIDTH;
        }
    }

    /// Makes a row zero right of the item beside its diagonal; returns that item.
    #[inline(always)]
    fn upper<const FUSED: bool>(&mut self, row: usize) -> T {
        let isa = self.isa;
        let mut right = self.block(row, row + 1).row();
        let (mut tau, item) = reflect(isa, &mut right);
        let mut first = row + 1;
        loop {
            let mut block = self.block(first, first);
            let w = scaled(block.times::<FUSED>(&right), tau);
            let mut left = added::<T, FUSED>(&block.column(0), &w, -right[0]);
            let (left_tau, head) = reflect(isa, &mut left);
            let back = -dot::<T, FUSED>(&left, &w);
            let sums = block.dots::<FUSED>(&left);
            let sums = scaled(added::<T, FUSED>(&sums, &right, back), left_tau);
            block.update::<FUSED>((&w, &right), (&left, &sums));
            block.set_column(head);
            if first + WIDTH >= self.band.n {
                return item;
            }
            let mut block = self.block(first, first + WIDTH);
            let sums = scaled(block.dots::<FUSED>(&left), left_tau);
            let mut next = added::<T, FUSED>(&block.row(), &sums, -T::ONE);
            let (next_tau, head) = reflect(isa, &mut next);
            let back = -dot::<T, FUSED>(&sums, &next);
            let w = block.times::<FUSED>(&next);
            let w = scaled(added::<T, FUSED>(&w, &left, back), next_tau);
            block.update::<FUSED>((&left, &sums), (&w, &next));
            block.set_row(head);
            (right, tau) = (next, next_tau);
            first += WIDTH;
        }
    }
}

/// `a + factor b`.
#[inline(always)]
fn added<T: Item, const FUSED: bool>(a: &Vector<T>, b: &Vector<T>, factor: T) -> Vector<T> {
    let mut sum = *a;
    for i in 0..WIDTH {
        sum[i] = b[i].multiply_add::<FUSED>(factor, sum[i]);
    }
    sum
}

#[inline(always)]
fn scaled<T: Item>(mut a: Vector<T>, factor: T) -> Vector<T> {
    for item in &mut a {
        *item = *item * factor;
    }
    a
}

#[inline(always)]
fn dot<T: Item, const FUSED: bool>(a: &Vector<T>, b: &Vector<T>) -> T {
    let mut sums = [T::default(); LANES];
    for at in (0..WIDTH).step_by(LANES) {
        for lane in 0..LANES {
            sums[lane] = a[at + lane].multiply_add::<FUSED>(b[at + lane], sums[lane]);
        }
    }
    total(sums)
}

/// A square of the band, column after column.
struct Block<'a, T>(&'a mut [T]);

impl<T: Item> Block<'_, T> {
    #[inline(always)]
    fn column(&self, column: usize) -> Vector<T> {
        let items = self.0[column * STEP..].first_chunk();
        *items.expect("a whole block")
    }

    /// The first row.
    #[inline(always)]
    fn row(&self) -> Vector<T> {
        let mut row = [T::default(); WIDTH];
        for (column, item) in row.iter_mut().enumerate() {
            *item = self.0[column * STEP];
        }
        row
    }

    /// Makes the first column zero but for this item.
    #[inline(always)]
    fn set_column(&mut self, item: T) {
        self.0[..WIDTH].fill(T::default());
        self.0[0] = item;
    }

    /// Makes the first row zero but for this item.
    #[inline(always)]
    fn set_row(&mut self, item: T) {
        (1..WIDTH).for_each(|column| self.0[column * STEP] = T::default());
        self.0[0] = item;
    }

    /// The block times a vector.
    #[inline(always)]
    fn times<const FUSED: bool>(&self, v: &Vector<T>) -> Vector<T> {
        let mut product = [T::default(); WIDTH];
        for at in (0..WIDTH).step_by(ROWS) {
            let mut sums = [[T::default(); ROWS]; 2];
            for (pair, factors) in v.chunks_exact(2).enumerate() {
                for (half, sums) in sums.iter_mut().enumerate() {
                    let start = (2 * pair + half) * STEP + at;
                    let items = &self.0[start..start + ROWS];
                    for (sum, item) in sums.iter_mut().zip(items) {
                        *sum = item.multiply_add::<FUSED>(factors[half], *sum);
                    }
                }
            }
            for (i, item) in product[at..at + ROWS].iter_mut().enumerate() {
                *item = sums[0][i] + sums[1][i];
            }
        }
        product
    }

    /// The products of the columns with a vector.
    #[inline(always)]
    fn dots<const FUSED: bool>(&self, v: &Vector<T>) -> Vector<T> {
        let mut sums = [T::default(); WIDTH];
        for (column, sum) in sums.iter_mut().enumerate() {
            *sum = dot::<T, FUSED>(&self.column(column), v);
        }
        sums
    }

    /// Takes `a b^T + c d^T` away.
    #[inline(always)]
    fn update<const FUSED: bool>(
        &mut self,
        (a, b): (&Vector<T>, &Vector<T>),
        (c, d): (&Vector<T>, &Vector<T>),
    ) {
        for (column, items) in self.0.chunks_exact_mut(STEP).enumerate() {
            let (b, d) = (-b[column], -d[column]);
            for (item, (&a, &c)) in items[..WIDTH].iter_mut().zip(a.iter().zip(c)) {
                *item = c.multiply_add::<FUSED>(d, a.multiply_add::<FUSED>(b, *item));
            }
        }
    }
}
