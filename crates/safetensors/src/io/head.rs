//! The header of a file, read before anything large is allocated.

use super::{Failure, Reader};
use crate::limits::HEADER_SIZE_MAX;
use crate::raw::Pages;
use crate::{Metadata, SafeTensorError};

/// The size of the number that opens a file.
const LENGTH_SIZE: usize = size_of::<u64>();

/// Why a header cannot be had: the read failed, or what was read is not sound.
pub(crate) enum Refusal {
    Read(Failure),
    Header(SafeTensorError),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Read(failure)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error.into())
    }
}

impl From<SafeTensorError> for Refusal {
    fn from(error: SafeTensorError) -> Self {
        Self::Header(error)
    }
}

/// Reads and checks a header. Gives the start of the data too.
pub(crate) fn read_head(reader: &Reader) -> Result<(Metadata, usize), Refusal> {
    let data_start = read_length(reader)?;
    let mut head = Pages::zeroed(data_start)?;
    let metadata = fill_head(reader, head.as_mut_slice())?;
    Ok((metadata, data_start))
}

/// Where the data starts, by the number that opens the file.
pub(crate) fn read_length(reader: &Reader) -> Result<usize, Refusal> {
    if reader.size() < LENGTH_SIZE as u64 {
        return Err(SafeTensorError::HeaderTooSmall.into());
    }
    let mut length = [0; LENGTH_SIZE];
    reader.read_exact(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    if length > HEADER_SIZE_MAX as u64 {
        return Err(SafeTensorError::HeaderTooLarge.into());
    }
    if length > reader.size() - LENGTH_SIZE as u64 {
        return Err(SafeTensorError::InvalidHeaderLength.into());
    }
    Ok(LENGTH_SIZE + length as usize)
}

/// Reads the head into memory of its size, and checks it against the size of the file.
pub(crate) fn fill_head(reader: &Reader, head: &mut [u8]) -> Result<Metadata, Refusal> {
    reader.fill_sized(head.len(), [(0, &mut *head)])?;
    let metadata = Metadata::parse(&head[LENGTH_SIZE..], reader.way().rules)?;
    let size = (head.len() as u64).checked_add(metadata.data_len() as u64);
    if size == Some(reader.size()) {
        Ok(metadata)
    } else {
        Err(SafeTensorError::MetadataIncompleteBuffer.into())
    }
}
