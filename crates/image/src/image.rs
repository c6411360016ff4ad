//! Pixels in memory.

use crate::error::Error;

/// An image of 8-bit RGB pixels, rows from top to bottom, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Image {
    /// An image without pixels, to be decoded or resized into.
    pub const fn new() -> Self {
        Self {
            width: 0,
            height: 0,
            pixels: Vec::new(),
        }
    }

    /// An image of given pixels: `height` rows of `width` times three bytes.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the number of bytes is another.
    pub fn from_rgb(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self, Error> {
        let size = width.checked_mul(height).and_then(|len| len.checked_mul(3));
        if size != Some(pixels.len()) {
            return Err(Error::invalid(format!(
                "cannot make an RGB image of {width}x{height} pixels from {} bytes",
                pixels.len()
            )));
        }
        Ok(Self {
            width,
            height,
            pixels,
        })
    }

    /// The width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes: red, green, blue of each pixel.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes as they are owned.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Sets the size and gives the bytes to be overwritten, all of them; what is in them is left
    /// from before.
    pub(crate) fn reset(&mut self, width: usize, height: usize) -> &mut [u8] {
        (self.width, self.height) = (width, height);
        self.pixels.resize(width * height * 3, 0);
        &mut self.pixels
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            bytes: &self.pixels,
            stride: self.width * 3,
            width: self.width,
            height: self.height,
        }
    }
}

/// A rectangle of samples in rows that are `stride` bytes apart; one or three samples a pixel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    stride: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl<'a> View<'a> {
    /// One sample a pixel.
    pub(crate) fn grey(bytes: &'a [u8], width: usize) -> Self {
        Self {
            bytes,
            stride: width,
            width,
            height: bytes.len() / width.max(1),
        }
    }

    /// A row and all that follows it, so that wide loads may read past its end.
    pub(crate) fn row_on(&self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.stride..]
    }

    /// The part of an RGB image that lies in the rectangle.
    pub(crate) fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        debug_assert!(left + width <= self.width && top + height <= self.height);
        Self {
            bytes: &self.bytes[top * self.stride + left * 3..],
            width,
            height,
            ..*self
        }
    }
}
