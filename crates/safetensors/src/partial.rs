//! The head of a file of which the rest is elsewhere, for readers by network.

use crate::header::{LENGTH_SIZE, Metadata};
use crate::limits::HEADER_SIZE_MAX;
use crate::{Rules, SafeTensorError};

impl Metadata {
    /// How many bytes the head of a file has, length field included, by its first bytes.
    ///
    /// # Errors
    /// `HeaderTooSmall`, `HeaderTooLarge`, and `InvalidHeaderLength` when a file of `file_size` bytes
    /// cannot hold it.
    pub fn head_size(start: &[u8], file_size: u64) -> Result<usize, SafeTensorError> {
        let length = start.first_chunk().ok_or(SafeTensorError::HeaderTooSmall)?;
        let length = u64::from_le_bytes(*length);
        if length > HEADER_SIZE_MAX as u64 {
            return Err(SafeTensorError::HeaderTooLarge);
        }
        let size = length + LENGTH_SIZE as u64;
        if size > file_size {
            return Err(SafeTensorError::InvalidHeaderLength);
        }
        Ok(size as usize)
    }

    /// Parses the head of a file of `file_size` bytes: its size in bytes, where the data starts, and
    /// its content. `start` may go on behind the head.
    ///
    /// # Errors
    /// As [`SafeTensors::deserialize`](crate::SafeTensors::deserialize) of the whole file; `InvalidHeaderLength` also when `start` ends
    /// inside of the head.
    pub fn parse_head(start: &[u8], file_size: u64) -> Result<(usize, Self), SafeTensorError> {
        Self::parse_head_with(start, file_size, Rules::Compatible)
    }

    /// [`parse_head`](Self::parse_head) by rules of one's choice.
    ///
    /// # Errors
    /// As [`parse_head`](Self::parse_head) and, under [`Rules::Strict`], as
    /// [`SafeTensors::deserialize_with`](crate::SafeTensors::deserialize_with).
    pub fn parse_head_with(
        start: &[u8],
        file_size: u64,
        rules: Rules,
    ) -> Result<(usize, Self), SafeTensorError> {
        let size = Self::head_size(start, file_size)?;
        let header = start.get(LENGTH_SIZE..size);
        let metadata = Self::parse(header.ok_or(SafeTensorError::InvalidHeaderLength)?, rules)?;
        if metadata.data_len() as u64 == file_size - size as u64 {
            Ok((size, metadata))
        } else {
            Err(SafeTensorError::MetadataIncompleteBuffer)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dtype, Metadata, Rules, SafeTensors, TensorView, serialize};

    #[test]
    fn a_head_is_judged_by_the_rules_asked_for() {
        let json = r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}"#;
        let head = [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat();
        let size = head.len() as u64;
        assert!(Metadata::parse_head(&head, size).is_ok());
        let error = Metadata::parse_head_with(&head, size, Rules::Strict).unwrap_err();
        assert!(error.to_string().contains('x'), "{error}");
    }

    #[test]
    fn a_head_is_judged_as_its_whole_file_is() {
        let tensor = TensorView::new(Dtype::U8, vec![3], &[1, 2, 3]).unwrap();
        let file = serialize([("a", tensor)], None).unwrap();
        let size = Metadata::head_size(&file, file.len() as u64).unwrap();
        assert_eq!(size, file.len() - 3);
        for file_size in [0, 8, size, file.len() - 1, file.len(), file.len() + 1] {
            let mut whole = file.clone();
            whole.resize(file_size, 0);
            let ours = Metadata::parse_head(&whole[..size.min(file_size)], file_size as u64);
            let ours = ours.map(|(size, metadata)| (size - 8, metadata.data_len()));
            let theirs = SafeTensors::read_metadata(&whole);
            let theirs = theirs.map(|(size, metadata)| (size, metadata.data_len()));
            let text = |error: crate::SafeTensorError| error.to_string();
            assert_eq!(ours.map_err(text), theirs.map_err(text), "{file_size}");
        }
    }
}
