//! The passes with AVX2.
//!
//! `vpmaddwd` multiplies 16-bit numbers and adds pairs of products: two taps at once. A weight has
//! more bits, so its halves are summed apart and joined at the end; no bit is lost.

use super::{HALF, portable};
use crate::kernel::{Kernel, LOW_BITS, PRECISION, TAPS_STEP, Taps};
use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi32, _mm256_castsi128_si256,
    _mm256_castsi256_si128, _mm256_cvtepu8_epi16, _mm256_extract_epi32, _mm256_inserti128_si256,
    _mm256_madd_epi16, _mm256_packs_epi32, _mm256_packus_epi16, _mm256_permute4x64_epi64,
    _mm256_set1_epi32, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_slli_epi32, _mm256_srai_epi32, _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
};

/// Bytes that four RGB pixels are loaded with; 12 are used.
const LOAD: usize = 16;

/// Two rows at once, one in each half of a register.
#[target_feature(enable = "avx2")]
pub(super) fn across(kernel: &Kernel, sources: [&[u8]; 2], targets: [&mut [u8]; 2]) {
    let readable = sources[0].len().min(sources[1].len());
    let [first, second] = targets.map(|target| target.as_chunks_mut::<3>().0);
    for (at, (first, second)) in first.iter_mut().zip(second).enumerate() {
        let taps = kernel.taps(at);
        let last = (taps.start + taps.high.len() - TAPS_STEP) * 3;
        if last + LOAD <= readable {
            (*first, *second) = across_one(taps, sources);
        } else {
            *first = portable::across_one(taps, sources[0]);
            *second = portable::across_one(taps, sources[1]);
        }
    }
}

#[target_feature(enable = "avx2")]
fn across_one(taps: Taps<'_>, sources: [&[u8]; 2]) -> ([u8; 3], [u8; 3]) {
    #[rustfmt::skip]
    let front = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
    );
    #[rustfmt::skip]
    let back = _mm256_setr_epi8(
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
    );
    let (mut high, mut low) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    let weights = taps.high.as_chunks::<TAPS_STEP>().0;
    let weights = weights.iter().zip(taps.low.as_chunks::<TAPS_STEP>().0);
    for (group, (highs, lows)) in weights.enumerate() {
        let at = (taps.start + group * TAPS_STEP) * 3;
        let pixels = _mm256_inserti128_si256(
            _mm256_castsi128_si256(load(&sources[0][at..])),
            load(&sources[1][at..]),
            1,
        );
        let front = _mm256_shuffle_epi8(pixels, front);
        let back = _mm256_shuffle_epi8(pixels, back);
        high = multiply_add(high, front, [highs[0], highs[1]]);
        high = multiply_add(high, back, [highs[2], highs[3]]);
        low = multiply_add(low, front, [lows[0], lows[1]]);
        low = multiply_add(low, back, [lows[2], lows[3]]);
    }
    let sums = join(high, low);
    let bytes = _mm256_packus_epi16(_mm256_packs_epi32(sums, sums), sums);
    let [r, g, b, _] = _mm256_extract_epi32::<0>(bytes).to_le_bytes();
    let [r2, g2, b2, _] = _mm256_extract_epi32::<4>(bytes).to_le_bytes();
    ([r, g, b], [r2, g2, b2])
}

/// Sixteen columns at once, two rows at a time.
#[target_feature(enable = "avx2")]
pub(super) fn down(taps: Taps<'_>, rows: &[&[u8]], target: &mut [u8]) {
    let whole = target.len() / LOAD * LOAD;
    for start in (0..whole).step_by(LOAD) {
        let bytes = down_sixteen(taps, rows, start);
        let out = target[start..].first_chunk_mut::<LOAD>();
        let out = out.expect("sixteen columns are left");
        // SAFETY: `out` is 16 bytes; the store needs no alignment.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), bytes) }
    }
    portable::down_from(whole, taps, rows, target);
}

#[target_feature(enable = "avx2")]
fn down_sixteen(taps: Taps<'_>, rows: &[&[u8]], start: usize) -> __m128i {
    let mut high = [_mm256_setzero_si256(); 2];
    let mut low = [_mm256_setzero_si256(); 2];
    let weights = taps.high.as_chunks::<2>().0;
    let weights = weights.iter().zip(taps.low.as_chunks::<2>().0);
    for (pair, (&highs, &lows)) in rows.chunks(2).zip(weights) {
        // Behind the last row the weight is 0, so that any row will do.
        let one = _mm256_cvtepu8_epi16(load(&pair[0][start..]));
        let two = _mm256_cvtepu8_epi16(load(&pair[pair.len() - 1][start..]));
        let columns = [
            _mm256_unpacklo_epi16(one, two),
            _mm256_unpackhi_epi16(one, two),
        ];
        for (half, columns) in columns.into_iter().enumerate() {
            high[half] = multiply_add(high[half], columns, highs);
            low[half] = multiply_add(low[half], columns, lows);
        }
    }
    let words = _mm256_packs_epi32(join(high[0], low[0]), join(high[1], low[1]));
    let bytes = _mm256_packus_epi16(words, words);
    _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(bytes))
}

/// Adds the products of pairs of samples with a pair of weights.
#[target_feature(enable = "avx2")]
fn multiply_add(sums: __m256i, samples: __m256i, [one, two]: [i16; 2]) -> __m256i {
    let pair = i32::from(two) << 16 | i32::from(one) & 0xFFFF;
    _mm256_add_epi32(sums, _mm256_madd_epi16(samples, _mm256_set1_epi32(pair)))
}

/// The rounded sums of whole weights, not yet clipped to 8 bits.
#[target_feature(enable = "avx2")]
fn join(high: __m256i, low: __m256i) -> __m256i {
    let sums = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW_BITS as i32 }>(high), low);
    let rounded = _mm256_add_epi32(sums, _mm256_set1_epi32(HALF));
    _mm256_srai_epi32::<{ PRECISION as i32 }>(rounded)
}

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m128i {
    let bytes = bytes.first_chunk::<LOAD>();
    let bytes = bytes.expect("the caller has sixteen bytes left");
    // SAFETY: `bytes` is 16 bytes; the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
