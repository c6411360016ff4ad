//! Files on servers: object stores as a storage of data pipelines ([`Objects`]), and safetensors files by
//! HTTP range requests ([`RemoteFile`]): the header at once, tensors as they are asked for.
//!
//! Requests are made by [`object_store`], which tries again after errors that pass. The functions block;
//! they have a runtime of their own and must not be called inside of another.
//!
//! One request opens a file of ordinary size, since the first bytes come together with the size of
//! the file. Tensors and parts of them are read by ranges, side by side, and what lies close together
//! is one request.
//!
//! ```no_run
//! use nexus_remote::RemoteFile;
//!
//! let file = RemoteFile::open("https://example.com/model.safetensors")?;
//! for (name, info) in file.header().iter() {
//!     println!("{name}: {} {:?}", info.dtype, info.shape);
//! }
//! let bytes = file.tensor("embedding")?;
//! let first_row = file.ranges("embedding", [0..4096])?;
//! # Ok::<(), nexus_remote::Error>(())
//! ```

mod client;
mod connect;
mod error;
mod file;
mod guard;
pub mod limits;
mod objects;
mod plan;
mod request;

pub use error::{Error, ErrorKind};
pub use file::{RemoteFile, RemoteOptions};
pub use objects::Objects;
