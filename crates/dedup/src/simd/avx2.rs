//! Seven vectors of eight functions stay in registers while the hashes pass, two at a time.

use super::TILE;
use crate::affine;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8,
    _mm256_cmpgt_epi64, _mm256_loadu_si256, _mm256_min_epu32, _mm256_mul_epu32, _mm256_mullo_epi32,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_slli_epi64, _mm256_srli_epi64,
    _mm256_storeu_si256, _mm256_sub_epi64,
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

/// Lowers `least` to the least value of each function of the affine family. `a`, `b` and `hashes` are
/// below the prime.
#[target_feature(enable = "avx2")]
pub(crate) fn affine(
    a: &[u64; affine::TILE],
    b: &[u64; affine::TILE],
    hashes: &[u64],
    least: &mut [u64; affine::TILE],
) {
    let lanes = |values: &[u64; affine::TILE]| {
        // SAFETY: eight u64 are two times 32 bytes; the loads need no alignment.
        unsafe {
            let at = values.as_ptr().cast::<__m256i>();
            [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))]
        }
    };
    let low = lanes(a);
    let high = low.map(|a| _mm256_srli_epi64::<32>(a));
    let (summands, mut minima) = (lanes(b), lanes(least));
    for &hash in hashes {
        let hash_low = _mm256_set1_epi64x(hash as i64);
        let hash_high = _mm256_srli_epi64::<32>(hash_low);
        for i in 0..2 {
            let value = value(low[i], high[i], summands[i], hash_low, hash_high);
            // Both are below 2^61, so their signs say nothing.
            let is_less = _mm256_cmpgt_epi64(minima[i], value);
            minima[i] = _mm256_blendv_epi8(minima[i], value, is_less);
        }
    }
    // SAFETY: as above.
    unsafe {
        let at = least.as_mut_ptr().cast::<__m256i>();
        _mm256_storeu_si256(at, minima[0]);
        _mm256_storeu_si256(at.add(1), minima[1]);
    }
}

/// `(a * x + b) mod p`, by products of halves of 32 and 29 bits. 2^61 is 1 modulo p, and 2^64 is 8.
#[target_feature(enable = "avx2")]
#[inline]
fn value(a0: __m256i, a1: __m256i, b: __m256i, x0: __m256i, x1: __m256i) -> __m256i {
    let prime = _mm256_set1_epi64x(affine::PRIME as i64);
    let low = _mm256_mul_epu32(a0, x0);
    let middle = _mm256_add_epi64(_mm256_mul_epu32(a1, x0), _mm256_mul_epu32(a0, x1));
    let high = _mm256_slli_epi64::<3>(_mm256_mul_epu32(a1, x1));
    // Of the middle, which counts 2^32, the lower 29 bits stay below 2^61.
    let middle_low = _mm256_srli_epi64::<3>(_mm256_slli_epi64::<35>(middle));
    let middle_high = _mm256_srli_epi64::<29>(middle);
    let low = _mm256_add_epi64(_mm256_and_si256(low, prime), _mm256_srli_epi64::<61>(low));
    // Four terms below 2^61 and two small ones: no overflow.
    let sum = _mm256_add_epi64(
        _mm256_add_epi64(_mm256_add_epi64(high, b), middle_low),
        _mm256_add_epi64(middle_high, low),
    );
    let folded = _mm256_add_epi64(_mm256_and_si256(sum, prime), _mm256_srli_epi64::<61>(sum));
    let is_reduced = _mm256_cmpgt_epi64(prime, folded);
    _mm256_blendv_epi8(_mm256_sub_epi64(folded, prime), folded, is_reduced)
}
