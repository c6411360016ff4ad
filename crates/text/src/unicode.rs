//! What the filters and the word splitter ask about a character.

use crate::unicode_tables::RUNS;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A set of the bits below.
pub(crate) type Class = u16;

/// A letter of spaCy's, cased or not.
pub(crate) const ALPHA: Class = 1 << 0;
/// A lower-case or uncased letter of spaCy's.
pub(crate) const LOWER: Class = 1 << 1;
/// An upper-case or uncased letter of spaCy's.
pub(crate) const UPPER: Class = 1 << 2;
/// Is split off at the beginning of a piece.
pub(crate) const PREFIX: Class = 1 << 3;
/// Is split off at the end of a piece.
pub(crate) const SUFFIX: Class = 1 << 4;
/// A picture or symbol that is split off wherever it stands.
pub(crate) const ICON: Class = 1 << 5;
/// What a full stop that is split off at the end may follow.
pub(crate) const BEFORE_STOP: Class = 1 << 6;
/// A quotation mark.
pub(crate) const QUOTE: Class = 1 << 7;
/// Python's `str.isalpha`.
pub(crate) const LETTER: Class = 1 << 8;
/// General category P.
pub(crate) const PUNCTUATION: Class = 1 << 9;
/// Python's `\d`.
pub(crate) const DIGIT: Class = 1 << 10;
/// Python's `\w`.
pub(crate) const WORD: Class = 1 << 11;
/// Python's `str.isspace`.
pub(crate) const SPACE: Class = 1 << 12;
/// In datatrove's `PUNCTUATION_SET`.
pub(crate) const SYMBOL: Class = 1 << 13;
/// In datatrove's `TERMINAL_PUNCTUATION`.
pub(crate) const TERMINAL: Class = 1 << 14;
/// Ends a sentence for spaCy's sentencizer.
pub(crate) const SENTENCE_END: Class = 1 << 15;

const BLOCK: usize = 256;

static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);

/// The classes of all code points: a table of blocks, equal blocks stored once (about 100 KiB).
pub(crate) struct Classes {
    blocks: Vec<[Class; BLOCK]>,
    index: Vec<u16>,
}

impl Classes {
    /// The one table, built at the first call.
    pub(crate) fn get() -> &'static Self {
        &CLASSES
    }

    /// The classes of `c`.
    #[inline]
    pub(crate) fn of(&self, c: char) -> Class {
        let code = c as usize;
        self.blocks[self.index[code / BLOCK] as usize][code % BLOCK]
    }

    fn new() -> Self {
        let (mut blocks, mut index) = (Vec::new(), Vec::new());
        let mut known = HashMap::new();
        let mut run = 0;
        for first in (0..=char::MAX as usize).step_by(BLOCK) {
            let block: [Class; BLOCK] = std::array::from_fn(|at| {
                let code = (first + at) as u32;
                while RUNS.get(run + 1).is_some_and(|next| next.0 <= code) {
                    run += 1;
                }
                RUNS[run].1
            });
            index.push(*known.entry(block).or_insert_with(|| {
                blocks.push(block);
                (blocks.len() - 1) as u16
            }));
        }
        Self { blocks, index }
    }
}

/// Whether Python's `str.isspace` and `str.strip` count `c` as white space.
#[inline]
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\x1C'..=' ')
        || c >= '\u{85}'
            && matches!(
                c,
                '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'
                    ..='\u{200A}' | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
            )
}

/// The number of code points of `text`; one pass that the compiler turns into SIMD.
#[inline]
pub(crate) fn count_chars(text: &str) -> usize {
    // Every byte that does not continue a character begins one.
    text.bytes().filter(|&byte| (byte as i8) >= -0x40).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_sorted_and_the_table_agrees_with_them() {
        assert!(RUNS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let classes = Classes::get();
        for pair in RUNS.windows(2) {
            for code in [pair[0].0, pair[1].0 - 1] {
                if let Some(c) = char::from_u32(code) {
                    assert_eq!(classes.of(c), pair[0].1, "{code:x}");
                }
            }
        }
    }

    #[test]
    fn white_space_is_that_of_the_table() {
        let classes = Classes::get();
        for c in '\0'..=char::MAX {
            assert_eq!(is_space(c), classes.of(c) & SPACE != 0, "{c:?}");
        }
    }
}
