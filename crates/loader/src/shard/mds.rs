//! MDS, the format of mosaicml-streaming: `index.json` and shards of samples with columns.
//!
//! Read as version 2 writes it (streaming 0.13, `streaming/base/format/mds`). Packed shards are
//! refused: unpack them first.

use serde::Deserialize;

use super::columns::{Column, Prefix, first_type};
use super::{Shard, Sibling, check_name, parse_json};
use crate::limits::SHARDS_MAX;
use crate::store::Store;
use crate::{Error, Stored};

#[derive(Deserialize)]
struct Index {
    shards: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    format: String,
    #[serde(default)]
    column_names: Vec<String>,
    #[serde(default)]
    column_encodings: Vec<String>,
    #[serde(default)]
    column_sizes: Vec<Option<u32>>,
    compression: Option<String>,
    raw_data: File,
    samples: u32,
}

#[derive(Deserialize)]
struct File {
    basename: String,
    bytes: u64,
}

/// All shards that an index names. `field` is the column, `stored` the type of `bytes` columns.
pub(crate) fn open(
    index: &Store,
    field: Option<&str>,
    stored: Option<Stored>,
    sibling: Sibling<'_>,
) -> Result<Vec<Shard>, Error> {
    let parsed: Index = parse_json(index)?;
    if parsed.shards.len() > SHARDS_MAX {
        let what = format!("the index names {} shards", parsed.shards.len());
        return Err(Error::limit(what, "SHARDS_MAX", SHARDS_MAX));
    }
    let entries = parsed.shards.iter();
    entries
        .map(|entry| {
            let name = &entry.raw_data.basename;
            entry
                .open(field, stored, sibling)
                .map_err(|error| error.within(format!("shard {name:?}")))
        })
        .collect()
}

impl Entry {
    fn open(
        &self,
        field: Option<&str>,
        stored: Option<Stored>,
        sibling: Sibling<'_>,
    ) -> Result<Shard, Error> {
        if self.format != "mds" {
            let message = format!("the format {:?} is not read", self.format);
            return Err(Error::unsupported(message).with_hint("write MDS shards"));
        }
        let store = sibling(check_name(&self.raw_data.basename)?).map_err(|error| {
            match &self.compression {
                Some(_) => Error::unsupported(format!("the shard is packed: {error}"))
                    .with_hint("unpack the shards, or write them without compression"),
                None => error,
            }
        })?;
        if store.size() != self.raw_data.bytes {
            let (size, wanted) = (store.size(), self.raw_data.bytes);
            let message = format!("it has {size} bytes, and {wanted} by the index");
            return Err(Error::corrupt(message).with_hint("the file is cut off: fetch it again"));
        }
        let column = self.column(field)?;
        let (prefix, fixed) = encoding(&self.column_encodings[column])?;
        let unknown = prefix == Prefix::TypeShape;
        let mut found = Column {
            count: u64::from(self.samples),
            // A size of 0 means that each sample says it, as in the reader of the format.
            sizes: self
                .column_sizes
                .iter()
                .map(|size| size.filter(|&size| size > 0))
                .collect(),
            chosen: column,
            prefix,
            stored: fixed.or(stored).unwrap_or(Stored::U8),
        }
        .check(&store)?;
        found.stored = match (fixed, stored) {
            (Some(fixed), _) => fixed,
            (None, _) if unknown && found.count > 0 => first_type(&found, &store)?,
            (None, Some(stored)) => stored,
            (None, None) => {
                let name = &self.column_names[column];
                let message = format!("cannot know the type of the tokens in column {name:?}");
                return Err(
                    Error::invalid(message).with_hint("name the stored type, such as uint16")
                );
            }
        };
        Ok(Shard {
            store,
            stored: found.stored,
            documents: Box::new(found),
        })
    }

    fn column(&self, field: Option<&str>) -> Result<usize, Error> {
        let names = &self.column_names;
        if names.len() != self.column_encodings.len() || names.len() != self.column_sizes.len() {
            return Err(Error::corrupt(
                "its columns have other numbers of names, encodings and sizes",
            ));
        }
        let found = match field {
            Some(field) => names.iter().position(|name| name == field),
            None if names.len() == 1 => Some(0),
            None => names.iter().position(|name| name == "tokens"),
        };
        found.ok_or_else(|| {
            let field = field.unwrap_or("tokens");
            Error::not_found(format!("there is no column {field:?} among {names:?}"))
                .with_hint("name the column that holds the tokens")
        })
    }
}

/// What stands before the tokens of an encoding, and their type where it says it.
fn encoding(name: &str) -> Result<(Prefix, Option<Stored>), Error> {
    if name == "bytes" {
        return Ok((Prefix::None, None));
    }
    let mut parts = name.split(':');
    let refused = || {
        Error::unsupported(format!("a column of {name:?} cannot be read as tokens"))
            .with_hint("write tokens as bytes or as ndarray")
    };
    if parts.next() != Some("ndarray") {
        return Err(refused());
    }
    let Some(dtype) = parts.next() else {
        return Ok((Prefix::TypeShape, None));
    };
    let stored = Stored::of_numpy(dtype).ok_or_else(refused)?;
    let shaped = parts.next().is_some();
    let prefix = if shaped { Prefix::None } else { Prefix::Shape };
    Ok((prefix, Some(stored)))
}
