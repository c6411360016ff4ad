//! Strided matrix views: what GEMM takes.

use core::fmt;
use core::ops::Range;

/// A view of a `rows` x `columns` matrix; item `(i, j)` is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A writable view of a matrix whose items do not overlap.
#[derive(Debug)]
pub struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A view that does not fit its data: the shape and strides asked for reach past the slice, or
/// items of a writable view overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewError {
    shape: (usize, usize),
    strides: (usize, usize),
    len: usize,
}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            shape: (m, n),
            strides: (r, c),
            len,
        } = self;
        write!(
            f,
            "cannot view {len} items as a {m}x{n} matrix with strides {r} and {c}: "
        )?;
        f.write_str("it reaches past the end or overlaps itself")
    }
}

impl core::error::Error for ViewError {}

impl<'a, T> MatRef<'a, T> {
    /// A view in row-major order without gaps.
    ///
    /// # Errors
    /// When `data` has fewer than `rows * columns` items.
    pub fn new(data: &'a [T], rows: usize, columns: usize) -> Result<Self, ViewError> {
        Self::with_strides(data, (rows, columns), (columns, 1))
    }

    /// A view with any strides, zero included, counted in items.
    ///
    /// # Errors
    /// When the last item lies past the end of `data`.
    pub fn with_strides(
        data: &'a [T],
        shape: (usize, usize),
        strides: (usize, usize),
    ) -> Result<Self, ViewError> {
        if reach(shape, strides).is_none_or(|reach| reach > data.len()) {
            return Err(ViewError {
                shape,
                strides,
                len: data.len(),
            });
        }
        let ((rows, columns), (row_stride, column_stride)) = (shape, strides);
        Ok(Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride,
        })
    }

    /// The transposed view: no item moves.
    #[must_use]
    pub fn transpose(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Items between rows and between columns.
    pub fn strides(&self) -> (usize, usize) {
        (self.row_stride, self.column_stride)
    }

    /// The items the view covers, gaps included, beginning with item `(0, 0)`.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// The rows from `start` up to `end`.
    ///
    /// # Panics
    /// When `start..end` is no range of rows of this view.
    #[must_use]
    pub fn row_range(self, start: usize, end: usize) -> Self {
        assert!(
            start <= end && end <= self.rows,
            "rows {start}..{end} of {}",
            self.rows
        );
        let at = (start * self.row_stride).min(self.data.len());
        Self {
            data: &self.data[at..],
            rows: end - start,
            ..self
        }
    }
}

impl<'a, T> MatRef<'a, T> {
    /// The items of these rows and columns.
    ///
    /// # Panics
    /// When they are no ranges of rows and columns of this view.
    #[must_use]
    pub fn block(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let at = block_start(self.shape(), self.strides(), (&rows, &columns));
        Self {
            data: &self.data[at.min(self.data.len())..],
            rows: rows.len(),
            columns: columns.len(),
            ..self
        }
    }

    /// Items `(i, 0)`, `(i, 1)`, ...
    ///
    /// # Panics
    /// When there is no row `i`.
    pub fn row(self, i: usize) -> impl ExactSizeIterator<Item = &'a T> + Clone {
        let columns = self.columns;
        let row = self.block(i..i + 1, 0..columns);
        (0..columns).map(move |j| &row.data[j * row.column_stride])
    }
}

impl<T: Copy> MatRef<'_, T> {
    /// Item `(i, j)`.
    ///
    /// # Panics
    /// When the item lies outside the matrix.
    pub fn get(&self, i: usize, j: usize) -> T {
        assert!(
            i < self.rows && j < self.columns,
            "({i}, {j}) is outside the matrix"
        );
        self.data[i * self.row_stride + j * self.column_stride]
    }
}

impl<'a, T> MatMut<'a, T> {
    /// A writable view in row-major order without gaps.
    ///
    /// # Errors
    /// When `data` has fewer than `rows * columns` items.
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> Result<Self, ViewError> {
        Self::with_strides(data, (rows, columns), (columns, 1))
    }

    /// A writable view with strides counted in items.
    ///
    /// # Errors
    /// When the last item lies past the end of `data`, or when two items would share a place.
    pub fn with_strides(
        data: &'a mut [T],
        shape: (usize, usize),
        strides: (usize, usize),
    ) -> Result<Self, ViewError> {
        let fits = reach(shape, strides).is_some_and(|reach| reach <= data.len());
        if !fits || overlaps(shape, strides) {
            return Err(ViewError {
                shape,
                strides,
                len: data.len(),
            });
        }
        let ((rows, columns), (row_stride, column_stride)) = (shape, strides);
        Ok(Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride,
        })
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// Items between rows and between columns.
    pub fn strides(&self) -> (usize, usize) {
        (self.row_stride, self.column_stride)
    }

