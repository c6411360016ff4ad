//! `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
//! `\s*[\r\n]+|\s+(?!\S)|\s+`; later ones have `[\p{L}\p{M}]` for `\p{L}` in a word

use super::Cl100k;
use super::scan::Scan;
use crate::class::{LETTER, MARK, NEWLINE, NUMBER, SYMBOL};

/// The end of the pretoken at `at`.
#[inline]
pub(super) fn end(scan: Scan<'_>, at: usize, rule: Cl100k) -> usize {
    let (class, size) = scan.class(at);
    let word = if rule.joins_marks {
        LETTER | MARK
    } else {
        LETTER
    };
    if class & word != 0 {
        return scan.letters_and(at + size, word);
    }
    if class == NUMBER {
        return scan.run_of_at_most(at, NUMBER, rule.digits);
    }
    let first = scan.text[at];
    if first == b'\''
        && let Some(end) = scan.contraction(at, true)
    {
        return end;
    }
    let (next, next_size) = scan.class(at + size);
    if next & word != 0 && class != NEWLINE {
        return scan.letters_and(at + size + next_size, word);
    }
    let symbol = SYMBOL & !word;
    if class & symbol != 0 || first == b' ' && next & symbol != 0 {
        return scan.run(scan.run(at + size, symbol), NEWLINE);
    }
    scan.white_or_lines(at, rule.joins_trailing_white)
}
