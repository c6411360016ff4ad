//! Read and write [safetensors] files: memory-mapped, checked, atomic.
//!
//! A file is `u64` little-endian header size, that many bytes of JSON, and the tensors' bytes
//! without a gap. Names and signatures are those of the `safetensors` crate where it has them, the
//! accept and reject rules and the error texts are those of its version 0.8.0, and the bytes
//! written are the same, with `__metadata__` in sorted order so that a save can be repeated.
//!
//! - [`SafeTensorsFile`] maps a file and hands out views, or tensors that keep the map alive.
//! - [`SafeTensorsFile::load`] reads a whole file at once, a [`Checkpoint`] several files by a
//!   [`Plan`].
//! - [`SafeTensors`] reads bytes that are in memory already.
//! - [`serialize`] makes bytes, [`serialize_to_file`] replaces a file in one step or not at all,
//!   [`serialize_to_writer`] feeds a stream, [`serialize_sharded`] makes several files and an index.
//! - [`SafeWriter`] and [`SafeAppender`] take tensors piece by piece, for models larger than memory.
//! - [`save_async`] goes on while the caller does.
//!
//! ```
//! use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, serialize_to_file};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.safetensors");
//! let bytes = 1.5_f32.to_le_bytes();
//! serialize_to_file([("scale", TensorView::new(Dtype::F32, vec![1], &bytes)?)], None, &path)?;
//!
//! let file = SafeTensorsFile::open(&path)?;
//! assert_eq!(file.names(), ["scale"]);
//! assert_eq!(file.tensor_ref("scale")?.get::<f32>(&[0]), Some(1.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [safetensors]: https://huggingface.co/docs/safetensors/index#format

mod appender;
mod atomic;
mod cancel;
mod cast;
mod checkpoint;
pub mod checksum;
mod error;
mod file;
mod head;
mod header;
mod index;
mod index_text;
mod io;
pub mod limits;
mod locate;
mod names;
mod options;
pub mod packed;
mod partial;
mod pending;
mod pieces;
mod plan;
mod prepared;
mod raw;
mod read;
mod region;
mod runs;
mod scan;
mod shard;
mod sink;
pub mod slice;
mod stream;
mod stream_writer;
mod strict;
mod sys;
pub mod tensor;
mod view;
mod walk;
mod write;

pub use appender::SafeAppender;
pub use cast::{can_cast, cast};
pub use checkpoint::{Checkpoint, CheckpointProblem};
pub use error::{ErrorKind, SafeTensorError};
pub use file::{Destination, Group, SafeTensorsFile};
pub use header::{Metadata, TensorInfo};
pub use index::{Index, IndexError, Runs, Selection};
pub use io::{Backend, ReadOptions, UnknownBackend};
pub use locate::{Location, locate, locate_in};
/// The type of a tensor's elements, under the name that the `safetensors` crate gives it.
pub use nexus_tensor::DType as Dtype;
pub use options::{WriteMode, WriteOptions};
pub use pending::{PendingSave, Snapshot, save_async};
pub use plan::{Part, Plan, Shard};
pub use prepared::Prepared;
pub use read::SafeTensors;
pub use region::Region;
pub use shard::{SHARD_PATTERN, SHARD_SIZE_MAX_DEFAULT, Sharded, serialize_sharded};
pub use stream::{Loaded, Stream};
pub use stream_writer::SafeWriter;
pub use strict::Rules;
pub use view::{TensorView, View};
pub use write::{
    serialize, serialize_into, serialize_to_file, serialize_to_file_with, serialize_to_writer,
    serialized_size,
};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/safetensors.md")]
struct Docs;
