//! The one place with `unsafe`: what Python, other libraries and arrays share.

mod allocator;
mod array;
mod dims;
mod door;
mod exchange;
mod interface;
mod lent;
mod matrix;
mod module;
mod object;
mod output;
mod qmatrix;
mod quick;
mod sparse;
mod stack;
mod state;
mod view;

pub(crate) use array::{Array, Dtype, INLINE_WORDS};
pub(crate) use dims::Dims;
pub(crate) use door::{
    Target, export, from_buffer, from_bytes, from_dlpack, has_buffer, is_ndarray,
};
pub(crate) use exchange::{import, learn};
pub(crate) use interface::{from_interface, from_struct};
pub(crate) use lent::detached;
pub(crate) use matrix::{Matrix, This};
pub(crate) use object::{Class, This as Receiver, tuple_of};
pub(crate) use output::Output;
pub(crate) use qmatrix::{QMatrix, ThisQ};
pub(crate) use stack::Stack;
pub(crate) use state::{LinAlgError, Name, State};
pub(crate) use view::{View, few_of_list};

#[global_allocator]
static ALLOCATOR: allocator::LargePages = allocator::LargePages::new();
