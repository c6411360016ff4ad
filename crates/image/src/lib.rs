//! Images for training: JPEG, PNG and WebP as normalised tensors, and perceptual hashes.
//!
//! - [`Decoder`] reads an image file in memory as 8-bit RGB, as Pillow's `convert("RGB")` does, with
//!   [`Limits`] on what a file may ask for and the EXIF orientation applied.
//! - [`Resizer`] resizes with the bits of Pillow's `Image.resize`.
//! - [`Transform`] resizes, crops, flips and normalises into a caller's buffer, as torchvision's
//!   `Compose([Resize, CenterCrop, ToTensor, Normalize])` and its random kin do.
//! - [`Hasher`] makes 64-bit perceptual hashes, those of the `PyPI` package `imagehash`;
//!   [`NearIndex`] finds near duplicates among them.
//!
//! # Cost
//! A JPEG of 500x375 as a tensor of 224x224 takes about 1.0 ms of one core, of which 0.7 ms are
//! decoding; Pillow and NumPy take 3.2 to 4.9 ms, and decode hardly slower. PNG decodes in a third of
//! Pillow's time; lossy WebP takes 2.3 times libwebp's. (`examples/rate.rs` and `examples/rate.py`;
//! Pillow 13.0, AVX2.)
//!
//! Random crops and flips are functions of a [`SampleKey`] alone, so that an epoch is the same for
//! any number of threads. There is no Arrow here and no Python.
//!
//! ```no_run
//! use nexus_image::{Frame, Limits, SampleKey, Scratch, Transform, TransformOptions};
//!
//! let transform = Transform::new(TransformOptions {
//!     frame: Frame::Center { shorter: 256 },
//!     ..TransformOptions::new(224, 224)
//! })?;
//! let mut scratch = Scratch::new(Limits::default());
//! let mut tensor = vec![0.0; transform.len()];
//! let bytes = std::fs::read("photo.jpg")?;
//! let key = SampleKey { seed: 1, epoch: 0, sample: 0 };
//! transform.decode(&bytes, key, &mut scratch, &mut tensor)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod error;
mod frame;
mod hash;
mod image;
mod kernel;
pub mod limits;
mod near;
mod normalize;
mod random;
mod resize;
mod simd;
mod transform;

pub use decode::{Decoder, Format, Info};
pub use error::{Error, ErrorKind};
pub use frame::Frame;
pub use hash::Hasher;
pub use image::Image;
pub use kernel::Filter;
pub use limits::Limits;
pub use near::{Near, NearIndex};
pub use normalize::{IMAGENET_MEAN, IMAGENET_STD, Layout};
pub use random::SampleKey;
pub use resize::Resizer;
pub use transform::{Scratch, Transform, TransformOptions};
