//! WebP by `image-webp`.

use super::exif::Orientation;
use super::{drop_alpha, refused};
use crate::error::{Error, ErrorKind};
use crate::image::Image;
use crate::limits::Limits;
use image_webp::{DecodingError, WebPDecoder};
use std::io::Cursor;

type WebP<'a> = WebPDecoder<Cursor<&'a [u8]>>;

pub(super) fn size(bytes: &[u8]) -> Result<(usize, usize), Error> {
    let (width, height) = open(bytes)?.dimensions();
    Ok((width as usize, height as usize))
}

pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    stored: &mut Vec<u8>,
    image: &mut Image,
) -> Result<Orientation, Error> {
    let mut decoder = open(bytes)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    limits.check("WebP", width, height)?;
    check_frames(bytes.get(12..).unwrap_or_default(), limits, 0)?;
    let alpha = decoder.has_alpha();
    let depth = if alpha { 3 + 4 } else { 3 };
    limits.check_size("WebP", width * height, depth)?;
    decoder.set_memory_limit(limits.decoded_size_max);
    let pixels = image.reset(width, height);
    let result = if alpha {
        stored.resize(width * height * 4, 0);
        decoder.read_image(stored)
    } else {
        decoder.read_image(pixels)
    };
    result.map_err(|error| failed(bytes, &format!(" of {width}x{height} pixels"), error))?;
    if alpha {
        drop_alpha(stored, pixels);
    }
    let block = decoder.exif_metadata();
    let block = block.map_err(|error| failed(bytes, "'s EXIF chunk", error))?;
    Ok(block.map_or(Orientation::UPRIGHT, |block| Orientation::of(&block)))
}

fn open(bytes: &[u8]) -> Result<WebP<'_>, Error> {
    WebPDecoder::new(Cursor::new(bytes)).map_err(|error| failed(bytes, "'s header", error))
}

/// Lossy frames state their size themselves, and memory is taken for that before it is compared with
/// the file's: it is checked against the limits as well. Frames of an animation are one level down.
fn check_frames(mut chunks: &[u8], limits: &Limits, depth: usize) -> Result<(), Error> {
    while let Some((header, rest)) = chunks.split_first_chunk::<8>() {
        let [kind, size] = *header.as_chunks::<4>().0 else {
            return Ok(());
        };
        let size = u32::from_le_bytes(size) as usize;
        let body = &rest[..size.min(rest.len())];
        match &kind {
            b"VP8 " => {
                if let Some(&[w, wide, h, high]) = body.get(6..).and_then(<[u8]>::first_chunk) {
                    let side = |bytes| usize::from(u16::from_le_bytes(bytes) & 0x3FFF);
                    limits.check("WebP's frame", side([w, wide]), side([h, high]))?;
                }
            }
            b"ANMF" if depth == 0 => {
                check_frames(body.get(16..).unwrap_or_default(), limits, 1)?;
            }
            _ => {}
        }
        let padded = size.saturating_add(size % 2);
        chunks = rest.get(padded..).unwrap_or_default();
    }
    Ok(())
}

fn failed(bytes: &[u8], part: &str, error: DecodingError) -> Error {
    let kind = match error {
        DecodingError::MemoryLimitExceeded | DecodingError::ImageTooLarge => {
            ErrorKind::LimitReached
        }
        _ => ErrorKind::Corrupt,
    };
    refused(
        kind,
        format!("the WebP{part}, {} bytes", bytes.len()),
        error,
    )
}
