//! Triangular systems with a sparse matrix.

use super::csr::CsrRef;
use super::index::Index;
use crate::dense::{Diagonal, Triangle};
use crate::{Error, ErrorKind, Float, MatMut};

impl<T: Float, I: Index> CsrRef<'_, T, I> {
    /// Solves `a x = b` for a triangular `a`, `b` becoming `x`; the other triangle is not read. Costs one reading of
    /// `a` for each column of `b`.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes are not `(n, n)` and `(n, columns)`; `Singular` when an item of the diagonal
    /// is zero or missing, with `b` as it was.
    pub fn solve_triangular(
        &self,
        (triangle, diagonal): (Triangle, Diagonal),
        mut b: MatMut<'_, T>,
    ) -> Result<(), Error> {
        let ((n, n_columns), (rows, columns)) = (self.shape(), b.shape());
        if n != n_columns || rows != n {
            return Err(Error::invalid(format!(
                "cannot solve {n}x{n_columns} for {rows}x{columns}: the matrix is not square or rows differ"
            )));
        }
        let pivots = match diagonal {
            Diagonal::Stored => self.diagonal(),
            Diagonal::Ones => Vec::new(),
        };
        if let Some(pivot) = pivots.iter().position(|&pivot| pivot == T::default()) {
            let message = format!(
                "cannot solve with a {n}x{n} sparse matrix: it is singular, pivot {pivot} is zero"
            );
            return Err(Error::new(ErrorKind::Singular { pivot }, message));
        }
        for turn in 0..n {
            let i = if triangle == Triangle::Lower {
                turn
            } else {
                n - 1 - turn
            };
            let (indices, values) = self.row(i);
            let known = |j: usize| match triangle {
                Triangle::Lower => j < i,
                Triangle::Upper => j > i && j < n,
            };
            for column in 0..columns {
                let mut sum = *b.item(i, column);
                for (j, &value) in indices.iter().zip(values).filter(|(j, _)| known(j.place())) {
                    sum = sum - value * *b.item(j.place(), column);
                }
                if let Some(&pivot) = pivots.get(i) {
                    sum = sum / pivot;
                }
                *b.item(i, column) = sum;
            }
        }
        Ok(())
    }
}
