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

fn dense() -> Box<[u8]> {
    let mut dense = vec![OTHER; DENSE_END];
    let runs: Vec<_> = RUNS
        .split_ascii_whitespace()
        .map(|run| {
            let (start, class) = run.split_at(run.len() - 1);
            let start = usize::from_str_radix(start, 16).expect("the table holds hexadecimals");
            (start, class.as_bytes()[0])
        })
        .collect();
    let ends = runs
        .iter()
        .skip(1)
        .map(|run| run.0)
        .chain([usize::MAX])
        .map(|end| end.min(DENSE_END));
    for (&(start, class), end) in runs.iter().zip(ends) {
        let Some(run) = dense.get_mut(start..end) else {
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
}
