//! Foreign and shared memory: the class `Tensor`, `DLPack` and Arrow capsules, addresses that Python hands
//! in.

mod arrow;
mod bytes;
mod capsule;
mod collection;
mod memory;
mod spec;
mod target;
mod tensor;

pub(crate) use arrow::{ARRAY, SCHEMA, STREAM, arrays, batches, capsules, check, requested};
pub(crate) use bytes::{copied_bytes, new_bytes};
pub(crate) use capsule::capsule;
pub(crate) use collection::PausedCollection;
pub(crate) use memory::Memory;
pub(crate) use target::destinations;
pub(crate) use tensor::Tensor;
