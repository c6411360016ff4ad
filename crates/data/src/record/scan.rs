//! The quick way through a record that is as most are: an object with few, different, plain keys.
//!
//! It finds the same as the strict reader of [`record`](super), or nothing; then that one reads the line
//! and says what is wrong.

use super::unescape;
use crate::batch::columns;
use crate::files::Keys;
use crate::json::has_control;
use memchr::{memchr, memchr2};
use serde_json::value::RawValue;

/// Other keys of a record that are compared one by one.
const OTHERS_MAX: usize = 8;

/// A record whose values are still as they are in the line.
#[derive(Default)]
pub(super) struct Scanned<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) text: Option<&'a str>,
    /// Keys with their quotes, and values.
    others: Vec<(&'a str, &'a str)>,
}

impl Scanned<'_> {
    /// The others as an object.
    pub(super) fn fields(&self) -> String {
        let size: usize = self.others.iter().map(|(k, v)| k.len() + v.len() + 2).sum();
        let mut object = String::with_capacity(size + 2);
        object.push('{');
        for (key, value) in &self.others {
            if object.len() > 1 {
                object.push(',');
            }
            object.push_str(key);
            object.push(':');
            object.push_str(value);
        }
        object.push('}');
        object
    }
}

/// Reads a line; its text is appended to `text`, also where nothing is found in the end.
pub(super) fn scan<'a>(line: &'a str, keys: &Keys, text: &mut String) -> Option<Scanned<'a>> {
    let line = line.trim_end_matches([' ', '\t', '\r', '\n']);
    if has_control(line) {
        return None;
    }
    let mut cursor = Cursor { line, at: 0 };
    let mut found = Scanned::default();
    cursor.expect(b'{')?;
    if cursor.peek()? == b'}' {
        return None;
    }
    loop {
        let key = cursor.key()?;
        cursor.expect(b':')?;
        let name = key.get(1..key.len() - 1)?;
        let is_text = *name == *keys.text;
        if is_text && found.text.is_none() {
            found.text = Some(cursor.text(text)?);
        } else if *name == *keys.id && found.id.is_none() {
            found.id = Some(cursor.value()?);
        } else {
            let is_known = found.others.iter().any(|(other, _)| *other == key);
            let is_odd = is_text || *name == *keys.id || name == columns::FIELDS;
            if is_known || is_odd || found.others.len() == OTHERS_MAX {
                return None;
            }
            found.others.push((key, cursor.value()?));
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    (cursor.at == line.len()).then_some(found)
}

struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is not white space, of which there are but blanks.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.line.as_bytes();
        while *bytes.get(self.at)? == b' ' {
            self.at += 1;
        }
        Some(bytes[self.at])
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// A key without escapes, with its quotes.
    fn key(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at - 1;
        self.at += memchr(b'"', &self.line.as_bytes()[self.at..])? + 1;
        let key = &self.line[start..self.at];
        (!key.contains('\\')).then_some(key)
    }

    /// A string, with its quotes; its content goes to `out`.
    fn text(&mut self, out: &mut String) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at - 1;
        let size = unescape(&self.line[self.at..], out)?;
        self.at += size;
        self.line.get(start..self.at)
    }

    /// Any value, as it stands.
    fn value(&mut self) -> Option<&'a str> {
        self.peek()?;
        let rest = &self.line[self.at..];
        let value = if let Some(content) = rest.strip_prefix('"') {
            let size = memchr2(b'"', b'\\', content.as_bytes())?;
            match content.as_bytes()[size] {
                b'"' => &rest[..size + 2],
                _ => raw(rest)?,
            }
        } else {
            raw(rest)?
        };
        self.at += value.len();
        Some(value)
    }
}

/// The value that a text begins with.
fn raw(text: &str) -> Option<&str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    Some(values.next()?.ok()?.get())
}
