//! Finds the few hashes that can lower a minimum of the affine family, by 32 bits of each value.
//!
//! With `x` in three digits of 21 and 20 bits, `(a * x + b) / p` is, up to a whole number, the sum of
//! `digit[j] * frac(a * 2^k / p)`, where `k` is the digit's place, and `b / p`. With 32 bits of each fraction,
//! three multiplications of 32 bits tell a value to within a thousandth of the prime. What is not above the
//! minimum by more is computed exactly. Of n hashes these are some ln n + n / 1000 for each function.

use crate::affine::{PRIME, value};
use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_loadu_si256,
    _mm256_min_epu32, _mm256_movemask_ps, _mm256_mullo_epi32, _mm256_set1_epi32,
};

/// Functions that are handled together: two vectors.
pub(crate) const LANES: usize = 16;

/// Where the digits begin.
const PLACES: [u32; 3] = [0, 21, 41];

/// How much less than a value the sum of its parts can be, in units of p / 2^32: what the fractions lack,
/// times the digits, and what `b` lacks.
const ERROR: u64 = (1 << 21) + (1 << 20) + (1 << 20) + 1;

/// The digits of a hash below the prime.
pub(crate) fn digits(hash: u64) -> [u32; 3] {
    let [_, second, third] = PLACES;
    [
        (hash & ((1 << second) - 1)) as u32,
        (hash >> second & ((1 << (third - second)) - 1)) as u32,
        (hash >> third) as u32,
    ]
}

/// The fractions of 16 functions.
#[derive(Clone, Debug)]
pub(crate) struct Sieve {
    /// One for each digit.
    fractions: [[u32; LANES]; 3],
    /// What `b` adds, and the error, so that the sum is never less than the value.
    summands: [u32; LANES],
}

impl Sieve {
    pub(crate) fn new(a: &[u64; LANES], b: &[u64; LANES]) -> Self {
        let mut fractions = [[0; LANES]; 3];
        for (place, fractions) in PLACES.iter().zip(&mut fractions) {
            for (fraction, &a) in fractions.iter_mut().zip(a) {
                let shifted = (u128::from(a) << place) % u128::from(PRIME);
                *fraction = upper(shifted as u64) as u32;
            }
        }
        let summands = b.map(|b| upper(b).wrapping_add(ERROR) as u32);
        Self {
            fractions,
            summands,
        }
    }

    /// Lowers `least` to the least value of each function, `a` and `b` being those that the sieve is
    /// made of. The hashes are below the prime, and have these digits.
    #[target_feature(enable = "avx2")]
    pub(crate) fn lower(
        &self,
        (a, b): (&[u64; LANES], &[u64; LANES]),
        (hashes, digits): (&[u64], &[[u32; 3]]),
        least: &mut [u64; LANES],
    ) {
        let [first, second, third] = self.fractions.each_ref().map(|lanes| load(lanes));
        let summands = load(&self.summands);
        let mut limits = least.map(limit);
        let mut limit_lanes = load(&limits);
        for (&hash, digits) in hashes.iter().zip(digits) {
            let x = digits.map(|digit| _mm256_set1_epi32(digit as i32));
            let mut candidates = 0;
            for half in 0..2 {
                let low = _mm256_add_epi32(
                    _mm256_mullo_epi32(first[half], x[0]),
                    _mm256_mullo_epi32(second[half], x[1]),
                );
                let high = _mm256_add_epi32(_mm256_mullo_epi32(third[half], x[2]), summands[half]);
                let sum = _mm256_add_epi32(low, high);
                let is_candidate =
                    _mm256_cmpeq_epi32(_mm256_min_epu32(sum, limit_lanes[half]), sum);
                let bits = _mm256_movemask_ps(_mm256_castsi256_ps(is_candidate)) as u32;
                candidates |= bits << (8 * half);
            }
            let mut is_lower = false;
            while candidates != 0 {
                let lane = candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                let value = value(a[lane], b[lane], hash);
                if value < least[lane] {
                    least[lane] = value;
                    limits[lane] = limit(value);
                    is_lower = true;
                }
            }
            if is_lower {
                limit_lanes = load(&limits);
            }
        }
    }
}

/// The upper 32 bits of a value: its share of the prime.
fn upper(value: u64) -> u64 {
    ((u128::from(value) << 32) / u128::from(PRIME)) as u64
}

/// The largest sum that a value below this one can have.
fn limit(least: u64) -> u32 {
    // A division by 2^61 in place of p makes it no greater, and by less than one smaller.
    u32::try_from((least >> 29) + 1 + ERROR).unwrap_or(u32::MAX)
}

#[target_feature(enable = "avx2")]
fn load(lanes: &[u32; LANES]) -> [__m256i; 2] {
    // SAFETY: sixteen u32 are two times 32 bytes; the loads need no alignment.
    unsafe {
        let at = lanes.as_ptr();
        [
            _mm256_loadu_si256(at.cast()),
            _mm256_loadu_si256(at.add(8).cast()),
        ]
    }
}
