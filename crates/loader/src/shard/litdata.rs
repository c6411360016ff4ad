//! litdata: `index.json` and `chunk-*.bin`, as litdata 0.2 writes them.
//!
//! With litdata's `TokensLoader`, a chunk is one run of tokens; windows are cut from each chunk
//! alone, as litdata cuts its blocks. Otherwise the samples are what litdata's tree of one or more
//! leaves holds, and the leaf is chosen by its number, or its name in a dictionary. Chunks that are
//! packed as a whole (`compression_level="chunk"`) are unpacked; encrypted ones and those of several
//! frames are refused.

use serde::Deserialize;

use super::columns::{Column, Prefix};
use super::{Documents, Shard, Sibling, Span, check_name, parse_json};
use crate::images::{Fields, Number, Pictures};
use crate::limits::{COLUMNS_MAX, SHARDS_MAX};
use crate::store::Store;
use crate::unpack::{Hashes, Source};
use crate::{Error, Stored};

#[derive(Deserialize)]
struct Index {
    chunks: Vec<Chunk>,
    config: Config,
}

#[derive(Deserialize)]
struct Chunk {
    filename: String,
    #[serde(rename = "chunk_size")]
    items: u32,
    #[serde(rename = "chunk_bytes")]
    size: Option<u64>,
    dim: Option<u64>,
}

#[derive(Deserialize)]
struct Config {
    compression: Option<serde_json::Value>,
    compression_level: Option<serde_json::Value>,
    encryption: Option<serde_json::Value>,
    data_format: Vec<String>,
    #[serde(default)]
    data_spec: String,
}

/// All chunks that an index names. `field` is the number of the leaf, or its name.
pub(crate) fn open(
    index: &Store,
    field: Option<&str>,
    sibling: Sibling<'_>,
) -> Result<Vec<Shard>, Error> {
    let Index { chunks, config } = parse(index)?;
    let leaf = match field {
        None if config.data_format.len() == 1 => Some(0),
        None => None,
        Some(field) => config.leaf(field),
    };
    let leaf = leaf.ok_or_else(|| {
        let count = config.data_format.len();
        let message = format!("cannot choose the tokens among {count} leaves");
        Error::not_found(message).with_hint("give the leaf's number or name as the field")
    })?;
    let stored = element_type(&config.data_format[leaf])?;
    chunks
        .iter()
        .map(|chunk| {
            chunk
                .open(&config, leaf, stored, sibling)
                .map_err(|error| error.within(format!("chunk {:?}", chunk.filename)))
        })
        .collect()
}

/// The index, checked.
fn parse(index: &Store) -> Result<Index, Error> {
    let index: Index = parse_json(index)?;
    if index.chunks.len() > SHARDS_MAX {
        let what = format!("the index names {} chunks", index.chunks.len());
        return Err(Error::limit(what, "SHARDS_MAX", SHARDS_MAX));
    }
    index.config.check()?;
    Ok(index)
}

/// The chunks that an index names, and which leaf of theirs holds images and which labels.
pub(crate) fn open_images(
    index: &Store,
    fields: Fields<'_>,
    sibling: Sibling<'_>,
) -> Result<Vec<Pictures>, Error> {
    let Index { chunks, config } = parse(index)?;
    let formats = &config.data_format;
    let like = |known: &[&str]| {
        let kind = |format: &String| format.split(':').next().unwrap_or("").to_owned();
        let is_known = |format: &String| known.contains(&kind(format).as_str());
        formats.iter().position(is_known)
    };
    let image = match fields.image {
        Some(field) => config.leaf(field),
        None => like(&["jpeg", "image", "bytes"]),
    };
    let label = match fields.label {
        Some(field) => config.leaf(field),
        None => like(&["int"]),
    };
    let image = image.ok_or_else(|| {
        Error::not_found(format!("cannot find images among leaves {formats:?}"))
            .with_hint("give the leaf's number or name as the field")
    })?;
    if label.is_none() && fields.label.is_some() {
        return Err(Error::not_found(format!(
            "cannot find labels among leaves {formats:?}"
        )));
    }
    let kind = formats[image].split(':').next().unwrap_or("");
    if !matches!(kind, "jpeg" | "image" | "bytes") {
        let format = &formats[image];
        let message = format!("cannot read leaves of the format {format:?} as images");
        return Err(Error::unsupported(message).with_hint("write images as bytes of their files"));
    }
    let label = label.map(|label| match formats[label].as_str() {
        "int" => Ok((label, Number::Integer(Stored::I64))),
        "string" => Ok((label, Number::Text)),
        format => Err(Error::unsupported(format!(
            "cannot read leaves of the format {format:?} as labels"
        ))),
    });
    let label = label.transpose()?;
    let open = |chunk: &Chunk| {
        let source = chunk.source(&config, sibling)?;
        let sizes = vec![None; formats.len()];
        let count = u64::from(chunk.items);
        Pictures::columns(source, count, &sizes, image, label)
    };
    let named = |chunk: &Chunk| {
        open(chunk).map_err(|error| error.within(format!("chunk {:?}", chunk.filename)))
    };
    chunks.iter().map(named).collect()
}

