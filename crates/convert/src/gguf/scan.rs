//! Numbers and text, one after the other.

use std::io::Read;

use crate::input::{Cursor, Input};
use crate::limits::{GGUF_ARRAY_DEPTH_MAX, GGUF_ARRAY_LEN_MAX, GGUF_TEXT_SIZE_MAX};
use crate::{Error, ErrorKind};

/// A value of the metadata.
pub(super) enum Text {
    /// Text, or a number as text.
    Is(String),
    /// An array, which is skipped.
    Array,
}

pub(super) struct Scanner {
    cursor: Cursor,
    size: u64,
    /// Elements of arrays so far.
    elements: u64,
}

impl Scanner {
    pub(super) fn new(input: &Input) -> Self {
        Self {
            cursor: input.cursor(),
            size: input.size(),
            elements: 0,
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.cursor.position()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        let size = self.text_size()?;
        let mut bytes = vec![0; size as usize];
        self.fill(&mut bytes)?;
        let at = self.position() - size;
        String::from_utf8(bytes)
            .map_err(|_| Error::corrupt(format!("the text at byte {at} is not UTF-8")))
    }

    /// A value with its type before it.
    pub(super) fn value(&mut self) -> Result<Text, Error> {
        let kind = self.u32()?;
        let text = match kind {
            0 => u8::from_le_bytes(self.array()?).to_string(),
            1 => i8::from_le_bytes(self.array()?).to_string(),
            2 => u16::from_le_bytes(self.array()?).to_string(),
            3 => i16::from_le_bytes(self.array()?).to_string(),
            4 => self.u32()?.to_string(),
            5 => i32::from_le_bytes(self.array()?).to_string(),
            6 => f32::from_le_bytes(self.array()?).to_string(),
            7 => match self.array()? {
                [0] => "false".to_owned(),
                [1] => "true".to_owned(),
                [other] => return Err(Error::corrupt(format!("a boolean is {other}"))),
            },
            8 => self.text()?,
            9 => {
                self.skip_array(0)?;
                return Ok(Text::Array);
            }
            10 => self.u64()?.to_string(),
            11 => i64::from_le_bytes(self.array()?).to_string(),
            12 => f64::from_le_bytes(self.array()?).to_string(),
            kind => return Err(Error::corrupt(format!("a value has type {kind}"))),
        };
        Ok(Text::Is(text))
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), Error> {
        if depth == GGUF_ARRAY_DEPTH_MAX {
            let what = "arrays are nested too deeply";
            return Err(Error::limit(
                what,
                "GGUF_ARRAY_DEPTH_MAX",
                GGUF_ARRAY_DEPTH_MAX,
            ));
        }
        let (kind, len) = (self.u32()?, self.u64()?);
        self.elements = self.elements.saturating_add(len);
        if self.elements > GGUF_ARRAY_LEN_MAX {
            let what = format!("arrays have {} elements", self.elements);
            return Err(Error::limit(what, "GGUF_ARRAY_LEN_MAX", GGUF_ARRAY_LEN_MAX));
        }
        match kind {
            0 | 1 | 7 => self.skip(len),
            2 | 3 => self.skip(len * 2),
            4..=6 => self.skip(len * 4),
            10..=12 => self.skip(len * 8),
            8 => (0..len).try_for_each(|_| {
                let size = self.text_size()?;
                self.skip(size)
            }),
            9 => (0..len).try_for_each(|_| self.skip_array(depth + 1)),
            kind => Err(Error::corrupt(format!(
                "an array has elements of type {kind}"
            ))),
        }
    }

    fn text_size(&mut self) -> Result<u64, Error> {
        let size = self.u64()?;
        self.check(size)?;
        if size > GGUF_TEXT_SIZE_MAX {
            let what = format!("a text has {size} bytes");
            return Err(Error::limit(what, "GGUF_TEXT_SIZE_MAX", GGUF_TEXT_SIZE_MAX));
        }
        Ok(size)
    }

    fn skip(&mut self, size: u64) -> Result<(), Error> {
        self.check(size)?;
        self.cursor.skip(size);
        Ok(())
    }

    /// Whether so many bytes are left.
    fn check(&self, size: u64) -> Result<(), Error> {
        let at = self.position();
        if size <= self.size.saturating_sub(at) {
            return Ok(());
        }
        let message = format!(
            "the file ends at byte {}, and {size} bytes follow byte {at}",
            self.size
        );
        Err(Error::corrupt(message).with_hint("the file may be cut off: fetch it again"))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.check(bytes.len() as u64)?;
        self.cursor.read_exact(bytes).map_err(|error| {
            let at = self.position();
            Error::new(ErrorKind::Io, format!("cannot read at byte {at}: {error}"))
        })
    }
}
