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

/// The value of samples that a broken file does not tell.
const MISSING: u8 = 128;

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
    // The scans of a progressive file add to coefficients of two bytes, which are all kept.
    let kept = if is_progressive(bytes) { 2 } else { 0 };
    let components = decoder
        .info()
        .map_or(4, |info| usize::from(info.components));
    limits.check_size("JPEG", width * height, 3 + kept * components)?;
    check_end(bytes, width, height)?;
    let orientation = decoder
        .exif()
        .map_or(Orientation::UPRIGHT, |block| Orientation::of(block));
    let pixels = image.reset(width, height);
    // Of some broken files the decoder leaves rows as they were: those of an earlier image.
    pixels.fill(MISSING);
    decoder
        .decode_into(pixels)
        .map_err(|error| failed(bytes, &format!(" of {width}x{height} pixels"), error))?;
    Ok(orientation)
}

fn open(bytes: &[u8]) -> Result<(Jpeg<'_>, (usize, usize)), Error> {
    check_frame(bytes)?;
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
    if (Markers { bytes, at: 2 }).any(|(_, marker)| marker == 0xD9) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "cannot decode the JPEG of {width}x{height} pixels: data ends at byte {}, before the end marker",
        bytes.len()
    )))
}

/// The place of the first frame header, and its marker.
fn frame(bytes: &[u8]) -> Option<(usize, u8)> {
    let is_frame =
        |marker: u8| matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
    Markers { bytes, at: 2 }.find(|&(_, marker)| is_frame(marker))
}

fn is_progressive(bytes: &[u8]) -> bool {
    frame(bytes).is_some_and(|(_, marker)| marker == 0xC2)
}

/// Refuses kinds of coding that are rare and not read.
fn check_frame(bytes: &[u8]) -> Result<(), Error> {
    let Some((at, marker)) = frame(bytes) else {
        return Ok(());
    };
    // Behind the marker: the length of 2 bytes, the precision, height and width of 2, components.
    let (precision, components) = (bytes.get(at + 4), bytes.get(at + 9));
    let kind = match (marker, precision, components) {
        (0xC9..=0xCB | 0xCD..=0xCF, ..) => "arithmetic coding",
        (0xC3, ..) => "lossless coding",
        (0xC5..=0xC7, ..) => "hierarchical coding",
        (_, Some(9..), _) => "more than 8 bits a sample",
        (_, _, Some(2 | 5..)) => "neither 1, 3 nor 4 components",
        _ => return Ok(()),
    };
    let message = format!("cannot decode the JPEG: its frame header at byte {at} tells of {kind}");
    Err(Error::unsupported(message).with_hint("convert it to a baseline JPEG, or leave it out"))
}

/// The markers of a file with their places; scans are skipped like what is between segments.
struct Markers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Markers<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let place = self.at + memchr::memchr(0xFF, self.bytes.get(self.at..)?)?;
            let marker = *self.bytes.get(place + 1)?;
            self.at = match marker {
                // A fill byte: the next byte may be the marker.
                0xFF => place + 1,
                // A stuffed byte of a scan, restarts, and markers without a segment.
                0x00 | 0x01 | 0xD0..=0xD9 => place + 2,
                _ => {
                    let size = *self.bytes.get(place + 2..)?.first_chunk::<2>()?;
                    place + 2 + usize::from(u16::from_be_bytes(size))
                }
            };
            if !matches!(marker, 0x00 | 0xFF) {
                return Some((place, marker));
            }
        }
    }
}
