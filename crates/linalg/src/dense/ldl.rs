//! Symmetric elimination for matrices that need not be definite.

use super::triangular::{singular, solve_rows};
use super::{Dense, Diagonal, Triangle, conjugated, copy_into, kept, order, with_space};
use crate::{Context, Error, Field, Float, MatMut, MatRef};
use std::cmp::Ordering;

/// What the triangle of a matrix that is not read is. For real items both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symmetry {
    /// The conjugate transpose of the other; of the diagonal the real parts are read.
    Hermitian,
    /// The transpose of the other.
    Symmetric,
}

impl Symmetry {
    /// The item on the other side of the diagonal.
    fn mirror<T: Field>(self, item: T) -> T {
        match self {
            Self::Hermitian => item.conj(),
            Self::Symmetric => item,
        }
    }

    /// An item on the diagonal.
    fn diagonal<T: Field>(self, item: T) -> T {
        match self {
            Self::Hermitian => T::from_real(item.re()),
            Self::Symmetric => item,
        }
    }
}

/// The factors of a Hermitian matrix whose rows and columns are exchanged: `a[p][:, p] = l d l^H` with ones on the
/// diagonal of a lower triangular `l` and blocks of one or two rows on that of `d`; or `u d u^H` with an upper
/// triangular `u`. Of a symmetric complex matrix they are `l d l^T` and `u d u^T`.
///
/// Pivots are those of J. R. Bunch, L. Kaufman, "Some stable methods for calculating inertia and solving symmetric
/// linear systems" (1977), as LAPACK's `sytrf` and `hetrf` choose them.
///
/// ```
/// use nexus_linalg::dense::{Ldl, Symmetry, Triangle};
/// use nexus_linalg::{Context, MatMut, MatRef};
///
/// let a = [0.0_f64, 2.0, 2.0, 0.0];
/// let ldl = Ldl::factor(MatRef::new(&a, 2, 2)?, Triangle::Lower, Symmetry::Hermitian)?;
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
    symmetry: Symmetry,
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

impl<T: Field> Ldl<T> {
    /// Factors a matrix of which one triangle is read; the factor is of that triangle, too. Costs about `n^3 / 3`
    /// multiplications and one copy, on the calling thread. NaN and infinities spread.
    ///
    /// # Errors
    /// `InvalidInput` when the matrix is not square.
    pub fn factor(a: MatRef<'_, T>, triangle: Triangle, symmetry: Symmetry) -> Result<Self, Error> {
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
            symmetry,
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
            symmetry,
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
                    j if j == i => T::ONE,
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
                    *d.item(place(at), place(at + 1)) = self.symmetry.mirror(y);
                    *d.item(place(at + 1), place(at)) = y;
                    *d.item(place(at + 1), place(at + 1)) = z;
                }
            }
        }
        Ok(())
    }

    /// How many eigenvalues are positive, negative and zero, by J. J. Sylvester's law. NaN counts as neither, and so do
    /// all those of a symmetric complex matrix, which need not be real.
    pub fn inertia(&self) -> (usize, usize, usize) {
        let (mut positive, mut negative, mut zero) = (0, 0, 0);
        if T::IS_COMPLEX && self.symmetry == Symmetry::Symmetric {
            return (0, 0, 0);
        }
        for block in &self.blocks {
            match *block {
                Block::One(x) => match x.re().partial_cmp(&T::Real::default()) {
                    Some(Ordering::Greater) => positive += 1,
                    Some(Ordering::Less) => negative += 1,
                    Some(Ordering::Equal) => zero += 1,
                    None => {}
                },
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
            let turned = |x: MatMut<'_, T>| {
                solve_rows(context, factor.transpose(), (upper, Diagonal::Ones), x);
            };
            match self.symmetry {
                Symmetry::Hermitian => conjugated(x.view(), turned),
                Symmetry::Symmetric => turned(x.view()),
            }
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
                Block::One(pivot) => {
                    for item in rows {
                        *item = item.divide(pivot);
                    }
                }
                Block::Two(_, below, _) => {
                    let right = self.symmetry.mirror(below);
                    let (first, last) = rows.split_at_mut(columns);
                    for (x, y) in first.iter_mut().zip(last) {
                        (*x, *y) = block.solve_two((right, below), (*x, *y));
                    }
                }
            }
        }
    }
}

impl<T: Field> Block<T> {
    fn rows(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Two(..) => 2,
        }
    }

    /// The solution of two equations with the diagonal of the block and these items right and left of it, by which they
    /// are divided, because they are the largest.
    fn solve_two(&self, (right, left): (T, T), (b, c): (T, T)) -> (T, T) {
        let Self::Two(x, _, z) = *self else {
            return (b, c);
        };
        let (top, bottom) = (x.divide(right), z.divide(left));
        let scale = top * bottom - T::ONE;
        let (b, c) = (b.divide(right), c.divide(left));
        ((bottom * b - c).divide(scale), (top * c - b).divide(scale))
    }
}

