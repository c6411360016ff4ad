//! A text under normalisation, and where each of its bytes comes from.

use std::borrow::Cow;

/// A text and, where it is asked for, the range in the original text of each byte.
///
/// The ranges are those of Hugging Face `tokenizers`: a character that is put in has the range of the
/// one before it, and what is left out belongs to no character.
#[derive(Debug)]
pub(crate) struct Aligned<'a> {
    pub(crate) text: Cow<'a, str>,
    /// `None` while nothing has changed.
    sources: Option<Vec<(u32, u32)>>,
    is_tracked: bool,
}

/// A character of the new text, and how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) c: char,
    /// 1: it is put in. 0: it takes the place of the next character. -n: of the next one, and n
    /// characters after that are left out.
    pub(crate) by: isize,
}

impl<'a> Aligned<'a> {
    /// A text that is as it was; `is_tracked` says whether ranges are asked for.
    pub(crate) fn new(text: &'a str, is_tracked: bool) -> Self {
        Self {
            text: Cow::Borrowed(text),
            sources: None,
            is_tracked,
        }
    }

    /// Whether nothing has changed.
    pub(crate) fn is_as_it_was(&self) -> bool {
        self.sources.is_none()
    }

    /// The original range of bytes `start..end`, which are not empty.
    pub(crate) fn source(&self, start: usize, end: usize) -> (usize, usize) {
        let Some(sources) = &self.sources else {
            let start = self.text.floor_char_boundary(start);
            return (start, self.text.ceil_char_boundary(end));
        };
        let at = |at: usize| sources.get(at).copied().unwrap_or_default();
        (at(start).0 as usize, at(end.saturating_sub(1)).1 as usize)
    }

    /// Replaces the text by `changes` of it, of which the first `removed` characters are left out.
    pub(crate) fn change(&mut self, changes: impl Iterator<Item = Change>, removed: usize) {
        let mut text = String::with_capacity(self.text.len() + self.text.len() / 8);
        if self.is_tracked {
            let mut sources = Vec::with_capacity(text.capacity());
            let old = self.all_sources();
            let mut rest = self.text.chars();
            let mut size_of =
                |count: usize| -> usize { rest.by_ref().take(count).map(char::len_utf8).sum() };
            let mut at = size_of(removed);
            for Change { c, by } in changes {
                let from = if by > 0 { at.checked_sub(1) } else { Some(at) };
                let source = from.and_then(|from| old.get(from).or(old.last()));
                let source = source.copied().unwrap_or_default();
                sources.extend(std::iter::repeat_n(source, c.len_utf8()));
                text.push(c);
                if by <= 0 {
                    at += size_of(1 + by.unsigned_abs());
                }
            }
            self.sources = Some(sources);
        } else {
            text.extend(changes.map(|change| change.c));
        }
        self.text = Cow::Owned(text);
    }

    /// Replaces ranges of the text, in order and apart, by `content`.
    pub(crate) fn replace(
        &mut self,
        mut ranges: impl Iterator<Item = (usize, usize)>,
        content: &str,
    ) {
        let Some(first) = ranges.next() else { return };
        let ranges = std::iter::once(first).chain(ranges);
        let mut text = String::with_capacity(self.text.len());
        let mut last = 0;
        if self.is_tracked {
            let old = self.all_sources();
            let mut sources = Vec::with_capacity(old.len());
            for (start, end) in ranges {
                text.push_str(&self.text[last..start]);
                text.push_str(content);
                sources.extend_from_slice(&old[last..start]);
                sources.extend(std::iter::repeat_n(old[end - 1], content.len()));
                last = end;
            }
            sources.extend_from_slice(&old[last..]);
            text.push_str(&self.text[last..]);
            self.sources = Some(sources);
        } else {
            for (start, end) in ranges {
                text.push_str(&self.text[last..start]);
                text.push_str(content);
                last = end;
            }
            text.push_str(&self.text[last..]);
        }
        self.text = Cow::Owned(text);
    }

    /// Puts `prefix` before a text that is not empty; it gets the range of the first character.
    pub(crate) fn prepend(&mut self, prefix: &str) {
        if self.text.is_empty() {
            return;
        }
        if self.is_tracked {
            let mut sources = self.all_sources();
            let first = sources[0];
            sources.splice(0..0, std::iter::repeat_n(first, prefix.len()));
            self.sources = Some(sources);
        }
        self.text.to_mut().insert_str(0, prefix);
    }

    /// Keeps bytes `start..end` only.
    pub(crate) fn keep(&mut self, start: usize, end: usize) {
        if (start, end) == (0, self.text.len()) {
            return;
        }
        if self.is_tracked {
            let mut sources = self.all_sources();
            sources.truncate(end);
            sources.drain(..start);
            self.sources = Some(sources);
        }
        let text = match std::mem::take(&mut self.text) {
            Cow::Borrowed(text) => Cow::Borrowed(&text[start..end]),
            Cow::Owned(text) => Cow::Owned(text[start..end].to_owned()),
        };
        self.text = text;
    }

    fn all_sources(&mut self) -> Vec<(u32, u32)> {
        self.sources.take().unwrap_or_else(|| {
            let chars = self.text.char_indices();
            chars
                .flat_map(|(at, c)| {
                    let source = (at as u32, (at + c.len_utf8()) as u32);
                    std::iter::repeat_n(source, c.len_utf8())
                })
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(aligned: &Aligned<'_>) -> Vec<(usize, usize)> {
        let chars = aligned.text.char_indices();
        chars
            .map(|(at, c)| aligned.source(at, at + c.len_utf8()))
            .collect()
    }

    #[test]
    fn ranges_follow_the_characters() {
        let mut aligned = Aligned::new("aé b", true);
        assert_eq!(sources(&aligned), [(0, 1), (1, 3), (3, 4), (4, 5)]);
        aligned.replace([(3, 4)].into_iter(), "__");
        assert_eq!(aligned.text, "aé__b");
        aligned.prepend("x");
        let expected = [(0, 1), (0, 1), (1, 3), (3, 4), (3, 4), (4, 5)];
        assert_eq!(sources(&aligned), expected);
        let changes = [('A', 0), ('A', 1), ('e', -2), ('b', 0)];
        let changes = changes.map(|(c, by)| Change { c, by });
        aligned.change(changes.into_iter(), 1);
        assert_eq!(aligned.text, "AAeb");
        assert_eq!(sources(&aligned), [(0, 1), (0, 1), (1, 3), (4, 5)]);
        aligned.keep(2, 3);
        assert_eq!((&*aligned.text, sources(&aligned)), ("e", vec![(1, 3)]));
    }
}
