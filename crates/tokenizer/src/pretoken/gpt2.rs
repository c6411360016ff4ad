//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

use super::blocks::{Block, firsts};
use super::scan::Scan;
use crate::class::{LETTER, NUMBER, SYMBOL, WHITE};

/// The end of the pretoken at `at`.
#[inline]
pub(super) fn end(scan: Scan<'_>, at: usize) -> usize {
    let first = scan.text[at];
    let from = at + usize::from(first == b' ');
    let (class, size) = scan.class(from);
    if class & LETTER != 0 {
        return scan.letters(from + size);
    }
    if class & (WHITE | NUMBER) == 0 && class != 0 {
        if first == b'\''
            && let Some(end) = scan.contraction(at, false)
        {
            return end;
        }
        return scan.run(from + size, SYMBOL);
    }
    if class == NUMBER {
        return scan.run(from + size, NUMBER);
    }
    scan.white(at)
}

/// [`end`] where each digit is cut off beforehand.
#[inline]
pub(super) fn end_without_digits(scan: Scan<'_>, at: usize) -> usize {
    let (class, size) = scan.class(at);
    let (next, _) = scan.class(at + size);
    if class == NUMBER {
        at + size
    } else if scan.text[at] == b' ' && next == NUMBER {
        at + 1
    } else if class & WHITE != 0 && (scan.text[at] != b' ' || next & WHITE != 0) {
        scan.white_or_digits(at)
    } else {
        end(scan, at)
    }
}

/// Where pretokens start in the block at `at`, as far as the next byte is in it.
#[inline]
pub(super) fn starts(scan: Scan<'_>, at: usize, block: &Block) -> u64 {
    let &Block { numbers, white, .. } = block;
    let after_space = block.spaces << 1;
    let symbols = firsts(!(block.letters | numbers | white)) & !after_space;
    let words = (firsts(block.letters) | firsts(numbers)) & !after_space;
    // The last character of white space stands alone, or before what follows.
    let whites = firsts(white) | white & !(white >> 1);
    with_contractions(scan, at, block, words | symbols | whites, symbols)
}

/// [`starts`] where each digit is cut off beforehand.
#[inline]
pub(super) fn starts_without_digits(scan: Scan<'_>, at: usize, block: &Block) -> u64 {
    let &Block { numbers, white, .. } = block;
    let after_space = block.spaces << 1;
    let symbols = firsts(!(block.letters | numbers | white)) & !after_space;
    let words = firsts(block.letters) & !after_space | numbers & !block.tails;
    let whites = firsts(white) | white & !((white | numbers) >> 1);
    with_contractions(scan, at, block, words | symbols | whites, symbols)
}

#[inline]
fn with_contractions(scan: Scan<'_>, at: usize, block: &Block, starts: u64, marks: u64) -> u64 {
    block.with_contractions(starts, marks, |mark| {
        let end = scan.contraction(at + mark, false);
        end.map(|end| end - at)
    })
}
