//! Shards: where the tokens of documents lie in files of many formats.

mod columns;
mod litdata;
mod mds;
mod megatron;
mod npy;
mod parquet;
mod plain;
mod safetensors;
mod tar;

use serde::de::DeserializeOwned;

use crate::limits::INDEX_SIZE_MAX;
use crate::store::Store;
use crate::unpack::Source;
use crate::{Cancel, Error, Stored};

pub(crate) use columns::{Column, Prefix};
pub(crate) use litdata::{open as open_litdata, open_images as open_litdata_images};
pub(crate) use mds::{open as open_mds, open_images as open_mds_images};
pub(crate) use megatron::open as open_megatron;
pub(crate) use npy::open as open_npy;
pub(crate) use parquet::{open as open_parquet, open_images as open_parquet_images};
pub(crate) use plain::open as open_plain;
pub(crate) use safetensors::{open as open_safetensors, open_bytes as open_safetensors_bytes};
pub(crate) use tar::{Member, Members, open as open_tar};

/// Tokens that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first byte.
    pub(crate) start: u64,
    /// How many tokens.
    pub(crate) len: u64,
}

/// Where the documents of a shard lie.
pub(crate) trait Documents: Send + Sync {
    fn count(&self) -> u64;

    /// Where document `at` lies in `store`; its bytes need not be there.
    fn span(&self, store: &Store, at: u64) -> Result<Span, Error>;

    /// Longer runs of tokens that documents lie in side by side, where the format has them.
    fn runs(&self) -> Option<Vec<Span>> {
        None
    }
}

/// One file of tokens, or a part of one that is unpacked by itself.
pub(crate) struct Shard {
    pub(crate) source: Source,
    pub(crate) stored: Stored,
    pub(crate) documents: Box<dyn Documents>,
}

/// Opens a file that an index names, which stands beside the index.
pub(crate) type Sibling<'a> = &'a dyn Fn(&str) -> Result<Store, Error>;

impl Shard {
    /// A file whose documents lie in it as they are.
    fn plain(store: Store, stored: Stored, documents: impl Documents + 'static) -> Self {
        Self {
            source: Source::plain(store),
            stored,
            documents: Box::new(documents),
        }
    }

    /// Where a document lies in the shard's bytes, checked against their size.
    pub(crate) fn span(&self, store: &Store, at: u64) -> Result<Span, Error> {
        let span = self.documents.span(store, at)?;
        self.check(store, span)
            .map_err(|error| error.within(format!("document {at}")))?;
        Ok(span)
    }

    fn check(&self, store: &Store, span: Span) -> Result<(), Error> {
        let size = span.len.checked_mul(self.stored.size() as u64);
        let end = size.and_then(|size| size.checked_add(span.start));
        if end.is_some_and(|end| end <= store.size()) {
            return Ok(());
        }
        let (Span { start, len }, size) = (span, store.size());
        let path = store.path().display();
        Err(Error::corrupt(format!(
            "cannot find {len} tokens at byte {start} of `{path}`, which has {size} bytes"
        ))
        .with_hint("the file may be cut off: fetch or write it again"))
    }

    /// The runs of tokens that windows are cut from, checked.
    pub(crate) fn runs(&self, cancel: &Cancel) -> Result<Vec<Span>, Error> {
        cancel.check()?;
        let store = self.source.look()?;
        if let Some(runs) = self.documents.runs() {
            runs.iter().try_for_each(|&span| self.check(&store, span))?;
            return Ok(runs);
        }
        let span = |at| {
            cancel.check()?;
            self.span(&store, at)
        };
        (0..self.documents.count()).map(span).collect()
    }

    /// How many tokens each document has.
    pub(crate) fn document_lens(&self, cancel: &Cancel) -> Result<Vec<u32>, Error> {
        cancel.check()?;
        let store = self.source.look()?;
        let len = |at| {
            cancel.check()?;
            let len = self.span(&store, at)?.len;
            u32::try_from(len).map_err(|_| {
                let what = format!("document {at} has {len} tokens");
                Error::limit(what, "u32::MAX", u32::MAX)
            })
        };
        (0..self.documents.count()).map(len).collect()
    }
}

/// Documents that are all known.
struct Listed(Vec<Span>);

impl Documents for Listed {
    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn span(&self, _: &Store, at: u64) -> Result<Span, Error> {
        Ok(self.0[at as usize])
    }
}

/// The rows of a matrix.
struct Matrix {
    start: u64,
    rows: u64,
    row_len: u64,
    stored: Stored,
}

impl Documents for Matrix {
    fn count(&self) -> u64 {
        self.rows
    }

    fn span(&self, _: &Store, at: u64) -> Result<Span, Error> {
        let offset = at * self.row_len * self.stored.size() as u64;
        Ok(Span {
            start: self.start + offset,
            len: self.row_len,
        })
    }

    fn runs(&self) -> Option<Vec<Span>> {
        Some(vec![Span {
            start: self.start,
            len: self.rows * self.row_len,
        }])
    }
}

/// The documents of an array of one or two axes that starts at byte `start`.
fn documents_of(store: &Store, start: u64, shape: &[u64], stored: Stored) -> Result<Matrix, Error> {
    let (rows, row_len) = match *shape {
        [len] => (1, len),
        [rows, len] => (rows, len),
        _ => {
            let message = format!(
                "cannot read tokens of shape {shape:?} in `{}`",
                store.path().display()
            );
            return Err(Error::unsupported(message)
                .with_hint("tokens have one axis, or one row a document"));
        }
    };
    if row_len == 0 && rows > 1 {
        let path = store.path().display();
        let message = format!("cannot read tokens of shape {shape:?} in `{path}`: rows are empty");
        return Err(Error::unsupported(message).with_hint("leave the array out"));
    }
    let size = rows
        .checked_mul(row_len)
        .and_then(|len| len.checked_mul(stored.size() as u64));
    let end = size.and_then(|size| size.checked_add(start));
    if end.is_none_or(|end| end > store.size()) {
        let (path, size) = (store.path().display(), store.size());
        let message =
            format!("cannot find tokens of shape {shape:?} in `{path}`, which has {size} bytes");
        return Err(Error::corrupt(message).with_hint("the file may be cut off: fetch it again"));
    }
    Ok(Matrix {
        start,
        rows,
        row_len,
        stored,
    })
}

/// The JSON of an index.
pub(crate) fn parse_json<T: DeserializeOwned>(store: &Store) -> Result<T, Error> {
    let path = store.path().display();
    if store.size() > INDEX_SIZE_MAX {
        let what = format!("cannot read the index `{path}` of {} bytes", store.size());
        return Err(Error::limit(what, "INDEX_SIZE_MAX", INDEX_SIZE_MAX));
    }
    let text = store.bytes(0, store.size(), "the index")?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::corrupt(format!("cannot read the index `{path}`: {error}")))
}

/// A name from an index, which must stand beside or below it.
fn check_name(name: &str) -> Result<&str, Error> {
    // A colon behind one letter is a drive; litdata's names have one further on.
    let plain = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.contains(['\\', '\0'])
            && part.find(':') != Some(1)
    };
    if name.split('/').all(plain) {
        return Ok(name);
    }
    Err(Error::corrupt(format!(
        "cannot open the shard {name:?}: the name leads out of the folder"
    ))
    .with_hint("the index is hostile or damaged: do not use it"))
}
