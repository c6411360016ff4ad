//! Compressed columns: compressed rows of the transposed matrix.

use super::csr::{Csr, CsrRef};
use super::index::Index;
use crate::{Error, Float, MatMut, MatRef};

/// A view of compressed columns: the items of column `j` are `values[pointers[j]..pointers[j + 1]]`, in the rows
/// that `indices` names at the same places. What holds for [`CsrRef`] holds for it.
#[derive(Debug)]
pub struct CscRef<'a, T, I> {
    transposed: CsrRef<'a, T, I>,
}

impl<T, I> Clone for CscRef<'_, T, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, I> Copy for CscRef<'_, T, I> {}

impl<'a, T, I: Index> CscRef<'a, T, I> {
    /// A view of a matrix of `rows` and `columns`, after one reading of `pointers` and `indices`.
    ///
    /// # Errors
    /// As [`CsrRef::new`], with rows and columns exchanged.
    pub fn new(
        (rows, columns): (usize, usize),
        pointers: &'a [I],
        indices: &'a [I],
        values: &'a [T],
    ) -> Result<Self, Error> {
        let parts = (pointers, indices);
        let transposed = CsrRef::checked(("column", "row"), (columns, rows), parts, values)?;
        Ok(Self { transposed })
    }

    pub(super) fn from_transposed(transposed: CsrRef<'a, T, I>) -> Self {
        Self { transposed }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        let (columns, rows) = self.transposed.shape();
        (rows, columns)
    }

    /// How many items are stored.
    pub fn stored(&self) -> usize {
        self.transposed.stored()
    }

    /// Where columns begin and end.
    pub fn pointers(&self) -> &'a [I] {
        self.transposed.pointers()
    }

    /// The row of each stored item.
    pub fn indices(&self) -> &'a [I] {
        self.transposed.indices()
    }

    /// The stored items.
    pub fn values(&self) -> &'a [T] {
        self.transposed.values()
    }

    /// Whether the rows of each column ascend strictly.
    pub fn is_canonical(&self) -> bool {
        self.transposed.is_canonical()
    }

    /// The transposed matrix, as compressed rows of the same memory.
    pub fn transpose(self) -> CsrRef<'a, T, I> {
        self.transposed
    }

    /// Rows and items of column `j`, as they are stored.
    ///
    /// # Panics
    /// When there is no column `j`.
    pub fn column(&self, j: usize) -> (&'a [I], &'a [T]) {
        self.transposed.row(j)
    }
}

impl<T: Float, I: Index> CscRef<'_, T, I> {
    /// A copy with ascending rows, each named once: items that are named twice are summed.
    pub fn to_canonical(&self) -> Csc<T, I> {
        self.transposed.to_canonical().into_transpose()
    }

    /// The same matrix by rows. Costs two readings.
    ///
    /// # Errors
    /// As [`CsrRef::to_csc`].
    pub fn to_csr(&self) -> Result<Csr<T, I>, Error> {
        Ok(self.transposed.to_csc()?.into_transpose())
    }

    /// Writes the matrix into `target`, zeros included.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes differ.
    pub fn to_dense(&self, target: MatMut<'_, T>) -> Result<(), Error> {
        self.transposed.to_dense(target.transpose())
    }

    /// The items of the main diagonal.
    pub fn diagonal(&self) -> Vec<T> {
        self.transposed.diagonal()
    }

    /// `c = a * b` for a dense `b`. Columns add up in their order, so it runs on one thread.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes are not `(m, k)`, `(k, n)` and `(m, n)`.
    pub fn multiply(&self, b: MatRef<'_, T>, c: MatMut<'_, T>) -> Result<(), Error> {
        self.transposed.multiply_transpose(b, c)
    }
}

/// Compressed columns that own their memory; rows ascend strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct Csc<T, I> {
    transposed: Csr<T, I>,
}

impl<T: Float, I: Index> Csc<T, I> {
    /// Of the parts `(rows[k], columns[k], values[k])`, those of one place summed in their order.
    ///
    /// # Errors
    /// As [`Csr::from_triplets`].
    pub fn from_triplets(
        (rows, columns): (usize, usize),
        row_indices: &[I],
        column_indices: &[I],
        values: &[T],
    ) -> Result<Self, Error> {
        Csr::from_triplets((columns, rows), column_indices, row_indices, values)
            .map(Csr::into_transpose)
    }

    /// Of the items of a dense matrix that are not zero.
    ///
    /// # Errors
    /// As [`Csr::from_dense`].
    pub fn from_dense(a: MatRef<'_, T>) -> Result<Self, Error> {
        Csr::from_dense(a.transpose()).map(Csr::into_transpose)
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        let (columns, rows) = self.transposed.shape();
        (rows, columns)
    }

    /// The view.
    pub fn as_ref(&self) -> CscRef<'_, T, I> {
        self.transposed.as_ref().transpose()
    }

    /// The transposed matrix, in the same memory.
    #[must_use]
    pub fn into_transpose(self) -> Csr<T, I> {
        self.transposed
    }

    /// The stored items, to be written.
    pub fn values_mut(&mut self) -> &mut [T] {
        self.transposed.values_mut()
    }

    /// Pointers, indices, values.
    pub fn into_parts(self) -> (Vec<I>, Vec<I>, Vec<T>) {
        self.transposed.into_parts()
    }
}

impl<T: Float, I: Index> Csr<T, I> {
    /// The transposed matrix, in the same memory.
    #[must_use]
    pub fn into_transpose(self) -> Csc<T, I> {
        Csc { transposed: self }
    }
}
