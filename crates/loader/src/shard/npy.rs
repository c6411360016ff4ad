//! `.npy` arrays of integers, by the [format page] of `NumPy`: one axis is one document, two are one
//! document a row.
//!
//! [format page]: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

use super::{Shard, documents_of};
use crate::limits::{NPY_HEADER_SIZE_MAX, RANK_MAX};
use crate::store::Store;
use crate::{Error, Stored};

/// What the header of an array says.
pub(super) struct Array {
    pub(super) stored: Stored,
    pub(super) shape: Vec<u64>,
    /// Where the elements start in the file.
    pub(super) start: u64,
}

/// An array in a file of its own.
pub(crate) fn open(store: Store) -> Result<Shard, Error> {
    let array = parse(&store, 0, store.size())
        .map_err(|error| error.within(format!("`{}`", store.path().display())))?;
    let documents = documents_of(&store, array.start, &array.shape, array.stored)?;
    Ok(Shard::plain(store, array.stored, documents))
}

/// The header of an array that fills the bytes `start..end`.
pub(super) fn parse(store: &Store, start: u64, end: u64) -> Result<Array, Error> {
    let what = "the header of an array";
    let prefix = store.bytes(start, 8.min(end - start), what)?;
    let (at, size) = match *prefix {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0] => {
            let bytes = store.bytes(start + 8, 2, what)?;
            (
                start + 10,
                u64::from(u16::from_le_bytes([bytes[0], bytes[1]])),
            )
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, 0] => {
            (start + 12, u64::from(store.u32(start + 8, what)?))
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', major, minor] => {
            let message = format!("an array of version {major}.{minor}: 1.0 to 3.0 are read");
            return Err(Error::unsupported(message).with_hint("save it with a known NumPy"));
        }
        _ => return Err(Error::corrupt("the bytes do not start as .npy arrays do")),
    };
    if size > NPY_HEADER_SIZE_MAX {
        let what = format!("the header of an array has {size} bytes");
        return Err(Error::limit(
            what,
            "NPY_HEADER_SIZE_MAX",
            NPY_HEADER_SIZE_MAX,
        ));
    }
    let text = store.bytes(at, size, what)?;
    let (stored, shape) = Header { text: &text, at: 0 }.parse()?;
    let start = at + size;
    let count = shape
        .iter()
        .try_fold(1_u64, |all, &len| all.checked_mul(len));
    let needed = count
        .and_then(|count| count.checked_mul(stored.size() as u64))
        .and_then(|size| size.checked_add(start));
    if needed.is_none_or(|needed| needed > end) {
        let rest = end.saturating_sub(start);
        let message = format!("an array of shape {shape:?} has {rest} bytes of elements");
        return Err(Error::corrupt(message).with_hint("the file may be cut off: fetch it again"));
    }
    Ok(Array {
        stored,
        shape,
        start,
    })
}

/// The header's text: a Python dictionary of three literals.
struct Header<'text> {
    text: &'text [u8],
    at: usize,
}

impl Header<'_> {
    fn parse(mut self) -> Result<(Stored, Vec<u64>), Error> {
        let (mut stored, mut order, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.skip(b'}') {
            let key = self.string()?;
            self.expect(b':')?;
            let fresh = match key.as_str() {
                "descr" => stored.replace(element_type(&self.string()?)?).is_none(),
                "fortran_order" => order.replace(self.word()?).is_none(),
                "shape" => shape.replace(self.tuple()?).is_none(),
                _ => false,
            };
            if !fresh {
                return Err(self.error(&format!("no key {key:?} here")));
            }
            if !self.skip(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        let (Some(stored), Some(order), Some(shape)) = (stored, order, shape) else {
            return Err(self.error("the keys descr, fortran_order and shape"));
        };
        let columns = match order.as_str() {
            "False" => false,
            "True" => shape.len() > 1,
            _ => return Err(self.error("fortran_order True or False")),
        };
        if columns {
            return Err(Error::unsupported("an array in Fortran order")
                .with_hint("save numpy.ascontiguousarray of it"));
        }
        Ok((stored, shape))
    }

    fn peek(&mut self) -> u8 {
        let rest = &self.text[self.at..];
        self.at += rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.skip(byte) {
            return Ok(());
        }
        Err(self.error(&format!("`{}`", byte as char)))
    }

    fn take(&mut self, keep: impl Fn(u8) -> bool) -> String {
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|&&byte| keep(byte)).count();
        self.at += len;
        String::from_utf8_lossy(&rest[..len]).into_owned()
    }

    fn string(&mut self) -> Result<String, Error> {
        let quote = self.peek();
        if quote != b'\'' && quote != b'"' {
            return Err(self.error("text"));
        }
        self.at += 1;
        let text = self.take(|byte| byte != quote);
        self.expect(quote)?;
        Ok(text)
    }

    fn word(&mut self) -> Result<String, Error> {
        self.peek();
        let word = self.take(|byte| byte.is_ascii_alphanumeric());
        if word.is_empty() {
            return Err(self.error("a word"));
        }
        Ok(word)
    }

    fn tuple(&mut self) -> Result<Vec<u64>, Error> {
        let mut lens = Vec::new();
        self.expect(b'(')?;
        while !self.skip(b')') {
            if lens.len() == RANK_MAX {
                return Err(Error::limit("an array has more axes", "RANK_MAX", RANK_MAX));
            }
            let len = self.word()?.parse();
            lens.push(len.map_err(|_| self.error("a length"))?);
            if !self.skip(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(lens)
    }

    fn error(&self, expected: &str) -> Error {
        let at = self.at;
        Error::corrupt(format!(
            "cannot read the header of an array: expected {expected} at byte {at}"
        ))
    }
}

/// The type of a code such as `<u2`.
fn element_type(code: &str) -> Result<Stored, Error> {
    Ok(match code {
        "|u1" | "<u1" | "u1" => Stored::U8,
        "|i1" | "<i1" | "i1" => Stored::I8,
        "<u2" => Stored::U16,
        "<i2" => Stored::I16,
        "<u4" => Stored::U32,
        "<i4" => Stored::I32,
        "<u8" => Stored::U64,
        "<i8" => Stored::I64,
        _ => {
            return Err(Error::unsupported(format!("an array of type {code:?}"))
                .with_hint("tokens are integers in little-endian order"));
        }
    })
}
