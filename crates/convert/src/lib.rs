//! Reads NumPy, PyTorch and GGUF files as named tensors, and writes them as safetensors.
//!
//! [`Source::open`] looks at the first bytes of a file, not at its name, and reads what describes
//! the tensors. [`Source::read`] then gives the bytes of one tensor, so that files larger than
//! memory convert one tensor at a time. Nothing in a file is ever run: pickles are read by a
//! machine that builds lists, dictionaries and tensors and knows no other function.
//!
//! | file | tensors | refused |
//! |---|---|---|
//! | `.npy`, `.npz` | numbers of either byte order, C and Fortran order | objects, structures, text |
//! | torch `.pt`, `.bin` (zip) | strided tensors in nested dictionaries and lists | any other object |
//! | GGUF 2 and 3 | plain types; quantised ones by [`Quantized`] | big-endian files |
//!
//! ```
//! use nexus_convert::{OpenOptions, Source};
//!
//! let mut npy = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
//! npy.extend(format!("{:<69}\n", "{'descr': '<i2', 'fortran_order': False, 'shape': (2,)}").bytes());
//! npy.extend([1, 0, 2, 0]);
//! let source = Source::from_bytes(npy, OpenOptions::default())?;
//! assert_eq!(source.entries()[0].shape, [2]);
//! assert_eq!(source.read(0)?, [1, 0, 2, 0]);
//! # Ok::<(), nexus_convert::Error>(())
//! ```

mod archive;
mod compare;
mod error;
mod gguf;
mod input;
pub mod limits;
mod npy;
mod order;
mod pickle;
mod source;
mod torch;
mod write;

pub use compare::{Difference, compare};
pub use error::{Error, ErrorKind};
pub use source::{Entry, Format, OpenOptions, Quantized, Source};
pub use write::write;
