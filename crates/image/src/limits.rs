//! Limits on what foreign files and arguments may ask for.

use crate::error::Error;

/// The widest image, in pixels, unless [`Limits`] say otherwise.
pub const WIDTH_MAX: usize = 65_535;

/// The highest image, in pixels, unless [`Limits`] say otherwise.
pub const HEIGHT_MAX: usize = 65_535;

/// How many pixels an image may have, unless [`Limits`] say otherwise; where Pillow begins to warn.
pub const PIXELS_MAX: usize = 89_478_485;

/// How many bytes an image may take while it is decoded, unless [`Limits`] say otherwise.
///
/// Counted are the pixels as the file stores them and as RGB, and the coefficients of a progressive
/// JPEG. Rows that a decoder works on, tables and metadata come on top.
pub const DECODED_SIZE_MAX: usize = 768 << 20;

/// How many scans a progressive JPEG may have; common encoders write ten.
pub const JPEG_SCANS_MAX: usize = 64;

/// The longest side that an image may be resized to, in pixels.
pub const TARGET_SIDE_MAX: usize = 16_384;

/// How many hashes one [`NearIndex`](crate::NearIndex) may hold; a place in it has 32 bits.
pub const HASHES_MAX: usize = u32::MAX as usize;

/// How far apart near duplicates may be, in bits; beyond it, candidates are most of all hashes.
pub const DISTANCE_MAX: u32 = 19;

/// What a file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The widest image, in pixels.
    pub width_max: usize,
    /// The highest image, in pixels.
    pub height_max: usize,
    /// How many pixels an image may have.
    pub pixels_max: usize,
    /// How many bytes an image may take while it is decoded; see [`DECODED_SIZE_MAX`].
    pub decoded_size_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            width_max: WIDTH_MAX,
            height_max: HEIGHT_MAX,
            pixels_max: PIXELS_MAX,
            decoded_size_max: DECODED_SIZE_MAX,
        }
    }
}

impl Limits {
    /// Checks what a header declares, before any pixel is decoded.
    pub(crate) fn check(&self, name: &str, width: usize, height: usize) -> Result<(), Error> {
        let what = || format!("cannot decode the {name} of {width}x{height} pixels");
        if width == 0 || height == 0 {
            return Err(Error::corrupt(format!("{}: it is empty", what())));
        }
        let pixels = width.saturating_mul(height);
        for (value, limit, name) in [
            (width, self.width_max, "width_max"),
            (height, self.height_max, "height_max"),
            (pixels, self.pixels_max, "pixels_max"),
        ] {
            if value > limit {
                return Err(Error::limit(what(), name, limit));
            }
        }
        self.check_size(name, pixels, 3)
    }

    /// Checks that pixels of `depth` bytes, besides those given back, fit into memory.
    pub(crate) fn check_size(&self, name: &str, pixels: usize, depth: usize) -> Result<(), Error> {
        let size = pixels.saturating_mul(depth);
        if size > self.decoded_size_max {
            let what = format!("cannot decode the {name} of {size} bytes");
            return Err(Error::limit(
                what,
                "decoded_size_max",
                self.decoded_size_max,
            ));
        }
        Ok(())
    }
}
