//! Sparse matrices times dense ones and vectors.

use super::csr::CsrRef;
use super::index::Index;
use crate::{Context, Error, Float, MatMut, MatRef, pool};
use std::sync::{Mutex, PoisonError};

/// Below this many multiplications a thread costs more to wake than it saves.
const WORK_PER_THREAD_MIN: usize = 50_000;

/// Parts for each thread: one that is held up leaves some of its own to the others.
const PARTS_PER_THREAD: usize = 4;

impl<T: Float, I: Index> CsrRef<'_, T, I> {
    /// `c = a * b` for a dense `b`, as fast as memory is read.
    ///
    /// An item of `c` has the same bits for any number of threads. Columns of one item each (vectors) are summed
    /// in another order than those of wider products.
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
        let ((_, b_step), (c_row, c_step)) = (b.strides(), c.strides());
        if columns == 1 && b.strides().0 == 1 {
            let x = b.data();
            for i in 0..rows {
                *c.item(i, 0) = self.row_times(first + i, x);
            }
        } else if b_step == 1 && c_step == 1 {
            let items = c.data_mut();
            for i in 0..rows {
                let target = &mut items[i * c_row..i * c_row + columns];
                self.add_rows(first + i, b, target);
            }
        } else {
            let mut row = vec![T::default(); columns];
            for i in 0..rows {
                self.add_rows(first + i, b, &mut row);
                for (j, &value) in row.iter().enumerate() {
                    *c.item(i, j) = value;
                }
            }
        }
    }

    /// Row `i` times a vector. The order of the sum depends on the number of items alone.
    #[inline]
    fn row_times(&self, i: usize, x: &[T]) -> T {
        let (indices, values) = self.row(i);
        let product = |(&j, &value): (&I, &T)| value * x.get(j.place()).copied().unwrap_or(T::NAN);
        let mut sums = [T::default(); 4];
        let (index_parts, value_parts) = (indices.chunks_exact(4), values.chunks_exact(4));
        let rest = index_parts.remainder().iter().zip(value_parts.remainder());
        for (indices, values) in index_parts.zip(value_parts) {
            for lane in 0..4 {
                sums[lane] = sums[lane] + product((&indices[lane], &values[lane]));
            }
        }
        let rest = rest.map(product).fold(T::default(), |sum, item| sum + item);
        (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
    }

    /// `target` = row `i` times the rows of `b`.
    fn add_rows(&self, i: usize, b: MatRef<'_, T>, target: &mut [T]) {
        target.fill(T::default());
        let (indices, values) = self.row(i);
        let (step, contiguous) = (b.strides().0, b.strides().1 == 1);
        for (&j, &value) in indices.iter().zip(values) {
            let j = j.place();
            if j >= b.shape().0 {
                target.fill(T::NAN);
            } else if contiguous {
                let row = &b.data()[j * step..j * step + target.len()];
                for (sum, &item) in target.iter_mut().zip(row) {
                    *sum = *sum + value * item;
                }
            } else {
                for (sum, &item) in target.iter_mut().zip(b.row(j)) {
                    *sum = *sum + value * item;
                }
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
        if n == 0 {
            return Ok(());
        }
        let (c_row, c_step) = c.strides();
        let target = c.data_mut();
        for i in 0..k {
            let (indices, values) = self.row(i);
            for (&column, &value) in indices.iter().zip(values) {
                let column = column.place();
                if column >= m {
                    continue;
                }
                for (j, &item) in b.row(i).enumerate() {
                    let sum = &mut target[column * c_row + j * c_step];
                    *sum = *sum + value * item;
                }
            }
        }
        Ok(())
    }
}
