//! Lines and paragraphs of a text: their hashes, and the text without some of them.

use crate::formatter::Formatter;
use crate::simplify::TextNorm;
use crate::unicode::{count_chars, is_space};
use std::borrow::Cow;
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_64;

/// What a text is cut into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Lines: they end with a line feed.
    #[default]
    Line,
    /// Paragraphs: they end with two or more line feeds.
    Paragraph,
}

/// In which form parts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are, less white space at the ends.
    Exact,
    /// Simplified.
    Norm(TextNorm),
}

/// How texts are cut into parts and parts are told apart.
///
/// Across documents, as `CCNet` (Wenzek et al. 2019, <https://arxiv.org/abs/1911.00359>) does it, a
/// set of hashes is shared, and what is in it is left out:
///
/// ```
/// use nexus_text::Parts;
/// use std::collections::HashSet;
///
/// let (parts, mut seen) = (Parts::default(), HashSet::new());
/// for (text, rest) in [("Menu\nFirst text.", "Menu\nFirst text."), ("MENU!\nOther text.", "Other text.")] {
///     assert_eq!(parts.retain(text, |hash| seen.insert(hash)), rest);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Lines or paragraphs.
    pub unit: Unit,
    /// In which form parts are compared.
    pub form: Form,
    /// Parts with fewer code points, in that form, have no hash and always stay; blank ones always do.
    pub min_chars: usize,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            unit: Unit::Line,
            form: Form::Norm(TextNorm::default()),
            min_chars: 1,
        }
    }
}

impl Parts {
    /// The parts of a text with the line feeds behind them; together they are the text.
    pub fn split<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> + use<'a> {
        let (unit, mut rest) = (self.unit, text);
        std::iter::from_fn(move || {
            let (part, after) = rest.split_at(end(rest, unit));
            rest = after;
            (!part.is_empty()).then_some(part)
        })
    }

    /// The hash (XXH3, 64 bits) of a part in the form in which parts are compared; none if it is short.
    pub fn hash(&self, part: &str) -> Option<u64> {
        let part = match self.form {
            Form::Exact => Cow::Borrowed(part.trim_matches(is_space)),
            Form::Norm(norm) => Cow::Owned(norm.apply(part)),
        };
        let is_long = count_chars(&part) >= self.min_chars.max(1);
        is_long.then(|| xxh3_64(part.as_bytes()))
    }

    /// The hash of each part of the text.
    pub fn hashes(&self, text: &str) -> Vec<Option<u64>> {
        self.split(text).map(|part| self.hash(part)).collect()
    }

    /// The text without the parts whose hash `is_kept` refuses. It is asked in the order of the text;
    /// if the last part goes, the line feeds before it go too. Nothing is copied when nothing goes.
    pub fn retain<'a>(&self, text: &'a str, mut is_kept: impl FnMut(u64) -> bool) -> Cow<'a, str> {
        let (mut new, mut at) = (None::<String>, 0);
        let mut is_last_kept = true;
        for part in self.split(text) {
            is_last_kept = self.hash(part).is_none_or(&mut is_kept);
            if !is_last_kept && new.is_none() {
                new = Some(text[..at].to_owned());
            }
            if let Some(new) = new.as_mut().filter(|_| is_last_kept) {
                new.push_str(part);
            }
            at += part.len();
        }
        let Some(mut new) = new else {
            return Cow::Borrowed(text);
        };
        if !is_last_kept && !text.ends_with('\n') {
            new.truncate(new.trim_end_matches('\n').len());
        }
        Cow::Owned(new)
    }
}

/// Leaves out lines or paragraphs of a document that repeat an earlier one of it.
///
/// ```
/// use nexus_text::{Formatter, LineDedup};
///
/// let text = LineDedup::default().apply("Share this\nA story.\nshare this!\nThe end.");
/// assert_eq!(text, "Share this\nA story.\nThe end.");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineDedup {
    /// What is compared, and how.
    pub parts: Parts,
}

impl Formatter for LineDedup {
    fn name(&self) -> &'static str {
        "line_dedup"
    }

    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut seen = HashSet::new();
        self.parts.retain(text, |hash| seen.insert(hash))
    }
}

/// The size of the first part of a text.
fn end(text: &str, unit: Unit) -> usize {
    let (bytes, mut at) = (text.as_bytes(), 0);
    while let Some(feed) = memchr::memchr(b'\n', &bytes[at..]) {
        at += feed + 1;
        if unit == Unit::Line {
            return at;
        }
        let more = bytes[at..]
            .iter()
            .take_while(|&&byte| byte == b'\n')
            .count();
        if more > 0 {
            return at + more;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_lines_or_paragraphs() {
        for (text, lines, paragraphs) in [
            ("", &[][..], &[][..]),
            ("a", &["a"], &["a"]),
            ("a\nb\n", &["a\n", "b\n"], &["a\nb\n"]),
            (
                "a\n\n\nb\nc",
                &["a\n", "\n", "\n", "b\n", "c"],
                &["a\n\n\n", "b\nc"],
            ),
        ] {
            for (unit, expected) in [(Unit::Line, lines), (Unit::Paragraph, paragraphs)] {
                let parts = Parts {
                    unit,
                    ..Parts::default()
                };
                assert_eq!(parts.split(text).collect::<Vec<_>>(), expected, "{text:?}");
            }
        }
    }

    #[test]
    fn repeated_parts_go_and_blank_or_short_ones_stay() {
        let exact = Parts {
            form: Form::Exact,
            min_chars: 2,
            ..Parts::default()
        };
        for (parts, text, expected) in [
            (Parts::default(), "A.\n\nb\n\na\n", "A.\n\nb\n\n"),
            (Parts::default(), "a 1\nb\na 2", "a 1\nb"),
            (exact, "aa\nAA\n aa \nb\nb", "aa\nAA\nb\nb"),
            (
                Parts {
                    unit: Unit::Paragraph,
                    ..exact
                },
                "aa\nb\n\nc\n\naa\nb\n\naa",
                "aa\nb\n\nc\n\naa",
            ),
        ] {
            assert_eq!(LineDedup { parts }.apply(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_the_text(text in "[a\n ]{0,20}") {
            for unit in [Unit::Line, Unit::Paragraph] {
                let parts = Parts { unit, ..Parts::default() };
                prop_assert_eq!(parts.split(&text).collect::<String>(), text.clone());
                prop_assert_eq!(parts.retain(&text, |_| true), text.clone());
            }
        }
    }
}
