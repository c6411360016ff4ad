//! `nexus.safetensors`: files of tensors for every framework.
//!
//! A tensor goes one way: [`source`] gives its memory, [`index`] the part of it that is asked for,
//! and [`framework`] makes the framework's own object of it.

mod device;
mod error;
mod framework;
mod index;
mod open;
mod slice;
mod source;
mod write;

pub(crate) use error::{SafetensorError, init as init_error};
pub(crate) use open::{SafeOpen, SafeOpenHandle, load, load_file};
pub(crate) use slice::PySafeSlice;
pub(crate) use write::{TensorSpec, deserialize, serialize, serialize_file};
