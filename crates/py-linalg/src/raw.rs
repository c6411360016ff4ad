//! The one place with `unsafe`: what Python, other libraries and arrays share.

mod array;
mod door;
mod interface;
mod lent;
mod matrix;
mod module;
mod object;
mod qmatrix;
mod quick;
mod sparse;
mod state;
mod view;

pub(crate) use array::{Array, Dims, Dtype, INLINE_WORDS, Output, Stack};
pub(crate) use door::{
    export, from_buffer, from_bytes, from_dlpack, has_buffer, is_ndarray, write_into,
};
pub(crate) use interface::{from_interface, from_struct};
pub(crate) use lent::detached;
pub(crate) use matrix::{Matrix, This};
pub(crate) use object::{Class, This as Receiver};
pub(crate) use qmatrix::{QMatrix, ThisQ};
pub(crate) use state::{LinAlgError, State};
pub(crate) use view::{View, few_of_list};
