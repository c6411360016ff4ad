//! Preconditioners: the diagonal, elimination and Cholesky without fill.

use super::csr::CsrRef;
use super::index::Index;
use super::operator::{Operator, Stopped};
use crate::{Error, ErrorKind, Float, MatMut, MatRef};
use std::ops::Range;

/// Divides by the diagonal.
#[derive(Clone, Debug)]
pub struct Jacobi<T> {
    inverse: Vec<T>,
}

impl<T: Float> Jacobi<T> {
    /// For a matrix with this diagonal.
    ///
    /// # Errors
    /// `Singular` where an item is zero.
    pub fn new(diagonal: &[T]) -> Result<Self, Error> {
        if let Some(pivot) = diagonal.iter().position(|&item| item == T::default()) {
            let message = format!("cannot divide by a diagonal: item {pivot} is zero");
            return Err(Error::new(ErrorKind::Singular { pivot }, message));
        }
        let inverse = diagonal.iter().map(|&item| T::ONE / item).collect();
        Ok(Self { inverse })
    }
}

impl<T: Float> Operator<T> for Jacobi<T> {
    fn shape(&self) -> (usize, usize) {
        (self.inverse.len(), self.inverse.len())
    }
    fn apply(&self, x: MatRef<'_, T>, mut y: MatMut<'_, T>) -> Result<(), Stopped> {
        for (i, &factor) in self.inverse.iter().enumerate() {
            for (j, &item) in x.row(i).enumerate() {
                *y.item(i, j) = factor * item;
            }
        }
        Ok(())
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.apply(x, y)
    }
}

/// Elimination that keeps only the places that the matrix has: ILU(0) (J. Meijerink, H. van der Vorst, Math.
/// Comp. 31, 1977). Of a symmetric matrix it is one that [`cg`](super::cg) can use, where its pivots are positive.
#[derive(Clone, Debug)]
pub struct Ilu0<T, I> {
    pointers: Vec<I>,
    indices: Vec<I>,
    /// The multipliers below the diagonal, and the upper triangle.
    values: Vec<T>,
    /// Where the item of the diagonal is in each row.
    diagonal: Vec<usize>,
}

impl<T: Float, I: Index> Ilu0<T, I> {
    /// Eliminates. Costs, for each stored item below the diagonal, one reading of the row that it names.
    ///
    /// # Errors
    /// `InvalidInput` when the matrix is not square, `Singular` at the first pivot that is zero, missing or not
    /// finite.
    pub fn new(a: CsrRef<'_, T, I>) -> Result<Self, Error> {
        let (n, columns) = a.shape();
        if n != columns {
            let message =
                format!("cannot eliminate in a {n}x{columns} sparse matrix: it is not square");
            return Err(Error::invalid(message));
        }
        let (pointers, indices, mut values) = a.to_canonical().into_parts();
        let mut place = vec![usize::MAX; n];
        let mut diagonal = vec![usize::MAX; n];
        for i in 0..n {
            let range = pointers[i].place()..pointers[i + 1].place();
            for at in range.clone() {
                place[indices[at].place()] = at;
            }
            for at in range.clone() {
                let k = indices[at].place();
                if k >= i {
                    break;
                }
                values[at] = values[at] / values[diagonal[k]];
                for above in diagonal[k] + 1..pointers[k + 1].place() {
                    let target = place[indices[above].place()];
                    if target != usize::MAX {
                        values[target] = values[target] - values[at] * values[above];
                    }
                }
            }
            diagonal[i] = place[i];
            let pivot = values.get(diagonal[i]).copied().unwrap_or_default();
            if pivot == T::default() || !pivot.is_finite() {
                let message = format!(
                    "cannot eliminate without fill in a {n}x{n} sparse matrix: pivot {i} is {pivot}"
                );
                return Err(Error::new(ErrorKind::Singular { pivot: i }, message));
            }
            for at in range {
                place[indices[at].place()] = usize::MAX;
            }
        }
        Ok(Self {
            pointers,
            indices,
            values,
            diagonal,
        })
    }

    /// `y` becomes the solution of both triangles.
    fn solve(&self, y: &mut [T]) {
        let eliminate = |y: &[T], mut sum: T, range: Range<usize>| {
            for (j, &value) in self.indices[range.clone()].iter().zip(&self.values[range]) {
                sum = sum - value * y[j.place()];
            }
            sum
        };
        let n = self.diagonal.len();
        for i in 0..n {
            y[i] = eliminate(y, y[i], self.pointers[i].place()..self.diagonal[i]);
        }
        for i in (0..n).rev() {
            let above = self.diagonal[i] + 1..self.pointers[i + 1].place();
            y[i] = eliminate(y, y[i], above) / self.values[self.diagonal[i]];
        }
    }

    /// `y` becomes the solution of the transposed triangles, in which rows give their share to later ones.
    fn solve_transpose(&self, y: &mut [T]) {
        let give = |y: &mut [T], item: T, range: Range<usize>| {
            for (j, &value) in self.indices[range.clone()].iter().zip(&self.values[range]) {
                y[j.place()] = y[j.place()] - value * item;
            }
        };
        let n = self.diagonal.len();
        for i in 0..n {
            y[i] = y[i] / self.values[self.diagonal[i]];
            give(y, y[i], self.diagonal[i] + 1..self.pointers[i + 1].place());
        }
        for i in (0..n).rev() {
            give(y, y[i], self.pointers[i].place()..self.diagonal[i]);
        }
    }
}

