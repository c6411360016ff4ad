//! Views of the same bits as another type.

use crate::{MatMut, MatRef};
use half::bf16;
use nexus_kernels::Dotted;
use std::num::Wrapping;
use std::slice;

/// Types of one size and alignment, of which all bits are values of both.
///
/// # Safety
/// As said.
pub(super) unsafe trait SameBits<T>: Copy {}

macro_rules! same_bits {
    ($($a:ty, $b:ty;)*) => {$(
        // SAFETY: numbers of one size, of which all bits are values; `Wrapping` and `Dotted` are transparent.
        unsafe impl SameBits<$b> for $a {}
        const _: () = assert!(size_of::<$a>() == size_of::<$b>() && align_of::<$a>() == align_of::<$b>());
    )*};
}

same_bits! {
    f32, f32;
    i8, Dotted<i8>;
    u8, Dotted<u8>;
    bf16, Dotted<bf16>;
    i16, Wrapping<i16>;
    u16, Wrapping<i16>;
    i32, Wrapping<i32>;
    u32, Wrapping<i32>;
    i64, Wrapping<i64>;
    u64, Wrapping<i64>;
    i64, i64;
    u64, i64;
}

/// The view as one of the other type.
pub(super) fn view<T: SameBits<U>, U>(view: MatRef<'_, T>) -> MatRef<'_, U> {
    let data = view.data();
    // SAFETY: the trait says that the items may be read as the other type's.
    let data = unsafe { slice::from_raw_parts(data.as_ptr().cast(), data.len()) };
    MatRef::with_strides(data, view.shape(), view.strides()).expect("it was a view before")
}

/// The view as one of the other type.
pub(super) fn view_mut<T: SameBits<U>, U>(view: MatMut<'_, T>) -> MatMut<'_, U> {
    let (shape, strides) = (view.shape(), view.strides());
    let data = view.into_data();
    // SAFETY: the trait says that the items may be read and written as the other type's.
    let data = unsafe { slice::from_raw_parts_mut(data.as_mut_ptr().cast(), data.len()) };
    MatMut::with_strides(data, shape, strides).expect("it was a view before")
}
