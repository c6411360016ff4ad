//! Pickles as data: a machine that builds values and cannot call anything.
//!
//! The [pickle] format is a program for a stack machine. This one knows the opcodes that make
//! numbers, text, tuples, lists and dictionaries, and the few functions that torch's tensors are
//! made of; each of them is a case in [`torch`](crate::torch), not something that is looked up and
//! called. Any other name ends the reading.
//!
//! [pickle]: https://github.com/python/cpython/blob/main/Lib/pickletools.py

mod machine;
mod value;

pub(crate) use machine::load;
pub(crate) use value::{Arena, Global, Node, Storage, TensorPlan, Value};
