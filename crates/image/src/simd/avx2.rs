//! The passes with AVX2.
//!
//! `vpmaddwd` multiplies 16-bit numbers and adds pairs of products: two taps at once. A weight has
//! more bits, so its halves are summed apart and joined at the end; no bit is lost.

use super::{HALF, portable};
use crate::kernel::{Kernel, LOW_BITS, PRECISION, TAPS_STEP, Taps};
use std::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi32,
    _mm256_castsi128_si256, _mm256_castsi256_si128, _mm256_cvtepu8_epi16, _mm256_extracti128_si256,
    _mm256_inserti128_si256, _mm256_madd_epi16, _mm256_packs_epi32, _mm256_packus_epi16,
    _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16,
};

/// Bytes that four RGB pixels are loaded with; 12 are used.
const LOAD: usize = 16;

/// Rows that are handled together, so that a weight is fetched once for all.
const ROWS: usize = 4;

/// Rows of RGB pixels become rows of the target's width.
#[target_feature(enable = "avx2")]
pub(super) fn across(kernel: &Kernel, sources: &[&[u8]], target: &mut [u8]) {
    let width = kernel.len() * 3;
    if sources.len() < ROWS {
        return portable::across::<3>(kernel, sources, target);
    }
    // The last group may take rows once more that the one before it took.
    let last = sources.len() - ROWS;
    for first in (0..sources.len()).step_by(ROWS).map(|row| row.min(last)) {
        let group = sources[first..].first_chunk::<ROWS>();
        let group = group.expect("four rows are left");
        across_rows(kernel, *group, &mut target[first * width..][..ROWS * width]);
    }
}

/// The portable pass, compiled for AVX2.
#[target_feature(enable = "avx2")]
pub(super) fn across_any<const N: usize>(kernel: &Kernel, sources: &[&[u8]], target: &mut [u8]) {
    portable::across::<N>(kernel, sources, target);
}

#[target_feature(enable = "avx2")]
fn across_rows(kernel: &Kernel, sources: [&[u8]; ROWS], target: &mut [u8]) {
    let readable = sources.iter().map(|row| row.len()).min().unwrap_or(0);
    let mut targets = target.chunks_exact_mut(kernel.len() * 3);
    let mut targets = sources.map(|_| {
        let target = targets.next().expect("the target has four rows");
        target.as_chunks_mut::<3>().0
    });
    for at in 0..kernel.len() {
        let taps = kernel.taps(at);
        let last = (taps.start + taps.high.len() - TAPS_STEP) * 3;
        let pixels = if last + LOAD <= readable {
            // SAFETY: the last load, and so each, ends within the readable bytes of every row.
            unsafe { across_one(taps, sources) }
        } else {
            sources.map(|source| portable::across_one(taps, source))
        };
        for (target, pixel) in targets.iter_mut().zip(pixels) {
            target[at] = pixel;
        }
    }
}

/// One pixel of each row; two rows share a register, one in each half.
///
/// # Safety
/// Each row has `LOAD` bytes from the last group of taps on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn across_one(taps: Taps<'_>, sources: [&[u8]; ROWS]) -> [[u8; 3]; ROWS] {
    let (mut high, mut low) = ([_mm256_setzero_si256(); 2], [_mm256_setzero_si256(); 2]);
    let weights = taps.high.as_chunks::<TAPS_STEP>().0;
    let weights = weights.iter().zip(taps.low.as_chunks::<TAPS_STEP>().0);
    for (group, (highs, lows)) in weights.enumerate() {
        let at = (taps.start + group * TAPS_STEP) * 3;
        for half in 0..2 {
            // SAFETY: the caller promises that `LOAD` bytes can be read from `at` on in each row.
            let pixels = unsafe {
                _mm256_inserti128_si256(
                    _mm256_castsi128_si256(load_from(sources[half * 2], at)),
                    load_from(sources[half * 2 + 1], at),
                    1,
                )
            };
            let [front, back] = pairs(pixels);
            high[half] = multiply_add(high[half], front, [highs[0], highs[1]]);
            high[half] = multiply_add(high[half], back, [highs[2], highs[3]]);
            low[half] = multiply_add(low[half], front, [lows[0], lows[1]]);
            low[half] = multiply_add(low[half], back, [lows[2], lows[3]]);
        }
    }
    // Rows 0 and 2 are in the low halves, 1 and 3 in the high ones.
    let words = _mm256_packs_epi32(join(high[0], low[0]), join(high[1], low[1]));
    let bytes = _mm256_packus_epi16(words, words);
    let low = _mm_cvtsi128_si64(_mm256_castsi256_si128(bytes)).to_le_bytes();
    let high = _mm_cvtsi128_si64(_mm256_extracti128_si256::<1>(bytes)).to_le_bytes();
    [
        [low[0], low[1], low[2]],
        [high[0], high[1], high[2]],
        [low[4], low[5], low[6]],
        [high[4], high[5], high[6]],
    ]
}

/// The first two and the next two of four pixels, channel by channel, as 16-bit numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs(pixels: __m256i) -> [__m256i; 2] {
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
    [
        _mm256_shuffle_epi8(pixels, front),
        _mm256_shuffle_epi8(pixels, back),
    ]
}

/// # Safety
/// The row has `LOAD` bytes from `at` on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_from(row: &[u8], at: usize) -> __m128i {
    debug_assert!(at + LOAD <= row.len());
    // SAFETY: the caller promises that the bytes are there; the load needs no alignment.
    unsafe { _mm_loadu_si128(row.as_ptr().add(at).cast()) }
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

#[inline]
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
#[inline]
#[target_feature(enable = "avx2")]
fn multiply_add(sums: __m256i, samples: __m256i, [one, two]: [i16; 2]) -> __m256i {
    let pair = i32::from(two) << 16 | i32::from(one) & 0xFFFF;
    _mm256_add_epi32(sums, _mm256_madd_epi16(samples, _mm256_set1_epi32(pair)))
}

/// The rounded sums of whole weights, not yet clipped to 8 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn join(high: __m256i, low: __m256i) -> __m256i {
    let sums = _mm256_add_epi32(_mm256_slli_epi32::<{ LOW_BITS as i32 }>(high), low);
    let rounded = _mm256_add_epi32(sums, _mm256_set1_epi32(HALF));
    _mm256_srai_epi32::<{ PRECISION as i32 }>(rounded)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8]) -> __m128i {
    let bytes = bytes.first_chunk::<LOAD>();
    let bytes = bytes.expect("the caller has sixteen bytes left");
    // SAFETY: `bytes` is 16 bytes; the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
