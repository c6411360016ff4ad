//! Symmetric elimination for matrices that need not be definite.

use super::triangular::{singular, solve_rows};
use super::{Dense, Diagonal, Triangle, copy_into, kept, order, with_space};
use crate::{Context, Error, Field, Float, MatMut, MatRef};

/// The factors of a symmetric matrix whose rows and columns are exchanged: `a[p][:, p] = l d l^T` with ones on the
/// diagonal of a lower triangular `l` and blocks of one or two rows on that of `d`; or `u d u^T` with an upper
/// triangular `u`.
///
/// Pivots are those of J. R. Bunch, L. Kaufman, "Some stable methods for calculating inertia and solving symmetric
/// linear systems" (1977), as LAPACK's `sytrf` chooses them.
///
/// ```
/// use nexus_linalg::dense::{Ldl, Triangle};
/// use nexus_linalg::{Context, MatMut, MatRef};
///
/// let a = [0.0_f64, 2.0, 2.0, 0.0];
/// let ldl = Ldl::factor(MatRef::new(&a, 2, 2)?, Triangle::Lower)?;
/// assert_eq!(ldl.inertia(), (1, 1, 0));
/// let mut x = [2.0, 4.0];
/// ldl.solve(Context::default(), MatMut::new(&mut x, 2, 1)?)?;
/// assert_eq!(x, [2.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ldl<T> {
    /// `l` below the diagonal, by rows; what stands on and above it means nothing.
    items: Vec<T>,
    n: usize,
    triangle: Triangle,
    /// Row `i` of the factors is this row of the matrix.
    permutation: Vec<usize>,
    blocks: Vec<Block<T>>,
}

/// A block on the diagonal of `d`.
#[derive(Clone, Copy, Debug)]
enum Block<T> {
    One(T),
    /// The items `(0, 0)`, `(1, 0)` and `(1, 1)`.
    Two(T, T, T),
}

impl<T: Float> Ldl<T> {
    /// Factors a symmetric matrix of which one triangle is read; the factor is of that triangle, too. Costs about
    /// `n^3 / 3` multiplications and one copy, on the calling thread. NaN and infinities spread.
    ///
    /// # Errors
    /// `InvalidInput` when the matrix is not square.
    pub fn factor(a: MatRef<'_, T>, triangle: Triangle) -> Result<Self, Error> {
        let n = order("factor", &a)?;
        let mut items = vec![T::default(); n * n];
        // An upper factor is a lower one of the matrix read backwards.
        for i in 0..n {
            for j in 0..=i {
                items[i * n + j] = match triangle {
                    Triangle::Lower => a.get(i, j),
                    Triangle::Upper => a.get(n - 1 - i, n - 1 - j),
                };
            }
        }
        let mut elimination = Elimination {
            items: &mut items,
            n,
            permutation: (0..n).collect(),
        };
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < n {
            let block = elimination.step(at);
            at += block.rows();
            blocks.push(block);
        }
        let permutation = elimination.permutation;
        Ok(Self {
            items,
            n,
            triangle,
            permutation,
            blocks,
        })
    }

    /// The order of the matrix.
    pub fn order(&self) -> usize {
        self.n
    }

    /// For each row of the triangular factor, the row of the matrix that it was.
    pub fn permutation(&self) -> Vec<usize> {
        let n = self.n;
        match self.triangle {
            Triangle::Lower => self.permutation.clone(),
            Triangle::Upper => {
                let backwards = self.permutation.iter().rev();
                backwards.map(|&row| n - 1 - row).collect()
            }
        }
    }

    /// Writes the triangular factor, with its ones and zeros, and `d`, both `n x n`.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes are others.
    pub fn unpack(&self, mut factor: MatMut<'_, T>, mut d: MatMut<'_, T>) -> Result<(), Error> {
        let n = self.n;
        if factor.shape() != (n, n) || d.shape() != (n, n) {
            return Err(Error::shapes("unpack", (n, n), factor.shape(), d.shape()));
        }
        let place = |i: usize| match self.triangle {
            Triangle::Lower => i,
            Triangle::Upper => n - 1 - i,
        };
        for i in 0..n {
            for j in 0..n {
                *factor.item(place(i), place(j)) = match j {
                    j if j < i => self.items[i * n + j],
                    j if j == i => <T as Field>::ONE,
                    _ => T::default(),
                };
                *d.item(i, j) = T::default();
            }
        }
        for (at, block) in self.placed() {
            match block {
                Block::One(x) => *d.item(place(at), place(at)) = x,
                Block::Two(x, y, z) => {
                    *d.item(place(at), place(at)) = x;
                    *d.item(place(at), place(at + 1)) = y;
                    *d.item(place(at + 1), place(at)) = y;
                    *d.item(place(at + 1), place(at + 1)) = z;
                }
            }
        }
        Ok(())
    }

