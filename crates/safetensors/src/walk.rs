//! The members of a JSON object with their places, for the ways that need places: strict rules, and
//! telling where a refused header went wrong.
//!
//! It works on broken JSON as far as that goes: no recursion, no errors, each byte read once.

use std::borrow::Cow;
use std::ops::Range;

/// One `"key": value` of an object. Places are counted from the start of the header.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    json: &'a str,
    /// The key with its quotes.
    pub(crate) key: Range<usize>,
    /// The value; what is left of the text when it does not end.
    pub(crate) value: Range<usize>,
}

impl<'a> Member<'a> {
    /// The key decoded; `None` when it is no JSON string.
    pub(crate) fn name(&self) -> Option<Cow<'a, str>> {
        decoded(self.json.get(self.key.clone())?)
    }

    /// The value as text.
    pub(crate) fn text(&self) -> &'a str {
        self.json.get(self.value.clone()).unwrap_or_default()
    }

    /// The members of the value; none when it is no object.
    pub(crate) fn members(&self) -> Members<'a> {
        let inside = if self.text().starts_with('{') {
            self.value.start + 1..self.value.end
        } else {
            self.value.end..self.value.end
        };
        Members {
            json: self.json,
            rest: inside,
        }
    }

    /// The last member of this name, which is the one that counts.
    pub(crate) fn member(&self, name: &str) -> Option<Self> {
        last(self.members(), name)
    }
}

/// The members of an object, in the order of the text, as far as it is sound.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    json: &'a str,
    rest: Range<usize>,
}

/// The members of a whole header.
pub(crate) fn members(json: &str) -> Members<'_> {
    let start = json.find('{').map_or(json.len(), |at| at + 1);
    Members {
        json,
        rest: start..json.len(),
    }
}

/// The last member of this name.
pub(crate) fn last<'a>(mut members: Members<'a>, name: &str) -> Option<Member<'a>> {
    let mut found = None;
    for member in members.by_ref() {
        if member.name().as_deref() == Some(name) {
            found = Some(member);
        }
    }
    found
}

/// A JSON string without its quotes and escapes.
pub(crate) fn decoded(quoted: &str) -> Option<Cow<'_, str>> {
    match quoted.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.contains('\\') => Some(plain.into()),
        _ => serde_json::from_str::<String>(quoted).ok().map(Cow::Owned),
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = &self.json.as_bytes()[..self.rest.end];
        let skip = |at: usize, also: u8| {
            let gap = |&&byte: &&u8| byte == also || matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            at + bytes[at..].iter().take_while(gap).count()
        };
        let start = skip(self.rest.start, b',');
        if bytes.get(start) != Some(&b'"') {
            self.rest.start = self.rest.end;
            return None;
        }
        let key = start..string_end(bytes, start);
        let value = skip(key.end, b':');
        let value = value..value_end(bytes, value);
        self.rest.start = value.end;
        Some(Member {
            json: self.json,
            key,
            value,
        })
    }
}

/// One past the quote that closes the string which opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    bytes.len()
}

/// One past the value that starts at `at`.
fn value_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    let mut depth = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => (),
        }
        at += 1;
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            return at;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn members_have_their_places() {
        let json = r#" { "a" : {"x":[1,"}"],"y":2} , "b\"":3, "c":"d" } "#;
        let found: Vec<_> = members(json)
            .map(|member| {
                (
                    member.name().unwrap().into_owned(),
                    member.text().trim_end(),
                )
            })
            .collect();
        let expected = [
            ("a", r#"{"x":[1,"}"],"y":2}"#),
            ("b\"", "3"),
            ("c", r#""d""#),
        ];
        assert!(
            found
                .iter()
                .map(|(name, text)| (name.as_str(), *text))
                .eq(expected)
        );
        let inner: Vec<_> = members(json)
            .next()
            .unwrap()
            .members()
            .map(|member| member.text())
            .collect();
        assert_eq!(inner, [r#"[1,"}"]"#, "2"]);
    }

    #[test]
    fn broken_objects_end_somewhere() {
        for json in [
            "",
            "{",
            "{\"",
            "{\"a",
            "{\"a\"",
            "{\"a\":",
            "{\"a\\",
            "{\"a\":{\"b\\",
            "{\"é\":[[",
            "{\"a\":}]",
        ] {
            for member in members(json) {
                assert!(member.value.end <= json.len());
                assert!(member.members().count() <= 1);
            }
        }
    }
}
