//! The fast route through a header: one pass over the JSON, without a tree between.
//!
//! It knows the headers that writers write and no others. What is unusual (escapes in names, names
//! that stand twice, numbers that are no plain integers, infos as arrays, unknown fields) or wrong
//! gives `None`, and the caller takes the route by serde, which alone decides what is refused and
//! in which words. What this route accepts, serde accepts with the same content; the tests compare
//! the two on mutated headers.
//!
//! It checks no offsets: that is the caller's work on either route.

use nexus_tensor::DType;

use crate::TensorInfo;
use crate::header::{FreeText, METADATA_NAME};
use crate::names::Names;

/// What a header says, as it stands there: tensors in the order of the text, names not yet indexed.
pub(crate) struct Scanned {
    pub(crate) text: FreeText,
    pub(crate) names: Names,
    pub(crate) infos: Vec<TensorInfo>,
}

/// Bytes of JSON that a tensor takes at least, and rarely more than twice: what is reserved.
const ENTRY_SIZE: usize = 100;

/// How many digits fit in 64 bits, whatever they are.
const DIGITS_MAX: usize = 19;

/// Reads a header; `None` when it is not one of the usual kind.
pub(crate) fn scan(json: &str) -> Option<Scanned> {
    let mut scanner = Scanner {
        json,
        bytes: json.as_bytes(),
        at: 0,
        dtype: DType::F32,
        numbers: Vec::new(),
    };
    let scanned = scanner.header()?;
    scanner.blanks();
    (scanner.at == json.len()).then_some(scanned)
}

struct Scanner<'a> {
    json: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The last type seen. Files have few, so it is tried first.
    dtype: DType,
    numbers: Vec<usize>,
}

impl<'a> Scanner<'a> {
    fn header(&mut self) -> Option<Scanned> {
        let mut text = None;
        let mut text_seen = false;
        let count = self.bytes.len() / ENTRY_SIZE;
        let mut names = Names::with_capacity(self.bytes.len() / 2, count);
        let mut infos = Vec::with_capacity(count);
        self.take(b'{')?;
        let mut more = !self.taken(b'}');
        while more {
            let name = self.string()?;
            self.take(b':')?;
            if name != METADATA_NAME {
                names.push(name)?;
                infos.push(self.info()?);
            } else if text_seen {
                return None;
            } else {
                text_seen = true;
                text = self.text()?;
            }
            more = self.more(b'}')?;
        }
        Some(Scanned { text, names, infos })
    }

    fn info(&mut self) -> Option<TensorInfo> {
        let start = self.at;
        self.written_info().or_else(|| {
            self.at = start;
            self.any_info()
        })
    }

