//! `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
//! `\s*[\r\n]+|\s+(?!\S)|\s+`; later ones have `[\p{L}\p{M}]` for `\p{L}` in a word

use super::Cl100k;
use super::blocks::{Block, Wide, firsts};
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

/// What is asked of characters beyond ASCII.
pub(super) fn wide(rule: Cl100k) -> Wide {
    Wide {
        word: if rule.joins_marks {
            LETTER | MARK
        } else {
            LETTER
        },
        // Digits are counted by characters.
        odd: if rule.digits == usize::MAX { 0 } else { NUMBER },
    }
}

/// Where pretokens start in the block at `at`, as far as the next byte is in it.
#[inline]
pub(super) fn starts(scan: Scan<'_>, at: usize, block: &Block, rule: Cl100k) -> u64 {
    let &Block {
        letters,
        white,
        lines,
        tails,
        ..
    } = block;
    let not_word = !(letters | block.numbers | white);
    let symbols = firsts(not_word) & !(block.spaces << 1);
    // A word takes what stands before it: a single symbol, of one to four bytes, or white space.
    let second = symbols << 1 & not_word & tails;
    let third = second << 1 & not_word & tails;
    let fourth = third << 1 & not_word & tails;
    let blank = white & !lines;
    let words = firsts(letters) & !((symbols | second | third | fourth | blank) << 1);
    // Symbols take the line ends after them.
    let taken = lines & not_word << 1;
    let taken = lines & !lines.wrapping_add(taken);
    let whites = firsts(white & !taken) | blank & !(white >> 1);
    let starts = words | symbols | whites | numbers(block.numbers, rule.digits);
    let starts = block.with_contractions(starts, symbols, |mark| {
        let end = scan.contraction(at + mark, true);
        end.map(|end| end - at)
    });
    with_indents(block, starts, blank & (lines & !taken) << 1)
}

/// Where numbers of at most so many digits start.
#[inline]
fn numbers(numbers: u64, digits: usize) -> u64 {
    let mut starts = firsts(numbers);
    if digits == 1 {
        return numbers;
    }
    let mut long = starts & numbers >> 1 & numbers >> 2 & numbers >> 3;
    while long != 0 && digits != usize::MAX {
        let at = long.trailing_zeros();
        long &= long - 1;
        let end = at + (!(numbers >> at)).trailing_zeros();
        let more = (at..end.min(u64::BITS)).step_by(digits);
        starts |= more.fold(0, |mask, at| mask | 1 << at);
    }
    starts
}

/// `starts` with those of white space that follows the last of some line ends. `indents` are where
/// it follows any.
#[inline]
fn with_indents(block: &Block, mut starts: u64, mut indents: u64) -> u64 {
    let blank = block.white & !block.lines;
    while indents != 0 {
        let at = indents.trailing_zeros();
        indents &= indents - 1;
        let end = at + (!(blank >> at)).trailing_zeros();
        if end >= block.known {
            // Another line end may follow.
            return starts & ((1 << at) - 1);
        }
        starts |= (!block.lines >> end & 1) << at;
    }
    starts
}
