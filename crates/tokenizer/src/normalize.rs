//! One character at a time: cleaning, decomposition, stripping of accents, lower case and the split
//! into words, as `BertNormalizer` and `BertPreTokenizer` do one after the other.

use crate::parse::Normalizer;
use crate::unicode;

/// The normalised characters of the word under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Word {
    /// UTF-8 of the first characters; what exceeds the longest word is only counted.
    pub(crate) bytes: Vec<u8>,
    /// For each of `bytes` the byte range of its character in the text.
    pub(crate) sources: Vec<(u32, u32)>,
    /// Where the last character ends in the text.
    pub(crate) end: u32,
    pub(crate) chars: usize,
    /// Combining characters since the last other one; their order is settled by the next one.
    pending: Vec<Combining>,
}

#[derive(Clone, Copy, Debug)]
struct Combining {
    class: u8,
    c: char,
    source: (u32, u32),
}

/// What an ASCII byte does, decided once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ascii {
    /// Belongs to a word.
    Letter,
    /// Ends a word.
    Space,
    /// Ends a word and is one itself.
    Punctuation,
    /// Is removed.
    Dropped,
}

/// The rules of one tokenizer.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) normalizer: Normalizer,
    pub(crate) ascii: [Ascii; 128],
    chars_max: usize,
}

impl Rules {
    pub(crate) fn new(normalizer: Normalizer, chars_max: usize) -> Self {
        let ascii = std::array::from_fn(|byte| {
            let c = byte as u8 as char;
            if c.is_ascii_punctuation() {
                Ascii::Punctuation
            } else if normalizer.clean_text && matches!(c, '\t' | '\n' | '\r') {
                Ascii::Space
            } else if normalizer.clean_text && unicode::is_dropped(c) {
                Ascii::Dropped
            } else if c.is_whitespace() {
                Ascii::Space
            } else {
                Ascii::Letter
            }
        });
        Self {
            normalizer,
            ascii,
            chars_max,
        }
    }

    /// What becomes of an ASCII letter.
    #[inline]
    pub(crate) fn fold(&self, byte: u8) -> u8 {
        if self.normalizer.lowercase {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    }

    /// Adds a character of the text to `word`; gives each finished word to `emit`.
    pub(crate) fn push(
        &self,
        c: char,
        source: (u32, u32),
        word: &mut Word,
        emit: &mut impl FnMut(&Word),
    ) {
        let normalizer = self.normalizer;
        if normalizer.clean_text && !matches!(c, '\t' | '\n' | '\r') && unicode::is_dropped(c) {
            return;
        }
        if normalizer.handle_chinese_chars && unicode::is_ideograph(c) {
            self.finish(word, emit);
            self.normalize(c, source, word, emit);
            self.finish(word, emit);
        } else {
            self.normalize(c, source, word, emit);
        }
    }

    /// Ends the word, if there is one.
    pub(crate) fn finish(&self, word: &mut Word, emit: &mut impl FnMut(&Word)) {
        self.settle(word, emit);
        word.flush(emit);
    }

    fn normalize(
        &self,
        c: char,
        source: (u32, u32),
        word: &mut Word,
        emit: &mut impl FnMut(&Word),
    ) {
        if !self.normalizer.strip_accents() {
            return self.lower(c, source, word, emit);
        }
        unicode::decompose(c, |c| {
            let is_mark = unicode::is_mark(c);
            let class = unicode::combining_class(c, is_mark);
            if class == 0 {
                self.settle(word, emit);
            }
            match (is_mark, class) {
                (true, _) => {}
                (false, 0) => self.lower(c, source, word, emit),
                (false, _) => word.pending.push(Combining { class, c, source }),
            }
        });
    }

    /// Appends the pending characters in canonical order.
    fn settle(&self, word: &mut Word, emit: &mut impl FnMut(&Word)) {
        if word.pending.is_empty() {
            return;
        }
        let mut pending = std::mem::take(&mut word.pending);
        pending.sort_by_key(|combining| combining.class);
        for Combining { c, source, .. } in pending.drain(..) {
            self.lower(c, source, word, emit);
        }
        word.pending = pending;
    }

    fn lower(&self, c: char, source: (u32, u32), word: &mut Word, emit: &mut impl FnMut(&Word)) {
        if !self.normalizer.lowercase {
            return self.split(c, source, word, emit);
        }
        for c in c.to_lowercase() {
            self.split(c, source, word, emit);
        }
    }

    fn split(&self, c: char, source: (u32, u32), word: &mut Word, emit: &mut impl FnMut(&Word)) {
        if c.is_whitespace() {
            word.flush(emit);
        } else if unicode::is_punctuation(c) {
            word.flush(emit);
            word.add(c, source, self.chars_max);
            word.flush(emit);
        } else {
            word.add(c, source, self.chars_max);
        }
    }
}

impl Word {
    pub(crate) fn is_empty(&self) -> bool {
        self.chars == 0 && self.pending.is_empty()
    }

