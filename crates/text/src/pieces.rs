//! Pieces of text between Unicode white space, found 64 bytes at a time.
//!
//! Bytes are classified into bit masks, by SSE2 on x86-64, and the pieces are read from these. White space is Unicode's `White_Space`, as `str::split_whitespace` has it.

/// Bytes of a block, one bit of a mask for each.
pub(crate) const BLOCK: usize = 64;

/// What is counted while the pieces are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Pieces.
    pub(crate) pieces: usize,
    /// Code points of all pieces.
    pub(crate) chars: usize,
    /// Characters `#`.
    pub(crate) hashes: usize,
}

/// Gives each piece's start and end in bytes to `found`, in order.
pub(crate) fn pieces(text: &str, mut found: impl FnMut(usize, usize)) -> Counts {
    let bytes = text.as_bytes();
    let (mut counts, mut start, mut is_inside) = (Counts::default(), 0, false);
    // Bytes of white space that begins in the block before.
    let mut carried = 0_u64;
    for from in (0..bytes.len()).step_by(BLOCK) {
        let rest = &bytes[from..];
        let masks = if let Some(block) = rest.first_chunk::<BLOCK>() {
            Masks::of(block)
        } else {
            let mut block = [b' '; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            Masks::of(&block)
        };
        let mut spaces = masks.spaces | std::mem::take(&mut carried);
        if masks.leads != 0 {
            let wide = wide_spaces(bytes, from, masks.leads);
            spaces |= wide as u64;
            carried = (wide >> BLOCK) as u64;
        }
        counts.hashes += masks.hashes.count_ones() as usize;
        counts.chars += (!spaces & !masks.inner).count_ones() as usize;
        // A bit for each byte that is a space when the one before is not, or the other way round.
        let mut edges = spaces ^ (spaces << 1 | u64::from(!is_inside));
        while edges != 0 {
            let at = from + edges.trailing_zeros() as usize;
            if is_inside {
                counts.pieces += 1;
                found(start, at);
            }
            start = at;
            is_inside = !is_inside;
            edges &= edges - 1;
        }
    }
    if is_inside {
        counts.pieces += 1;
        found(start, bytes.len());
    }
    counts
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
            text in "([a-z#\u{1C}é語😀\u{E1}\u{2E80}]{0,9}[ \t\n\u{B}\r\u{85}\u{A0}\u{1680}\u{2000}\u{2028}\u{202F}\u{205F}\u{3000}]{0,3}){0,40}",
        ) {
            let mut found = Vec::new();
            let counts = pieces(&text, |start, end| found.push(&text[start..end]));
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(counts, Counts {
                pieces: expected.len(),
                chars: expected.iter().map(|piece| piece.chars().count()).sum(),
                hashes: text.matches('#').count(),
            });
        }
    }
}
