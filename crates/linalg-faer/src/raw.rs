//! Views of one library as views of the other.

use nexus_linalg::{MatMut, MatRef};

/// The same items.
pub(crate) fn view<T: Copy>(a: MatRef<'_, T>) -> faer::MatRef<'_, T> {
    let ((rows, columns), (row, column)) = (a.shape(), a.strides());
    // SAFETY: a `MatRef` borrows every item that its shape and strides name, for that long.
    unsafe {
        faer::MatRef::from_raw_parts(
            a.data().as_ptr(),
            rows,
            columns,
            row.cast_signed(),
            column.cast_signed(),
        )
    }
}

/// The same items, to be written.
pub(crate) fn view_mut<T>(a: MatMut<'_, T>) -> faer::MatMut<'_, T> {
    let ((rows, columns), (row, column)) = (a.shape(), a.strides());
    // SAFETY: a `MatMut` borrows every item that its shape and strides name, for that long, each item once.
    unsafe {
        faer::MatMut::from_raw_parts_mut(
            a.into_data().as_mut_ptr(),
            rows,
            columns,
            row.cast_signed(),
            column.cast_signed(),
        )
    }
}
