//! `nexus.safetensors`: files of tensors for every framework.
//!
//! A tensor goes one way: [`source`] gives its memory, [`index`] the part of it that is asked for,
//! and [`framework`] makes the framework's own object of it.

mod argument;
mod checkpoint;
mod checksum;
mod device;
mod error;
mod framework;
mod given;
mod index;
mod open;
mod packed;
mod plan;
mod slice;
mod snapshot;
mod source;
mod stream;
mod write;
mod writer;

pub(crate) use checkpoint::Checkpoint;
pub(crate) use checksum::verify;
pub(crate) use error::{SafetensorError, init as init_error};
pub(crate) use open::{SafeOpen, SafeOpenHandle, load, load_file};
pub(crate) use packed::{is_packed, load_packed, pack_file, unpack_file};
pub(crate) use plan::Plan;
pub(crate) use slice::PySafeSlice;
pub(crate) use snapshot::{Snapshot, save_sharded};
pub(crate) use stream::TensorStream;
pub(crate) use write::{TensorSpec, deserialize, serialize, serialize_file};
pub(crate) use writer::{SafeAppender, SafeWriter};
