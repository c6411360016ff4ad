//! Megatron's indexed data sets: `.bin` with the tokens and `.idx` with where they lie.
//!
//! The index is `MMIDIDX\0\0`, version 1 as `u64`, a code of the tokens' type as `u8`, the number of
//! sequences and of document bounds as `u64`, then for each sequence its length as `i32`, for each
//! its place in bytes as `i64`, and the bounds of documents as `i64` (Megatron-LM,
//! `megatron/core/datasets/indexed_dataset.py`). What follows, such as modes, is not read. A sequence
//! is a document here.

use super::{Documents, Shard, Span};
use crate::store::Store;
use crate::{Error, Stored};

const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";
const HEADER_SIZE: u64 = 34;

/// Reads the index; lengths and places are checked when a sequence is read.
pub(crate) fn open(index: Store, bin: Store) -> Result<Shard, Error> {
    let failed = |error: Error| {
        let path = index.path().display();
        error.within(format!("cannot read the index `{path}`"))
    };
    let (stored, sequences) = header(&index).map_err(failed)?;
    let size = bin.size();
    if !size.is_multiple_of(stored.size() as u64) {
        let path = bin.path().display();
        let message =
            format!("cannot read `{path}`: {size} bytes are not {stored:?} as the index says");
        return Err(Error::corrupt(message).with_hint("the file may be cut off: fetch it again"));
    }
    let documents = Sequences {
        sizes_at: HEADER_SIZE,
        places_at: HEADER_SIZE + sequences * 4,
        count: sequences,
        tokens: size / stored.size() as u64,
        stored,
        index,
    };
    Ok(Shard::plain(bin, stored, documents))
}

/// The type of the tokens and the number of sequences.
fn header(index: &Store) -> Result<(Stored, u64), Error> {
    let head = index.bytes(0, HEADER_SIZE, "the header")?;
    if !head.starts_with(MAGIC) {
        return Err(Error::corrupt("it does not start with MMIDIDX")
            .with_hint("indices of the older `cached` kind are not read: convert them"));
    }
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
    let version = number(9);
    if version != 1 {
        let message = format!("its version is {version}, and 1 is known");
        return Err(Error::unsupported(message));
    }
    let stored = match head[17] {
        1 => Stored::U8,
        2 => Stored::I8,
        3 => Stored::I16,
        4 => Stored::I32,
        5 => Stored::I64,
        8 => Stored::U16,
        code @ (6 | 7) => {
            let message = format!("code {code} of the type stands for floats");
            return Err(Error::unsupported(message).with_hint("tokens are integers"));
        }
        code => return Err(Error::corrupt(format!("no type has the code {code}"))),
    };
    let (sequences, bounds) = (number(18), number(26));
    let tables = sequences
        .checked_mul(12)
        .zip(bounds.checked_mul(8))
        .and_then(|(places, bounds)| places.checked_add(bounds))
        .and_then(|size| size.checked_add(HEADER_SIZE));
    if tables.is_none_or(|end| end > index.size()) {
        let size = index.size();
        let message =
            format!("{sequences} sequences and {bounds} bounds do not fit into {size} bytes");
        return Err(Error::corrupt(message).with_hint("the file may be cut off: fetch it again"));
    }
    check_bounds(index, sequences, bounds)?;
    Ok((stored, sequences))
}

/// Bounds of documents go from 0 to the number of sequences.
fn check_bounds(index: &Store, sequences: u64, bounds: u64) -> Result<(), Error> {
    if bounds == 0 {
        return Ok(());
    }
    let start = HEADER_SIZE + sequences * 12;
    let first = index.i64(start, "the bounds")?;
    let last = index.i64(start + (bounds - 1) * 8, "the bounds")?;
    if first == 0 && u64::try_from(last) == Ok(sequences) {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "documents go from sequence {first} to {last} of {sequences}"
    )))
}

struct Sequences {
    index: Store,
    sizes_at: u64,
    places_at: u64,
    count: u64,
    /// In the whole `.bin`.
    tokens: u64,
    stored: Stored,
}

impl Documents for Sequences {
    fn count(&self) -> u64 {
        self.count
    }

    fn span(&self, _: &Store, at: u64) -> Result<Span, Error> {
        let len = self
            .index
            .u32(self.sizes_at + at * 4, "a length")?
            .cast_signed();
        let start = self.index.i64(self.places_at + at * 8, "a place")?;
        let (Ok(start), Ok(len)) = (u64::try_from(start), u64::try_from(len)) else {
            let path = self.index.path().display();
            let message = format!("sequence {at} of `{path}` has {len} tokens at byte {start}");
            return Err(Error::corrupt(message));
        };
        if !start.is_multiple_of(self.stored.size() as u64) {
            let path = self.index.path().display();
            let message = format!("sequence {at} of `{path}` starts inside of a token");
            return Err(Error::corrupt(message));
        }
        Ok(Span { start, len })
    }

    /// Sequences are written one after the other.
    fn runs(&self) -> Option<Vec<Span>> {
        Some(vec![Span {
            start: 0,
            len: self.tokens,
        }])
    }
}
