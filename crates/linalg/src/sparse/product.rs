//! Sparse matrices times dense ones and vectors.

use super::csr::CsrRef;
use super::index::Index;
use crate::{Context, Error, Float, MatMut, MatRef, pool};
use std::sync::{Mutex, PoisonError};

/// Below this many multiplications a thread costs more to wake than it saves.
const WORK_PER_THREAD_MIN: usize = 50_000;

/// Parts for each thread: one that is held up leaves some of its own to the others.
const PARTS_PER_THREAD: usize = 4;

/// Rows of fewer items are one sum.
const SHORT: usize = 8;

/// Columns of a product that are summed side by side.
const WIDTH: usize = 8;

impl<T: Float, I: Index> CsrRef<'_, T, I> {
    /// `c = a * b` for a dense `b`. Costs one reading of the matrix for each eight columns.
    ///
    /// An item of `c` has the same bits for any number of threads. The product of a vector may differ in the last bits from a
    /// column of a wider one.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes are not `(m, k)`, `(k, n)` and `(m, n)`.
    pub fn multiply(
        &self,
        context: Context,
        b: MatRef<'_, T>,
        c: MatMut<'_, T>,
    ) -> Result<(), Error> {
        let ((m, k), (k_b, n)) = (self.shape(), b.shape());
        if k != k_b || c.shape() != (m, n) {
            return Err(Error::shapes("multiply", (m, k), (k_b, n), c.shape()));
        }
        if n == 0 {
            return Ok(());
        }
        let work = self.stored().saturating_mul(n);
        let threads = context.count().min(work / WORK_PER_THREAD_MIN).max(1);
        if threads == 1 {
            self.multiply_rows(0, b, c);
            return Ok(());
        }
        let parts = Mutex::new(self.split(threads * PARTS_PER_THREAD, c).into_iter());
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        pool::share(threads, &|| {
            while let Some((first, part)) = next() {
                self.multiply_rows(first, b, part);
            }
        });
        Ok(())
    }

    /// Parts of `c` with about as many stored items each, and their first rows.
    fn split<'c>(&self, count: usize, c: MatMut<'c, T>) -> Vec<(usize, MatMut<'c, T>)> {
        let mut parts = Vec::with_capacity(count);
        let (mut rest, mut first) = (c, 0);
        for part in 1..count {
            let end = self.stored() / count * part;
            let pointers = &self.pointers()[first..];
            let rows = pointers.partition_point(|pointer| pointer.place() < end);
            match rest.split_rows(rows.min(self.shape().0 - first)) {
                Ok((top, bottom)) => {
                    let rows = top.shape().0;
                    parts.push((first, top));
                    first += rows;
                    rest = bottom;
                }
                // Rows that lie interleaved stay together.
                Err(whole) => {
                    rest = whole;
                    break;
                }
            }
        }
        parts.push((first, rest));
        parts
    }

    /// The rows of the product from `first` on, as many as `c` has.
    fn multiply_rows(&self, first: usize, b: MatRef<'_, T>, mut c: MatMut<'_, T>) {
        let (rows, columns) = c.shape();
        let ((b_row, b_step), (c_row, c_step)) = (b.strides(), c.strides());
        if columns == 1 && b_row == 1 && c_row == 1 {
            let x = &b.data()[..b.shape().0];
            let bounds = self.pointers()[first..=first + rows].windows(2);
            for (y, bounds) in c.data_mut().iter_mut().zip(bounds) {
                let range = bounds[0].place()..bounds[1].place();
                let indices = self.indices().get(range.clone());
                let items = indices.zip(self.values().get(range));
                *y = row_times(items.unwrap_or_default(), x);
            }
        } else if columns == 1 {
            let x: Vec<T> = b.transpose().row(0).copied().collect();
            for i in 0..rows {
                *c.item(i, 0) = row_times(self.row(first + i), &x);
            }
        } else if b_step == 1 && c_step == 1 {
            let items = c.data_mut();
            for i in 0..rows {
                self.row_times_rows(first + i, b, &mut items[i * c_row..i * c_row + columns]);
            }
        } else {
            let mut row = vec![T::default(); columns];
            for i in 0..rows {
                self.row_times_rows(first + i, b, &mut row);
                for (j, &value) in row.iter().enumerate() {
                    *c.item(i, j) = value;
                }
            }
        }
    }

    /// `target` = row `i` times the rows of `b`; each sum in the order of the row.
    fn row_times_rows(&self, i: usize, b: MatRef<'_, T>, target: &mut [T]) {
        let (indices, values) = self.row(i);
        let ((rows, columns), (step, b_step)) = (b.shape(), b.strides());
        let mut done = 0;
        if b_step == 1 {
            while done + WIDTH <= columns {
                let mut sums = [T::default(); WIDTH];
                for (j, &value) in indices.iter().zip(values) {
                    let start = j.place().saturating_mul(step).saturating_add(done);
                    let Some(row) = b.data().get(start..start.saturating_add(WIDTH)) else {
                        continue;
                    };
                    for (sum, &item) in sums.iter_mut().zip(row) {
                        *sum = *sum + value * item;
                    }
                }
                target[done..done + WIDTH].copy_from_slice(&sums);
                done += WIDTH;
            }
        }
        let rest = &mut target[done..];
        rest.fill(T::default());
        for (j, &value) in indices.iter().zip(values).filter(|(j, _)| j.place() < rows) {
            let start = j.place() * step + done * b_step;
            for (at, sum) in rest.iter_mut().enumerate() {
                *sum = *sum + value * b.data()[start + at * b_step];
            }
        }
    }

    /// `c = a^T * b` for a dense `b`, without transposing. Rows add up in their order, so it runs on one thread.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes are not `(k, m)`, `(k, n)` and `(m, n)`.
    pub fn multiply_transpose(&self, b: MatRef<'_, T>, mut c: MatMut<'_, T>) -> Result<(), Error> {
        let ((k, m), (k_b, n)) = (self.shape(), b.shape());
        if k != k_b || c.shape() != (m, n) {
            return Err(Error::shapes("multiply", (m, k), (k_b, n), c.shape()));
        }
        for i in 0..m {
            for j in 0..n {
                *c.item(i, j) = T::default();
            }
        }
        let ((c_row, c_step), (b_row, b_step)) = (c.strides(), b.strides());
        let (source, target) = (b.data(), c.data_mut());
        for i in 0..k {
            let (indices, values) = self.row(i);
            let items = indices.iter().zip(values);
            if n == 1 {
                let item = source[i * b_row];
                for (j, &value) in items {
                    if let Some(sum) = target.get_mut(j.place().saturating_mul(c_row)) {
                        *sum = *sum + value * item;
                    }
                }
                continue;
            }
            for (j, &value) in items.filter(|(j, _)| j.place() < m) {
                let (from, to) = (i * b_row, j.place() * c_row);
                for column in 0..n {
                    let sum = &mut target[to + column * c_step];
                    *sum = *sum + value * source[from + column * b_step];
                }
            }
        }
        Ok(())
    }
}

/// A row times a vector. The order of the sum depends on the number of items alone.
#[inline]
fn row_times<T: Float, I: Index>((indices, values): (&[I], &[T]), x: &[T]) -> T {
    if indices.len() >= SHORT {
        return long_row_times((indices, values), x);
    }
    let mut sum = T::default();
    for (j, &value) in indices.iter().zip(values) {
        let Some(&item) = x.get(j.place()) else {
            return T::NAN;
        };
        sum = sum + value * item;
    }
    sum
}

/// Four sums side by side: one waits for each addition.
fn long_row_times<T: Float, I: Index>((indices, values): (&[I], &[T]), x: &[T]) -> T {
    let mut sums = [T::default(); 4];
    let (index_parts, value_parts) = (indices.chunks_exact(4), values.chunks_exact(4));
    let rest = (index_parts.remainder(), value_parts.remainder());
    for (indices, values) in index_parts.zip(value_parts) {
        for lane in 0..4 {
            let Some(&item) = x.get(indices[lane].place()) else {
                return T::NAN;
            };
            sums[lane] = sums[lane] + values[lane] * item;
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + row_times(rest, x)
}
