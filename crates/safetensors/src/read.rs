//! Reading bytes that are in memory.

use crate::header::{split, split_with};
use crate::{Metadata, Rules, SafeTensorError, TensorView};

/// The tensors of a file whose bytes are in memory. Nothing is copied but names and shapes.
///
/// ```
/// use nexus_safetensors::SafeTensors;
///
/// let mut bytes = 59_u64.to_le_bytes().to_vec();
/// bytes.extend(br#"{"test":{"dtype":"I32","shape":[1,2],"data_offsets":[0,8]}}"#);
/// bytes.extend([1, 0, 0, 0, 2, 0, 0, 0]);
/// let tensors = SafeTensors::deserialize(&bytes)?;
/// assert_eq!(tensors.tensor("test")?.shape(), [1, 2]);
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
#[derive(Debug)]
pub struct SafeTensors<'data> {
    metadata: Metadata,
    data: &'data [u8],
}

impl<'data> SafeTensors<'data> {
    /// Reads the header: its size in bytes without the leading length, and its content.
    ///
    /// # Errors
    /// As [`deserialize`](Self::deserialize).
    pub fn read_metadata(buffer: &'data [u8]) -> Result<(usize, Metadata), SafeTensorError> {
        let (metadata, data) = split(buffer)?;
        Ok((buffer.len() - data.len() - size_of::<u64>(), metadata))
    }

    /// Reads the header and checks it against the bytes.
    ///
    /// # Errors
    /// Kinds `Corrupt` and `LimitReached`: the header is not what the format asks for, or tensors
    /// do not cover the data exactly.
    pub fn deserialize(buffer: &'data [u8]) -> Result<Self, SafeTensorError> {
        let (metadata, data) = split(buffer)?;
        Ok(Self { metadata, data })
    }

    /// [`deserialize`](Self::deserialize) by rules of one's choice.
    ///
    /// # Errors
    /// As [`deserialize`](Self::deserialize); under [`Rules::Strict`] also `DuplicateKey`,
    /// `NulInHeader`, `BlanksAroundHeader`, `UnknownField` and `UnusualInfo`, of kind `Corrupt`.
    pub fn deserialize_with(buffer: &'data [u8], rules: Rules) -> Result<Self, SafeTensorError> {
        let (metadata, data) = split_with(buffer, rules)?;
        Ok(Self { metadata, data })
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> Vec<(String, TensorView<'data>)> {
        self.iter()
            .map(|(name, view)| (name.to_owned(), view))
            .collect()
    }

    /// All tensors, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, TensorView<'data>)> {
        self.metadata.iter().map(|(name, info)| {
            let (start, end) = info.data_offsets;
            (
                name,
                TensorView::checked(info.dtype, &info.shape, &self.data[start..end]),
            )
        })
    }

    /// One tensor.
    ///
    /// # Errors
    /// `TensorNotFound`.
    pub fn tensor(&self, tensor_name: &str) -> Result<TensorView<'data>, SafeTensorError> {
        let info = self
            .metadata
            .info(tensor_name)
            .ok_or_else(|| SafeTensorError::TensorNotFound(tensor_name.to_owned()))?;
        let (start, end) = info.data_offsets;
        Ok(TensorView::checked(
            info.dtype,
            &info.shape,
            &self.data[start..end],
        ))
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<&'_ str> {
        self.metadata.iter().map(|(name, _)| name).collect()
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.metadata.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.metadata.is_empty()
    }

    /// The content of the header.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
