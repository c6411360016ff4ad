//! The types of indices.

use std::fmt::{Debug, Display};

/// Types of row and column numbers: `i32` and `i64`, those of `scipy.sparse`.
pub trait Index: Copy + Ord + Default + Debug + Display + Send + Sync + 'static {
    /// The type's name.
    const NAME: &'static str;

    /// The number, where it is not negative.
    fn to_usize(self) -> Option<usize>;
    /// The number, where the type has it.
    fn from_usize(value: usize) -> Option<Self>;

    /// The number of an index that was checked: one that changed since is out of any range.
    #[doc(hidden)]
    fn place(self) -> usize;
}

macro_rules! index {
    ($type:ident) => {
        impl Index for $type {
            const NAME: &'static str = stringify!($type);

            fn to_usize(self) -> Option<usize> {
                usize::try_from(self).ok()
            }
            fn from_usize(value: usize) -> Option<Self> {
                value.try_into().ok()
            }
            #[inline]
            fn place(self) -> usize {
                // A negative number becomes one that is too large.
                usize::try_from(self as u64).unwrap_or(usize::MAX)
            }
        }
    };
}

index!(i32);
index!(i64);
