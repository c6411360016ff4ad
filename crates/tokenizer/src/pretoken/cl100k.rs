//! `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
//! `\s*[\r\n]+|\s+(?!\S)|\s+`

use super::Cl100k;
use super::scan::Scan;
use crate::class::{LETTER, NEWLINE, NUMBER, SYMBOL};

/// The end of the pretoken at `at`.
#[inline]
pub(super) fn end(scan: Scan<'_>, at: usize, rule: Cl100k) -> usize {
    let (class, size) = scan.class(at);
    if class & LETTER != 0 {
        return scan.letters(at + size);
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
    if next & LETTER != 0 && class != NEWLINE {
        return scan.letters(at + size + next_size);
    }
    if class & SYMBOL != 0 || first == b' ' && next & SYMBOL != 0 {
        return scan.run(scan.run(at + size, SYMBOL), NEWLINE);
    }
    scan.white_or_lines(at, rule.joins_trailing_white)
}
