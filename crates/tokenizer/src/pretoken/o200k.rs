//! `[^\r\n\p{L}\p{N}]?[H]*[T]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[H]+[T]*(?i:..)?|`
//! `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+` where `H` is
//! `\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}` and `T` is `\p{Ll}\p{Lm}\p{Lo}\p{M}`

use super::O200k;
use super::scan::Scan;
use crate::class::{CASELESS, LETTER, LOWER, MARK, NEWLINE, NUMBER, SYMBOL, UPPER};

const HEAD: u8 = UPPER | CASELESS | MARK;
const TAIL: u8 = LOWER | CASELESS | MARK;

/// The end of the pretoken at `at`.
#[inline]
pub(super) fn end(scan: Scan<'_>, at: usize, rule: O200k) -> usize {
    let (class, size) = scan.class(at);
    if class == NUMBER {
        return scan.run_of_at_most(at, NUMBER, rule.digits);
    }
    let word = match class {
        NEWLINE => None,
        _ if class & LETTER != 0 => word(scan, at).map(Word::end),
        // A mark may be the character before a word, or else be the word.
        MARK => Some(match word(scan, at + size) {
            Some(Word::Tailed(end)) => end,
            _ => at + size,
        }),
        _ => word(scan, at + size).map(Word::end),
    };
    if let Some(end) = word {
        let contraction = rule.contractions && scan.text.get(end) == Some(&b'\'');
        let contraction = contraction.then(|| scan.contraction(end, true)).flatten();
        return contraction.unwrap_or(end);
    }
    let first = scan.text[at];
    if class & SYMBOL != 0 || first == b' ' && scan.class(at + 1).0 & SYMBOL != 0 {
        return lines_and_slashes(scan, scan.run(at + size, SYMBOL));
    }
    scan.white_or_lines(at, false)
}

/// Where a word ends.
enum Word {
    /// It matches `[H]*[T]+`.
    Tailed(usize),
    /// It is all upper case and matches `[H]+[T]*` only.
    Upper(usize),
}

impl Word {
    fn end(self) -> usize {
        match self {
            Self::Tailed(end) | Self::Upper(end) => end,
        }
    }
}

/// `[H]*[T]+|[H]+[T]*` at `at`.
#[inline]
fn word(scan: Scan<'_>, at: usize) -> Option<Word> {
    let mut end = at;
    // The end of the last character that is in both sets.
    let mut both = None;
    loop {
        let (class, size) = scan.class(end);
        if class & HEAD == 0 {
            break;
        }
        end += size;
        if class & TAIL != 0 {
            both = Some(end);
        }
    }
    let (class, size) = scan.class(end);
    if class & TAIL != 0 {
        return Some(Word::Tailed(scan.run(end + size, TAIL)));
    }
    let upper = (end > at).then_some(Word::Upper(end));
    both.map(Word::Tailed).or(upper)
}

/// The end of `[\r\n/]*`.
fn lines_and_slashes(scan: Scan<'_>, at: usize) -> usize {
    let rest = scan.text[at..].iter();
    at + rest
        .take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/'))
        .count()
}
