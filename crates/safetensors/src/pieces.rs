//! The bytes of one tensor, taken piece by piece.

use std::ops::Range;

use crate::io::{Reader, copy_parallel};
use crate::{Region, SafeTensorError, SafeTensorsFile};

/// Bytes that are where they are until a piece of them is asked for: nothing is copied that is in
/// memory, and what is read takes no more memory than a piece.
pub(crate) enum Pieces<'a> {
    Borrowed(&'a [u8]),
    /// Held, so that the pages are not given back meanwhile.
    Held(Region),
    InFile {
        file: &'a SafeTensorsFile,
        reader: &'a Reader,
        range: Range<usize>,
    },
}

impl Pieces<'_> {
    /// How many bytes there are.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Borrowed(bytes) => bytes.len(),
            Self::Held(region) => region.len(),
            Self::InFile { range, .. } => range.len(),
        }
    }

    /// The piece at `range`, which lies inside. What has to be read is read to `buffer`.
    pub(crate) fn read<'b>(
        &'b self,
        range: Range<usize>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], SafeTensorError> {
        match self {
            Self::Borrowed(bytes) => Ok(&bytes[range]),
            Self::Held(region) => Ok(&region.as_ref()[range]),
            Self::InFile {
                file,
                reader,
                range: tensor,
            } => {
                buffer.resize(range.len(), 0);
                let at = (tensor.start + range.start) as u64;
                let read = reader.read_exact(at, buffer);
                read.map_err(|failure| file.explain(failure))?;
                Ok(buffer)
            }
        }
    }

    /// Fills memory with what lies from `start` on, in parallel where it is large.
    pub(crate) fn read_into(&self, start: usize, to: &mut [u8]) -> Result<(), SafeTensorError> {
        let range = start..start + to.len();
        match self {
            Self::Borrowed(bytes) => copy_parallel(&bytes[range], to),
            Self::Held(region) => copy_parallel(&region.as_ref()[range], to),
            Self::InFile {
                file,
                reader,
                range: tensor,
            } => {
                let job = ((tensor.start + start) as u64, &mut *to);
                let read = reader.fill_sized(range.len(), [job]);
                read.map_err(|failure| file.explain(failure))?;
            }
        }
        Ok(())
    }
}
