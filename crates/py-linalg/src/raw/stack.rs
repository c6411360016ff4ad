//! Arrays as stacks of matrices.

use super::{Array, Dims};
use crate::dtype::Item;
use nexus_linalg::MatRef;
use std::marker::PhantomData;
use std::slice;

/// The matrices in the last two axes of an array.
pub(crate) struct Stack<'a, T> {
    array: &'a Array,
    shape: Dims,
    strides: Dims,
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
        Self {
            array,
            shape,
            strides,
            items: PhantomData,
        }
    }
}

impl<T: Item> nexus_linalg::stack::Stack<T> for Stack<'_, T> {
    fn shape(&self) -> (usize, usize) {
        let (_, [m, n]) = split(&self.shape);
        (m.cast_unsigned(), n.cast_unsigned())
    }

    fn len(&self) -> usize {
        let (batch, _) = split(&self.shape);
        batch.iter().product::<isize>().cast_unsigned()
    }

    /// The matrix at `index`, in row-major order of the stack.
    fn get(&self, index: usize) -> MatRef<'_, T> {
        assert!(index < self.len(), "a matrix of the stack");
        let (batch, _) = split(&self.shape);
        let (batch_strides, [row, column]) = split(&self.strides);
        let (mut rest, mut offset) = (index.cast_signed(), 0);
        for (&n, &stride) in batch.iter().zip(batch_strides).rev() {
            offset += rest % n * stride;
            rest /= n;
        }
        let (m, n) = self.shape();
        let strides = (row.cast_unsigned(), column.cast_unsigned());
        let items = if m == 0 || n == 0 {
            &[]
        } else {
            let reach = (m - 1) * strides.0 + (n - 1) * strides.1 + 1;
            // SAFETY: the invariant: the last item of the matrix is in live memory, and all between the first
            // and the last are in the same allocation. Nobody writes while a call reads, but for Python
            // programs that let threads race on a buffer, whose results are arbitrary then.
            unsafe { slice::from_raw_parts(self.array.items::<T>().offset(offset), reach) }
        };
        MatRef::with_strides(items, (m, n), strides).expect("as many items as the matrix reaches")
    }
}

/// The axes before the matrices, and the matrices' two.
fn split(dims: &Dims) -> (&[isize], [isize; 2]) {
    let (batch, [.., m, n]) = dims.split_at(dims.len() - 2) else {
        unreachable!("two axes")
    };
    (batch, [*m, *n])
}
