//! Factorisations of our own: elimination and Cholesky, and what follows from them.
//!
//! Each goes by blocks of rows or columns: leaves in registers for what is on the diagonal, products for the rest
//! ([`Context`](crate::Context) says on how many threads). Results do not depend on threads, on strides, or on what
//! else is computed. Matrices of at most [`LEAF`] rows use no heap.

mod bytes;
mod cholesky;
mod determinant;
mod eliminate;
mod factors;
mod ldl;
mod lu;
pub(crate) mod simd;
pub(crate) mod tiny;
mod triangular;
mod turned;

pub use bytes::{cholesky_bytes, det_bytes, inv_bytes, lu_bytes, solve_bytes};
pub use cholesky::{cholesky, cholesky_solve};
pub use factors::{Lu, LuRef, Orientation};
pub use ldl::{Ldl, Symmetry};
pub use lu::{det, inv, slogdet, solve};
pub use triangular::{Diagonal, Triangle, solve_triangular};

use crate::workspace::Room;
use crate::{Error, Field, MatMut, MatRef};

/// Columns of a leaf of elimination, and rows up to which plain loops run.
pub const LEAF: usize = 16;

/// A matrix in row-major order without gaps.
struct Dense<'a, T> {
    items: &'a mut [T],
    rows: usize,
    columns: usize,
}

impl<T: Field> Dense<'_, T> {
    fn view(&mut self) -> MatMut<'_, T> {
        MatMut::new(self.items, self.rows, self.columns).expect("rows times columns items")
    }
}

/// Calls `work` with a matrix of zeros: on the stack where it is small.
fn with_space<T: Field, R>(
    (rows, columns): (usize, usize),
    work: impl FnOnce(Dense<'_, T>) -> R,
) -> R {
    let len = rows * columns;
    let mut small = [T::default(); LEAF * LEAF];
    let mut large;
    let items = if len <= small.len() {
        &mut small[..len]
    } else {
        large = Room::filled(T::default(), len);
        &mut large[..]
    };
    work(Dense {
        items,
        rows,
        columns,
    })
}

/// Makes all items one value.
fn fill<T: Copy>(a: &mut MatMut<'_, T>, value: T) {
    let ((m, n), (row, column)) = (a.shape(), a.strides());
    // A view without items may say that its rows begin past the end.
    if n == 0 {
        return;
    }
    let items = a.data_mut();
    for i in 0..m {
        if column == 1 {
            items[i * row..i * row + n].fill(value);
        } else {
            (0..n).for_each(|j| items[i * row + j * column] = value);
        }
    }
}

/// Copies items between views of one shape.
pub(crate) fn copy_into<T: simd::Leaf>(from: MatRef<'_, T>, mut to: MatMut<'_, T>) {
    let (rows, columns) = from.shape();
    // Views without items may say that their rows begin past the end.
    if rows == 0 || columns == 0 {
        return;
    }
    let ((from_row, from_column), (to_row, to_column)) = (from.strides(), to.strides());
    let (source, target) = (from.data(), to.data_mut());
    if from_column == 1 && to_column == 1 {
        for i in 0..rows {
            let (from, to) = (i * from_row, i * to_row);
            target[to..to + columns].copy_from_slice(&source[from..from + columns]);
        }
        return;
    }
    if from_row == 1 && to_column == 1 {
        return turned::copy((source, from_column), (target, to_row), (rows, columns));
    }
    if from_column == 1 && to_row == 1 {
        return turned::copy((source, from_row), (target, to_column), (columns, rows));
    }
    for i in 0..rows {
        for j in 0..columns {
            target[i * to_row + j * to_column] = source[i * from_row + j * from_column];
        }
    }
}

/// Runs `work`, which has the transposed of a matrix, on the conjugate of `b`: so it is that of the adjoint.
fn conjugated<T: Field, R>(mut b: MatMut<'_, T>, work: impl FnOnce(MatMut<'_, T>) -> R) -> R {
    let flip = |b: &mut MatMut<'_, T>| {
        if T::IS_COMPLEX {
            let (m, n) = b.shape();
            for i in 0..m {
                (0..n).for_each(|j| *b.item(i, j) = b.item(i, j).conj());
            }
        }
    };
    flip(&mut b);
    let result = work(b.reborrow());
    flip(&mut b);
    result
}

/// All rows of a matrix that is kept.
fn kept<T>(items: &[T], (m, n): (usize, usize)) -> MatRef<'_, T> {
    MatRef::new(items, m, n).expect("m times n items")
}

/// The order of a square matrix.
fn order<T>(operation: &str, a: &MatRef<'_, T>) -> Result<usize, Error> {
    match a.shape() {
        (m, n) if m == n => Ok(n),
        (m, n) => Err(Error::invalid(format!(
            "cannot {operation} a {m}x{n} matrix: it is not square"
        ))),
    }
}
