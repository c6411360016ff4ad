//! JSONL records.

use crate::batch::columns;
use crate::files::Keys;
use crate::limits::{LINE_SIZE_MAX, RECORD_KEYS_MAX};
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// What a JSONL line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The value of `id`, if there is one: a string, or the digits of a number.
    pub id: Option<String>,
    /// The value of `text`.
    pub text: String,
    /// A JSON object of all other keys, with their values verbatim.
    pub fields: String,
}

impl Record {
    /// Reads a record: a JSON object with a string `text`.
    ///
    /// Of equal keys the last counts. The keys of an object `fields` count as keys of the record, so
    /// that what [`write_jsonl`](crate::Pipeline::write_jsonl) wrote is read back as it was.
    ///
    /// ```
    /// let record = nexus_data::Record::parse(br#"{"id": 7, "text": "seven", "lang": "en"}"#)?;
    /// assert_eq!(record.id.as_deref(), Some("7"));
    /// assert_eq!(record.fields, r#"{"lang":"en"}"#);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the line, for a [`Reject`](crate::Reject).
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let keys = Keys::default();
        let record = RawRecord::parse(line, &keys)?;
        let mut text = String::new();
        record.text(&mut text)?;
        Ok(Self {
            id: record.id()?,
            text,
            fields: record.fields(),
        })
    }
}

/// A record whose values are still as they are in the line.
pub(crate) struct RawRecord<'a> {
    keys: &'a Keys,
    id: Option<&'a RawValue>,
    text: &'a RawValue,
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> RawRecord<'a> {
    pub(crate) fn parse(line: &'a [u8], keys: &'a Keys) -> Result<Self, String> {
        if line.len() > LINE_SIZE_MAX {
            return Err(format!(
                "the line is longer than LINE_SIZE_MAX = {LINE_SIZE_MAX} bytes"
            ));
        }
        let line = std::str::from_utf8(line).map_err(|error| format!("invalid UTF-8: {error}"))?;
        // The line number that serde_json gives is that in this one line.
        let wrong = |error: serde_json::Error| {
            let message = error.to_string();
            let end = message.find(" at line ").unwrap_or(message.len());
            format!("bad JSON in column {}: {}", error.column(), &message[..end])
        };
        let mut json = serde_json::Deserializer::from_str(line);
        let entries = json.deserialize_map(Entries::new(keys)).map_err(wrong)?;
        json.end().map_err(wrong)?;
        let Some(text) = entries.text else {
            return Err(format!("the record has no `{}`", keys.text));
        };
        Ok(Self {
            keys,
            id: entries.id,
            text,
            others: entries.others,
        })
    }

    pub(crate) fn id(&self) -> Result<Option<String>, String> {
        self.id.map(|id| id_text(id, self.keys)).transpose()
    }

    /// Appends the text.
    pub(crate) fn text(&self, out: &mut String) -> Result<(), String> {
        unescape(self.text.get(), out).ok_or_else(|| no_text(self.text, self.keys))
    }

    pub(crate) fn fields(&self) -> String {
        object(&self.others)
    }
}

/// Appends the content of a string as it stands in JSON that has been read before; none for another
/// value, and for a string with half of a surrogate pair.
fn unescape(json: &str, out: &mut String) -> Option<()> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let mut size = 2;
        out.push(match rest.as_bytes().get(at + 1)? {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\x08',
            b'f' => '\x0c',
            b'u' => {
                let high = hex(rest, at)?;
                size = 6;
                let code = if (0xD800..0xDC00).contains(&high) {
                    let low = hex(rest, at + 6).filter(|low| (0xDC00..0xE000).contains(low))?;
                    size = 12;
                    0x1_0000 + ((high - 0xD800) << 10 | (low - 0xDC00))
                } else {
                    high
                };
                char::from_u32(code)?
            }
            &byte => char::from(byte),
        });
        rest = &rest[at + size..];
    }
    out.push_str(rest);
    Some(())
}

/// The code of an escape `\uXXXX` at a place.
fn hex(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

fn object(entries: &[(Cow<'_, str>, &RawValue)]) -> String {
    let mut object = String::from("{");
    for (name, value) in entries {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&serde_json::Value::from(name.as_ref()).to_string());
        object.push(':');
        object.push_str(value.get());
    }
    object.push('}');
    object
}

/// What a JSON object that need not be a whole record holds.
pub(crate) struct Parts {
    pub(crate) id: Option<String>,
    pub(crate) text: Option<String>,
    /// All other keys, and those of an object `fields`.
    pub(crate) fields: String,
}

/// Reads a JSON object as part of a record.
pub(crate) fn parts(json: &str, keys: &Keys) -> Result<Parts, String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let entries = deserializer
        .deserialize_map(Entries::new(keys))
        .and_then(|entries| deserializer.end().map(|()| entries))
        .map_err(|error| format!("bad JSON: {error}"))?;
    let text = |text: &RawValue| serde_json::from_str(text.get()).map_err(|_| no_text(text, keys));
    Ok(Parts {
        id: entries.id.map(|id| id_text(id, keys)).transpose()?,
        text: entries.text.map(text).transpose()?,
        fields: object(&entries.others),
    })
}

/// An id as text: a string's content, a number's digits.
fn id_text(id: &RawValue, keys: &Keys) -> Result<String, String> {
    let key = &keys.id;
    match id.get().as_bytes() {
        [b'"', ..] => {
            serde_json::from_str(id.get()).map_err(|error| format!("bad `{key}`: {error}"))
        }
        [b'-' | b'0'..=b'9', ..] => Ok(id.get().to_owned()),
        _ => Err(format!(
            "`{key}` is no string and no number but {}",
            kind(id)
        )),
    }
}

fn no_text(value: &RawValue, keys: &Keys) -> String {
    format!("`{}` is no string but {}", keys.text, kind(value))
}

fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes() {
        [b'{', ..] => "an object",
        [b'[', ..] => "an array",
        [b'n', ..] => "null",
        [b't' | b'f', ..] => "a boolean",
        [b'"', ..] => "a string with a lone surrogate",
        _ => "a number",
    }
}