/// Cholesky's factor `l` of a symmetric positive definite matrix on the places of its lower triangle alone, so that
/// `l l^T` has the items of the matrix there: IC(0) (J. Meijerink, H. van der Vorst, Math. Comp. 31, 1977).
///
/// Half the memory of [`Ilu0`], and symmetric to the last bit, as [`cg`](super::cg) and [`minres`](super::minres) need
/// their preconditioners.
#[derive(Clone, Debug)]
pub struct Ic0<T, I> {
    /// The rows of `l`, whose last items are the diagonal.
    pointers: Vec<usize>,
    indices: Vec<I>,
    values: Vec<T>,
}

impl<T: Float, I: Index> Ic0<T, I> {
    /// Factors; the lower triangle is read. Costs, for each stored item of it, one reading of the row that it names.
    ///
    /// # Errors
    /// `InvalidInput` when the matrix is not square, `NotPositiveDefinite` at the first pivot that is missing, not
    /// positive or not finite: a positive definite matrix may have one, too, where places are left out.
    pub fn new(a: CsrRef<'_, T, I>) -> Result<Self, Error> {
        let (n, columns) = a.shape();
        if n != columns {
            let message = format!("cannot factor a {n}x{columns} sparse matrix: it is not square");
            return Err(Error::invalid(message));
        }
        let (all, places, items) = a.to_canonical().into_parts();
        let (mut pointers, mut indices, mut values) = (vec![0], Vec::<I>::new(), Vec::<T>::new());
        // The items of the row that is made, by columns.
        let mut row = vec![T::default(); n];
        for i in 0..n {
            let start = indices.len();
            let (mut square, mut diagonal) = (T::default(), None);
            for at in all[i].place()..all[i + 1].place() {
                let k = places[at].place();
                if k >= i {
                    diagonal = (k == i).then_some(at);
                    break;
                }
                let above = pointers[k]..pointers[k + 1] - 1;
                let known = indices[above.clone()].iter().zip(&values[above.clone()]);
                let sum = known.fold(items[at], |sum, (j, &value)| sum - value * row[j.place()]);
                let item = sum / values[above.end];
                row[k] = item;
                square = square + item * item;
                indices.push(places[at]);
                values.push(item);
            }
            for k in &indices[start..] {
                row[k.place()] = T::default();
            }
            let pivot = diagonal.map_or(T::default(), |at| items[at]) - square;
            let (Some(at), true) = (diagonal, pivot > T::default() && pivot.is_finite()) else {
                let message = format!(
                    "cannot factor a {n}x{n} sparse matrix without fill: pivot {i} is {pivot}, not positive"
                );
                let kind = ErrorKind::NotPositiveDefinite { minor: i + 1 };
                return Err(Error::new(kind, message));
            };
            indices.push(places[at]);
            values.push(Float::sqrt(pivot));
            pointers.push(indices.len());
        }
        Ok(Self {
            pointers,
            indices,
            values,
        })
    }

    /// `y` becomes the solution of the triangle, and of its transpose.
    fn solve(&self, y: &mut [T]) {
        let n = y.len();
        let row = |i: usize| {
            let range = self.pointers[i]..self.pointers[i + 1] - 1;
            let items = self.indices[range.clone()]
                .iter()
                .zip(&self.values[range.clone()]);
            (items, self.values[range.end])
        };
        for i in 0..n {
            let (items, pivot) = row(i);
            y[i] = items.fold(y[i], |sum, (j, &value)| sum - value * y[j.place()]) / pivot;
        }
        for i in (0..n).rev() {
            let (items, pivot) = row(i);
            let item = y[i] / pivot;
            y[i] = item;
            items.for_each(|(j, &value)| y[j.place()] = y[j.place()] - value * item);
        }
    }
}

impl<T: Float, I: Index> Operator<T> for Ic0<T, I> {
    fn shape(&self) -> (usize, usize) {
        (self.pointers.len() - 1, self.pointers.len() - 1)
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        by_columns(x, y, |column| self.solve(column));
        Ok(())
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        self.apply(x, y)
    }
}

/// Writes what `solve` makes of each column of `x` into `y`.
fn by_columns<T: Float>(x: MatRef<'_, T>, mut y: MatMut<'_, T>, solve: impl Fn(&mut [T])) {
    let mut work = Vec::with_capacity(x.shape().0);
    for j in 0..x.shape().1 {
        work.clear();
        work.extend(x.transpose().row(j));
        solve(&mut work);
        for (i, &item) in work.iter().enumerate() {
            *y.item(i, j) = item;
        }
    }
}

impl<T: Float, I: Index> Operator<T> for Ilu0<T, I> {
    fn shape(&self) -> (usize, usize) {
        (self.diagonal.len(), self.diagonal.len())
    }
    fn apply(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        by_columns(x, y, |column| self.solve(column));
        Ok(())
    }
    fn apply_transpose(&self, x: MatRef<'_, T>, y: MatMut<'_, T>) -> Result<(), Stopped> {
        by_columns(x, y, |column| self.solve_transpose(column));
        Ok(())
    }
}
