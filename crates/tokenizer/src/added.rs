//! Added tokens: literals such as `[MASK]` that keep their id wherever they stand in a text.

use crate::Error;
use crate::file::AddedToken;
use crate::trie::Trie;
use crate::unicode;
use std::collections::{HashMap, HashSet};

/// Finds added tokens in a text, the leftmost first and the longest of those.
#[derive(Debug)]
pub(crate) struct AddedTokens {
    trie: Trie,
    is_first_byte: Box<[bool; 256]>,
    /// The only first character of all tokens, where it is one of ASCII.
    first: Option<char>,
    /// Whether a token takes the white space on its left and on its right.
    strips: HashMap<u32, (bool, bool)>,
    /// Tokens that are none beside a letter, a mark, a digit or an underscore.
    single_words: HashSet<u32>,
}

/// An added token's id and byte range, white space that it takes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) id: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl AddedTokens {
    pub(crate) fn new(tokens: &[AddedToken]) -> Result<Self, Error> {
        let trie = Trie::new(
            tokens
                .iter()
                .map(|token| (token.content.as_bytes(), token.id)),
        )?;
        let mut is_first_byte = Box::new([false; 256]);
        for byte in tokens
            .iter()
            .filter_map(|token| token.content.as_bytes().first())
        {
            is_first_byte[*byte as usize] = true;
        }
        let mut firsts = (0..=255u8).filter(|byte| is_first_byte[*byte as usize]);
        let first = match (firsts.next(), firsts.next()) {
            (Some(byte), None) if byte.is_ascii() => Some(byte as char),
            _ => None,
        };
        let strips = tokens
            .iter()
            .filter(|token| token.lstrip || token.rstrip)
            .map(|token| (token.id, (token.lstrip, token.rstrip)))
            .collect();
        let single_words = tokens.iter().filter(|token| token.single_word);
        Ok(Self {
            trie,
            is_first_byte,
            first,
            strips,
            single_words: single_words.map(|token| token.id).collect(),
        })
    }

    /// The first added token in `text` at or after `from`, a character boundary.
    pub(crate) fn find(&self, text: &str, from: usize) -> Option<Match> {
        let bytes = text.as_bytes();
        let mut at = from;
        loop {
            at += match self.first {
                Some(first) => text[at..].find(first)?,
                None => bytes[at..]
                    .iter()
                    .position(|&byte| self.is_first_byte[byte as usize])?,
            };
            if let Some((id, len)) = self.trie.longest(bytes[at..].iter().copied()) {
                if self.single_words.contains(&id) && !is_single_word(text, at, at + len) {
                    at += len;
                    continue;
                }
                return Some(self.strip(
                    text,
                    from,
                    Match {
                        id,
                        start: at,
                        end: at + len,
                    },
                ));
            }
            at += 1;
        }
    }

    fn strip(&self, text: &str, from: usize, found: Match) -> Match {
        let (left, right) = self.strips.get(&found.id).copied().unwrap_or_default();
        let Match {
            id,
            mut start,
            mut end,
        } = found;
        if left {
            start = from + text[from..start].trim_end().len();
        }
        if right {
            end = text.len() - text[end..].trim_start().len();
        }
        Match { id, start, end }
    }
}

/// Whether `text[start..end]` stands between characters that are in no word.
fn is_single_word(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    !before.is_some_and(unicode::is_in_word) && !after.is_some_and(unicode::is_in_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(content: &str, id: u32, strip: &str) -> AddedToken {
        AddedToken {
            id,
            content: content.to_owned(),
            lstrip: strip.contains('l'),
            rstrip: strip.contains('r'),
            ..AddedToken::default()
        }
    }

    #[test]
    fn the_leftmost_longest_token_wins() {
        let added = [
            token("<a>", 1, ""),
            token("<a>b", 2, ""),
            token("<m>", 3, "l"),
        ];
        let added =
            AddedTokens::new(&[added.as_slice(), &[token("<r>", 4, "r")]].concat()).unwrap();
        let find = |text, from| added.find(text, from).map(|m| (m.id, m.start, m.end));
        for (text, from, expected) in [
            ("", 0, None),
            ("<<a>", 0, Some((1, 1, 4))),
            ("<a>bc", 0, Some((2, 0, 4))),
            ("<a>  <m> x", 3, Some((3, 3, 8))),
            ("<r> \u{a0} x", 0, Some((4, 0, 7))),
            ("<a", 0, None),
        ] {
            assert_eq!(find(text, from), expected, "{text:?} from {from}");
        }
    }

    #[test]
    fn a_single_word_stands_alone() {
        let word = AddedToken {
            single_word: true,
            ..token("ab", 1, "")
        };
        let added = AddedTokens::new(&[word]).unwrap();
        for (text, start) in [
            ("ab", Some(0)),
            ("xab ab", Some(4)),
            ("ab_ ab1 ab\u{301} éab.ab", Some(18)),
            ("abab", None),
        ] {
            assert_eq!(
                added.find(text, 0).map(|found| found.start),
                start,
                "{text:?}"
            );
        }
    }
}
