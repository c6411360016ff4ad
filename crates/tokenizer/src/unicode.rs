//! What the BERT normaliser and pre-tokeniser ask about a character.

use crate::unicode_tables::{
    DROPPED, MARKS, PUNCTUATION, REORDERED, SPACING_MARKS, UNDECOMPOSED, UNDECOMPOSED_COMPATIBLE,
    WORDS,
};
use std::cmp::Ordering;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical};

/// Whether `clean_text` removes `c`.
pub(crate) fn is_dropped(c: char) -> bool {
    contains(DROPPED, c)
}

/// Whether `c` is a nonspacing mark, which `strip_accents` removes.
pub(crate) fn is_mark(c: char) -> bool {
    contains(MARKS, c)
}

/// Whether `c` is one of the other marks, spacing or enclosing, which `StripAccents` removes too.
pub(crate) fn is_spacing_mark(c: char) -> bool {
    contains(SPACING_MARKS, c)
}

/// Whether `c` belongs to a word (`\w`), so that an added token beside it is no single word.
pub(crate) fn is_in_word(c: char) -> bool {
    contains(WORDS, c)
}

/// Whether `c` is a word of its own.
pub(crate) fn is_punctuation(c: char) -> bool {
    contains(PUNCTUATION, c)
}

/// Whether `handle_chinese_chars` puts spaces around `c`: the ideograph blocks of BERT's own list.
pub(crate) fn is_ideograph(c: char) -> bool {
    matches!(c as u32,
        0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2A6DF
        | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0x2F800..=0x2FA1F)
}

/// Gives the canonical decomposition of `c` (Unicode Standard Annex 15) to `emit`.
pub(crate) fn decompose(c: char, emit: impl FnMut(char)) {
    // The first characters with a decomposition are the accented letters of Latin-1.
    if c < '\u{C0}' || contains(UNDECOMPOSED, c) {
        std::iter::once(c).for_each(emit);
    } else {
        decompose_canonical(c, emit);
    }
}

/// Whether `c` has a decomposition in newer Unicode versions than the peer's only.
pub(crate) fn is_undecomposed(c: char) -> bool {
    contains(UNDECOMPOSED, c)
}

/// Whether `c` has a compatibility decomposition in newer Unicode versions than the peer's only.
pub(crate) fn is_undecomposed_compatible(c: char) -> bool {
    is_undecomposed(c) || contains(UNDECOMPOSED_COMPATIBLE, c)
}

/// The canonical combining class of a character that is fully decomposed.
pub(crate) fn combining_class(c: char, is_mark: bool) -> u8 {
    if is_mark {
        return canonical_combining_class(c);
    }
    REORDERED
        .binary_search_by_key(&(c as u32), |&(c, _)| c)
        .map_or(0, |at| REORDERED[at].1)
}

fn contains(ranges: &[(u32, u32)], c: char) -> bool {
    let c = c as u32;
    ranges
        .binary_search_by(|&(first, last)| match () {
            () if last < c => Ordering::Less,
            () if c < first => Ordering::Greater,
            () => Ordering::Equal,
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_disjoint() {
        let tables = [DROPPED, MARKS, SPACING_MARKS, PUNCTUATION, UNDECOMPOSED];
        for table in tables.into_iter().chain([UNDECOMPOSED_COMPATIBLE, WORDS]) {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
        assert!(REORDERED.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn characters_have_the_classes_of_the_peer() {
        let classes = |c| {
            (
                is_dropped(c),
                is_mark(c),
                is_punctuation(c),
                is_ideograph(c),
            )
        };
        for (c, expected) in [
            ('a', (false, false, false, false)),
            ('\u{0}', (true, false, false, false)),
            ('\u{200D}', (true, false, false, false)),
            ('\u{E000}', (true, false, false, false)),
            ('\u{FFFD}', (true, false, false, false)),
            ('\u{301}', (false, true, false, false)),
            ('$', (false, false, true, false)),
            ('。', (false, false, true, false)),
            ('語', (false, false, false, true)),
            ('あ', (false, false, false, false)),
        ] {
            assert_eq!(classes(c), expected, "{c:?}");
        }
    }
}
