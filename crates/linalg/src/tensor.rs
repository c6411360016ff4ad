//! Arrays of any number of axes as views, and Einstein's summation over them.
//!
//! [`ArrayRef`] and [`ArrayMut`] are slices with shapes and strides, as [`MatRef`](crate::MatRef) and
//! [`MatMut`](crate::MatMut) are for two axes. [`Einsum`] reads subscripts in the notation of `numpy.einsum`,
//! finds an order of contractions and runs them as products of matrices; [`einsum`] does it all at once.
//! There is no arithmetic item by item here: that is the caller's.

mod contract;
mod einsum;
mod order;
mod product;
mod subscripts;
mod view;

pub use einsum::{Array, Einsum, einsum};
pub use view::{ArrayMut, ArrayRef, row_major};