    /// The items the view covers, gaps included, beginning with item `(0, 0)`.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.data
    }

    /// The same as [`data_mut`](Self::data_mut), for as long as the view itself may be used.
    pub fn into_data(self) -> &'a mut [T] {
        self.data
    }

    /// The view once more, for a shorter time.
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut {
            data: self.data,
            ..*self
        }
    }

    /// The same items, to be read.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        MatRef {
            data: self.data,
            rows: self.rows,
            columns: self.columns,
            row_stride: self.row_stride,
            column_stride: self.column_stride,
        }
    }

    /// The transposed view: no item moves.
    #[must_use]
    pub fn transpose(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// The items of these rows and columns.
    ///
    /// # Panics
    /// When they are no ranges of rows and columns of this view.
    #[must_use]
    pub fn block(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        let at = block_start(self.shape(), self.strides(), (&rows, &columns));
        let at = at.min(self.data.len());
        Self {
            data: &mut self.data[at..],
            rows: rows.len(),
            columns: columns.len(),
            ..self
        }
    }

    /// Item `(i, j)`, to be written.
    ///
    /// # Panics
    /// When the item lies outside the matrix.
    pub fn item(&mut self, i: usize, j: usize) -> &mut T {
        assert!(
            i < self.rows && j < self.columns,
            "({i}, {j}) is outside the matrix"
        );
        &mut self.data[i * self.row_stride + j * self.column_stride]
    }

    /// Two views: the rows before `at`, and the rest.
    ///
    /// # Errors
    /// The view itself where rows lie interleaved in memory (a row stride smaller than the reach of
    /// one row), or where `at` is past the last row.
    pub fn split_rows(self, at: usize) -> Result<(Self, Self), Self> {
        let (columns, row_stride, column_stride) =
            (self.columns, self.row_stride, self.column_stride);
        let row_reach = reach((1, columns), (row_stride, column_stride));
        if at > self.rows || row_reach.is_none_or(|reach| row_stride < reach) {
            return Err(self);
        }
        let (top, rest) = self
            .data
            .split_at_mut((at * row_stride).min(self.data.len()));
        let view = |data, rows| Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride,
        };
        Ok((view(top, at), view(rest, self.rows - at)))
    }
}

/// Where the items of these rows and columns begin.
fn block_start(
    (m, n): (usize, usize),
    (row, column): (usize, usize),
    (rows, columns): (&Range<usize>, &Range<usize>),
) -> usize {
    assert!(
        rows.start <= rows.end && rows.end <= m && columns.start <= columns.end && columns.end <= n,
        "rows {rows:?} and columns {columns:?} of a {m}x{n} matrix"
    );
    rows.start * row + columns.start * column
}

/// How many items from the start the view touches, or `None` on overflow.
fn reach((rows, columns): (usize, usize), (row, column): (usize, usize)) -> Option<usize> {
    if rows == 0 || columns == 0 {
        return Some(0);
    }
    let last = (rows - 1)
        .checked_mul(row)?
        .checked_add((columns - 1).checked_mul(column)?)?;
    last.checked_add(1)
}

/// True where two items may share a place: neither axis steps over the whole reach of the other.
fn overlaps((rows, columns): (usize, usize), (row, column): (usize, usize)) -> bool {
    let row_ok = rows <= 1 || (row > 0 && (columns <= 1 || row > (columns - 1) * column));
    let column_ok = columns <= 1 || (column > 0 && (rows <= 1 || column > (rows - 1) * row));
    let apart = |stride: usize, len: usize| len <= 1 || stride > 0;
    rows != 0
        && columns != 0
        && !((row_ok && apart(column, columns)) || (column_ok && apart(row, rows)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn a_view_past_the_end_is_refused_with_its_shape() {
        let error = MatRef::with_strides(&[0.0; 11], (3, 4), (4, 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot view 11 items as a 3x4 matrix with strides 4 and 1: \
             it reaches past the end or overlaps itself"
        );
        assert!(MatRef::with_strides(&[0.0; 9], (2, 2), (usize::MAX, 1)).is_err());
        assert!(MatRef::new(&[0.0_f32; 0], 0, 7).is_ok());
    }

    proptest! {
        #[test]
        fn a_writable_view_never_holds_one_place_twice(
            rows in 0_usize..5, columns in 0_usize..5, row in 0_usize..8, column in 0_usize..8,
        ) {
            let mut data = [0_u8; 64];
            let view = MatMut::with_strides(&mut data, (rows, columns), (row, column));
            let mut places = HashSet::new();
            let distinct = (0..rows).all(|i| (0..columns).all(|j| places.insert(i * row + j * column)));
            if view.is_ok() {
                prop_assert!(distinct);
            }
            // The usual layouts are accepted.
            if column == 1 && row >= columns.max(1) {
                prop_assert!(view.is_ok());
            }
        }
    }
}
