//! Seven vectors of eight functions stay in registers while the hashes pass, two at a time.

use super::TILE;
use crate::affine;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8,
    _mm256_cmpgt_epi64, _mm256_loadu_si256, _mm256_min_epu32, _mm256_mul_epu32, _mm256_mullo_epi32,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srli_epi64,
    _mm256_storeu_si256,
};

const VECTORS: usize = TILE / 8;

/// Lowers `minima` to the least value of each function.
#[target_feature(enable = "avx2")]
pub(super) fn tile(multipliers: &[u32; TILE], hashes: &[u64], minima: &mut [u32; TILE]) {
    let factors: [__m256i; VECTORS] = std::array::from_fn(|i| load(multipliers, i));
    let mut least: [__m256i; VECTORS] = std::array::from_fn(|i| load(minima, i));
    let (pairs, last) = hashes.as_chunks::<2>();
    for pair in pairs {
        let [low_a, low_b] = pair.map(|hash| _mm256_set1_epi32(hash as i32));
        let [high_a, high_b] = pair.map(|hash| _mm256_set1_epi32((hash >> 32) as i32));
        for (least, factor) in least.iter_mut().zip(factors) {
            let a = _mm256_add_epi32(_mm256_mullo_epi32(factor, low_a), high_a);
            let b = _mm256_add_epi32(_mm256_mullo_epi32(factor, low_b), high_b);
            *least = _mm256_min_epu32(*least, _mm256_min_epu32(a, b));
        }
    }
    for &hash in last {
        let (low, high) = (
            _mm256_set1_epi32(hash as i32),
            _mm256_set1_epi32((hash >> 32) as i32),
        );
        for (least, factor) in least.iter_mut().zip(factors) {
            let a = _mm256_add_epi32(_mm256_mullo_epi32(factor, low), high);
            *least = _mm256_min_epu32(*least, a);
        }
    }
    for (out, least) in minima.as_chunks_mut::<8>().0.iter_mut().zip(least) {
        // SAFETY: `out` is eight u32, 32 bytes; the store needs no alignment.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), least) }
    }
}

#[target_feature(enable = "avx2")]
fn load(values: &[u32; TILE], vector: usize) -> __m256i {
    let eight = &values.as_chunks::<8>().0[vector];
    // SAFETY: `eight` is eight u32, 32 bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) }
}

/// A hash below the prime in halves of 31 and 30 bits, as the kernel takes it: lower half, upper half,
/// twice the upper half.
pub(crate) type Halves = [u64; 3];

/// Lowers `least` to the least value of each function of the affine family. `a`, `b` and the hashes are
/// below the prime.
#[target_feature(enable = "avx2")]
pub(crate) fn affine(
    a: &[u64; affine::TILE],
    b: &[u64; affine::TILE],
    hashes: &[Halves],
    least: &mut [u64; affine::TILE],
) {
    let lanes = |values: &[u64; affine::TILE]| {
        // SAFETY: eight u64 are two times 32 bytes; the loads need no alignment.
        unsafe {
            let at = values.as_ptr();
            [
                _mm256_loadu_si256(at.cast()),
                _mm256_loadu_si256(at.add(4).cast()),
            ]
        }
    };
    let low_bits = _mm256_set1_epi64x((1 << 31) - 1);
    let low = lanes(a).map(|a| _mm256_and_si256(a, low_bits));
    let high = lanes(a).map(|a| _mm256_srli_epi64::<31>(a));
    let summands = lanes(b);
    let shift = _mm256_set1_epi64x(SHIFT as i64);
    let before = *least;
    let mut minima = lanes(least).map(|least| _mm256_add_epi64(least, shift));
    for hash in hashes {
        let [x0, x1, x1_twice] = hash.map(|half| _mm256_set1_epi64x(half as i64));
        for i in 0..2 {
            let value = shifted(low[i], high[i], summands[i], x0, x1, x1_twice);
            let is_less = _mm256_cmpgt_epi64(minima[i], value);
            minima[i] = _mm256_blendv_epi8(minima[i], value, is_less);
        }
    }
    // SAFETY: as above.
    unsafe {
        let at = least.as_mut_ptr();
        _mm256_storeu_si256(at.cast(), minima[0]);
        _mm256_storeu_si256(at.add(4).cast(), minima[1]);
    }
    for (lane, least) in least.iter_mut().enumerate() {
        let value = *least ^ (1 << 63);
        *least = if value >> 63 == 1 {
            value.wrapping_add(affine::PRIME)
        } else {
            // One of the values was not reduced, once in 2^58, and hides what may be less.
            let values = hashes
                .iter()
                .map(|[low, high, _]| affine::value(a[lane], b[lane], low | high << 31));
            values.fold(before[lane], u64::min)
        };
    }
}

/// What is added to a value, so that a signed comparison takes those from the prime on, which are not
/// reduced, for the smallest, and shows that there are any: they become those from -2^63 on.
const SHIFT: u64 = (1 << 63) - affine::PRIME;

/// `(a * x + b) mod p`, up to a last subtraction of p, plus `SHIFT`: by products of halves of 31 and 30
/// bits. 2^61 is 1 modulo p, and 2^62 is 2.
#[target_feature(enable = "avx2")]
#[inline]
fn shifted(
    a0: __m256i,
    a1: __m256i,
    b: __m256i,
    x0: __m256i,
    x1: __m256i,
    x1_twice: __m256i,
) -> __m256i {
    let prime = _mm256_set1_epi64x(affine::PRIME as i64);
    let middle_bits = _mm256_set1_epi64x((1 << 30) - 1);
    let shift = _mm256_set1_epi64x(SHIFT as i64);
    let middle = _mm256_add_epi64(_mm256_mul_epu32(a1, x0), _mm256_mul_epu32(a0, x1));
    // Of the middle, which counts 2^31, the lower 30 bits stay below 2^61.
    let middle_low = _mm256_slli_epi64::<31>(_mm256_and_si256(middle, middle_bits));
    let middle_high = _mm256_srli_epi64::<30>(middle);
    let ends = _mm256_add_epi64(_mm256_mul_epu32(a0, x0), _mm256_mul_epu32(a1, x1_twice));
    // Less than 2^62 + 3 * 2^61 + 2^32: no overflow.
    let sum = _mm256_add_epi64(
        _mm256_add_epi64(ends, b),
        _mm256_add_epi64(middle_low, middle_high),
    );
    let folded = _mm256_add_epi64(_mm256_and_si256(sum, prime), _mm256_srli_epi64::<61>(sum));
    _mm256_add_epi64(folded, shift)
}
