//! Compressed rows: the checked view, and the matrix that owns its memory.

use super::columns::CscRef;
use super::index::Index;
use crate::{Error, Float};
use std::ops::Range;

/// A view of compressed rows: the items of row `i` are `values[pointers[i]..pointers[i + 1]]`, in the columns
/// that `indices` names at the same places.
///
/// Columns may be in any order, and name an item twice: then it is the sum. [`is_canonical`](Self::is_canonical)
/// says whether they ascend strictly. Memory that another thread changes after the check makes results
/// arbitrary, nothing else: each index is compared once more when it is used.
#[derive(Debug)]
pub struct CsrRef<'a, T, I> {
    shape: (usize, usize),
    pointers: &'a [I],
    indices: &'a [I],
    values: &'a [T],
    canonical: bool,
}

impl<T, I> Clone for CsrRef<'_, T, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, I> Copy for CsrRef<'_, T, I> {}

impl<'a, T, I: Index> CsrRef<'a, T, I> {
    /// A view of a matrix of `rows` and `columns`, after one reading of `pointers` and `indices`.
    ///
    /// # Errors
    /// `InvalidInput` when there are not `rows + 1` pointers, when they do not begin with 0, descend or pass
    /// the end of `indices`, when `values` has another length than `indices`, and when an index is no column.
    pub fn new(
        (rows, columns): (usize, usize),
        pointers: &'a [I],
        indices: &'a [I],
        values: &'a [T],
    ) -> Result<Self, Error> {
        Self::checked(
            ("row", "column"),
            (rows, columns),
            (pointers, indices),
            values,
        )
    }

    /// [`new`](Self::new), with the names of its axes in messages.
    pub(super) fn checked(
        names: (&str, &str),
        shape: (usize, usize),
        (pointers, indices): (&'a [I], &'a [I]),
        values: &'a [T],
    ) -> Result<Self, Error> {
        check_pointers(names.0, shape.0, pointers, indices.len())?;
        if values.len() != indices.len() {
            return Err(Error::invalid(format!(
                "cannot view a sparse matrix: {} values, {} indices",
                values.len(),
                indices.len()
            )));
        }
        let mut canonical = true;
        for i in 0..shape.0 {
            let (start, end) = (pointers[i].place(), pointers[i + 1].place());
            let mut last = None;
            for (at, &index) in (start..end).zip(&indices[start..end]) {
                if index.place() >= shape.1 {
                    return Err(Error::invalid(format!(
                        "cannot view a sparse matrix: index {index} at {at} (in {} {i}) is none of {} {}s",
                        names.0, shape.1, names.1
                    )));
                }
                canonical &= last.is_none_or(|last| last < index);
                last = Some(index);
            }
        }
        Ok(Self {
            shape,
            pointers,
            indices: &indices[..end_of(pointers)],
            values: &values[..end_of(pointers)],
            canonical,
        })
    }

    /// The view of parts that [`new`](Self::new) has checked before, without another reading; `canonical` is what
    /// [`is_canonical`](Self::is_canonical) said then. Parts that are others make results arbitrary, nothing else.
    ///
    /// # Errors
    /// `InvalidInput` when there are not `rows + 1` pointers, or not as many values as indices.
    pub fn checked_before(
        shape: (usize, usize),
        (pointers, indices): (&'a [I], &'a [I]),
        values: &'a [T],
        canonical: bool,
    ) -> Result<Self, Error> {
        if shape.0.checked_add(1) != Some(pointers.len()) || values.len() != indices.len() {
            return Err(Error::invalid(format!(
                "cannot view a sparse matrix: {} pointers for {} rows, {} values, {} indices",
                pointers.len(),
                shape.0,
                values.len(),
                indices.len()
            )));
        }
        let end = end_of(pointers).min(values.len());
        let parts = (pointers, &indices[..end]);
        Ok(Self::trusted(shape, parts, &values[..end], canonical))
    }

    /// Parts that are known to fit.
    pub(super) fn trusted(
        shape: (usize, usize),
        (pointers, indices): (&'a [I], &'a [I]),
        values: &'a [T],
        canonical: bool,
    ) -> Self {
        Self {
            shape,
            pointers,
            indices,
            values,
            canonical,
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// How many items are stored.
    pub fn stored(&self) -> usize {
        self.values.len()
    }

    /// Where rows begin and end.
    pub fn pointers(&self) -> &'a [I] {
        self.pointers
    }

    /// The column of each stored item.
    pub fn indices(&self) -> &'a [I] {
        self.indices
    }

