//! Sparse matrices from triplets and dense ones, and back.

use super::columns::Csc;
use super::csr::{Csr, CsrRef};
use super::index::Index;
use crate::{Error, Float, MatMut, MatRef};

impl<T: Float, I: Index> Csr<T, I> {
    /// Of the parts `(rows[k], columns[k], values[k])`, those of one place summed in their order. Costs two
    /// passes over the parts and the sorting of rows.
    ///
    /// # Errors
    /// `InvalidInput` when the three have different lengths, an index is out of range, or there are more parts
    /// than `I` can count.
    pub fn from_triplets(
        (rows, columns): (usize, usize),
        row_indices: &[I],
        column_indices: &[I],
        values: &[T],
    ) -> Result<Self, Error> {
        let stored = values.len();
        if row_indices.len() != stored || column_indices.len() != stored {
            return Err(Error::invalid(format!(
                "cannot make a sparse matrix of {} row numbers, {} column numbers and {stored} values",
                row_indices.len(),
                column_indices.len()
            )));
        }
        check_count::<I>(stored)?;
        for (at, (&row, &column)) in row_indices.iter().zip(column_indices).enumerate() {
            if row.place() >= rows || column.place() >= columns {
                return Err(Error::invalid(format!(
                    "cannot make a {rows}x{columns} sparse matrix: part {at} is at ({row}, {column})"
                )));
            }
        }
        let starts = starts_of(rows, row_indices)?;
        let mut next = starts.clone();
        let mut indices = vec![I::default(); stored];
        let mut sorted = vec![T::default(); stored];
        for ((&row, &column), &value) in row_indices.iter().zip(column_indices).zip(values) {
            let place = &mut next[row.place()];
            indices[*place] = column;
            sorted[*place] = value;
            *place += 1;
        }
        let pointers = narrow::<I>(&starts);
        let view = CsrRef::trusted((rows, columns), (&pointers, &indices), &sorted, false);
        Ok(view.to_canonical())
    }

    /// Of the items of a dense matrix that are not zero; NaN is not zero.
    ///
    /// # Errors
    /// `InvalidInput` when `I` cannot count them.
    pub fn from_dense(a: MatRef<'_, T>) -> Result<Self, Error> {
        let (rows, columns) = a.shape();
        let is_stored = |value: T| value != T::default();
        let count = |i: usize| a.row(i).filter(|&&value| is_stored(value)).count();
        let stored: usize = (0..rows).map(count).sum();
        check_count::<I>(stored.max(columns))?;
        let mut result = Self::with_capacity((rows, columns), stored);
        for i in 0..rows {
            for (j, &value) in a.row(i).enumerate().filter(|&(_, &value)| is_stored(value)) {
                result.push(I::from_usize(j).unwrap_or_default(), value);
            }
            result.end_row();
        }
        Ok(result)
    }
}

impl<T: Float, I: Index> CsrRef<'_, T, I> {
    /// Writes the matrix into `target`, zeros included.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes differ.
    pub fn to_dense(&self, mut target: MatMut<'_, T>) -> Result<(), Error> {
        if target.shape() != self.shape() {
            let ((m, n), (rows, columns)) = (self.shape(), target.shape());
            let message = format!("cannot write a {m}x{n} sparse matrix into {rows}x{columns}");
            return Err(Error::invalid(message));
        }
        let (rows, columns) = self.shape();
        for i in 0..rows {
            for j in 0..columns {
                *target.item(i, j) = T::default();
            }
            let (indices, values) = self.row(i);
            for (&j, &value) in indices.iter().zip(values) {
                if j.place() < columns {
                    let item = target.item(i, j.place());
                    *item = *item + value;
                }
            }
        }
        Ok(())
    }

    /// The same matrix by columns, items of one place summed. Costs two readings.
    ///
    /// # Errors
    /// `InvalidInput` when there is no memory for a pointer for each column, or `I` cannot number the rows.
    pub fn to_csc(&self) -> Result<Csc<T, I>, Error> {
        if !self.is_canonical() {
            return self.to_canonical().as_ref().to_csc();
        }
        let (rows, columns) = self.shape();
        check_count::<I>(rows)?;
        let starts = starts_of(columns, self.indices())?;
        let mut next = starts.clone();
        let stored = starts.last().copied().unwrap_or(0);
        let mut indices = vec![I::default(); stored];
        let mut values = vec![T::default(); stored];
        for i in 0..rows {
            let row = I::from_usize(i).unwrap_or_default();
            let (from, items) = self.row(i);
            for (&j, &value) in from.iter().zip(items) {
                let Some(place) = next.get_mut(j.place()) else {
                    continue;
                };
                if let (Some(index), Some(item)) = (indices.get_mut(*place), values.get_mut(*place))
                {
                    (*index, *item) = (row, value);
                    *place += 1;
                }
            }
        }
        Ok(Csr::trusted((columns, rows), narrow::<I>(&starts), indices, values).into_transpose())
    }
}

/// Where each of `count` groups begins when the members of `groups` are sorted, and the end.
fn starts_of<I: Index>(count: usize, groups: &[I]) -> Result<Vec<usize>, Error> {
    let mut starts = zeros(count.saturating_add(1))?;
    for group in groups {
        if let Some(size) = starts[1..].get_mut(group.place()) {
            *size += 1;
        }
    }
    for i in 0..count {
        starts[i + 1] += starts[i];
    }
    Ok(starts)
}

/// Zeros, where there is memory for them: how many a shape asks for is a foreign number.
fn zeros(len: usize) -> Result<Vec<usize>, Error> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).map_err(|_| {
        Error::invalid(format!(
            "cannot make a sparse matrix: no memory for {len} pointers"
        ))
    })?;
    zeros.resize(len, 0);
    Ok(zeros)
}

fn narrow<I: Index>(starts: &[usize]) -> Vec<I> {
    starts
        .iter()
        .map(|&start| I::from_usize(start).expect("at most as many as were counted before"))
        .collect()
}

/// Whether `I` can count `stored` items.
pub(super) fn check_count<I: Index>(stored: usize) -> Result<(), Error> {
    if I::from_usize(stored).is_some() {
        return Ok(());
    }
    let message = format!(
        "cannot make a sparse matrix of {stored} items with indices of {}",
        I::NAME
    );
    Err(Error::invalid(message))
}