    fn add(&mut self, c: char, source: (u32, u32), chars_max: usize) {
        if self.chars < chars_max || self.chars == 0 {
            let utf8 = &mut [0; 4];
            let utf8 = c.encode_utf8(utf8).as_bytes();
            self.bytes.extend_from_slice(utf8);
            self.sources.extend(utf8.iter().map(|_| source));
        }
        self.chars += 1;
        self.end = source.1;
    }

    fn flush(&mut self, emit: &mut impl FnMut(&Word)) {
        if self.chars == 0 {
            return;
        }
        emit(self);
        self.bytes.clear();
        self.sources.clear();
        self.chars = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, normalizer: &str) -> Vec<(String, (u32, u32))> {
        let rules = Rules::new(serde_json::from_str(normalizer).unwrap(), 100);
        let mut found = Vec::new();
        let mut emit = |word: &Word| {
            let bytes = String::from_utf8(word.bytes.clone()).unwrap();
            found.push((bytes, (word.sources[0].0, word.end)));
        };
        let mut word = Word::default();
        for (at, c) in text.char_indices() {
            rules.push(
                c,
                (at as u32, (at + c.len_utf8()) as u32),
                &mut word,
                &mut emit,
            );
        }
        rules.finish(&mut word, &mut emit);
        found
    }

    #[test]
    fn text_is_split_into_normalised_words() {
        let uncased = "{}";
        let cased = r#"{"lowercase": false}"#;
        let raw = r#"{"lowercase": false, "clean_text": false, "handle_chinese_chars": false}"#;
        for (text, normalizer, expected) in [
            ("", uncased, vec![]),
            (" \t\u{a0}\u{2028}", uncased, vec![]),
            ("Café!", uncased, vec![("cafe", (0, 5)), ("!", (5, 6))]),
            (
                "Cafe\u{301}!",
                uncased,
                vec![("cafe", (0, 4)), ("!", (6, 7))],
            ),
            ("Cafe\u{301}", cased, vec![("Cafe\u{301}", (0, 6))]),
            ("İΣ", uncased, vec![("iσ", (0, 4))]),
            ("한", uncased, vec![("\u{1112}\u{1161}\u{11ab}", (0, 3))]),
            ("a\u{0}b\u{200b}c\u{fffd}", uncased, vec![("abc", (0, 7))]),
            ("a\u{0}b", raw, vec![("a\u{0}b", (0, 3))]),
            (
                "a漢字",
                uncased,
                vec![("a", (0, 1)), ("漢", (1, 4)), ("字", (4, 7))],
            ),
            ("漢字", raw, vec![("漢字", (0, 6))]),
            (
                "a\u{37e}b",
                uncased,
                vec![("a", (0, 1)), (";", (1, 3)), ("b", (3, 4))],
            ),
            (
                "\u{1d165}\u{302e}\u{1b44}a",
                uncased,
                vec![("\u{1b44}\u{1d165}\u{302e}a", (7, 11))],
            ),
        ] {
            let expected: Vec<_> = expected.iter().map(|&(w, at)| (w.to_owned(), at)).collect();
            assert_eq!(
                words(text, normalizer),
                expected,
                "{text:?} by {normalizer}"
            );
        }
    }
}
