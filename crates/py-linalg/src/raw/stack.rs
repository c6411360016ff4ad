//! Arrays as stacks of matrices.

use super::{Array, Dims};
use crate::dtype::Item;
use nexus_linalg::MatRef;
use std::marker::PhantomData;
use std::slice;

/// The matrices in the last two axes of an array.
pub(crate) struct Stack<'a, T> {
    array: &'a Array,
    /// The axes before the matrices'.
    batch: Dims,
    batch_strides: Dims,
    /// The distance of neighbours, where all have the same.
    step: Option<isize>,
    len: usize,
    shape: (usize, usize),
    strides: (usize, usize),
    /// From the first item of a matrix to behind the last one.
    reach: usize,
    items: PhantomData<T>,
}

impl<'a, T: Item> Stack<'a, T> {
    /// Of an array that [`prepared`](Array::prepared) has made.
    ///
    /// # Panics
    /// When it has not, or has fewer than two axes.
    pub(crate) fn new(array: &'a Array) -> Self {
        let (shape, strides) = (array.shape(), array.strides());
        let forward = strides.iter().rev().take(2).all(|&stride| stride >= 0);
        assert!(
            array.dtype == T::DTYPE && forward && array.rank() >= 2,
            "a prepared array"
        );
        let (batch, [m, n]) = split(&shape);
        let (batch_strides, [row, column]) = split(&strides);
        let mut axes = batch
            .iter()
            .zip(batch_strides)
            .filter(|&(&n, _)| n != 1)
            .rev();
        let (mut count, step) = axes.next().map_or((1, 0), |(&n, &stride)| (n, stride));
        let is_even = axes.all(|(&n, &stride)| {
            let is_next = stride == count * step;
            count *= n;
            is_next
        });
        let (m, n) = (m.cast_unsigned(), n.cast_unsigned());
        let (row, column) = (row.cast_unsigned(), column.cast_unsigned());
        let reach = if m == 0 || n == 0 {
            0
        } else {
            (m - 1) * row + (n - 1) * column + 1
        };
        Self {
            array,
            batch: Dims::new(batch.iter().copied()).expect("fewer axes than before"),
            batch_strides: Dims::new(batch_strides.iter().copied())
                .expect("fewer axes than before"),
            step: is_even.then_some(step),
            len: batch.iter().product::<isize>().cast_unsigned(),
            shape: (m, n),
            strides: (row, column),
            reach,
            items: PhantomData,
        }
    }

    /// Where a matrix begins.
    fn offset(&self, index: usize) -> isize {
        let mut rest = index.cast_signed();
        if let Some(step) = self.step {
            return rest * step;
        }
        let mut offset = 0;
        for (&n, &stride) in self.batch.iter().zip(self.batch_strides.iter()).rev() {
            offset += rest % n * stride;
            rest /= n;
        }
        offset
    }
}

impl<T: Item> nexus_linalg::stack::Stack<T> for Stack<'_, T> {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn len(&self) -> usize {
        self.len
    }

    /// The matrix at `index`, in row-major order of the stack.
    #[inline]
    fn get(&self, index: usize) -> MatRef<'_, T> {
        assert!(index < self.len, "a matrix of the stack");
        let items = if self.reach == 0 {
            &[]
        } else {
            let first = self.offset(index);
            // SAFETY: the invariant: the last item of the matrix is in live memory, and all between the first
            // and the last are in the same allocation. Nobody writes while a call reads, but for Python
            // programs that let threads race on a buffer, whose results are arbitrary then.
            unsafe { slice::from_raw_parts(self.array.items::<T>().offset(first), self.reach) }
        };
        MatRef::with_strides(items, self.shape, self.strides)
            .expect("as many items as the matrix reaches")
    }
}

/// The axes before the matrices, and the matrices' two.
fn split(dims: &Dims) -> (&[isize], [isize; 2]) {
    let (batch, [.., m, n]) = dims.split_at(dims.len() - 2) else {
        unreachable!("two axes")
    };
    (batch, [*m, *n])
}
