//! MDS, the format of mosaicml-streaming: `index.json` and shards of samples with columns.
//!
//! Read as version 2 writes it (streaming 0.13, `streaming/base/format/mds`). Shards packed by zstd are
//! unpacked, and checked against the hashes that the index gives; those packed otherwise are refused.

use serde::Deserialize;

use super::columns::{Column, Prefix, first_type};
use super::{Shard, Sibling, check_name, parse_json};
use crate::images::{Fields, Number, Pictures};
use crate::limits::SHARDS_MAX;
use crate::store::Store;
use crate::unpack::{Digests, Hashes, Source};
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
    zip_data: Option<File>,
    samples: u32,
}

#[derive(Deserialize)]
struct File {
    basename: String,
    bytes: u64,
    #[serde(default)]
    hashes: Digests,
}

/// All shards that an index names. `field` is the column, `stored` the type of `bytes` columns.
pub(crate) fn open(
    index: &Store,
    field: Option<&str>,
    stored: Option<Stored>,
    sibling: Sibling<'_>,
) -> Result<Vec<Shard>, Error> {
    each(index, |entry| entry.open(field, stored, sibling))
}

/// All shards that an index names, as images and labels.
pub(crate) fn open_images(
    index: &Store,
    fields: Fields<'_>,
    sibling: Sibling<'_>,
) -> Result<Vec<Pictures>, Error> {
    each(index, |entry| entry.open_images(fields, sibling))
}

fn each<T>(index: &Store, open: impl Fn(&Entry) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    let parsed: Index = parse_json(index)?;
    if parsed.shards.len() > SHARDS_MAX {
        let what = format!("the index names {} shards", parsed.shards.len());
        return Err(Error::limit(what, "SHARDS_MAX", SHARDS_MAX));
    }
    let named = |entry: &Entry| {
        let name = &entry.raw_data.basename;
        open(entry).map_err(|error| error.within(format!("shard {name:?}")))
    };
    // The writer leaves a shard empty where its first sample is larger than the shard may be; such a
    // shard cannot say what type its arrays have.
    let filled = |entry: &&Entry| entry.samples > 0 || parsed.shards.len() == 1;
    parsed.shards.iter().filter(filled).map(named).collect()
}

impl Entry {
    /// The file as it is, or what it is packed in.
    fn source(&self, sibling: Sibling<'_>) -> Result<Source, Error> {
        if self.format != "mds" {
            let message = format!("the format {:?} is not read", self.format);
            return Err(Error::unsupported(message).with_hint("write MDS shards"));
        }
        let plain = sibling(check_name(&self.raw_data.basename)?);
        let (file, store) = match (plain, &self.zip_data) {
            (Ok(store), _) => (&self.raw_data, store),
            (Err(_), Some(zip)) => (zip, sibling(check_name(&zip.basename)?)?),
            (Err(error), None) => return Err(error),
        };
        if store.size() != file.bytes {
            let (size, wanted) = (store.size(), file.bytes);
            let message = format!("it has {size} bytes, and {wanted} by the index");
            return Err(Error::corrupt(message).with_hint("the file is cut off: fetch it again"));
        }
        if std::ptr::eq(file, &raw const self.raw_data) {
            return Ok(Source::plain(store));
        }
        let name = self.compression.as_deref().unwrap_or("?");
        if name != "zstd" && !name.starts_with("zstd:") {
            let message = format!("the shard is packed by {name:?}");
            return Err(Error::unsupported(message)
                .with_hint("write shards by zstd, without compression, or unpack them"));
        }
        let hashes = Hashes {
            packed: file.hashes.clone(),
            plain: self.raw_data.hashes.clone(),
        };
        Source::zstd(store, self.raw_data.bytes, hashes)
    }

    /// The sizes of columns; a size of 0 means that each sample says it, as in the format's reader.
    fn sizes(&self) -> Vec<Option<u32>> {
        let known = |size: &Option<u32>| size.filter(|&size| size > 0);
        self.column_sizes.iter().map(known).collect()
    }

    fn open(
        &self,
        field: Option<&str>,
        stored: Option<Stored>,
        sibling: Sibling<'_>,
    ) -> Result<Shard, Error> {
        let source = self.source(sibling)?;
        let column = self.column(field)?;
        let (prefix, fixed) = encoding(&self.column_encodings[column])?;
        let unknown = prefix == Prefix::TypeShape;
        let mut found = Column {
            count: u64::from(self.samples),
            sizes: self.sizes(),
            chosen: column,
            prefix,
            stored: fixed.or(stored).unwrap_or(Stored::U8),
        }
        .check(&source)?;
        found.stored = match (fixed, stored) {
            (Some(fixed), _) => fixed,
            (None, _) if unknown && found.count > 0 => first_type(&found, &*source.look()?)?,
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
            source,
            stored: found.stored,
            documents: Box::new(found),
        })
    }

    fn open_images(&self, fields: Fields<'_>, sibling: Sibling<'_>) -> Result<Pictures, Error> {
        let source = self.source(sibling)?;
        self.check_columns()?;
        let image = self.named(fields.image, &["image", "img", "jpg", "jpeg", "png", "x"]);
        let Some(image) = image else {
            let names = &self.column_names;
            let message = format!("cannot find images among the columns {names:?}");
            return Err(Error::not_found(message).with_hint("name the column of images"));
        };
        let encoding = self.column_encodings[image].as_str();
        if !matches!(encoding, "bytes" | "jpeg" | "png") {
            let message = format!("a column of {encoding:?} cannot be read as images");
            return Err(Error::unsupported(message).with_hint("write images as jpeg, png or bytes"));
        }
        let label = self.named(fields.label, &["label", "class", "cls", "y"]);
        if label.is_none() && fields.label.is_some() {
            let names = &self.column_names;
            let message = format!("cannot find labels among the columns {names:?}");
            return Err(Error::not_found(message));
        }
        let label = label.map(|label| {
            let encoding = self.column_encodings[label].as_str();
            let number = match encoding {
                "int" => Some(Number::Integer(Stored::I64)),
                "str" | "str_int" => Some(Number::Text),
                _ => Stored::of_numpy(encoding).map(Number::Integer),
            };
            let refused = || {
                let message = format!("a column of {encoding:?} cannot be read as labels");
                Error::unsupported(message).with_hint("write labels as int")
            };
            Ok((label, number.ok_or_else(refused)?))
        });
        let count = u64::from(self.samples);
        Pictures::columns(source, count, &self.sizes(), image, label.transpose()?)
    }

    /// The column of a name, or of the first of several usual ones.
    fn named(&self, given: Option<&str>, usual: &[&str]) -> Option<usize> {
        let find = |name: &str| self.column_names.iter().position(|other| other == name);
        match given {
            Some(name) => find(name),
            None => usual.iter().find_map(|name| find(name)),
        }
    }

    fn check_columns(&self) -> Result<(), Error> {
        let names = self.column_names.len();
        if names == self.column_encodings.len() && names == self.column_sizes.len() {
            return Ok(());
        }
        Err(Error::corrupt(
            "its columns have other numbers of names, encodings and sizes",
        ))
    }

    fn column(&self, field: Option<&str>) -> Result<usize, Error> {
        self.check_columns()?;
        let names = &self.column_names;
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
