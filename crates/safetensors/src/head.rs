//! Writing the head of a file: the bytes that `serde_json` would write, without its detours.

use std::collections::BTreeMap;

use crate::header::{LENGTH_SIZE, METADATA_NAME};
use crate::limits::HEADER_SIZE_MAX;
use crate::scan::plain_size;
use crate::{Metadata, SafeTensorError, TensorInfo};

/// Bytes of JSON around the name of a usual tensor: what is reserved.
const INFO_SIZE: usize = 80;

/// The digits of the largest number.
const DIGITS: usize = 20;

/// The whole head of a file: the length, the JSON, and blanks up to a multiple of 8.
pub(crate) fn to_head(metadata: &Metadata) -> Result<Vec<u8>, SafeTensorError> {
    let mut head =
        Vec::with_capacity(LENGTH_SIZE + metadata.names_size() + metadata.len() * INFO_SIZE);
    head.extend([0; LENGTH_SIZE]);
    json(metadata, &mut head)?;
    head.resize(head.len().next_multiple_of(LENGTH_SIZE), b' ');
    let size = head.len() - LENGTH_SIZE;
    if size > HEADER_SIZE_MAX {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    head[..LENGTH_SIZE].copy_from_slice(&(size as u64).to_le_bytes());
    Ok(head)
}

/// Free text first, in sorted order; then the tensors in the order of their data.
fn json(metadata: &Metadata, out: &mut Vec<u8>) -> Result<(), SafeTensorError> {
    let mut separator = b'{';
    if let Some(text) = metadata.metadata() {
        out.push(separator);
        string(METADATA_NAME, out)?;
        out.push(b':');
        serde_json::to_writer(&mut *out, &text.iter().collect::<BTreeMap<_, _>>())?;
        separator = b',';
    }
    for (name, info) in metadata.iter_by_offset() {
        out.push(separator);
        string(name, out)?;
        out.push(b':');
        self::info(info, out);
        separator = b',';
    }
    if separator == b'{' {
        out.push(separator);
    }
    out.push(b'}');
    Ok(())
}

fn info(info: &TensorInfo, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"dtype":""#);
    out.extend_from_slice(info.dtype.name().as_bytes());
    out.extend_from_slice(br#"","shape":["#);
    for (axis, &length) in info.shape.iter().enumerate() {
        if axis > 0 {
            out.push(b',');
        }
        number(length, out);
    }
    out.extend_from_slice(br#"],"data_offsets":["#);
    number(info.data_offsets.0, out);
    out.push(b',');
    number(info.data_offsets.1, out);
    out.extend_from_slice(b"]}");
}

fn string(text: &str, out: &mut Vec<u8>) -> Result<(), SafeTensorError> {
    if plain_size(text.as_bytes()) < text.len() {
        return Ok(serde_json::to_writer(out, text)?);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

fn number(number: usize, out: &mut Vec<u8>) {
    let mut digits = [0; DIGITS];
    let mut start = DIGITS;
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use nexus_tensor::DType;
    use proptest::prelude::*;

    use super::json;
    use crate::{Metadata, TensorInfo};

    proptest! {
        #[test]
        fn json_equals_that_of_serde(
            names in prop::collection::hash_set("\\PC{0,9}|[\\x00-\\x7F]{0,9}", 0..5),
            shape in prop::collection::vec(prop::num::usize::ANY, 0..4),
            dtype in prop::sample::select(DType::ALL.to_vec()),
            text in prop::option::of(prop::collection::hash_map("[\\x00-\\x7F]{0,4}", "\\PC{0,4}", 0..3)),
        ) {
            let shape = [&[0][..], &shape.into_iter().map(|length| length >> 32).collect::<Vec<_>>()].concat();
            let info = TensorInfo { dtype, shape, data_offsets: (0, 0) };
            let names = names.into_iter().filter(|name| name != "__metadata__");
            let text: Option<HashMap<String, String>> = text;
            let metadata = Metadata::new(text, names.map(|name| (name, info.clone())).collect()).unwrap();
            let mut ours = Vec::new();
            json(&metadata, &mut ours).unwrap();
            prop_assert_eq!(String::from_utf8(ours).unwrap(), serde_json::to_string(&metadata).unwrap());
        }
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for number in [0, 9, 10, 1234, usize::MAX] {
            let mut digits = Vec::new();
            super::number(number, &mut digits);
            assert_eq!(digits, number.to_string().as_bytes());
        }
    }
}
