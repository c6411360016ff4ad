//! The header: JSON to checked [`Metadata`] and back.
//!
//! The rules are those that `safetensors` 0.8.0 enforces, down to the texts of its JSON errors.
//! They follow from how serde reads the structures below, whose names and shapes are therefore the
//! same: an info may be an array, unknown fields are ignored, the last of two equal names wins,
//! `__metadata__` may be null but not given twice.

use std::collections::{BTreeMap, HashMap};

use nexus_tensor::DType;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::SafeTensorError;
use crate::limits::HEADER_SIZE_MAX;

/// The size of the number that opens a file.
pub(crate) const LENGTH_SIZE: usize = size_of::<u64>();

/// The name in the header that is no tensor.
pub(crate) const METADATA_NAME: &str = "__metadata__";

/// What the header says of one tensor. Data is little-endian and row-major.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TensorInfo {
    /// The type of the elements.
    #[serde(with = "Dtype")]
    pub dtype: DType,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// First byte and one past the last byte, counted from the end of the header.
    pub data_offsets: (usize, usize),
}

/// The names of [`DType`] for serde.
#[derive(Deserialize, Serialize)]
#[serde(remote = "DType")]
#[expect(
    non_camel_case_types,
    clippy::upper_case_acronyms,
    reason = "the names of the format"
)]
#[non_exhaustive]
enum Dtype {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
}

/// The checked content of a header: tensors in the order of their data, without hole or overlap.
#[derive(Clone, Debug)]
pub struct Metadata {
    text: Option<HashMap<String, String>>,
    tensors: Vec<TensorInfo>,
    // Sorted, so that names come in the same order in every run.
    index: BTreeMap<String, usize>,
}

impl Metadata {
    /// Checks infos that are ordered by their offsets.
    ///
    /// # Errors
    /// `InvalidOffset` at a hole or an overlap, `TensorInvalidInfo` when shape and type ask for
    /// another size than the offsets give, `MisalignedSlice` when elements do not fill the last
    /// byte, `ValidationOverflow`, `DuplicateName`, and `ReservedName` for `__metadata__`.
    pub fn new(
        metadata: Option<HashMap<String, String>>,
        tensors: Vec<(String, TensorInfo)>,
    ) -> Result<Self, SafeTensorError> {
        let mut start = 0;
        let mut index = BTreeMap::new();
        let mut infos = Vec::with_capacity(tensors.len());
        for (name, info) in tensors {
            start = check(&name, &info, start)?;
            if name == METADATA_NAME {
                return Err(SafeTensorError::ReservedName);
            }
            if index.contains_key(&name) {
                return Err(SafeTensorError::DuplicateName(name));
            }
            index.insert(name, infos.len());
            infos.push(info);
        }
        Ok(Self {
            text: metadata,
            tensors: infos,
            index,
        })
    }

    /// Parses the JSON of a header.
    pub(crate) fn parse(header: &[u8]) -> Result<Self, SafeTensorError> {
        let text = std::str::from_utf8(header).map_err(SafeTensorError::InvalidHeader)?;
        serde_json::from_str::<HashMetadata>(text)
            .map_err(SafeTensorError::InvalidHeaderDeserialization)?
            .check()
    }

    /// The whole head of a file: the length, the JSON, and blanks up to a multiple of 8.
    pub(crate) fn to_head(&self) -> Result<Vec<u8>, SafeTensorError> {
        let mut head = vec![0; LENGTH_SIZE];
        serde_json::to_writer(&mut head, self)?;
        head.resize(head.len().next_multiple_of(LENGTH_SIZE), b' ');
        let size = head.len() - LENGTH_SIZE;
        if size > HEADER_SIZE_MAX {
            return Err(SafeTensorError::HeaderTooLarge);
        }
        head[..LENGTH_SIZE].copy_from_slice(&(size as u64).to_le_bytes());
        Ok(head)
    }

    /// What the header says of one tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.index.get(name).map(|&at| &self.tensors[at])
    }

    /// What the header says of every tensor.
    pub fn tensors(&self) -> HashMap<String, &TensorInfo> {
        self.iter()
            .map(|(name, info)| (name.to_owned(), info))
            .collect()
    }

    /// Names and infos, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.index
            .iter()
            .map(|(name, &at)| (name.as_str(), &self.tensors[at]))
    }

    /// The names in the order of the data.
    pub fn offset_keys(&self) -> Vec<String> {
        self.names_by_offset()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// The number of bytes of all tensors.
    pub fn data_len(&self) -> usize {
        self.tensors.last().map_or(0, |info| info.data_offsets.1)
    }

    /// The free text of the header, `__metadata__`.
    pub fn metadata(&self) -> &Option<HashMap<String, String>> {
        &self.text
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    fn names_by_offset(&self) -> Vec<&str> {
        let mut names = vec![""; self.tensors.len()];
        self.index.iter().for_each(|(name, &at)| names[at] = name);
        names
    }
}

/// Splits a file into its header and its data, as long as they are sound.
pub(crate) fn split(file: &[u8]) -> Result<(Metadata, &[u8]), SafeTensorError> {
    let (length, rest) = file
        .split_first_chunk::<LENGTH_SIZE>()
        .ok_or(SafeTensorError::HeaderTooSmall)?;
    let length = usize::try_from(u64::from_le_bytes(*length))
        .ok()
        .filter(|&length| length <= HEADER_SIZE_MAX)
        .ok_or(SafeTensorError::HeaderTooLarge)?;
    let (header, data) = rest
        .split_at_checked(length)
        .ok_or(SafeTensorError::InvalidHeaderLength)?;
    let metadata = Metadata::parse(header)?;
    if metadata.data_len() == data.len() {
        Ok((metadata, data))
    } else {
        Err(SafeTensorError::MetadataIncompleteBuffer)
    }
}

/// Checks one tensor against the end of the one before it; gives its own end.
fn check(name: &str, info: &TensorInfo, expected_start: usize) -> Result<usize, SafeTensorError> {
    let (start, end) = info.data_offsets;
    if start != expected_start || end < start {
        return Err(SafeTensorError::InvalidOffset(name.to_owned()));
    }
    let bits = nexus_tensor::element_count(&info.shape)
        .ok()
        .and_then(|count| count.checked_mul(info.dtype.bits()))
        .ok_or(SafeTensorError::ValidationOverflow)?;
    if bits % 8 != 0 {
        return Err(SafeTensorError::MisalignedSlice);
    }
    if end - start == bits / 8 {
        Ok(end)
    } else {
        Err(SafeTensorError::TensorInvalidInfo)
    }
}

/// The header as serde reads it. The name appears in error texts.
#[derive(Deserialize)]
struct HashMetadata {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
    #[serde(flatten)]
    tensors: BTreeMap<String, TensorInfo>,
}

impl HashMetadata {
    fn check(self) -> Result<Metadata, SafeTensorError> {
        let mut tensors: Vec<_> = self.tensors.into_iter().collect();
        // Files may list their tensors in any order. Among equal offsets, which only tensors
        // without data can have, names decide.
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        Metadata::new(self.metadata, tensors)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        HashMetadata::deserialize(deserializer)?
            .check()
            .map_err(serde::de::Error::custom)
    }
}

/// Free text first, in sorted order; then the tensors in the order of their data.
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(text) = &self.text {
            map.serialize_entry(METADATA_NAME, &text.iter().collect::<BTreeMap<_, _>>())?;
        }
        for (name, info) in self.names_by_offset().iter().zip(&self.tensors) {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
