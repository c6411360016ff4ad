//! Samples of several columns, as MDS and litdata lay them out.
//!
//! A file is the number of samples as `u32`, that many and one more offsets as `u32`, counted from
//! the start of the file, and the samples. A sample is the sizes of its columns as `u32`, where they
//! are not known from the index, and then the columns themselves.

use super::{Documents, Span};
use crate::limits::{COLUMNS_MAX, RANK_MAX};
use crate::store::Store;
use crate::unpack::Source;
use crate::{Error, Stored};

/// What stands before the tokens of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// Nothing.
    None,
    /// MDS arrays whose shape is not in the index: rank and width of lengths in a byte, lengths.
    Shape,
    /// MDS arrays of which neither is in the index: a byte that says the type, and the above.
    TypeShape,
}

/// One column of all samples of a file.
pub(crate) struct Column {
    pub(crate) count: u64,
    /// The sizes of all columns; `None` where each sample says it.
    pub(crate) sizes: Vec<Option<u32>>,
    /// Which column holds the tokens.
    pub(crate) chosen: usize,
    pub(crate) prefix: Prefix,
    pub(crate) stored: Stored,
}

impl Column {
    /// Checks the number of samples against the file and the index; of a packed file, each time that
    /// a sample is looked for.
    pub(crate) fn check(self, source: &Source) -> Result<Self, Error> {
        let store = &source.store;
        let path = store.path().display();
        if self.sizes.len() > COLUMNS_MAX {
            let what = format!("`{path}` has {} columns", self.sizes.len());
            return Err(Error::limit(what, "COLUMNS_MAX", COLUMNS_MAX));
        }
        if source.packed.is_some() {
            return Ok(self);
        }
        self.check_count(store)?;
        let end = store.u32(4 + 4 * self.count, "the offsets")?;
        if u64::from(end) > store.size() {
            let size = store.size();
            let message = format!("`{path}` has {size} bytes, and {end} by its offsets");
            return Err(Error::corrupt(message).with_hint("the file is cut off: fetch it again"));
        }
        Ok(self)
    }

    fn check_count(&self, store: &Store) -> Result<(), Error> {
        let count = u64::from(store.u32(0, "the number of samples")?);
        let wanted = self.count;
        if count == wanted {
            return Ok(());
        }
        let path = store.path().display();
        let message = format!("`{path}` has {count} samples, and {wanted} by the index");
        Err(Error::corrupt(message)
            .with_hint("index and shard are not of one run: fetch both again"))
    }

    /// Where the chosen column of a sample lies: start and size in bytes.
    fn find(&self, store: &Store, at: u64) -> Result<(u64, u64), Error> {
        self.check_count(store)?;
        let table = store.bytes(4 + 4 * at, 8, "an offset")?;
        let offset = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().expect("4 bytes"));
        let (mut place, end) = (u64::from(offset(0)), u64::from(offset(4)));
        let mut size_at = place;
        place += 4 * self.sizes.iter().filter(|size| size.is_none()).count() as u64;
        for (column, size) in self.sizes.iter().enumerate() {
            let size = if let Some(size) = size {
                *size
            } else {
                size_at += 4;
                store.u32(size_at - 4, "the size of a column")?
            };
            let size = u64::from(size);
            if place + size > end {
                break;
            }
            if column == self.chosen {
                return Ok((place, size));
            }
            place += size;
        }
        let path = store.path().display();
        Err(Error::corrupt(format!(
            "the columns of sample {at} of `{path}` leave the sample, which ends at byte {end}"
        )))
    }

    /// How many bytes stand before the tokens.
    fn skipped(&self, store: &Store, start: u64, size: u64) -> Result<u64, Error> {
        let mut at = start;
        let mut byte = |what| {
            at += 1;
            if at > start + size {
                return Err(Error::corrupt(format!("{what} is missing")));
            }
            Ok(store.bytes(at - 1, 1, what)?[0])
        };
        if self.prefix == Prefix::TypeShape {
            let code = byte("the type of an array")?;
            if array_type(code)? != self.stored {
                return Err(Error::unsupported("arrays of several types in one shard"));
            }
        }
        if self.prefix != Prefix::None {
            let shape = byte("the shape of an array")?;
            let rank = usize::from(shape >> 2);
            if rank > RANK_MAX {
                return Err(Error::limit("an array has more axes", "RANK_MAX", RANK_MAX));
            }
            at += (rank << (shape & 3)) as u64;
        }
        Ok(at - start)
    }
}

/// The integer type of a code of MDS arrays.
pub(super) fn array_type(code: u8) -> Result<Stored, Error> {
    Ok(match code {
        8 => Stored::U8,
        9 => Stored::I8,
        16 => Stored::U16,
        17 => Stored::I16,
        32 => Stored::U32,
        33 => Stored::I32,
        64 => Stored::U64,
        65 => Stored::I64,
        18 | 34 | 66 => return Err(Error::unsupported("arrays of floats are no tokens")),
        code => return Err(Error::corrupt(format!("no array type has the code {code}"))),
    })
}

/// The type that the first sample of a column says.
pub(super) fn first_type(column: &Column, store: &Store) -> Result<Stored, Error> {
    let (start, size) = column.find(store, 0)?;
    if size == 0 {
        return Err(Error::corrupt("the type of an array is missing"));
    }
    array_type(store.bytes(start, 1, "the type of an array")?[0])
}

impl Documents for Column {
    fn count(&self) -> u64 {
        self.count
    }

    fn span(&self, store: &Store, at: u64) -> Result<Span, Error> {
        let (start, size) = self.find(store, at)?;
        let skipped = self.skipped(store, start, size)?;
        let item = self.stored.size() as u64;
        let rest = size
            .checked_sub(skipped)
            .filter(|rest| rest.is_multiple_of(item));
        let Some(rest) = rest else {
            let path = store.path().display();
            let message = format!("the tokens of sample {at} of `{path}` do not fill {size} bytes");
            return Err(Error::corrupt(message).with_hint("the stored type may be another"));
        };
        Ok(Span {
            start: start + skipped,
            len: rest / item,
        })
    }
}