    /// How many eigenvalues are positive, negative and zero, by J. J. Sylvester's law. NaN counts as neither.
    pub fn inertia(&self) -> (usize, usize, usize) {
        let (mut positive, mut negative, mut zero) = (0, 0, 0);
        for block in &self.blocks {
            match *block {
                Block::One(x) if x > T::default() => positive += 1,
                Block::One(x) if x < T::default() => negative += 1,
                Block::One(x) if x == T::default() => zero += 1,
                Block::One(_) => {}
                // A block of two rows is chosen where its determinant is negative.
                Block::Two(..) => {
                    positive += 1;
                    negative += 1;
                }
            }
        }
        (positive, negative, zero)
    }

    /// Solves `a x = b`, `b` becoming `x`: one or many right sides, a column each. Costs `n^2` multiplications for
    /// each column.
    ///
    /// # Errors
    /// `InvalidInput` when `b` has not `n` rows; `Singular` when a block of `d` is zero, with `b` as it was. NaN is no
    /// error: it spreads.
    pub fn solve(&self, context: Context, mut b: MatMut<'_, T>) -> Result<(), Error> {
        let (n, (m, columns)) = (self.n, b.shape());
        if m != n {
            let message = format!("cannot solve {n}x{n} for {m}x{columns}: the rows differ");
            return Err(Error::invalid(message));
        }
        let zero = |block: &Block<T>| matches!(*block, Block::One(x) if x == T::default());
        if let Some((pivot, _)) = self.placed().find(|(_, block)| zero(block)) {
            return Err(singular("solve with", n, pivot));
        }
        let place = |i: usize| match self.triangle {
            Triangle::Lower => self.permutation[i],
            Triangle::Upper => n - 1 - self.permutation[i],
        };
        let factor = kept(&self.items, (n, n));
        with_space((n, columns), |mut x| {
            for i in 0..n {
                let row = b.as_ref().block(place(i)..place(i) + 1, 0..columns);
                copy_into(row, x.view().block(i..i + 1, 0..columns));
            }
            let (lower, upper) = (Triangle::Lower, Triangle::Upper);
            solve_rows(context, factor, (lower, Diagonal::Ones), x.view());
            self.divide(&mut x);
            let turned = factor.transpose();
            solve_rows(context, turned, (upper, Diagonal::Ones), x.view());
            for i in 0..n {
                let row = x.view().block(i..i + 1, 0..columns);
                let to = b.reborrow().block(place(i)..place(i) + 1, 0..columns);
                copy_into(row.as_ref(), to);
            }
        });
        Ok(())
    }

    /// The blocks of `d` with the rows that they begin at.
    fn placed(&self) -> impl Iterator<Item = (usize, Block<T>)> {
        let starts = self.blocks.iter().scan(0, |at, block| {
            let start = *at;
            *at += block.rows();
            Some(start)
        });
        starts.zip(self.blocks.iter().copied())
    }

    /// `d^-1 x`.
    fn divide(&self, x: &mut Dense<'_, T>) {
        let columns = x.columns;
        for (at, block) in self.placed() {
            let rows = &mut x.items[at * columns..(at + block.rows()) * columns];
            match block {
                Block::One(pivot) => rows.iter_mut().for_each(|item| *item = *item / pivot),
                Block::Two(..) => {
                    let (first, last) = rows.split_at_mut(columns);
                    for (x, y) in first.iter_mut().zip(last) {
                        (*x, *y) = block.solve_two(*x, *y);
                    }
                }
            }
        }
    }
}

impl<T: Float> Block<T> {
    fn rows(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Two(..) => 2,
        }
    }

    /// The solution of a system of two equations, scaled by the item off the diagonal, which is the largest.
    fn solve_two(&self, b: T, c: T) -> (T, T) {
        let Self::Two(x, y, z) = *self else {
            return (b, c);
        };
        let (top, bottom) = (x / y, z / y);
        let scale = top * bottom - <T as Field>::ONE;
        let (b, c) = (b / y, c / y);
        ((bottom * b - c) / scale, (top * c - b) / scale)
    }
}