/// A matrix on its way: its lower triangle, by rows.
struct Elimination<'a, T> {
    items: &'a mut [T],
    n: usize,
    symmetry: Symmetry,
    permutation: Vec<usize>,
}

impl<T: Field> Elimination<'_, T> {
    /// Chooses the pivot of row `k`, brings it there, and takes its part from the rest.
    fn step(&mut self, k: usize) -> Block<T> {
        let n = self.n;
        // At this ratio steps of one and of two rows let the items grow by the same factor.
        let alpha = T::Real::from_f64((1.0 + 17.0_f64.sqrt()) / 8.0);
        let zero = T::Real::default();
        let size = |own: &Self, i: usize| own.diagonal(i).abs1();
        let diagonal = size(self, k);
        let (r, largest) = self.largest(k, (k + 1..n).map(|i| (i, k)));
        if diagonal == zero && largest == zero {
            return Block::One(self.diagonal(k));
        }
        if diagonal >= alpha * largest || diagonal.is_nan() || largest.is_nan() {
            return self.eliminate_one(k);
        }
        // The largest item of row and column `r` off the diagonal.
        let line = (k..n).filter(|&i| i != r).map(|i| (i.max(r), i.min(r)));
        let (_, other) = self.largest(r, line);
        if diagonal >= alpha * largest * (largest / other) {
            self.eliminate_one(k)
        } else if size(self, r) >= alpha * other {
            self.exchange(k, r);
            self.eliminate_one(k)
        } else {
            self.exchange(k + 1, r);
            self.eliminate_two(k)
        }
    }

    /// An item on the diagonal.
    fn diagonal(&self, i: usize) -> T {
        self.symmetry.diagonal(self.items[i * self.n + i])
    }

    /// The first place with the largest size, by its row, or `none` where there is no place.
    fn largest(
        &self,
        none: usize,
        places: impl Iterator<Item = (usize, usize)>,
    ) -> (usize, T::Real) {
        places.fold((none, T::Real::default()), |(row, most), (i, j)| {
            let size = self.items[i * self.n + j].abs1();
            if size > most || size.is_nan() {
                (i, size)
            } else {
                (row, most)
            }
        })
    }

    /// Exchanges rows and columns `i < j` of what is left, and rows of what is done.
    fn exchange(&mut self, i: usize, j: usize) {
        let (n, symmetry) = (self.n, self.symmetry);
        if i == j {
            return;
        }
        self.permutation.swap(i, j);
        let (top, bottom) = self.items.split_at_mut(j * n);
        top[i * n..i * n + i].swap_with_slice(&mut bottom[..i]);
        self.items.swap(i * n + i, j * n + j);
        for between in i + 1..j {
            let (left, right) = (between * n + i, j * n + between);
            let (x, y) = (self.items[left], self.items[right]);
            (self.items[left], self.items[right]) = (symmetry.mirror(y), symmetry.mirror(x));
        }
        self.items[j * n + i] = symmetry.mirror(self.items[j * n + i]);
        for below in j + 1..n {
            self.items.swap(below * n + i, below * n + j);
        }
    }

    fn eliminate_one(&mut self, k: usize) -> Block<T> {
        let (n, symmetry) = (self.n, self.symmetry);
        let pivot = self.diagonal(k);
        let column = (k + 1..n).map(|i| symmetry.mirror(self.items[i * n + k]));
        let across: Vec<T> = column.collect();
        for i in k + 1..n {
            let row = &mut self.items[i * n + k..=i * n + i];
            let factor = row[0].divide(pivot);
            row[0] = factor;
            for (item, &other) in row[1..].iter_mut().zip(&across) {
                *item = *item - factor * other;
            }
        }
        Block::One(pivot)
    }

    fn eliminate_two(&mut self, k: usize) -> Block<T> {
        let (n, symmetry) = (self.n, self.symmetry);
        let below = self.items[(k + 1) * n + k];
        let block = Block::Two(self.diagonal(k), below, self.diagonal(k + 1));
        // Rows are multiplied by the inverse of the block from the right: its transpose has the items so.
        let beside = (below, symmetry.mirror(below));
        let mirrored = |at: usize| symmetry.mirror(self.items[at]);
        let pair = |i: usize| (mirrored(i * n + k), mirrored(i * n + k + 1));
        let across: (Vec<T>, Vec<T>) = (k + 2..n).map(pair).unzip();
        for i in k + 2..n {
            let row = &mut self.items[i * n + k..=i * n + i];
            let (x, y) = block.solve_two(beside, (row[0], row[1]));
            (row[0], row[1]) = (x, y);
            let others = across.0.iter().zip(&across.1);
            for (item, (&first, &last)) in row[2..].iter_mut().zip(others) {
                *item = *item - x * first - y * last;
            }
        }
        self.items[(k + 1) * n + k] = T::default();
        block
    }
}