/// The keys of a record, of which the last of equal ones counts; those of a nested `fields` object
/// are taken out of it, so that what [`write_jsonl`](crate::Pipeline::write_jsonl) wrote is read
/// back as it was.
struct Entries<'a> {
    keys: &'a Keys,
    id: Option<&'a RawValue>,
    text: Option<&'a RawValue>,
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
    positions: HashMap<Cow<'a, str>, usize>,
    is_nested: bool,
}

impl<'a> Visitor<'a> for Entries<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((key, value)) = map.next_entry::<Key<'a>, &'a RawValue>()? {
            match key.0.as_ref() {
                id if !self.is_nested && id == &*self.keys.id => self.id = Some(value),
                text if !self.is_nested && text == &*self.keys.text => self.text = Some(value),
                columns::FIELDS if !self.is_nested && value.get().starts_with('{') => {
                    self.is_nested = true;
                    let mut json = serde_json::Deserializer::from_str(value.get());
                    self = json.deserialize_map(self).map_err(A::Error::custom)?;
                    self.is_nested = false;
                }
                _ => self.add(key.0, value).map_err(A::Error::custom)?,
            }
        }
        Ok(self)
    }
}

impl<'a> Entries<'a> {
    fn new(keys: &'a Keys) -> Self {
        Self {
            keys,
            id: None,
            text: None,
            others: Vec::new(),
            positions: HashMap::new(),
            is_nested: false,
        }
    }

    fn add(&mut self, key: Cow<'a, str>, value: &'a RawValue) -> Result<(), String> {
        if let Some(&at) = self.positions.get(&key) {
            self.others[at].1 = value;
            return Ok(());
        }
        if self.others.len() == RECORD_KEYS_MAX {
            return Err(format!(
                "more keys than RECORD_KEYS_MAX = {RECORD_KEYS_MAX}"
            ));
        }
        self.positions.insert(key.clone(), self.others.len());
        self.others.push((key, value));
        Ok(())
    }
}

/// A key, borrowed from the line where it holds no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_their_other_fields_verbatim() {
        for (line, id, text, fields) in [
            (r#"{"text":"a"}"#, None, "a", "{}"),
            (
                r#" {"id":"x","text":"a\n\u00e9"} "#,
                Some("x"),
                "a\né",
                "{}",
            ),
            (
                r#"{"n":1e400,"text":"","id":12345678901234567890123}"#,
                Some("12345678901234567890123"),
                "",
                r#"{"n":1e400}"#,
            ),
            (
                r#"{"text":"old","k\u0022":[1, {"a": null}],"text":"new"}"#,
                None,
                "new",
                r#"{"k\"":[1, {"a": null}]}"#,
            ),
            (
                r#"{"a":1,"text":"","fields":{"b":2,"id":3},"a":4}"#,
                None,
                "",
                r#"{"a":4,"b":2,"id":3}"#,
            ),
            (r#"{"text":"","fields":7}"#, None, "", r#"{"fields":7}"#),
            (
                r#"{"text":"","source":"wiki","line":3}"#,
                None,
                "",
                r#"{"source":"wiki","line":3}"#,
            ),
        ] {
            let expected = Record {
                id: id.map(Into::into),
                text: text.into(),
                fields: fields.into(),
            };
            assert_eq!(Record::parse(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn strings_are_read_as_serde_json_reads_them() {
        for json in [
            r#""""#,
            r#""plain é""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\u00e9\u0000\uFFFF|""#,
            r#""\ud83d\ude00 \uD83D\uDE00""#,
            r#""\ud83d""#,
            r#""\ude00\ud83d""#,
            r#""\ud83d\n""#,
            r#""\ud83d\u0041""#,
            "7",
            "null",
        ] {
            let mut out = String::from("before ");
            let expected = serde_json::from_str::<String>(json).ok();
            let found = unescape(json, &mut out).map(|()| out["before ".len()..].to_owned());
            assert_eq!(found, expected, "{json}");
        }
    }

    #[test]
    fn bad_records_say_what_is_wrong() {
        let keys: Vec<_> = (0..=RECORD_KEYS_MAX)
            .map(|key| format!(r#""{key}":0"#))
            .collect();
        let many = format!("{{{}}}", keys.join(","));
        let deep = format!(r#"{{"text":"","x":{}"#, "[".repeat(100_000));
        for (line, reason) in [
            (r#"{"text":"a""#.as_bytes(), "bad JSON in column 11: EOF"),
            (b"{} x", "bad JSON in column 4: trailing characters"),
            (b"[1]", "expected an object"),
            (b"{}", "no `text`"),
            (br#"{"text":null}"#, "`text` is no string but null"),
            (br#"{"text":1.5}"#, "`text` is no string but a number"),
            (br#"{"text":"\ud800"}"#, "lone"),
            (
                br#"{"text":"","id":[]}"#,
                "`id` is no string and no number but an array",
            ),
            (b"{\"text\":\"\xff\"}", "invalid UTF-8"),
            (many.as_bytes(), "RECORD_KEYS_MAX"),
            (deep.as_bytes(), "EOF while parsing a list"),
        ] {
            let found = Record::parse(line).unwrap_err();
            assert!(found.contains(reason), "{found:?} lacks {reason:?}");
        }
    }
}
