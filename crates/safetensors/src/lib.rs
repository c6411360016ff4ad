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
//! - [`serialize`] makes bytes, [`serialize_to_file`] replaces a file in one step or not at all.
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

mod atomic;
mod cast;
mod checkpoint;
mod error;
mod file;
mod header;
mod io;
pub mod limits;
mod plan;
mod raw;
mod read;
mod region;
mod stream;
mod sys;
mod view;
mod write;

pub use cast::{can_cast, cast};
pub use checkpoint::{Checkpoint, CheckpointProblem};
pub use error::{ErrorKind, SafeTensorError};
pub use file::{Destination, SafeTensorsFile};
pub use header::{Metadata, TensorInfo};
pub use io::{Backend, ReadOptions, UnknownBackend};
/// The type of a tensor's elements, under the name that the `safetensors` crate gives it.
pub use nexus_tensor::DType as Dtype;
pub use plan::{Part, Plan, Shard};
pub use read::SafeTensors;
pub use region::Region;
pub use stream::{Loaded, Stream};
pub use view::{TensorView, View};
pub use write::{WriteOptions, serialize, serialize_to_file, serialize_to_file_with};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/safetensors.md")]
struct Docs;