    /// An info as writers write it: fields in their order, without blanks.
    fn written_info(&mut self) -> Option<TensorInfo> {
        self.literal(br#"{"dtype":"#)?;
        let dtype = self.dtype()?;
        self.literal(br#","shape":["#)?;
        self.numbers.clear();
        if self.literal(b"]").is_none() {
            self.written_numbers()?;
            self.literal(b"]")?;
        }
        let shape = self.numbers.as_slice().to_vec();
        self.literal(br#","data_offsets":["#)?;
        let start = self.number()?;
        self.literal(b",")?;
        let end = self.number()?;
        self.literal(b"]}")?;
        Some(TensorInfo {
            dtype,
            shape,
            data_offsets: (start, end),
        })
    }

    fn written_numbers(&mut self) -> Option<()> {
        loop {
            let number = self.number()?;
            self.numbers.push(number);
            if self.literal(b",").is_none() {
                return Some(());
            }
        }
    }

    /// An info with its three fields in any order.
    fn any_info(&mut self) -> Option<TensorInfo> {
        let (mut dtype, mut shape, mut data_offsets) = (None, None, None);
        self.take(b'{')?;
        for field in 0..3 {
            match self.string()? {
                "dtype" if dtype.is_none() => {
                    self.take(b':')?;
                    dtype = Some(self.dtype()?);
                }
                "shape" if shape.is_none() => {
                    self.take(b':')?;
                    self.list()?;
                    shape = Some(self.numbers.as_slice().to_vec());
                }
                "data_offsets" if data_offsets.is_none() => {
                    self.take(b':')?;
                    self.list()?;
                    let &[start, end] = self.numbers.as_slice() else {
                        return None;
                    };
                    data_offsets = Some((start, end));
                }
                _ => return None,
            }
            if self.more(b'}')? == (field == 2) {
                return None;
            }
        }
        Some(TensorInfo {
            dtype: dtype?,
            shape: shape?,
            data_offsets: data_offsets?,
        })
    }

    /// Free text is read by serde, because it often has escapes (settings as JSON in JSON).
    fn text(&mut self) -> Option<FreeText> {
        let rest = self.json.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let text = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(text)
    }

    fn dtype(&mut self) -> Option<DType> {
        let name = self.string()?;
        if name != self.dtype.name() {
            self.dtype = name.parse().ok()?;
        }
        Some(self.dtype)
    }

    /// A list of integers, into `numbers`.
    fn list(&mut self) -> Option<()> {
        self.numbers.clear();
        self.take(b'[')?;
        let mut more = !self.taken(b']');
        while more {
            self.blanks();
            let number = self.number()?;
            self.numbers.push(number);
            more = self.more(b']')?;
        }
        Some(())
    }

    /// Digits without a leading zero. What follows them is checked by the caller. Numbers that
    /// may not fit are left to serde.
    fn number(&mut self) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        let mut number = 0_u64;
        let mut digits = 0;
        while let Some(&digit @ b'0'..=b'9') = rest.get(digits) {
            number = number.wrapping_mul(10).wrapping_add((digit - b'0') as u64);
            digits += 1;
        }
        if digits == 0 || digits > DIGITS_MAX || (digits > 1 && rest[0] == b'0') {
            return None;
        }
        self.at += digits;
        usize::try_from(number).ok()
    }

    /// The text between two quotes, as long as it needs no decoding.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let size = plain_size(self.bytes.get(start..)?);
        let end = start + size;
        if *self.bytes.get(end)? != b'"' {
            return None;
        }
        self.at = end + 1;
        self.json.get(start..end)
    }

    /// After an element: whether another follows, or the list is closed.
    fn more(&mut self, close: u8) -> Option<bool> {
        self.blanks();
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            _ if byte == close => Some(false),
            _ => None,
        }
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found.then_some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.taken(byte).then_some(())
    }

    fn taken(&mut self, byte: u8) -> bool {
        self.blanks();
        let taken = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(taken);
        taken
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }
}

/// How many bytes stand before the first quote, backslash or control character. Eight at a time,
/// by the zero-byte test of Bit Twiddling Hacks (Anderson), whose lowest hit is exact.
pub(crate) fn plain_size(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let mut size = 0;
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*chunk);
        let hits = below(word, 0x20) | below(word ^ QUOTES, 1) | below(word ^ BACKSLASHES, 1);
        if hits & HIGH != 0 {
            return size + (hits & HIGH).trailing_zeros() as usize / 8;
        }
        size += chunk.len();
        rest = tail;
    }
    let plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    size + rest.iter().take_while(plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{plain_size, scan};

    proptest! {
        #[test]
        fn plain_size_equals_the_byte_by_byte_twin(bytes: Vec<u8>, plain in 0..40_usize) {
            let mut text = vec![b'a'; plain];
            text.extend(&bytes);
            let twin = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(plain_size(&text), twin.unwrap_or(text.len()));
        }
    }

    #[test]
    fn usual_headers_take_the_fast_route() {
        for usual in [
            "{}",
            " { } ",
            r#"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}   "#,
            r#"{"a": {"shape": [], "data_offsets": [0, 1], "dtype": "U8"}}"#,
            r#"{"__metadata__":{"k":"{\"j\":1}"},"é":{"dtype":"F8_E4M3FNUZ","shape":[0],"data_offsets":[0,0]}}"#,
            r#"{"__metadata__":null}"#,
        ] {
            assert!(scan(usual).is_some(), "{usual}");
        }
    }

    #[test]
    fn unusual_headers_are_left_to_serde() {
        let info = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
        for unusual in [
            "",
            "{",
            "[]",
            "{}{}",
            r#"{"a":["U8",[1],[0,1]]}"#,
            &format!(r#"{{"\u0061":{info}}}"#),
            &format!(r#"{{"a":{info},}}"#),
            &format!("{{\"a\tb\":{info}}}"),
            r#"{"__metadata__":{},"__metadata__":{}}"#,
            r#"{"__metadata__":{"a":1}}"#,
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}"#,
            r#"{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}"#,
            r#"{"a":{"dtype":"U8","shape":[1]}}"#,
            r#"{"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}"#,
            r#"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#,
            r#"{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,1]}}"#,
            r#"{"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}}"#,
            r#"{"a":{"dtype":"u8","shape":[1],"data_offsets":[0,1]}}"#,
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#,
        ] {
            assert!(scan(unusual).is_none(), "{unusual}");
        }
    }
}
