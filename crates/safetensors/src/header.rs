//! The header: JSON to checked [`Metadata`] and back.
//!
//! The rules are those that `safetensors` 0.8.0 enforces, down to the texts of its JSON errors.
//! They follow from how serde reads the structures below, whose names and shapes are therefore the
//! same: an info may be an array, unknown fields are ignored, the last of two equal names wins,
//! `__metadata__` may be null but not given twice. Headers of the usual kind take a faster route,
//! [`scan`](crate::scan), which reads the same.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use nexus_tensor::DType;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::SafeTensorError;
use crate::head::to_head;
use crate::limits::HEADER_SIZE_MAX;
use crate::names::Names;
use crate::scan::{Scanned, scan};
use crate::strict::{Rules, violation};

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

impl TensorInfo {
    /// Stands where an info was moved away.
    const EMPTY: Self = Self {
        dtype: DType::U8,
        shape: Vec::new(),
        data_offsets: (0, 0),
    };
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
    text: FreeText,
    names: Names,
    tensors: Vec<TensorInfo>,
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
        let text_size = tensors.iter().map(|(name, _)| name.len()).sum();
        let mut names = Names::with_capacity(text_size, tensors.len());
        let mut infos = Vec::with_capacity(tensors.len());
        let mut start = 0;
        for (name, info) in tensors {
            start = check(&name, &info, start)?;
            if name == METADATA_NAME {
                return Err(SafeTensorError::ReservedName);
            }
            names.push(&name).ok_or(SafeTensorError::HeaderTooLarge)?;
            infos.push(info);
        }
        names
            .index()
            .map_err(|at| SafeTensorError::DuplicateName(names.get(at).to_owned()))?;
        Ok(Self {
            text: metadata,
            names,
            tensors: infos,
        })
    }

    /// Parses the JSON of a header.
    pub(crate) fn parse(header: &[u8], rules: Rules) -> Result<Self, SafeTensorError> {
        let json = std::str::from_utf8(header).map_err(SafeTensorError::InvalidHeader)?;
        let metadata = match Self::parse_usual(json) {
            Some(metadata) => metadata,
            None => Self::parse_any(json)?,
        };
        match rules {
            Rules::Compatible => Ok(metadata),
            Rules::Strict => match violation(json) {
                Some((error, _)) => Err(error),
                None => Ok(metadata),
            },
        }
    }

    /// The fast route, for headers that are sound and of the usual kind.
    pub(crate) fn parse_usual(json: &str) -> Option<Self> {
        let Scanned {
            text,
            mut names,
            mut infos,
        } = scan(json)?;
        let ordered = |pair: &[TensorInfo]| pair[0].data_offsets < pair[1].data_offsets;
        if !infos.windows(2).all(ordered) {
            let mut order: Vec<u32> = (0..infos.len() as u32).collect();
            order.sort_unstable_by_key(|&at| {
                let at = at as usize;
                (infos[at].data_offsets, names.get(at))
            });
            names.reorder(&order);
            infos = order
                .iter()
                .map(|&at| mem::replace(&mut infos[at as usize], TensorInfo::EMPTY))
                .collect();
        }
        let mut start = 0;
        for (at, info) in infos.iter().enumerate() {
            start = check(names.get(at), info, start).ok()?;
        }
        names.index().ok()?;
        Some(Self {
            text,
            names,
            tensors: infos,
        })
    }

    /// The route by serde, which decides what is refused and in which words.
    pub(crate) fn parse_any(json: &str) -> Result<Self, SafeTensorError> {
        serde_json::from_str::<HashMetadata>(json)
            .map_err(SafeTensorError::InvalidHeaderDeserialization)?
            .check()
    }

    /// The whole head of a file: the length, the JSON, and blanks up to a multiple of 8.
    pub(crate) fn to_head(&self) -> Result<Vec<u8>, SafeTensorError> {
        to_head(self)
    }

    /// The size of all names in bytes.
    pub(crate) fn names_size(&self) -> usize {
        self.names.text_size()
    }

    /// What the header says of one tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.names.find(name).map(|at| &self.tensors[at])
    }

    /// What the header says of every tensor.
    pub fn tensors(&self) -> HashMap<String, &TensorInfo> {
        self.iter_by_offset()
            .map(|(name, info)| (name.to_owned(), info))
            .collect()
    }

    /// Names and infos, sorted by name. The first call sorts.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        self.names.sorted().iter().map(|&at| {
            let at = at as usize;
            (self.names.get(at), &self.tensors[at])
        })
    }

    /// Names and infos in the order of the data.
    pub fn iter_by_offset(&self) -> impl ExactSizeIterator<Item = (&str, &TensorInfo)> {
        let infos = self.tensors.iter().enumerate();
        infos.map(|(at, info)| (self.names.get(at), info))
    }

    /// The names in the order of the data.
    pub fn offset_keys(&self) -> Vec<String> {
        self.iter_by_offset()
            .map(|(name, _)| name.to_owned())
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
}

/// Splits a file into its header and its data, as long as they are sound.
pub(crate) fn split(file: &[u8]) -> Result<(Metadata, &[u8]), SafeTensorError> {
    split_with(file, Rules::Compatible)
}

/// [`split`] by rules of one's choice.
pub(crate) fn split_with(file: &[u8], rules: Rules) -> Result<(Metadata, &[u8]), SafeTensorError> {
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
    let metadata = Metadata::parse(header, rules)?;
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

/// The content of `__metadata__`.
pub(crate) type FreeText = Option<HashMap<String, String>>;

/// The header as serde reads it. The name appears in error texts.
#[derive(Deserialize)]
struct HashMetadata {
    #[serde(rename = "__metadata__")]
    metadata: FreeText,
    #[serde(flatten)]
    tensors: BTreeMap<String, TensorInfo>,
}

impl HashMetadata {
    fn check(self) -> Result<Metadata, SafeTensorError> {
        let (text, tensors) = self.into_sorted();
        Metadata::new(text, tensors)
    }

    /// Free text, and tensors by their offsets. Files may list them in any order. Among equal
    /// offsets, which only tensors without data can have, names decide.
    fn into_sorted(self) -> (FreeText, Vec<(String, TensorInfo)>) {
        let mut tensors: Vec<_> = self.tensors.into_iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        (self.metadata, tensors)
    }
}

/// The name of the first tensor, in the order of the data, that the checks refuse.
pub(crate) fn first_refused(json: &str) -> Option<String> {
    let header = serde_json::from_str::<HashMetadata>(json).ok()?;
    let mut start = 0;
    header
        .into_sorted()
        .1
        .into_iter()
        .find_map(|(name, info)| match check(&name, &info, start) {
            Ok(end) => {
                start = end;
                None
            }
            Err(_) => Some(name),
        })
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
        for (name, info) in self.iter_by_offset() {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}