/// A symmetric matrix on its way: its lower triangle, by rows.
struct Elimination<'a, T> {
    items: &'a mut [T],
    n: usize,
    permutation: Vec<usize>,
}

impl<T: Float> Elimination<'_, T> {
    /// Chooses the pivot of row `k`, brings it there, and takes its part from the rest.
    fn step(&mut self, k: usize) -> Block<T> {
        let n = self.n;
        // At this ratio steps of one and of two rows let the items grow by the same factor.
        let alpha = T::from_f64((1.0 + 17.0_f64.sqrt()) / 8.0);
        let size = |own: &Self, i: usize, j: usize| own.items[i.max(j) * n + i.min(j)].abs();
        let diagonal = size(self, k, k);
        let (r, largest) = self.largest(k, (k + 1..n).map(|i| (i, k)));
        if diagonal == T::default() && largest == T::default() {
            return Block::One(self.items[k * n + k]);
        }
        if diagonal >= alpha * largest || diagonal.is_nan() || largest.is_nan() {
            return self.eliminate_one(k);
        }
        // The largest item of row and column `r` off the diagonal.
        let line = (k..n).filter(|&i| i != r).map(|i| (i.max(r), i.min(r)));
        let (_, other) = self.largest(r, line);
        if diagonal >= alpha * largest * (largest / other) {
            self.eliminate_one(k)
        } else if size(self, r, r) >= alpha * other {
            self.exchange(k, r);
            self.eliminate_one(k)
        } else {
            self.exchange(k + 1, r);
            self.eliminate_two(k)
        }
    }

    /// The first place with the largest absolute value, by its row, or `none` where there is no place.
    fn largest(&self, none: usize, places: impl Iterator<Item = (usize, usize)>) -> (usize, T) {
        places.fold((none, T::default()), |(row, most), (i, j)| {
            let size = self.items[i * self.n + j].abs();
            if size > most || size.is_nan() {
                (i, size)
            } else {
                (row, most)
            }
        })
    }

    /// Exchanges rows and columns `i < j` of what is left, and rows of what is done.
    fn exchange(&mut self, i: usize, j: usize) {
        let n = self.n;
        if i == j {
            return;
        }
        self.permutation.swap(i, j);
        let (top, bottom) = self.items.split_at_mut(j * n);
        top[i * n..i * n + i].swap_with_slice(&mut bottom[..i]);
        self.items.swap(i * n + i, j * n + j);
        for between in i + 1..j {
            self.items.swap(between * n + i, j * n + between);
        }
        for below in j + 1..n {
            self.items.swap(below * n + i, below * n + j);
        }
    }

    fn eliminate_one(&mut self, k: usize) -> Block<T> {
        let n = self.n;
        let pivot = self.items[k * n + k];
        let column: Vec<T> = (k + 1..n).map(|i| self.items[i * n + k]).collect();
        for (at, i) in (k + 1..n).enumerate() {
            let factor = column[at] / pivot;
            let row = &mut self.items[i * n + k..=i * n + i];
            row[0] = factor;
            for (item, &other) in row[1..].iter_mut().zip(&column) {
                *item = *item - factor * other;
            }
        }
        Block::One(pivot)
    }

    fn eliminate_two(&mut self, k: usize) -> Block<T> {
        let n = self.n;
        let corner = |i: usize, j: usize| self.items[(k + i) * n + k + j];
        let block = Block::Two(corner(0, 0), corner(1, 0), corner(1, 1));
        let pair = |i: usize| (self.items[i * n + k], self.items[i * n + k + 1]);
        let columns: (Vec<T>, Vec<T>) = (k + 2..n).map(pair).unzip();
        for (at, i) in (k + 2..n).enumerate() {
            let (x, y) = block.solve_two(columns.0[at], columns.1[at]);
            let row = &mut self.items[i * n + k..=i * n + i];
            (row[0], row[1]) = (x, y);
            let others = columns.0.iter().zip(&columns.1);
            for (item, (&first, &last)) in row[2..].iter_mut().zip(others) {
                *item = *item - x * first - y * last;
            }
        }
        self.items[(k + 1) * n + k] = T::default();
        block
    }
}
