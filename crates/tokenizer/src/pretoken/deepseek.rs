//! The expressions of `DeepSeek` V3. Each cuts what the ones before it left, so that for the third
//! the text ends where digits or Chinese and Japanese characters begin or end.

use super::scan::Scan;
use crate::class::{LETTER, MARK, NEWLINE, NUMBER, WHITE, is_sign};

/// The expressions, in order.
pub(super) const EXPRESSIONS: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥\u{3040}-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
];

/// `[\p{L}\p{M}]`.
const WORD: u8 = LETTER | MARK;

/// A text and on which side of the second expression a pretoken is.
#[derive(Clone, Copy)]
struct Segment<'a> {
    scan: Scan<'a>,
    is_ideographic: bool,
}

/// The end of the pretoken at `at`.
#[inline]
pub(super) fn end(scan: Scan<'_>, at: usize) -> usize {
    let (class, size) = scan.class(at);
    if class == NUMBER {
        return scan.run_of_at_most(at, NUMBER, 3);
    }
    let segment = Segment {
        scan,
        is_ideographic: is_ideographic(scan.text, at),
    };
    let first = scan.text[at];
    let next = at + size;
    if first.is_ascii_punctuation() && scan.text.get(next).is_some_and(u8::is_ascii_alphabetic) {
        let rest = scan.text[next..].iter();
        return next + rest.take_while(|byte| byte.is_ascii_alphabetic()).count();
    }
    if class & WORD != 0 {
        return segment.word(next);
    }
    if class != NEWLINE && !segment.is_sign(at) && segment.class(next) & WORD != 0 {
        return segment.word(next);
    }
    let sign = if first == b' ' { next } else { at };
    if segment.is_sign(sign) {
        return scan.run(segment.signs(sign), NEWLINE);
    }
    if class & WHITE != 0 {
        return segment.white(at);
    }
    segment.rest(next)
}

impl Segment<'_> {
    /// The class of the character at `at`; 0 where the segment ends.
    fn class(self, at: usize) -> u8 {
        let (class, _) = self.scan.class(at);
        if class == NUMBER || is_ideographic(self.scan.text, at) != self.is_ideographic {
            return 0;
        }
        class
    }

    fn is_sign(self, at: usize) -> bool {
        // Marks, letters and white space are no signs.
        self.class(at) & crate::class::OTHER != 0 && is_sign(self.scan.char(at))
    }

    /// The end of the run of letters and marks from `at`.
    fn word(self, mut at: usize) -> usize {
        if !self.is_ideographic {
            let rest = self.scan.text[at..].iter();
            at += rest.take_while(|byte| byte.is_ascii_alphabetic()).count();
        }
        while self.class(at) & WORD != 0 {
            at += self.scan.class(at).1;
        }
        at
    }

    /// The end of the run of punctuation and symbols from `at`.
    fn signs(self, mut at: usize) -> usize {
        while self.is_sign(at) {
            at += self.scan.class(at).1;
        }
        at
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`.
    fn white(self, at: usize) -> usize {
        let white = self.scan.white_run(at);
        if white.lines > at {
            white.lines
        } else if self.class(white.end) == 0 || white.last == at {
            white.end
        } else {
            white.last
        }
    }

    /// The end of the run of characters from `at` that no expression matches.
    fn rest(self, mut at: usize) -> usize {
        loop {
            let class = self.class(at);
            let is_matched = class & (WORD | WHITE) != 0 || self.is_sign(at);
            if class == 0 || is_matched {
                return at;
            }
            let next = at + self.scan.class(at).1;
            if self.class(next) & WORD != 0 {
                return at;
            }
            at = next;
        }
    }
}

/// Whether the second expression takes the character at `at`: U+3040 to U+30FF, U+4E00 to U+9FA5.
fn is_ideographic(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(0xE3) => matches!(text[at + 1], 0x81..=0x83),
        Some(0xE4) => text[at + 1] >= 0xB8,
        Some(0xE5..=0xE8) => true,
        Some(0xE9) => (text[at + 1], text[at + 2]) <= (0xBE, 0xA5),
        _ => false,
    }
}
