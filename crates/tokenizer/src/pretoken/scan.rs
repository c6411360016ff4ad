//! Runs of characters of one class, eight ASCII bytes at a time where they are letters.

use crate::class::{Classes, LETTER, NEWLINE, NUMBER, WHITE};

/// A text, UTF-8, and the classes of its characters.
#[derive(Clone, Copy)]
pub(crate) struct Scan<'a> {
    pub(crate) text: &'a [u8],
    classes: Classes,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

impl<'a> Scan<'a> {
    pub(crate) fn new(text: &'a [u8], classes: Classes) -> Self {
        Self { text, classes }
    }

    /// The class of the character at `at` and its size in bytes; both are 0 at the end.
    #[inline]
    pub(crate) fn class(self, at: usize) -> (u8, usize) {
        match self.text.get(at) {
            None => (0, 0),
            Some(&byte) if byte < 0x80 => (self.classes.of(byte as u32), 1),
            Some(&byte) => {
                let (c, size) = self.char_of_many(at, byte);
                (self.classes.of(c), size)
            }
        }
    }

    /// The code point at `at`, which is in the text.
    pub(crate) fn char(self, at: usize) -> u32 {
        match self.text[at] {
            byte if byte < 0x80 => byte as u32,
            byte => self.char_of_many(at, byte).0,
        }
    }

    /// Code point and size of a character of several bytes, the first of which is `first`.
    #[inline]
    fn char_of_many(self, at: usize, first: u8) -> (u32, usize) {
        let tail = |offset: usize| (self.text.get(at + offset).copied().unwrap_or(0) & 0x3F) as u32;
        let first = first as u32;
        match first {
            0..0xE0 => ((first & 0x1F) << 6 | tail(1), 2),
            0xE0..0xF0 => ((first & 0xF) << 12 | tail(1) << 6 | tail(2), 3),
            _ => (
                (first & 7) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3),
                4,
            ),
        }
    }

    /// The end of the run of characters from `at` whose class is in `mask`.
    #[inline]
    pub(crate) fn run(self, mut at: usize, mask: u8) -> usize {
        loop {
            let (class, size) = self.class(at);
            if class & mask == 0 {
                return at;
            }
            at += size;
        }
    }

    /// The end of the run of letters from `at`.
    #[inline]
    pub(crate) fn letters(self, at: usize) -> usize {
        self.letters_and(at, LETTER)
    }

    /// The end of the run of characters from `at` whose class is in `mask`, most of them letters.
    #[inline]
    pub(crate) fn letters_and(self, mut at: usize, mask: u8) -> usize {
        while let Some(eight) = self.text.get(at..at + 8) {
            let eight = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
            let others = not_letters(eight);
            at += others.trailing_zeros() as usize / 8;
            if others != 0 {
                break;
            }
        }
        match self.text.get(at) {
            Some(byte) if *byte >= 0x80 || byte.is_ascii_alphabetic() => self.run(at, mask),
            _ => at,
        }
    }

    /// The end of at most `most` characters from `at` whose class is in `mask`.
    #[inline]
    pub(crate) fn run_of_at_most(self, mut at: usize, mask: u8, most: usize) -> usize {
        for _ in 0..most {
            let (class, size) = self.class(at);
            if class & mask == 0 {
                break;
            }
            at += size;
        }
        at
    }

    /// `\s+(?!\S)|\s+`: white space but for its last character where something follows.
    #[inline]
    pub(crate) fn white(self, at: usize) -> usize {
        let white = self.white_run(at);
        if white.end == self.text.len() || white.last == at {
            white.end
        } else {
            white.last
        }
    }

    /// [`white`](Self::white) where digits are cut off beforehand, so that the text ends at them.
    pub(crate) fn white_or_digits(self, at: usize) -> usize {
        let white = self.white_run(at);
        let ends = white.end == self.text.len() || self.class(white.end).0 == NUMBER;
        if ends || white.last == at {
            white.end
        } else {
            white.last
        }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`, or `\s++$` first: white space to its last line end.
    #[inline]
    pub(crate) fn white_or_lines(self, at: usize, joins_trailing: bool) -> usize {
        let white = self.white_run(at);
        if joins_trailing && white.end == self.text.len() {
            white.end
        } else if white.lines > at {
            white.lines
        } else if white.end == self.text.len() || white.last == at {
            white.end
        } else {
            white.last
        }
    }

    pub(super) fn white_run(self, at: usize) -> White {
        let mut white = White {
            end: at,
            last: at,
            lines: at,
        };
        loop {
            let (class, size) = self.class(white.end);
            if class & WHITE == 0 {
                return white;
            }
            white.last = white.end;
            white.end += size;
            if class == NEWLINE {
                white.lines = white.end;
            }
        }
    }

    /// Where the next space stands after the character at `at`.
    pub(crate) fn next_space(self, at: usize) -> usize {
        let rest = &self.text[at + 1..];
        let space = rest.iter().position(|&byte| byte == b' ');
        space.map_or(self.text.len(), |space| at + 1 + space)
    }

    /// Where the next run of spaces starts after the spaces and other characters at `at`.
    pub(crate) fn next_word(self, at: usize) -> usize {
        let bytes = &self.text[at..];
        let spaces = bytes.iter().take_while(|&&byte| byte == b' ').count();
        let word = bytes[spaces..].iter().position(|&byte| byte == b' ');
        word.map_or(self.text.len(), |word| at + spaces + word)
    }

    /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at the apostrophe `at`.
    #[inline]
    pub(crate) fn contraction(self, at: usize, any_case: bool) -> Option<usize> {
        let byte = |offset: usize| {
            let byte = self.text.get(at + offset).copied().unwrap_or(0);
            if any_case {
                byte.to_ascii_lowercase()
            } else {
                byte
            }
        };
        let size = match (byte(1), byte(2)) {
            (b's' | b't' | b'm' | b'd', _) => 2,
            (b'r' | b'v', b'e') | (b'l', b'l') => 3,
            // The long s, U+017F, is an s in another case.
            (0xC5, 0xBF) if any_case => 3,
            _ => return None,
        };
        Some(at + size)
    }
}

/// A run of white space.
pub(super) struct White {
    pub(super) end: usize,
    /// Where its last character starts.
    pub(super) last: usize,
    /// Where its last line end ends; its start where there is none.
    pub(super) lines: usize,
}

/// The high bit of each byte that is no ASCII letter.
fn not_letters(eight: u64) -> u64 {
    let folded = (eight | (0x20 * LOW)) & !HIGH;
    let from_a = folded + (0x80 - b'a' as u64) * LOW;
    let after_z = folded + (0x80 - b'z' as u64 - 1) * LOW;
    (!from_a | after_z | eight) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_in_every_place_is_a_letter_or_not() {
        for place in 0..8 {
            for byte in 0..=255u8 {
                let mut eight = [b'q'; 8];
                eight[place] = byte;
                let expected = if byte.is_ascii_alphabetic() {
                    0
                } else {
                    0x80 << (8 * place)
                };
                assert_eq!(
                    not_letters(u64::from_le_bytes(eight)),
                    expected,
                    "{byte} at {place}"
                );
            }
        }
    }
}
