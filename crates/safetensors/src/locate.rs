//! Where a refused file went wrong. Looked for only when somebody asks, so that reading pays nothing.

use std::collections::HashMap;
use std::fmt;

use crate::header::{LENGTH_SIZE, METADATA_NAME, first_refused};
use crate::strict::violation;
use crate::walk::{Member, last, members};
use crate::{SafeTensorError, TensorInfo};

/// The place of an error in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The tensor it is about, where it is about one.
    pub tensor: Option<String>,
    /// The byte where it was found, counted from the start of the file; the size of the file where
    /// it ends too early.
    pub offset: Option<u64>,
}

/// Finds the place of an error. `file` is the file that was refused, whole.
///
/// Costs a second reading of the header, for tens of milliseconds where it lists 100 000 tensors.
/// Errors that are not about the content of a file have no place.
///
/// ```
/// use nexus_safetensors::{SafeTensors, locate};
///
/// let mut file = 52_u64.to_le_bytes().to_vec();
/// file.extend(br#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}"#);
/// file.extend(b"}.");
/// file[0] += 1;
/// let error = SafeTensors::deserialize(&file).unwrap_err();
/// let location = locate(&file, &error);
/// assert_eq!(location.to_string(), "tensor `a`, byte 54");
/// ```
pub fn locate(file: &[u8], error: &SafeTensorError) -> Location {
    locate_in(file, file.len() as u64, error)
}

/// [`locate`] for those who have only the head of a file, that is its length and its JSON, and know
/// the size of the whole.
pub fn locate_in(head: &[u8], file_size: u64, error: &SafeTensorError) -> Location {
    if let SafeTensorError::InFile { source, .. } = error {
        return locate_in(head, file_size, source);
    }
    let header = head.split_first_chunk::<LENGTH_SIZE>().map(|(size, rest)| {
        let size = usize::try_from(u64::from_le_bytes(*size)).unwrap_or(usize::MAX);
        &rest[..size.min(rest.len())]
    });
    let json = std::str::from_utf8(header.unwrap_or_default()).unwrap_or_default();
    let (tensor, place) = match error {
        SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength => {
            return at_byte(None, file_size);
        }
        SafeTensorError::HeaderTooLarge => return at_byte(None, 0),
        SafeTensorError::UnexpectedEnd { tensor, at, .. } => return at_byte(tensor.clone(), *at),
        SafeTensorError::InvalidHeader(error) => (None, Some(error.valid_up_to())),
        SafeTensorError::InvalidHeaderDeserialization(error) => json_error(json, error),
        SafeTensorError::MetadataIncompleteBuffer => return incomplete(json, file_size),
        SafeTensorError::TensorInvalidInfo => refused_info(json, "data_offsets"),
        SafeTensorError::MisalignedSlice | SafeTensorError::ValidationOverflow => {
            refused_info(json, "shape")
        }
        SafeTensorError::InvalidOffset(name) => info_field(json, name, "data_offsets"),
        SafeTensorError::TensorNotFound(name)
        | SafeTensorError::DuplicateName(name)
        | SafeTensorError::OutOfTensor { name, .. }
        | SafeTensorError::Unwritten { name, .. }
        | SafeTensorError::HeaderCapacity { name, .. }
        | SafeTensorError::WrongSize { name, .. }
        | SafeTensorError::RunOutside { name, .. }
        | SafeTensorError::Cast { name, .. }
        | SafeTensorError::Tensor { name, .. } => (Some(name.clone()), None),
        SafeTensorError::Packed { name, .. } => (name.clone(), None),
        SafeTensorError::DuplicateKey(_)
        | SafeTensorError::NulInHeader(_)
        | SafeTensorError::BlanksAroundHeader
        | SafeTensorError::UnknownField { .. }
        | SafeTensorError::UnusualInfo(_) => {
            let place = violation(json).map(|(_, at)| at);
            (place.and_then(|at| enclosing(json, at)), place)
        }
        _ => (None, None),
    };
    Location {
        tensor,
        offset: place.map(|at| (LENGTH_SIZE + at) as u64),
    }
}

