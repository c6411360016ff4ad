//! What the pretokenisers' regular expressions ask about a character: `\p{L}` by case, `\p{M}`,
//! `\p{N}`, `\s` and line ends.

use crate::class_tables::RUNS;
use std::sync::LazyLock;

/// `\p{Lu}` and `\p{Lt}`.
pub(crate) const UPPER: u8 = 1;
/// `\p{Ll}`.
pub(crate) const LOWER: u8 = 2;
/// `\p{Lm}` and `\p{Lo}`, letters without case.
pub(crate) const CASELESS: u8 = 4;
/// `\p{M}`.
pub(crate) const MARK: u8 = 8;
/// `\p{N}`.
pub(crate) const NUMBER: u8 = 16;
/// `\s` but for line ends.
pub(crate) const SPACE: u8 = 32;
/// `[\r\n]`.
pub(crate) const NEWLINE: u8 = 64;
/// None of the others.
pub(crate) const OTHER: u8 = 128;

/// `\p{L}`.
pub(crate) const LETTER: u8 = UPPER | LOWER | CASELESS;
/// `\s`.
pub(crate) const WHITE: u8 = SPACE | NEWLINE;
/// `[^\s\p{L}\p{N}]`.
pub(crate) const SYMBOL: u8 = MARK | OTHER;

/// Code points above are marks or have no class: their table would be mostly empty.
const DENSE_END: usize = 0x323B0;

static DENSE: LazyLock<Box<[u8]>> = LazyLock::new(dense);

/// Code points above are neither punctuation nor symbols.
const SIGNS_END: usize = 0x20000;

/// A bit for each code point: `[\p{P}\p{S}]`.
static SIGNS: LazyLock<Box<[u64]>> = LazyLock::new(signs);

/// The classes of all characters; a copy is a reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Classes(&'static [u8]);

impl Classes {
    pub(crate) fn new() -> Self {
        Self(&DENSE)
    }

    /// The class of code point `c`.
    #[inline]
    pub(crate) fn of(self, c: u32) -> u8 {
        match self.0.get(c as usize) {
            Some(&class) => class,
            None if (0xE0100..0xE01F0).contains(&c) => MARK,
            None => OTHER,
        }
    }
}

/// Whether a code point is punctuation or a symbol.
#[inline]
pub(crate) fn is_sign(c: u32) -> bool {
    let word = SIGNS.get(c as usize / 64);
    word.is_some_and(|word| word >> (c % 64) & 1 != 0)
}

/// Start, end and class of each run of the table.
fn runs() -> Vec<(usize, usize, u8)> {
    let starts: Vec<_> = RUNS
        .split_ascii_whitespace()
        .map(|run| {
            let (start, class) = run.split_at(run.len() - 1);
            let start = usize::from_str_radix(start, 16).expect("the table holds hexadecimals");
            (start, class.as_bytes()[0])
        })
        .collect();
    let ends = starts.iter().skip(1).map(|run| run.0).chain([usize::MAX]);
    let runs = starts.iter().zip(ends);
    runs.map(|(&(start, class), end)| (start, end, class))
        .collect()
}

fn signs() -> Box<[u64]> {
    let mut signs = vec![0; SIGNS_END / 64];
    for (start, end, _) in runs().into_iter().filter(|run| run.2 == b'O') {
        for c in start..end.min(SIGNS_END) {
            signs[c / 64] |= 1 << (c % 64);
        }
    }
    signs.into()
}

fn dense() -> Box<[u8]> {
    let mut dense = vec![OTHER; DENSE_END];
    for (start, end, class) in runs() {
        let Some(run) = dense.get_mut(start..end.min(DENSE_END)) else {
            continue;
        };
        match class {
            b'U' => run.fill(UPPER),
            b'L' => run.fill(LOWER),
            b'+' => run.fill(CASELESS),
            b'M' => run.fill(MARK),
            b'N' => run.fill(NUMBER),
            b'S' => run.fill(SPACE),
            b'*' => run
                .iter_mut()
                .zip([UPPER, LOWER].into_iter().cycle())
                .for_each(|(slot, class)| *slot = class),
            _ => {}
        }
    }
    dense[b'\n' as usize] = NEWLINE;
    dense[b'\r' as usize] = NEWLINE;
    dense.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_the_classes_of_the_peers() {
        let classes = Classes::new();
        for (c, class) in [
            ('a', LOWER),
            ('Z', UPPER),
            ('ǅ', UPPER),
            ('ß', LOWER),
            ('ā', LOWER),
            ('Ā', UPPER),
            ('ª', CASELESS),
            ('語', CASELESS),
            ('\u{301}', MARK),
            ('\u{E0100}', MARK),
            ('\u{E01F0}', OTHER),
            ('7', NUMBER),
            ('²', NUMBER),
            ('Ⅷ', NUMBER),
            (' ', SPACE),
            ('\t', SPACE),
            ('\u{85}', SPACE),
            ('\u{3000}', SPACE),
            ('\n', NEWLINE),
            ('\r', NEWLINE),
            ('\u{2028}', SPACE),
            ('\u{200B}', OTHER),
            ('!', OTHER),
            ('😀', OTHER),
            ('\u{10FFFF}', OTHER),
            ('\u{323AF}', CASELESS),
            ('\u{323B0}', OTHER),
        ] {
            assert_eq!(classes.of(c as u32), class, "{c:?}");
        }
    }

    #[test]
    fn signs_are_punctuation_and_symbols() {
        for (c, expected) in [
            ('!', true),
            ('$', true),
            ('。', true),
            ('😀', true),
            ('゛', true),
            ('a', false),
            (' ', false),
            ('\u{301}', false),
            ('\u{200B}', false),
            ('\u{10FFFF}', false),
        ] {
            assert_eq!(is_sign(c as u32), expected, "{c:?}");
        }
    }
}