impl Chunk {
    fn source(&self, config: &Config, sibling: Sibling<'_>) -> Result<Source, Error> {
        let store = sibling(check_name(&self.filename)?)?;
        if !config.is_packed() {
            let start = 4 * (u64::from(self.items) + 2);
            if store
                .bytes(start, 6, "")
                .is_ok_and(|bytes| *bytes == *b"ARROW1")
            {
                let message = "it holds an Arrow file, and not samples";
                return Err(Error::unsupported(message)
                    .with_hint("write the data set as Parquet, MDS or WebDataset"));
            }
            return Ok(Source::plain(store));
        }
        let size = self
            .size
            .ok_or_else(|| Error::corrupt("the index does not say its size"))?;
        Source::zstd(store, size, Hashes::default())
    }

    fn open(
        &self,
        config: &Config,
        leaf: usize,
        stored: Stored,
        sibling: Sibling<'_>,
    ) -> Result<Shard, Error> {
        let source = self.source(config, sibling)?;
        let count = u64::from(self.items);
        let whole = self.dim.is_some();
        let leaves = if whole { 1 } else { config.data_format.len() };
        let column = Column {
            count,
            sizes: vec![None; leaves],
            chosen: leaf,
            prefix: Prefix::None,
            stored,
        }
        .check(&source)?;
        let documents: Box<dyn Documents> = match self.dim {
            None => Box::new(column),
            Some(len) => {
                let start = 4 * (count + 2);
                let run = Span { start, len };
                Box::new(Tokens { count, run, stored })
            }
        };
        Ok(Shard {
            source,
            stored,
            documents,
        })
    }
}

impl Config {
    fn check(&self) -> Result<(), Error> {
        let is_set = |set: &Option<serde_json::Value>| set.as_ref().is_some_and(|v| !v.is_null());
        if is_set(&self.encryption) {
            let message = "cannot read chunks that are encrypted";
            return Err(Error::unsupported(message).with_hint("write them plainly"));
        }
        if is_set(&self.compression) {
            let name = self.compression.as_ref().and_then(|name| name.as_str());
            let level = self.compression_level.as_ref();
            let level = level.and_then(|level| level.as_str()).unwrap_or("chunk");
            let zstd = name.is_some_and(|name| name == "zstd" || name.starts_with("zstd:"));
            if !zstd || level != "chunk" {
                let name = name.unwrap_or("?");
                let message =
                    format!("cannot read chunks that are packed by {name:?} each {level}");
                return Err(Error::unsupported(message)
                    .with_hint("write them plainly, or by zstd with compression_level=\"chunk\""));
            }
        }
        if self.data_format.len() > COLUMNS_MAX {
            let what = format!("samples have {} leaves", self.data_format.len());
            return Err(Error::limit(what, "COLUMNS_MAX", COLUMNS_MAX));
        }
        Ok(())
    }

    fn is_packed(&self) -> bool {
        self.compression.as_ref().is_some_and(|set| !set.is_null())
    }

    /// The leaf of a number, or of a name in a dictionary of leaves.
    fn leaf(&self, field: &str) -> Option<usize> {
        let count = self.data_format.len();
        if let Ok(leaf) = field.parse() {
            return Some(leaf).filter(|&leaf| leaf < count);
        }
        let spec: serde_json::Value = serde_json::from_str(&self.data_spec).ok()?;
        let names = spec.get(1)?.get("context")?.as_str()?;
        let names: Vec<String> = serde_json::from_str(names).ok()?;
        let leaf = names.iter().position(|name| name == field)?;
        // Where a value of the dictionary is a tree, leaves are counted otherwise.
        (names.len() == count).then_some(leaf)
    }
}

/// The type of a format such as `no_header_tensor:20`; the numbers are those of litdata's tables.
fn element_type(format: &str) -> Result<Stored, Error> {
    let refused = || {
        Error::unsupported(format!(
            "cannot read leaves of the format {format:?} as tokens"
        ))
        .with_hint("write rows of integers as tensors or arrays of one axis")
    };
    let (kind, code) = format.split_once(':').ok_or_else(refused)?;
    Ok(match (kind, code) {
        ("no_header_tensor", "11") | ("no_header_numpy", "4") => Stored::U8,
        ("no_header_tensor", "12") | ("no_header_numpy", "0") => Stored::I8,
        ("no_header_tensor", "13" | "14") | ("no_header_numpy", "1") => Stored::I16,
        ("no_header_tensor", "15" | "16") | ("no_header_numpy", "2") => Stored::I32,
        ("no_header_tensor", "17" | "18") | ("no_header_numpy", "3") => Stored::I64,
        ("no_header_tensor", "20") | ("no_header_numpy", "5") => Stored::U16,
        ("no_header_numpy", "6") => Stored::U32,
        ("no_header_numpy", "7") => Stored::U64,
        _ => return Err(refused()),
    })
}

/// A chunk of tokens without headers: documents between offsets, and all of it one run.
struct Tokens {
    count: u64,
    run: Span,
    stored: Stored,
}

impl Documents for Tokens {
    fn count(&self) -> u64 {
        self.count
    }

    fn span(&self, store: &Store, at: u64) -> Result<Span, Error> {
        let start = u64::from(store.u32(4 + 4 * at, "an offset")?);
        let end = u64::from(store.u32(8 + 4 * at, "an offset")?);
        let item = self.stored.size() as u64;
        let size = end
            .checked_sub(start)
            .filter(|size| size.is_multiple_of(item));
        let Some(size) = size else {
            let path = store.path().display();
            let message = format!("item {at} of `{path}` goes from byte {start} to {end}");
            return Err(Error::corrupt(message));
        };
        Ok(Span {
            start,
            len: size / item,
        })
    }

    fn runs(&self) -> Option<Vec<Span>> {
        Some(vec![self.run])
    }
}
