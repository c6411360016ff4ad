//! Pieces of text between Unicode white space, found 64 bytes at a time.
//!
//! Bytes are classified into bit masks, by SSE2 on x86-64, and the pieces are read from these. White space is Unicode's `White_Space`, as `str::split_whitespace` has it.

use crate::unicode::{Classes, LETTER};
use std::ops::ControlFlow;

/// Bytes of a block, one bit of a mask for each.
pub(crate) const BLOCK: usize = 64;

/// What there is in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Pieces.
    pub(crate) pieces: usize,
    /// Pieces with a letter.
    pub(crate) lettered: usize,
    /// Code points of all pieces.
    pub(crate) chars: usize,
    /// Characters `#`.
    pub(crate) hashes: usize,
}

/// Counts without looking at a piece: some operations for each block.
pub(crate) fn count(text: &str) -> Counts {
    let mut counts = Counts::default();
    // Whether a piece goes on from the block before, and whether it had no letter there.
    let (mut is_inside, mut is_bare) = (false, false);
    for (from, masks) in Blocks::of(text) {
        let inside = !masks.spaces;
        let starts = inside & !(inside << 1 | u64::from(is_inside));
        let mut letters = masks.letters;
        if masks.wide & !masks.inner != 0 {
            letters |= wide_letters(text, from, masks.wide & !masks.inner);
        }
        counts.pieces += starts.count_ones() as usize;
        counts.chars += (inside & !masks.inner).count_ones() as usize;
        counts.hashes += masks.hashes.count_ones() as usize;
        // A one that is added where a piece starts runs through what is no letter, to the first letter
        // of the piece or to the space behind it.
        let goes_on = u64::from(is_bare) & inside;
        let (runs, overflows) = (inside & !letters).overflowing_add(starts | goes_on);
        counts.lettered += (runs & letters).count_ones() as usize;
        (is_inside, is_bare) = (inside >> 63 == 1, overflows);
    }
    counts
}

/// Gives each piece's start and end in bytes to `found`, in order, until it has seen enough.
pub(crate) fn pieces(text: &str, mut found: impl FnMut(usize, usize) -> ControlFlow<()>) {
    let (mut start, mut is_inside) = (0, false);
    for (from, masks) in Blocks::of(text) {
        let spaces = masks.spaces;
        // A bit for each byte that is a space when the one before is not, or the other way round.
        let mut edges = spaces ^ (spaces << 1 | u64::from(!is_inside));
        while edges != 0 {
            let at = from + edges.trailing_zeros() as usize;
            if is_inside && found(start, at).is_break() {
                return;
            }
            start = at;
            is_inside = !is_inside;
            edges &= edges - 1;
        }
    }
    if is_inside {
        // Whether more is wanted does not matter here.
        let _ = found(start, text.len());
    }
}

/// The blocks of a text: where each begins, and its masks. Behind the text there are spaces.
struct Blocks<'a> {
    bytes: &'a [u8],
    from: usize,
    /// Bytes of white space that begins in the block before.
    carried: u64,
}

impl<'a> Blocks<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            bytes: text.as_bytes(),
            from: 0,
            carried: 0,
        }
    }
}

impl Iterator for Blocks<'_> {
    type Item = (usize, Masks);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let from = self.from;
        let rest = &self.bytes[from.min(self.bytes.len())..];
        let mut masks = if let Some(block) = rest.first_chunk::<BLOCK>() {
            Masks::of(block)
        } else if rest.is_empty() {
            return None;
        } else {
            let mut block = [b' '; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            Masks::of(&block)
        };
        masks.spaces |= std::mem::take(&mut self.carried);
        if masks.leads != 0 {
            let wide = wide_spaces(self.bytes, from, masks.leads);
            masks.spaces |= wide as u64;
            self.carried = (wide >> BLOCK) as u64;
        }
        self.from += BLOCK;
        Some((from, masks))
    }
}

