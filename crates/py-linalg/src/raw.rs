//! The one place with `unsafe`: memory that Python, other libraries and arrays share.

mod array;
mod door;
mod matrix;

pub(crate) use array::{Array, Dims, Dtype, Item, Output, Stack};
pub(crate) use door::{from_buffer, from_dlpack, from_interface, has_buffer};
pub(crate) use matrix::Matrix;
