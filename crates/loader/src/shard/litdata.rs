//! litdata: `index.json` and `chunk-*.bin`, as litdata 0.2 writes them.
//!
//! With litdata's `TokensLoader`, a chunk is one run of tokens; windows are cut from each chunk
//! alone, as litdata cuts its blocks. Otherwise the samples are what litdata's tree of one or more
//! leaves holds, and the leaf is chosen by its number. Packed and encrypted chunks are refused.

use serde::Deserialize;

use super::columns::{Column, Prefix};
use super::{Documents, Shard, Sibling, Span, check_name, parse_json};
use crate::limits::{COLUMNS_MAX, SHARDS_MAX};
use crate::store::Store;
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
    dim: Option<u64>,
}

#[derive(Deserialize)]
struct Config {
    compression: Option<serde_json::Value>,
    encryption: Option<serde_json::Value>,
    data_format: Vec<String>,
}

/// All chunks that an index names. `field` is the number of the leaf.
pub(crate) fn open(
    index: &Store,
    field: Option<&str>,
    sibling: Sibling<'_>,
) -> Result<Vec<Shard>, Error> {
    let Index { chunks, config } = parse_json(index)?;
    if chunks.len() > SHARDS_MAX {
        let what = format!("the index names {} chunks", chunks.len());
        return Err(Error::limit(what, "SHARDS_MAX", SHARDS_MAX));
    }
    let (leaf, stored) = config.leaf(field)?;
    chunks
        .iter()
        .map(|chunk| {
            open_chunk(chunk, &config, leaf, stored, sibling)
                .map_err(|error| error.within(format!("chunk {:?}", chunk.filename)))
        })
        .collect()
}

fn open_chunk(
    chunk: &Chunk,
    config: &Config,
    leaf: usize,
    stored: Stored,
    sibling: Sibling<'_>,
) -> Result<Shard, Error> {
    let store = sibling(check_name(&chunk.filename)?)?;
    let count = u64::from(chunk.items);
    let whole = chunk.dim.is_some();
    let leaves = if whole { 1 } else { config.data_format.len() };
    let column = Column {
        count,
        sizes: vec![None; leaves],
        chosen: leaf,
        prefix: Prefix::None,
        stored,
    }
    .check(&store)?;
    let Some(tokens) = chunk.dim else {
        return Ok(Shard {
            store,
            stored,
            documents: Box::new(column),
        });
    };
    let run = Span {
        start: 4 * (count + 2),
        len: tokens,
    };
    Ok(Shard {
        store,
        stored,
        documents: Box::new(Tokens { count, run, stored }),
    })
}

impl Config {
    /// Which leaf holds the tokens, and their type.
    fn leaf(&self, field: Option<&str>) -> Result<(usize, Stored), Error> {
        for (what, set) in [
            ("packed", &self.compression),
            ("encrypted", &self.encryption),
        ] {
            if set.as_ref().is_some_and(|set| !set.is_null()) {
                let message = format!("cannot read chunks that are {what}");
                return Err(Error::unsupported(message).with_hint("write them plainly"));
            }
        }
        let formats = &self.data_format;
        if formats.len() > COLUMNS_MAX {
            let what = format!("samples have {} leaves", formats.len());
            return Err(Error::limit(what, "COLUMNS_MAX", COLUMNS_MAX));
        }
        let leaf = match field {
            None if formats.len() == 1 => Some(0),
            None => None,
            Some(field) => field
                .parse()
                .ok()
                .filter(|&leaf: &usize| leaf < formats.len()),
        };
        let Some(leaf) = leaf else {
            let message = format!("cannot choose the tokens among {} leaves", formats.len());
            return Err(Error::not_found(message).with_hint("give the leaf's number as the field"));
        };
        Ok((leaf, element_type(&formats[leaf])?))
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
