//! The header of an `.npy` file: a Python dictionary of three literals.

use nexus_tensor::DType;

use crate::Error;
use crate::limits::{NPY_HEADER_SIZE_MAX, RANK_MAX};
use crate::order::ByteOrder;

/// Magic, version, and the longer of the two length fields.
pub(super) const PREFIX_SIZE: u64 = 12;

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) dtype: DType,
    pub(super) order: ByteOrder,
    /// Whether the first axis varies fastest.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

/// Where the dictionary starts and how many bytes it has.
pub(super) fn header_size(prefix: &[u8]) -> Result<(u64, u64), Error> {
    let short = || Error::corrupt("the file ends inside of its header");
    let Some((b"\x93NUMPY", rest)) = prefix.split_first_chunk::<6>() else {
        return Err(Error::corrupt("the file does not start as .npy files do"));
    };
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (start, size) = match version {
        [1, 0] => (
            10,
            u16::from_le_bytes(*rest.first_chunk().ok_or_else(short)?).into(),
        ),
        [2 | 3, 0] => (
            12,
            u32::from_le_bytes(*rest.first_chunk().ok_or_else(short)?),
        ),
        [major, minor] => {
            let message = format!("the version is {major}.{minor}; 1.0 to 3.0 are read");
            return Err(Error::unsupported(message).with_hint("save it with a known NumPy"));
        }
    };
    if size as usize > NPY_HEADER_SIZE_MAX {
        let what = format!("the header has {size} bytes");
        return Err(Error::limit(
            what,
            "NPY_HEADER_SIZE_MAX",
            NPY_HEADER_SIZE_MAX,
        ));
    }
    Ok((start, u64::from(size)))
}

impl Header {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut scanner = Scanner { text, at: 0 };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        scanner.expect(b'{')?;
        while !scanner.skip(b'}') {
            let key = scanner.string()?;
            scanner.expect(b':')?;
            let fresh = match key {
                b"descr" => descr.replace(scanner.descr()?).is_none(),
                b"fortran_order" => fortran.replace(scanner.boolean()?).is_none(),
                b"shape" => shape.replace(scanner.tuple()?).is_none(),
                _ => false,
            };
            if !fresh {
                let key = String::from_utf8_lossy(key).into_owned();
                return Err(scanner.error(&format!("no second and no unknown key, not `{key}`")));
            }
            if !scanner.skip(b',') {
                scanner.expect(b'}')?;
                break;
            }
        }
        scanner.end()?;
        let missing = |key| Error::corrupt(format!("the header does not give `{key}`"));
        let (dtype, order) = element_type(descr.ok_or_else(|| missing("descr"))?)?;
        Ok(Self {
            dtype,
            order,
            fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// The element type that `NumPy` describes so.
fn element_type(descr: &[u8]) -> Result<(DType, ByteOrder), Error> {
    let text = String::from_utf8_lossy(descr);
    let refuse = |hint| {
        let message = format!("elements of type `{text}` cannot be tensors");
        Err(Error::unsupported(message).with_hint(hint))
    };
    let (order, name) = match descr {
        [b'>', name @ ..] => (ByteOrder::Big, name),
        [b'<' | b'=' | b'|', name @ ..] | name => (ByteOrder::Little, name),
    };
    let dtype = match name {
        b"b1" => DType::BOOL,
        b"i1" => DType::I8,
        b"u1" => DType::U8,
        b"i2" => DType::I16,
        b"u2" => DType::U16,
        b"i4" => DType::I32,
        b"u4" => DType::U32,
        b"i8" => DType::I64,
        b"u8" => DType::U64,
        b"f2" => DType::F16,
        b"f4" => DType::F32,
        b"f8" => DType::F64,
        b"c8" => DType::C64,
        [b'O', ..] => {
            return refuse(
                "object arrays are pickles, which can run code: convert them to numbers first",
            );
        }
        [b'U' | b'S' | b'a', ..] => return refuse("text has no place in a tensor file"),
        [b'V', ..] => {
            return refuse(
                "ml_dtypes arrays lose their type in .npy files: save them as float32, or by nexus.safetensors",
            );
        }
        [b'[', ..] => return refuse("save each field as an array of its own"),
        b"c16" => return refuse("there is no 128-bit complex type: save real and imaginary parts"),
        _ => return refuse("numbers of up to 64 bits and complex64 can be"),
    };
    Ok((dtype, order))
}

/// Reads Python literals. Positions in errors count from the start of the dictionary.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn error(&self, expected: &str) -> Error {
        let at = self.at;
        Error::corrupt(format!("the header should have {expected} at byte {at}"))
    }

    fn peek(&mut self) -> Option<u8> {
        let blank = |byte: &u8| byte.is_ascii_whitespace();
        self.at += self.text[self.at..]
            .iter()
            .take_while(|byte| blank(byte))
            .count();
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.skip(byte) {
            Ok(())
        } else {
            Err(self.error(&format!("`{}`", byte as char)))
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("its end")),
        }
    }

    fn string(&mut self) -> Result<&'a [u8], Error> {
        let quote = self.peek().filter(|byte| matches!(byte, b'\'' | b'"'));
        let quote = quote.ok_or_else(|| self.error("a string"))?;
        let text = self.text;
        let rest = &text[self.at + 1..];
        let size = rest.iter().position(|&byte| byte == quote || byte == b'\\');
        match size.filter(|&size| rest[size] == quote) {
            Some(size) => {
                self.at += size + 2;
                Ok(&rest[..size])
            }
            None => Err(self.error("a string without escapes")),
        }
    }

    /// A string, or the list that describes a structure, as far as its bracket.
    fn descr(&mut self) -> Result<&'a [u8], Error> {
        if self.peek() == Some(b'[') {
            // Refused whatever it is; the dictionary need not be read to its end.
            return Err(element_type(b"[...]").expect_err("structures are refused"));
        }
        self.string()
    }

    fn word(&mut self) -> &'a [u8] {
        self.peek();
        let text = self.text;
        let rest = &text[self.at..];
        let size = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        self.at += size;
        &rest[..size]
    }

    fn boolean(&mut self) -> Result<bool, Error> {
        match self.word() {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err(self.error("True or False")),
        }
    }

    fn tuple(&mut self) -> Result<Vec<usize>, Error> {
        let mut numbers = Vec::new();
        self.expect(b'(')?;
        while !self.skip(b')') {
            if numbers.len() == RANK_MAX {
                return Err(Error::limit(
                    "the shape has too many axes",
                    "RANK_MAX",
                    RANK_MAX,
                ));
            }
            let word = self.word();
            // Python 2 wrote long integers so.
            let digits = word.strip_suffix(b"L").unwrap_or(word);
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok());
            numbers.push(number.ok_or_else(|| self.error("a length"))?);
            if !self.skip(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(numbers)
    }
}