fn at_byte(tensor: Option<String>, offset: u64) -> Location {
    Location {
        tensor,
        offset: Some(offset),
    }
}

/// The tensor whose entry a place of the header lies in.
fn enclosing(json: &str, at: usize) -> Option<String> {
    let member = members(json)
        .take_while(|member| member.key.start <= at)
        .last()?;
    let name = member.name()?.into_owned();
    (name != METADATA_NAME && at <= member.value.end).then_some(name)
}

/// Serde reads infos only when the whole object is there, and then knows no place any more. So
/// where the JSON itself is sound, infos are read again one by one.
fn json_error(json: &str, error: &serde_json::Error) -> (Option<String>, Option<usize>) {
    let at = place(json, error);
    if error.is_data() && text_is_sound(json) {
        let refused = members(json).find_map(|member| {
            let inner = info_error(&member)?;
            let at = member.value.start + place(member.text(), &inner).unwrap_or(0);
            Some((member.name()?.into_owned(), at))
        });
        if let Some((name, at)) = refused {
            return (Some(name), Some(at));
        }
    }
    (at.and_then(|at| enclosing(json, at)), at)
}

fn text_is_sound(json: &str) -> bool {
    let mut texts = members(json).filter(|member| member.name().as_deref() == Some(METADATA_NAME));
    let sound = texts.next().is_none_or(|text| {
        serde_json::from_str::<Option<HashMap<String, String>>>(text.text()).is_ok()
    });
    sound && texts.next().is_none()
}

fn info_error(member: &Member<'_>) -> Option<serde_json::Error> {
    if member.name()? == METADATA_NAME {
        return None;
    }
    serde_json::from_str::<TensorInfo>(member.text()).err()
}

/// The byte of a line and a column. Serde counts both from 1 and columns in bytes.
fn place(json: &str, error: &serde_json::Error) -> Option<usize> {
    let earlier = error.line().checked_sub(1)?;
    let start: usize = json.split_inclusive('\n').take(earlier).map(str::len).sum();
    Some((start + error.column().saturating_sub(1)).min(json.len()))
}

/// The field of the first tensor, in the order of the data, that the checks refuse.
fn refused_info(json: &str, field: &str) -> (Option<String>, Option<usize>) {
    first_refused(json).map_or((None, None), |name| info_field(json, &name, field))
}

fn info_field(json: &str, name: &str, field: &str) -> (Option<String>, Option<usize>) {
    let place = last(members(json), name).map(|info| {
        info.member(field)
            .map_or(info.value.start, |field| field.value.start)
    });
    (Some(name.to_owned()), place)
}

/// The file ends early: the first tensor that is not all there. Or late: the first byte behind.
fn incomplete(json: &str, file_size: u64) -> Location {
    let Ok(metadata) = crate::Metadata::parse_any(json) else {
        return at_byte(None, file_size);
    };
    let data_start = (LENGTH_SIZE + json.len()) as u64;
    let end = |info: &TensorInfo| data_start.saturating_add(info.data_offsets.1 as u64);
    let cut = metadata
        .iter_by_offset()
        .find(|(_, info)| end(info) > file_size);
    match cut {
        Some((name, _)) => at_byte(Some(name.to_owned()), file_size),
        None => at_byte(None, data_start.saturating_add(metadata.data_len() as u64)),
    }
}

/// As in ``tensor `wte`, byte 812``; empty when nothing is known.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tensor, self.offset) {
            (Some(tensor), Some(offset)) => write!(f, "tensor `{tensor}`, byte {offset}"),
            (Some(tensor), None) => write!(f, "tensor `{tensor}`"),
            (None, Some(offset)) => write!(f, "byte {offset}"),
            (None, None) => Ok(()),
        }
    }
}
