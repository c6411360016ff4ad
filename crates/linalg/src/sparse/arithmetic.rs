//! Sums, products, parts and norms of sparse matrices.

use super::build::check_count;
use super::csr::{Csr, CsrRef};
use super::index::Index;
use crate::norm::{self, MatrixNorm};
use crate::{Error, Float};
use std::ops::Range;

impl<T: Float, I: Index> CsrRef<'_, T, I> {
    /// `alpha * a + beta * b`. What cancels stays as a stored zero.
    ///
    /// # Errors
    /// `InvalidInput` when the shapes differ, or `I` cannot count the items.
    pub fn add(&self, alpha: T, other: CsrRef<'_, T, I>, beta: T) -> Result<Csr<T, I>, Error> {
        if self.shape() != other.shape() {
            let ((m, n), (rows, columns)) = (self.shape(), other.shape());
            let message = format!("cannot add {m}x{n} and {rows}x{columns}: the shapes differ");
            return Err(Error::invalid(message));
        }
        let (a, b) = (self.canonical(), other.canonical());
        let (a, b) = (a.view(), b.view());
        let most = a.stored().saturating_add(b.stored());
        check_count::<I>(most)?;
        let mut result = Csr::with_capacity(a.shape(), most);
        for i in 0..a.shape().0 {
            let ((mut a_at, a_values), (mut b_at, b_values)) = (a.row(i), b.row(i));
            let (mut a_values, mut b_values) = (a_values.iter(), b_values.iter());
            let take = |from: &mut std::slice::Iter<'_, T>| from.next().copied().unwrap_or(T::NAN);
            loop {
                let (column, value) = match (a_at.split_first(), b_at.split_first()) {
                    (Some((&p, p_rest)), Some((&q, q_rest))) if p == q => {
                        (a_at, b_at) = (p_rest, q_rest);
                        (p, alpha * take(&mut a_values) + beta * take(&mut b_values))
                    }
                    (Some((&p, rest)), q) if q.is_none_or(|(&q, _)| p < q) => {
                        a_at = rest;
                        (p, alpha * take(&mut a_values))
                    }
                    (_, Some((&q, rest))) => {
                        b_at = rest;
                        (q, beta * take(&mut b_values))
                    }
                    _ => break,
                };
                result.push(column, value);
            }
            result.end_row();
        }
        Ok(result)
    }

    /// `a * b` for a sparse `b` (F. Gustavson, ACM TOMS 4, 1978): row by row, each sum in the order of the row of
    /// `a`. Costs the multiplications and the sorting of rows. What cancels stays as a stored zero.
    ///
    /// # Errors
    /// `InvalidInput` when the inner sizes differ, or `I` cannot count the items of the result.
    pub fn multiply_sparse(&self, other: CsrRef<'_, T, I>) -> Result<Csr<T, I>, Error> {
        let ((m, k), (k_b, n)) = (self.shape(), other.shape());
        if k != k_b {
            return Err(Error::shapes("multiply", (m, k), (k_b, n), (m, n)));
        }
        let mut sums: Vec<T> = Vec::new();
        let mut seen: Vec<usize> = Vec::new();
        let no_memory = |_| Error::invalid(format!("cannot multiply: no memory for {n} columns"));
        sums.try_reserve_exact(n).map_err(no_memory)?;
        seen.try_reserve_exact(n).map_err(no_memory)?;
        sums.resize(n, T::default());
        seen.resize(n, 0);
        let mut columns: Vec<I> = Vec::new();
        let mut result = Csr::with_capacity((m, n), 0);
        let mut stored = 0_usize;
        for i in 0..m {
            columns.clear();
            let (a_columns, a_values) = self.row(i);
            for (&j, &factor) in a_columns
                .iter()
                .zip(a_values)
                .filter(|(j, _)| j.place() < k)
            {
                let (b_columns, b_values) = other.row(j.place());
                for (&column, &value) in b_columns.iter().zip(b_values) {
                    let place = column.place();
                    let Some(mark) = seen.get_mut(place) else {
                        continue;
                    };
                    if *mark == i + 1 {
                        sums[place] = sums[place] + factor * value;
                    } else {
                        *mark = i + 1;
                        sums[place] = factor * value;
                        columns.push(column);
                    }
                }
            }
            columns.sort_unstable();
            stored += columns.len();
            check_count::<I>(stored)?;
            for &column in &columns {
                result.push(column, sums[column.place()]);
            }
            result.end_row();
        }
        Ok(result)
    }

    /// The rows from `start` up to `end`.
    ///
    /// # Errors
    /// `InvalidInput` when they are no rows of this matrix.
    pub fn rows(&self, range: Range<usize>) -> Result<Csr<T, I>, Error> {
        let columns = 0..self.shape().1;
        self.block(range, columns)
    }

    /// The columns from `start` up to `end`.
    ///
    /// # Errors
    /// `InvalidInput` when they are no columns of this matrix.
    pub fn columns(&self, range: Range<usize>) -> Result<Csr<T, I>, Error> {
        let rows = 0..self.shape().0;
        self.block(rows, range)
    }

    /// The items of these rows and columns.
    ///
    /// # Errors
    /// `InvalidInput` when they are no rows and columns of this matrix.
    pub fn block(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Csr<T, I>, Error> {
        let (m, n) = self.shape();
        let within = |range: &Range<usize>, end| range.start <= range.end && range.end <= end;
        if !within(&rows, m) || !within(&columns, n) {
            let message = format!("cannot take rows {rows:?} and columns {columns:?} of {m}x{n}");
            return Err(Error::invalid(message));
        }
        let matrix = self.canonical();
        let matrix = matrix.view();
        let mut result = Csr::with_capacity((rows.len(), columns.len()), 0);
        for i in rows {
            let (indices, values) = matrix.row(i);
            let start = indices.partition_point(|j| j.place() < columns.start);
            let end = indices
                .partition_point(|j| j.place() < columns.end)
                .max(start);
            for (j, &value) in indices[start..end].iter().zip(&values[start..end]) {
                let column = j.place().saturating_sub(columns.start);
                result.push(I::from_usize(column).unwrap_or_default(), value);
            }
            result.end_row();
        }
        Ok(result)
    }

    /// The items of the main diagonal; those that are not stored are zero.
    pub fn diagonal(&self) -> Vec<T> {
        let (m, n) = self.shape();
        let item = |i: usize| {
            let (indices, values) = self.row(i);
            let items = indices.iter().zip(values).filter(|(j, _)| j.place() == i);
            items.fold(T::default(), |sum, (_, &value)| sum + value)
        };
        (0..m.min(n)).map(item).collect()
    }

    /// The norm of the matrix, of those that need no singular values. Costs one reading.
    ///
    /// # Errors
    /// `InvalidInput` for `Nuclear`, `Two` and `MinusTwo` ([`svds`](super::svds) gives some singular values), for the
    /// least of no rows or columns, and where there is no memory for a sum for each column.
    pub fn norm(&self, norm: MatrixNorm) -> Result<T, Error> {
        let matrix = self.canonical();
        let matrix = matrix.view();
        let (m, n) = self.shape();
        let order = match norm {
            MatrixNorm::Frobenius => return Ok(norm::vector(matrix.values().iter().copied(), 2.0)),
            MatrixNorm::One | MatrixNorm::Infinity => f64::INFINITY,
            MatrixNorm::MinusOne | MatrixNorm::MinusInfinity => f64::NEG_INFINITY,
            MatrixNorm::Nuclear | MatrixNorm::Two | MatrixNorm::MinusTwo => {
                let message = format!(
                    "cannot take the norm {norm:?} of a sparse matrix: it needs all singular values"
                );
                return Err(Error::invalid(message));
            }
        };
        let sums: Vec<T> = if matches!(norm, MatrixNorm::One | MatrixNorm::MinusOne) {
            let columns = matrix.to_csc()?;
            let columns = columns.as_ref();
            (0..n)
                .map(|j| norm::vector(columns.column(j).1.iter().copied(), 1.0))
                .collect()
        } else {
            (0..m)
                .map(|i| norm::vector(matrix.row(i).1.iter().copied(), 1.0))
                .collect()
        };
        if sums.is_empty() && order < 0.0 {
            let message = format!("cannot take the least of no values of a {m}x{n} matrix");
            return Err(Error::invalid(message));
        }
        Ok(norm::vector(sums.into_iter(), order))
    }

    /// The matrix itself where it is canonical, or a copy that is.
    pub(super) fn canonical(&self) -> Canonical<'_, T, I> {
        if self.is_canonical() {
            Canonical::Borrowed(*self)
        } else {
            Canonical::Owned(self.to_canonical())
        }
    }
}

/// A matrix whose columns ascend in each row.
pub(super) enum Canonical<'a, T, I> {
    /// It was so.
    Borrowed(CsrRef<'a, T, I>),
    /// It was made so.
    Owned(Csr<T, I>),
}

impl<T: Float, I: Index> Canonical<'_, T, I> {
    pub(super) fn view(&self) -> CsrRef<'_, T, I> {
        match self {
            Self::Borrowed(view) => *view,
            Self::Owned(matrix) => matrix.as_ref(),
        }
    }
}

impl<T: Float, I: Index> Csr<T, I> {
    /// `a = alpha * a`.
    pub fn scale(&mut self, alpha: T) {
        super::vector::scale(alpha, self.values_mut());
    }
}
