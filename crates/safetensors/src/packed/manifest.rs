//! What a packed file says of itself in `__metadata__`.

use std::collections::{BTreeMap, HashMap};

use nexus_tensor::DType;
use serde::{Deserialize, Serialize};

use super::block::Format;
use crate::checksum;
use crate::{Metadata, SafeTensorError, TensorInfo};

/// The entry of `__metadata__` that makes a file a packed one.
pub const PACKED_KEY: &str = "nexus.packed";

/// The entry of `__metadata__` with the header of the original, where it cannot be made anew.
pub const PACKED_HEADER_KEY: &str = "nexus.packed.header";

/// The version of the format that is written and read.
pub const PACKED_VERSION: u64 = 1;

/// The name of the code in the manifest.
pub(super) const CODEC: &str = "cascade";

const ABOUT: &str = "tensors listed here are compressed without loss and stored as U8; \
    `nexus tensors unpack` or nexus_safetensors::packed restores them";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) version: u64,
    about: String,
    /// The size of the original file.
    pub(super) size: u64,
    /// XXH3-64 of the original file, 16 hexadecimal digits.
    pub(super) xxh3: String,
    pub(super) tensors: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    codec: String,
    dtype: String,
    shape: Vec<usize>,
}

/// Only the version, so that a later one is named instead of misread.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl Manifest {
    pub(super) fn new(size: usize, xxh3: u64, tensors: BTreeMap<String, Entry>) -> Self {
        Self {
            version: PACKED_VERSION,
            about: ABOUT.to_owned(),
            size: size as u64,
            xxh3: format!("{xxh3:016x}"),
            tensors,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, SafeTensorError> {
        let refused = |error| SafeTensorError::packed(None, format!("`{PACKED_KEY}`: {error}"));
        let Version { version } = serde_json::from_str(text).map_err(refused)?;
        if version != PACKED_VERSION {
            return Err(SafeTensorError::PackedVersion(version));
        }
        serde_json::from_str(text).map_err(refused)
    }
}

impl Entry {
    pub(super) fn new(info: &TensorInfo) -> Self {
        Self {
            codec: CODEC.to_owned(),
            dtype: info.dtype.name().to_owned(),
            shape: info.shape.clone(),
        }
    }

    /// Format, type and shape of the original, where they are ones that are packed.
    pub(super) fn check(&self, name: &str) -> Result<(Format, DType, Vec<usize>), SafeTensorError> {
        let refused = |what| SafeTensorError::packed(Some(name), what);
        if self.codec != CODEC {
            return Err(refused(format!("unknown codec `{}`", self.codec)));
        }
        let dtype = self.dtype.parse().ok();
        let (format, dtype) = dtype
            .and_then(|dtype| Some((format_of(dtype)?, dtype)))
            .ok_or_else(|| refused(format!("type {} is never packed", self.dtype)))?;
        Ok((format, dtype, self.shape.clone()))
    }
}

/// How a type is packed, where it is.
pub(super) fn format_of(dtype: DType) -> Option<Format> {
    match dtype {
        DType::BF16 => Some(Format::Bf16),
        DType::F16 => Some(Format::F16),
        _ => None,
    }
}

/// The free text of the original that a packed file shows as its own. Checksums are left out:
/// they are those of the original's bytes.
pub(super) fn shared_text(text: Option<&HashMap<String, String>>) -> HashMap<String, String> {
    let own = [PACKED_KEY, PACKED_HEADER_KEY, checksum::CHECKSUM_KEY];
    let text = text.into_iter().flatten();
    text.filter(|(key, _)| !own.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The head of a file that `serialize` would write for these tensors and this text.
pub(super) fn plain_head<'a>(
    tensors: impl Iterator<Item = (&'a str, DType, &'a [usize])>,
    text: HashMap<String, String>,
) -> Result<Vec<u8>, SafeTensorError> {
    let mut tensors: Vec<_> = tensors.collect();
    tensors.sort_by(|(a_name, a, _), (b_name, b, _)| b.cmp(a).then_with(|| a_name.cmp(b_name)));
    let mut end = 0_usize;
    let infos = tensors.into_iter().map(|(name, dtype, shape)| {
        let start = end;
        end = nexus_tensor::size_bytes(dtype, shape)
            .ok()
            .and_then(|size| start.checked_add(size))
            .ok_or(SafeTensorError::ValidationOverflow)?;
        let info = TensorInfo {
            dtype,
            shape: shape.to_vec(),
            data_offsets: (start, end),
        };
        Ok((name.to_owned(), info))
    });
    let infos = infos.collect::<Result<_, SafeTensorError>>()?;
    Metadata::new((!text.is_empty()).then_some(text), infos)?.to_head()
}
