//! Masks of 64 bytes by SSE2, which every x86-64 processor has. [`pieces`](crate::pieces) holds the
//! portable twin.

use crate::pieces::{BLOCK, Masks};
use std::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8,
    _mm_or_si128, _mm_set1_epi8, _mm_sub_epi8,
};

/// The masks of a block.
#[inline]
pub(crate) fn masks(block: &[u8; BLOCK]) -> Masks {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { classify(block) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn classify(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    for at in (0..BLOCK).step_by(16) {
        // SAFETY: `at` is at most 48, so the 16 bytes lie in the block of 64; the load needs no
        // alignment.
        let part = unsafe { _mm_loadu_si128(block.as_ptr().add(at).cast()) };
        let lead = _mm_or_si128(equal(part, 0xC2), within(part, 0xE1, 3));
        masks.spaces |= bits(_mm_or_si128(equal(part, b' '), within(part, b'\t', 5))) << at;
        masks.leads |= bits(lead) << at;
        masks.inner |= bits(_mm_cmplt_epi8(part, _mm_set1_epi8(-0x40))) << at;
        // A letter is one without the bit of its case too.
        let lower = _mm_or_si128(part, _mm_set1_epi8(0x20));
        masks.letters |= bits(within(lower, b'a', 26)) << at;
        masks.wide |= bits(part) << at;
        masks.hashes |= bits(equal(part, b'#')) << at;
    }
    masks
}

#[inline]
#[target_feature(enable = "sse2")]
fn bits(part: __m128i) -> u64 {
    u64::from(_mm_movemask_epi8(part) as u16)
}

#[inline]
#[target_feature(enable = "sse2")]
fn equal(part: __m128i, byte: u8) -> __m128i {
    _mm_cmpeq_epi8(part, _mm_set1_epi8(byte as i8))
}

/// Bytes from `first` on, `count` of them.
#[inline]
#[target_feature(enable = "sse2")]
fn within(part: __m128i, first: u8, count: u8) -> __m128i {
    let offset = _mm_sub_epi8(part, _mm_set1_epi8(first as i8));
    _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(count as i8 - 1)), offset)
}
