//! Image files in memory as 8-bit RGB.

mod exif;
mod jpeg;
mod png;
mod webp;

use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::limits::Limits;
use std::fmt;

/// The kinds of files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// ITU T.81: baseline and progressive, Huffman-coded, 8 bits a sample.
    Jpeg,
    /// W3C PNG, third edition; of an animation, the first picture.
    Png,
    /// RFC 9649; of an animation, the first picture.
    WebP,
}

impl Format {
    /// The format that the first bytes of a file tell, if it is one of these.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::WebP)
        } else {
            None
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a file's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The format.
    pub format: Format,
    /// The width in pixels, as stored: before the EXIF orientation is applied.
    pub width: usize,
    /// The height in pixels, as stored.
    pub height: usize,
}

impl Info {
    /// Reads the header of a file; no pixel is decoded.
    ///
    /// # Errors
    /// As [`Decoder::decode`], but for limits.
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        let format = format(bytes)?;
        let (width, height) = match format {
            Format::Jpeg => jpeg::size(bytes),
            Format::Png => png::size(bytes),
            Format::WebP => webp::size(bytes),
        }?;
        Ok(Self {
            format,
            width,
            height,
        })
    }
}

/// Decodes files, and keeps its memory for the next one. One for each thread.
///
/// ```
/// use nexus_image::{Decoder, ErrorKind, Image, Limits};
///
/// let mut image = Image::new();
/// let error = Decoder::new(Limits::default()).decode(b"GIF89a", &mut image).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    limits: Limits,
    memory: Memory,
}

/// What is used again from file to file.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Pixels as the file stores them, where that is not RGB.
    stored: Vec<u8>,
    /// The image before it is turned.
    turned: Image,
}

impl Decoder {
    /// A decoder that keeps to the limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            memory: Memory::default(),
        }
    }

    /// Decodes a file into `image`, whose memory is used again.
    ///
    /// The result is that of Pillow's `ImageOps.exif_transpose(Image.open(..)).convert("RGB")`:
    /// grey, palette and CMYK become RGB, alpha is dropped, of 16 bits the high 8 are kept, but
    /// 16-bit grey without alpha is clipped at 255. PNG and WebP give Pillow's bytes. A JPEG with
    /// subsampled colour differs by half a level on average and 6 at most, others by 2 at most. Colour
    /// profiles are not applied. A JPEG that is broken within, but has its end marker, is no error, as
    /// it is none for Pillow: what it does not tell is grey. An orientation that stands in XMP alone
    /// is not applied. After an error, `image` holds any pixels.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) when this is no JPEG, PNG or WebP, or a rare kind,
    /// [`Corrupt`](ErrorKind::Corrupt) when the file is cut off or broken,
    /// [`LimitReached`](ErrorKind::LimitReached) when the header asks for more than the limits allow.
    pub fn decode(&mut self, bytes: &[u8], image: &mut Image) -> Result<Info, Error> {
        let format = format(bytes)?;
        let (limits, stored) = (&self.limits, &mut self.memory.stored);
        let orientation = match format {
            Format::Jpeg => jpeg::decode(bytes, limits, image),
            Format::Png => png::decode(bytes, limits, stored, image),
            Format::WebP => webp::decode(bytes, limits, stored, image),
        }?;
        let info = Info {
            format,
            width: image.width(),
            height: image.height(),
        };
        orientation.apply(image, &mut self.memory.turned);
        Ok(info)
    }
}

fn format(bytes: &[u8]) -> Result<Format, Error> {
    Format::of(bytes).ok_or_else(|| {
        let start = bytes.get(..8).unwrap_or(bytes).escape_ascii();
        Error::unsupported(format!(
            "cannot decode an image of {} bytes that starts with `{start}`: it is no JPEG, PNG or WebP",
            bytes.len()
        ))
        .with_hint("convert it to one of these, or leave it out")
    })
}

/// A decoder's own words behind ours.
fn refused(
    kind: ErrorKind,
    what: impl fmt::Display,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let message = format!("cannot decode {what}: {source}");
    match kind {
        ErrorKind::Corrupt => Error::corrupt(message),
        kind => Error::new(kind, message),
    }
    .with_source(source)
}

/// Keeps red, green and blue of pixels that have an alpha channel.
fn drop_alpha(stored: &[u8], pixels: &mut [u8]) {
    let stored = stored.as_chunks::<4>().0;
    for (out, [r, g, b, _]) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(stored) {
        *out = [*r, *g, *b];
    }
}