/// The bits of the letters beyond ASCII that begin at the bytes `wide` of the block at `from`.
fn wide_letters(text: &str, from: usize, wide: u64) -> u64 {
    let (classes, mut letters) = (Classes::get(), 0);
    let mut rest = wide;
    while rest != 0 {
        let at = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        let c = text.get(from + at..).and_then(|text| text.chars().next());
        if c.is_some_and(|c| classes.of(c) & LETTER != 0) {
            letters |= 1 << at;
        }
    }
    letters
}

/// Masks of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// ASCII white space.
    pub(crate) spaces: u64,
    /// Bytes that may begin white space beyond ASCII.
    pub(crate) leads: u64,
    /// Bytes inside of a character.
    pub(crate) inner: u64,
    /// ASCII letters.
    pub(crate) letters: u64,
    /// Bytes beyond ASCII.
    pub(crate) wide: u64,
    /// `#`.
    pub(crate) hashes: u64,
}

impl Masks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        #[cfg(target_arch = "x86_64")]
        return crate::simd::masks(block);
        #[cfg(not(target_arch = "x86_64"))]
        Self::portable(block)
    }

    #[cfg(any(test, not(target_arch = "x86_64")))]
    fn portable(block: &[u8; BLOCK]) -> Self {
        Self {
            spaces: mask(block, |byte| byte == b' ' || byte.wrapping_sub(b'\t') < 5),
            leads: mask(block, |byte| byte == 0xC2 || byte.wrapping_sub(0xE1) < 3),
            inner: mask(block, |byte| (byte as i8) < -0x40),
            letters: mask(block, |byte| byte.is_ascii_alphabetic()),
            wide: mask(block, |byte| !byte.is_ascii()),
            hashes: mask(block, |byte| byte == b'#'),
        }
    }
}

/// A bit for each byte of which `is` is true.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline]
fn mask(block: &[u8; BLOCK], is: impl Fn(u8) -> bool) -> u64 {
    let mut mask = 0;
    for (at, eight) in block.chunks_exact(8).enumerate() {
        let mut ones = [0_u8; 8];
        for (one, &byte) in ones.iter_mut().zip(eight) {
            *one = u8::from(is(byte));
        }
        // Moves the lowest bits of eight bytes into one byte.
        let packed = u64::from_le_bytes(ones).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= packed << (8 * at);
    }
    mask
}

/// The bits of the white space beyond ASCII that begins at the `leads` of the block at `from`; bits
/// of the next block stand behind the first 64.
fn wide_spaces(bytes: &[u8], from: usize, mut leads: u64) -> u128 {
    let mut spaces = 0;
    while leads != 0 {
        let at = leads.trailing_zeros() as usize;
        let bits = match bytes[from + at..] {
            [0xC2, 0x85 | 0xA0, ..] => 0b11,
            [0xE1, 0x9A, 0x80, ..]
            | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..]
            | [0xE2, 0x81, 0x9F, ..]
            | [0xE3, 0x80, 0x80, ..] => 0b111,
            _ => 0,
        };
        spaces |= bits << at;
        leads &= leads - 1;
    }
    spaces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_are_those_of_the_portable_twin(block in any::<[u8; BLOCK]>()) {
            prop_assert_eq!(Masks::of(&block), Masks::portable(&block));
        }

        #[test]
        fn pieces_are_those_of_the_standard_library(
            text in "([a-z#0-9.\u{1C}é語😀²\u{E1}\u{2E80}]{0,9}[#0-9.²😀]{0,90}[aé]{0,2}[ \t\n\u{B}\r\u{85}\u{A0}\u{1680}\u{2000}\u{2028}\u{202F}\u{205F}\u{3000}]{0,3}){0,40}",
        ) {
            let mut found = Vec::new();
            pieces(&text, |start, end| {
                found.push(&text[start..end]);
                ControlFlow::Continue(())
            });
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(&found, &expected);
            let is_letter = |c: char| Classes::get().of(c) & LETTER != 0;
            prop_assert_eq!(count(&text), Counts {
                pieces: expected.len(),
                lettered: expected.iter().filter(|piece| piece.chars().any(is_letter)).count(),
                chars: expected.iter().map(|piece| piece.chars().count()).sum(),
                hashes: text.matches('#').count(),
            });
        }
    }
}
