//! Files as streams of bytes, decompressed.

use super::Meter;
use super::listing::{Compression, Input};
use crate::limits::{XZ_MEMORY_MAX_KIB, ZSTD_WINDOW_LOG_MAX};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

/// Bytes that are asked of the system at once.
pub(crate) const READ_SIZE: usize = 1 << 17;

/// Opens a file; what is read of it is counted.
pub(crate) fn open(input: &Input, meter: &Arc<Meter>) -> Result<Box<dyn Read + Send>, String> {
    let file = input.storage.open(&input.stored()).map_err(|error| {
        meter.fault.note(&error);
        format!("cannot open: {error}")
    })?;
    meter.add_file();
    let reader = decompress(meter.count(file), input.compression)
        .map_err(|error| format!("cannot read: {error}"))?;
    Ok(Box::new(meter.count_plain(reader)))
}

/// The bytes that `reader` holds. Files may have any number of members, frames or streams.
pub(crate) fn decompress(
    reader: impl Read + Send + 'static,
    compression: Compression,
) -> io::Result<Box<dyn Read + Send>> {
    if compression == Compression::None {
        return Ok(Box::new(reader));
    }
    let reader = BufReader::with_capacity(READ_SIZE, reader);
    Ok(match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(MultiGzDecoder::new(reader)),
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(reader)),
        Compression::Xz => Box::new(XzReader::new_mem_limit(reader, true, XZ_MEMORY_MAX_KIB)),
        Compression::Zstd => Box::new(zstd_reader(reader)?),
    })
}

fn zstd_reader<R: BufRead>(reader: R) -> io::Result<zstd::Decoder<'static, R>> {
    let mut decoder = zstd::Decoder::with_buffer(reader)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(decoder)
}