    /// The stored items.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Whether the columns of each row ascend strictly.
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// The transposed matrix, as compressed columns of the same memory.
    pub fn transpose(self) -> CscRef<'a, T, I> {
        CscRef::from_transposed(self)
    }

    /// Where the items of row `i` are; no items where memory changed.
    #[inline]
    pub(super) fn range(&self, i: usize) -> Range<usize> {
        let (start, end) = (self.pointers[i].place(), self.pointers[i + 1].place());
        if start <= end && end <= self.values.len() {
            start..end
        } else {
            0..0
        }
    }

    /// Columns and items of row `i`, as they are stored.
    ///
    /// # Panics
    /// When there is no row `i`.
    pub fn row(&self, i: usize) -> (&'a [I], &'a [T]) {
        let range = self.range(i);
        (&self.indices[range.clone()], &self.values[range])
    }
}

impl<T: Float, I: Index> CsrRef<'_, T, I> {
    /// A copy with ascending columns, each named once: items that are named twice are summed, in their order.
    /// Costs the stored items times the logarithm of those in a row.
    pub fn to_canonical(&self) -> Csr<T, I> {
        let (rows, columns) = self.shape;
        let mut result = Csr::with_capacity((rows, columns), self.stored());
        let mut order = Vec::new();
        for i in 0..rows {
            let (indices, values) = self.row(i);
            order.clear();
            order.extend(0..indices.len());
            // Stable: items of one place keep their order.
            order.sort_by_key(|&at| indices[at]);
            let start = result.indices.len();
            for &at in &order {
                if result.indices.len() > start && result.indices.last() == Some(&indices[at]) {
                    if let Some(last) = result.values.last_mut() {
                        *last = *last + values[at];
                    }
                } else if indices[at].place() < columns {
                    result.indices.push(indices[at]);
                    result.values.push(values[at]);
                }
            }
            result.end_row();
        }
        result
    }
}

/// Compressed rows that own their memory; columns ascend strictly.
#[derive(Clone, Debug, PartialEq)]
pub struct Csr<T, I> {
    shape: (usize, usize),
    pointers: Vec<I>,
    indices: Vec<I>,
    values: Vec<T>,
}

impl<T: Float, I: Index> Csr<T, I> {
    /// No rows yet, and room for `stored` items.
    pub(super) fn with_capacity(shape: (usize, usize), stored: usize) -> Self {
        let mut pointers = Vec::with_capacity(shape.0 + 1);
        pointers.push(I::default());
        Self {
            shape,
            pointers,
            indices: Vec::with_capacity(stored),
            values: Vec::with_capacity(stored),
        }
    }

    /// Adds an item to the row that is being written.
    #[inline]
    pub(super) fn push(&mut self, column: I, value: T) {
        self.indices.push(column);
        self.values.push(value);
    }

    /// Ends the row that is being written.
    ///
    /// # Panics
    /// When the index type cannot count the items: makers look before.
    pub(super) fn end_row(&mut self) {
        let end = I::from_usize(self.values.len()).expect("makers count the items before");
        self.pointers.push(end);
    }

    /// Parts that are known to fit, with columns that ascend.
    pub(super) fn trusted(
        shape: (usize, usize),
        pointers: Vec<I>,
        indices: Vec<I>,
        values: Vec<T>,
    ) -> Self {
        Self {
            shape,
            pointers,
            indices,
            values,
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.shape
    }

    /// The view.
    pub fn as_ref(&self) -> CsrRef<'_, T, I> {
        let parts = (&self.pointers[..], &self.indices[..]);
        CsrRef::trusted(self.shape, parts, &self.values, true)
    }

    /// The stored items, to be written.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// Pointers, indices, values.
    pub fn into_parts(self) -> (Vec<I>, Vec<I>, Vec<T>) {
        (self.pointers, self.indices, self.values)
    }
}

fn end_of<I: Index>(pointers: &[I]) -> usize {
    pointers.last().map_or(0, |end| end.place())
}

fn check_pointers<I: Index>(
    name: &str,
    count: usize,
    pointers: &[I],
    stored: usize,
) -> Result<(), Error> {
    let invalid = |what: String| {
        Err(Error::invalid(format!(
            "cannot view a sparse matrix: {what}"
        )))
    };
    if count.checked_add(1) != Some(pointers.len()) {
        let have = pointers.len();
        return invalid(format!(
            "{have} pointers for {count} {name}s, not one more than {name}s"
        ));
    }
    if pointers[0] != I::default() {
        return invalid(format!("the first pointer is {}, not 0", pointers[0]));
    }
    for (i, pair) in pointers.windows(2).enumerate() {
        if pair[1] < pair[0] {
            return invalid(format!(
                "{name} {i} ends at {} before it begins at {}",
                pair[1], pair[0]
            ));
        }
        if pair[1].place() > stored {
            return invalid(format!(
                "{name} {i} ends at {}, past the {stored} indices",
                pair[1]
            ));
        }
    }
    Ok(())
}
