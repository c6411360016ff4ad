//! JPEG by `zune-jpeg`.

use super::exif::Orientation;
use super::refused;
use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::limits::{HEIGHT_MAX, JPEG_SCANS_MAX, Limits, WIDTH_MAX};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

type Jpeg<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), Error> {
    Ok(open(bytes)?.1)
}

pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    image: &mut Image,
) -> Result<Orientation, Error> {
    let (mut decoder, (width, height)) = open(bytes)?;
    limits.check("JPEG", width, height)?;
    check_end(bytes, width, height)?;
    let orientation = decoder
        .exif()
        .map_or(Orientation::UPRIGHT, |block| Orientation::of(block));
    let pixels = image.reset(width, height);
    decoder
        .decode_into(pixels)
        .map_err(|error| failed(bytes, &format!(" of {width}x{height} pixels"), error))?;
    Ok(orientation)
}

fn open(bytes: &[u8]) -> Result<(Jpeg<'_>, (usize, usize)), Error> {
    let options = DecoderOptions::default()
        .set_max_width(WIDTH_MAX)
        .set_max_height(HEIGHT_MAX)
        .jpeg_set_max_scans(JPEG_SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder
        .decode_headers()
        .map_err(|error| failed(bytes, "'s header", error))?;
    let size = decoder
        .dimensions()
        .ok_or_else(|| Error::corrupt("cannot decode the JPEG: it has no frame header"))?;
    Ok((decoder, size))
}

fn failed(bytes: &[u8], part: &str, error: DecodeErrors) -> Error {
    let kind = match error {
        DecodeErrors::Unsupported(_) => ErrorKind::Unsupported,
        DecodeErrors::LargeDimensions(_) => ErrorKind::LimitReached,
        _ => ErrorKind::Corrupt,
    };
    refused(
        kind,
        format!("the JPEG{part}, {} bytes", bytes.len()),
        error,
    )
}

/// Refuses a file that is cut off: its decoder would fill the missing rows with grey.
fn check_end(bytes: &[u8], width: usize, height: usize) -> Result<(), Error> {
    if has_end(bytes) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "cannot decode the JPEG of {width}x{height} pixels: data ends at byte {}, before the end marker",
        bytes.len()
    )))
}

/// Whether an end marker comes behind all segments; scans are skipped like what is between segments.
fn has_end(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some(at) = memchr::memchr(0xFF, rest) {
        rest = &rest[at + 1..];
        match rest.first() {
            None => return false,
            Some(0xD9) => return true,
            // Fill bytes, a stuffed byte of a scan, restarts, and markers without a segment.
            Some(0xFF | 0x00 | 0x01 | 0xD0..=0xD8) => {}
            Some(_) => {
                let Some(&[_, high, low]) = rest.first_chunk::<3>() else {
                    return false;
                };
                let skip = 1 + usize::from(u16::from_be_bytes([high, low]));
                rest = rest.get(skip..).unwrap_or_default();
            }
        }
    }
    false
}
