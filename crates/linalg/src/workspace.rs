//! Memory that calls compute in: from the heap, or a caller's that is used again.
//!
//! Calls that do the same work again and again need no heap: inside [`Workspace::run`] what they compute in comes from
//! one block of memory. A block that is too small is no error: what does not fit comes from the heap, and the block is
//! as large as it should have been when the call ends.
//!
//! Products compute in blocks that each thread keeps, whether there is a workspace or not. Work that other threads do
//! takes memory of their own.

mod raw;

pub use raw::{Room, Workspace};

/// The bytes that so many items take.
pub(crate) fn bytes<T>(len: usize) -> usize {
    (len * size_of::<T>()).next_multiple_of(raw::LINE)
}
