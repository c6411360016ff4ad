//! The rules a header is read by, and what the stricter ones refuse.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::SafeTensorError;
use crate::header::{LENGTH_SIZE, METADATA_NAME};
use crate::walk::{Member, decoded, members};

/// Which headers are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rules {
    /// What `safetensors` 0.8.0 accepts, which is more than the format's page describes.
    #[default]
    Compatible,
    /// Only what cannot be read in two ways. Refused too: a key that stands twice, NUL in names or
    /// free text, blanks around the JSON other than spaces behind it that fill it up to a multiple
    /// of 8, fields that the format does not know, and infos that are no plain objects.
    Strict,
}

/// The first thing in a header that [`Rules::Strict`] refuses, and its place in the header. The
/// header is one that the compatible rules accept. Costs a second pass and a set of its names.
pub(crate) fn violation(json: &str) -> Option<(SafeTensorError, usize)> {
    blanks(json).or_else(|| {
        let mut keys = HashSet::new();
        members(json).find_map(|member| {
            let name = member.name()?;
            key(&member, name.clone(), &mut keys).or_else(|| match &*name {
                METADATA_NAME => text(&member),
                _ => info(&member, &name),
            })
        })
    })
}

fn blanks(json: &str) -> Option<(SafeTensorError, usize)> {
    let refused = |at| Some((SafeTensorError::BlanksAroundHeader, at));
    let unpadded = json.trim_end_matches(' ');
    if !json.starts_with('{') {
        refused(0)
    } else if !unpadded.ends_with('}') {
        refused(json.trim_end().len())
    } else if unpadded.len() < json.len() && !json.len().is_multiple_of(LENGTH_SIZE) {
        refused(unpadded.len())
    } else {
        None
    }
}

fn key<'a>(
    member: &Member<'a>,
    name: Cow<'a, str>,
    keys: &mut HashSet<Cow<'a, str>>,
) -> Option<(SafeTensorError, usize)> {
    let error = if name.contains('\0') {
        SafeTensorError::NulInHeader(name.into_owned())
    } else if let Some(first) = keys.replace(name) {
        SafeTensorError::DuplicateKey(first.into_owned())
    } else {
        return None;
    };
    Some((error, member.key.start))
}

fn text(member: &Member<'_>) -> Option<(SafeTensorError, usize)> {
    let mut keys = HashSet::new();
    member.members().find_map(|entry| {
        let name = entry.name()?;
        key(&entry, name.clone(), &mut keys).or_else(|| {
            let nul = decoded(entry.text())?.contains('\0');
            nul.then(|| {
                (
                    SafeTensorError::NulInHeader(name.into_owned()),
                    entry.value.start,
                )
            })
        })
    })
}

fn info(member: &Member<'_>, name: &str) -> Option<(SafeTensorError, usize)> {
    let unusual = |at| Some((SafeTensorError::UnusualInfo(name.to_owned()), at));
    if !member.text().starts_with('{') {
        return unusual(member.value.start);
    }
    member.members().find_map(|field| {
        let field_name = field.name()?;
        match &*field_name {
            "shape" | "data_offsets" => None,
            "dtype" if field.text().starts_with('"') => None,
            "dtype" => unusual(field.value.start),
            _ => Some((
                SafeTensorError::UnknownField {
                    tensor: name.to_owned(),
                    field: field_name.into_owned(),
                },
                field.key.start,
            )),
        }
    })
}
