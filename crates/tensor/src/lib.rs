//! Data types, shapes and strided views shared by every Nexus engine.
//!
//! A tensor here is a [`DType`], a [`Layout`] (shape and strides) and bytes: borrowed in a
//! [`TensorRef`], kept alive by a shared owner in a [`Tensor`]. [`dlpack`] and [`numpy`] carry both
//! to other libraries without copies. There is no arithmetic, no I/O and no Python in this crate,
//! and it needs no `std`.
//!
//! Numbers that come from files or other libraries are checked: an impossible shape is an
//! [`Error`], never a panic and never a read outside the bytes.
//!
//! ```
//! use nexus_tensor::{DType, Tensor};
//!
//! let matrix = Tensor::from_vec([2, 3], vec![1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
//! let turned = matrix.view().transpose();
//! assert_eq!((turned.dtype(), turned.shape()), (DType::F32, &[3, 2][..]));
//! assert_eq!(turned.get::<f32>(&[2, 0]), Some(3.0));
//! assert_eq!(turned.to_contiguous().as_slice::<f32>()?, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
//! # Ok::<(), nexus_tensor::Error>(())
//! ```
#![no_std]

#[cfg(target_endian = "big")]
compile_error!("nexus-tensor keeps elements in little-endian order, as safetensors files do");

extern crate alloc;

pub mod dlpack;
mod dtype;
mod element;
mod error;
mod layout;
pub mod limits;
pub mod numpy;
mod raw;
mod tensor;
mod view;

pub use dtype::DType;
pub use element::Element;
pub use error::{Error, ErrorKind};
pub use layout::{Layout, contiguous_strides, element_count, size_bytes};
pub use tensor::{Owner, Tensor};
pub use view::TensorRef;
