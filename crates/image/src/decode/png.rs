//! PNG by `png`.

use super::exif::Orientation;
use super::{drop_alpha, refused};
use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::limits::Limits;
use png::{BitDepth, ColorType, DecodingError, Transformations};
use std::io::Cursor;

type Reader<'a> = png::Reader<Cursor<&'a [u8]>>;

pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), Error> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    let header = decoder.read_header_info();
    let header = header.map_err(|error| failed(bytes, "'s header", error))?;
    Ok((header.width as usize, header.height as usize))
}

pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    stored: &mut Vec<u8>,
    image: &mut Image,
) -> Result<Orientation, Error> {
    let mut reader = open(bytes, limits)?;
    let (width, height) = reader.info().size();
    let (width, height) = (width as usize, height as usize);
    let (color, depth) = reader.output_color_type();
    let samples = color.samples() * (depth as usize / 8);
    limits.check_size("PNG", width * height, samples + 3)?;
    let pixels = image.reset(width, height);
    let direct = samples == 3;
    if !direct {
        stored.resize(width * height * samples, 0);
    }
    let target = if direct { &mut *pixels } else { &mut *stored };
    reader
        .next_frame(target)
        .map_err(|error| failed(bytes, &format!(" of {width}x{height} pixels"), error))?;
    match (color, depth) {
        (ColorType::Rgba, _) => drop_alpha(stored, pixels),
        (ColorType::Grayscale, BitDepth::Sixteen) => spread(stored.as_chunks().0, pixels, clip),
        (ColorType::Grayscale, _) => spread(stored.as_chunks().0, pixels, |[v]| v),
        (ColorType::GrayscaleAlpha, _) => spread(stored.as_chunks().0, pixels, |[v, _]| v),
        _ => {}
    }
    Ok(orientation(&mut reader))
}

fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Reader<'a>, Error> {
    let budget = png::Limits {
        bytes: limits.decoded_size_max,
    };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), budget);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info();
    let header = header.map_err(|error| failed(bytes, "'s header", error))?;
    limits.check("PNG", header.width as usize, header.height as usize)?;
    let kind = (header.color_type, header.bit_depth);
    decoder.set_transformations(if kind == (ColorType::Grayscale, BitDepth::Sixteen) {
        Transformations::IDENTITY
    } else {
        Transformations::EXPAND | Transformations::STRIP_16
    });
    decoder
        .read_info()
        .map_err(|error| failed(bytes, "'s header", error))
}

/// EXIF may stand behind the pixels; what cannot be read there is no error, as for Pillow.
fn orientation(reader: &mut Reader<'_>) -> Orientation {
    if reader.info().exif_metadata.is_none() && reader.finish().is_err() {
        return Orientation::UPRIGHT;
    }
    let block = reader.info().exif_metadata.as_deref();
    block.map_or(Orientation::UPRIGHT, Orientation::of)
}

fn spread<const N: usize>(stored: &[[u8; N]], pixels: &mut [u8], value: impl Fn([u8; N]) -> u8) {
    for (out, &sample) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(stored) {
        *out = [value(sample); 3];
    }
}

/// Pillow clips its mode `I;16`, where it takes the high byte of other modes.
fn clip(sample: [u8; 2]) -> u8 {
    u16::from_be_bytes(sample).min(255) as u8
}

fn failed(bytes: &[u8], part: &str, error: DecodingError) -> Error {
    let kind = match error {
        DecodingError::LimitsExceeded => ErrorKind::LimitReached,
        _ => ErrorKind::Corrupt,
    };
    refused(kind, format!("the PNG{part}, {} bytes", bytes.len()), error)
}
