//! Words, and the tables by which they are made.

use crate::affix::Glyph;
use crate::merge::Merges;
use crate::special::Specials;
use crate::unicode::{Class, Classes, LETTER, PUNCTUATION, SENTENCE_END, SYMBOL};
use std::sync::LazyLock;

/// A word: where it stands in the text, in bytes, its length in code points, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where the word begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// Its length in code points.
    pub chars: u32,
    pub(crate) flags: u8,
}

const HAS_LETTER: u8 = 1;
const ALL_SYMBOLS: u8 = 2;
const ALL_PUNCTUATION: u8 = 4;
const ENDS_SENTENCE: u8 = 8;
pub(crate) const AFTER_GAP: u8 = 16;

impl Word {
    /// Whether Python's `str.isalpha` is true of one of its characters.
    #[inline]
    pub fn has_letter(&self) -> bool {
        self.flags & HAS_LETTER != 0
    }

    /// Whether datatrove counts all its characters as punctuation.
    #[inline]
    pub fn is_symbol(&self) -> bool {
        self.flags & ALL_SYMBOLS != 0
    }

    /// Whether all characters are of the general category P.
    pub(crate) fn is_punctuation(&self) -> bool {
        self.flags & ALL_PUNCTUATION != 0
    }

    /// Whether it is a character that ends a sentence.
    pub(crate) fn ends_sentence(&self) -> bool {
        self.flags & ENDS_SENTENCE != 0
    }

    /// Whether white space other than one blank stands before it, which is a word for spaCy.
    pub(crate) fn is_after_gap(&self) -> bool {
        self.flags & AFTER_GAP != 0
    }

    /// The flag of white space before it.
    pub(crate) fn gap(&self) -> u8 {
        self.flags & AFTER_GAP
    }
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let rules = Rules {
        classes: Classes::get(),
        specials: Specials::new(),
        merges: Merges::empty(),
    };
    Rules {
        merges: Merges::new(&rules),
        ..rules
    }
});

/// All tables of the tokenizer.
pub(crate) struct Rules {
    pub(crate) classes: &'static Classes,
    pub(crate) specials: Specials,
    pub(crate) merges: Merges,
}

impl Rules {
    /// The one set of tables, built at the first call in about a millisecond.
    pub(crate) fn get() -> &'static Self {
        &RULES
    }

    /// Adds the words of a special piece at `start`, whose lengths are `cuts`.
    pub(crate) fn push_cuts(
        &self,
        text: &str,
        start: u32,
        cuts: &[u8],
        mut gap: u8,
        words: &mut Vec<Word>,
    ) {
        let mut at = start;
        for &cut in cuts {
            let end = at + u32::from(cut);
            words.push(self.word(text, at, end, gap));
            (at, gap) = (end, 0);
        }
    }

    /// The word at `start..end` of a text.
    pub(crate) fn word(&self, text: &str, start: u32, end: u32, gap: u8) -> Word {
        let chars = text[start as usize..end as usize].chars();
        word_of(start, end, gap, chars.map(|c| self.classes.of(c)))
    }
}

/// A word from the classes of its characters.
#[inline]
pub(crate) fn word_of(start: u32, end: u32, gap: u8, classes: impl Iterator<Item = Class>) -> Word {
    let (mut any, mut all, mut chars) = (0, u16::MAX, 0);
    for class in classes {
        any |= class;
        all &= class;
        chars += 1;
    }
    let ends_sentence = chars == 1 && any & SENTENCE_END != 0;
    let flags = [
        (any & LETTER != 0, HAS_LETTER),
        (all & SYMBOL != 0, ALL_SYMBOLS),
        (all & PUNCTUATION != 0, ALL_PUNCTUATION),
        (ends_sentence, ENDS_SENTENCE),
    ];
    let flags = flags.iter().fold(
        gap,
        |flags, &(is, flag)| if is { flags | flag } else { flags },
    );
    Word {
        start,
        end,
        chars,
        flags,
    }
}

impl Rules {
    /// Decodes a piece of text.
    pub(crate) fn fill(&self, glyphs: &mut Vec<Glyph>, piece: &str) {
        glyphs.clear();
        glyphs.extend(piece.char_indices().map(|(at, c)| Glyph {
            at: at as u32,
            c,
            class: self.classes.of(c),
        }));
    }
}

/// A word without marks.
#[inline]
pub(crate) fn plain(start: usize, end: usize, chars: u32, gap: u8, has_letter: bool) -> Word {
    Word {
        start: start as u32,
        end: end as u32,
        chars,
        flags: if has_letter { gap | HAS_LETTER } else { gap },
    }
}
