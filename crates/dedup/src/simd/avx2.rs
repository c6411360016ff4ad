//! Seven vectors of eight functions stay in registers while the hashes pass, two at a time.

use super::TILE;
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_min_epu32, _mm256_mullo_epi32,
    _mm256_set1_epi32, _mm256_storeu_si256,
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
