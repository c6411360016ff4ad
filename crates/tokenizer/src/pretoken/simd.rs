//! The classes of 64 bytes at once, with AVX2.

/// Bytes that are looked at together, a bit each in the masks.
pub(super) const SIZE: usize = 64;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// Which of 64 bytes are what; the lowest bit is the first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ascii {
    /// ASCII letters.
    pub(super) letters: u64,
    /// ASCII digits.
    pub(super) numbers: u64,
    /// ASCII white space, line ends among them.
    pub(super) white: u64,
    /// `' '`.
    pub(super) spaces: u64,
    /// `\r` and `\n`.
    pub(super) lines: u64,
    /// `'`.
    pub(super) apostrophes: u64,
    /// Bytes of characters beyond ASCII.
    pub(super) wide: u64,
    /// Their first bytes.
    pub(super) leads: u64,
}

impl Avx2 {
    /// The proof, if there is one.
    pub(super) fn new() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Some(Self(()));
        }
        None
    }

    /// The classes of `bytes`.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[expect(clippy::unused_self, reason = "the proof that the call is sound")]
    pub(super) fn ascii(self, bytes: &[u8; SIZE]) -> Ascii {
        // SAFETY: an `Avx2` is only made where the processor has it.
        unsafe { x86::ascii(bytes) }
    }

    /// The classes of `bytes`. Never called: there is no such proof on this processor.
    #[cfg(not(target_arch = "x86_64"))]
    #[expect(clippy::unused_self, reason = "as with AVX2")]
    pub(super) fn ascii(self, _: &[u8; SIZE]) -> Ascii {
        Ascii::default()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Ascii, SIZE};
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi8, _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8,
    };

    /// The bytes of `half` from `first` on, `count` of them: a signed comparison after a shift of
    /// `first` to the lowest value.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn range(half: __m256i, first: u8, count: u8) -> __m256i {
        let shifted = _mm256_add_epi8(half, _mm256_set1_epi8(0x80u8.wrapping_sub(first) as i8));
        _mm256_cmpgt_epi8(_mm256_set1_epi8((0x80 + count) as i8), shifted)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask(low: __m256i, high: __m256i) -> u64 {
        let (low, high) = (_mm256_movemask_epi8(low), _mm256_movemask_epi8(high));
        low as u32 as u64 | (high as u32 as u64) << 32
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn ascii(bytes: &[u8; SIZE]) -> Ascii {
        let start = bytes.as_ptr();
        // SAFETY: both halves of 32 bytes are inside the 64; no alignment is asked for.
        let (low, high) = unsafe {
            (
                _mm256_loadu_si256(start.cast()),
                _mm256_loadu_si256(start.add(32).cast()),
            )
        };
        let both = |of: &dyn Fn(__m256i) -> __m256i| mask(of(low), of(high));
        let is = |byte: u8| both(&|half| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte as i8)));
        let spaces = is(b' ');
        Ascii {
            letters: both(&|half| {
                range(
                    _mm256_or_si256(half, _mm256_set1_epi8(0x20)),
                    b'a',
                    b'z' - b'a' + 1,
                )
            }),
            numbers: both(&|half| range(half, b'0', 10)),
            white: both(&|half| range(half, b'\t', 5)) | spaces,
            spaces,
            lines: is(b'\n') | is(b'\r'),
            apostrophes: is(b'\''),
            wide: mask(low, high),
            leads: both(&|half| range(half, 0xC0, 0x40)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn naive(bytes: &[u8; SIZE]) -> Ascii {
        let mask = |is: fn(u8) -> bool| {
            let bits = bytes.iter().zip(0..);
            bits.fold(0, |mask, (&byte, at)| mask | u64::from(is(byte)) << at)
        };
        Ascii {
            letters: mask(|byte| byte.is_ascii_alphabetic()),
            numbers: mask(|byte| byte.is_ascii_digit()),
            white: mask(|byte| matches!(byte, b'\t'..=b'\r' | b' ')),
            spaces: mask(|byte| byte == b' '),
            lines: mask(|byte| matches!(byte, b'\r' | b'\n')),
            apostrophes: mask(|byte| byte == b'\''),
            wide: mask(|byte| byte >= 0x80),
            leads: mask(|byte| byte >= 0xC0),
        }
    }

    #[test]
    fn every_byte_in_every_place_has_the_class_of_the_naive_twin() {
        let Some(avx2) = Avx2::new() else { return };
        for filler in [b' ', b'a', 0xFF] {
            for place in 0..SIZE {
                for byte in 0..=255 {
                    let mut bytes = [filler; SIZE];
                    bytes[place] = byte;
                    assert_eq!(avx2.ascii(&bytes), naive(&bytes), "{byte} at {place}");
                }
            }
        }
    }
}
