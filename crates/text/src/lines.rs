//! Lines and white space as Python's `str.splitlines`, `str.strip` and `str.count` see them.

use crate::unicode::is_space;
use memchr::{memchr, memchr_iter, memmem};

/// `text.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `text.splitlines()`.
pub(crate) fn splitlines(text: &str) -> Lines<'_> {
    Lines {
        rest: text,
        is_plain: !has_rare_end(text),
    }
}

/// The lines of a text, without their ends; an end at the very end begins no line.
pub(crate) struct Lines<'a> {
    rest: &'a str,
    is_plain: bool,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (end, next) = if self.is_plain {
            let end = memchr(b'\n', self.rest.as_bytes()).unwrap_or(self.rest.len());
            (end, self.rest.len().min(end + 1))
        } else {
            line_end(self.rest)
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[next..];
        Some(line)
    }
}

/// `text.split("\n")`; quicker than by the standard library.
pub(crate) fn split_feeds(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |end| {
        let line = &text[start..end];
        start = end + 1;
        line
    })
}

/// Where the first line of `text` ends, and where the next one begins.
fn line_end(text: &str) -> (usize, usize) {
    let is_end =
        |c: char| matches!(c, '\n'..='\r' | '\x1C'..='\x1E' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let Some(end) = text.find(is_end) else {
        return (text.len(), text.len());
    };
    let rest = &text[end..];
    let size = if rest.starts_with("\r\n") {
        2
    } else {
        rest.chars().next().map_or(0, char::len_utf8)
    };
    (end, end + size)
}

/// Whether a line of `text` may end in something else than `\n`.
fn has_rare_end(text: &str) -> bool {
    let is_control = |byte: u8| byte.wrapping_sub(0x0B) < 3 || byte.wrapping_sub(0x1C) < 3;
    // A fold without an early exit, so that it becomes SIMD.
    let rare = text
        .bytes()
        .fold(false, |rare, byte| rare | is_control(byte));
    rare || !text.is_ascii()
        && ["\u{85}", "\u{2028}", "\u{2029}"]
            .iter()
            .any(|end| memmem::find(text.as_bytes(), end.as_bytes()).is_some())
}

/// The number of times that `needle` stands in `text` without overlap.
pub(crate) fn count(text: &str, needle: &str) -> usize {
    memmem::find_iter(text.as_bytes(), needle).count()
}

/// What lines begin and end with, for the share of bullets and ellipses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineEnds {
    pub(crate) lines: usize,
    pub(crate) bullets: usize,
    pub(crate) ellipses: usize,
}

impl LineEnds {
    pub(crate) fn of(text: &str) -> Self {
        let mut ends = Self::default();
        for line in splitlines(text) {
            let (head, tail) = (
                line.trim_start_matches(is_space),
                line.trim_end_matches(is_space),
            );
            ends.lines += 1;
            ends.bullets += usize::from(head.starts_with(['•', '-']));
            ends.ellipses += usize::from(tail.ends_with("...") || tail.ends_with('…'));
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_python() {
        for (text, lines) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\n\nb", &["a", "", "b"]),
            ("a\r\nb\rc\r", &["a", "b", "c"]),
            (
                "a\x0Bb\x0Cc\x1Cd\x1De\x1Ef\x1Fg",
                &["a", "b", "c", "d", "e", "f\x1Fg"],
            ),
            ("a\u{85}b\u{2028}c\u{2029}d", &["a", "b", "c", "d"]),
            ("\n", &[""]),
        ] {
            assert_eq!(splitlines(text).collect::<Vec<_>>(), lines, "{text:?}");
        }
    }
}
