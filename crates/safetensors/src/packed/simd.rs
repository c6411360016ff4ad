//! The inner loops of the decoder for AVX2.
//!
//! The digits of 32 values come from one broadcast and one shift with a count for each lane. A byte
//! shuffle looks the symbols up. The symbols of the next level are spread to where the digit is 3
//! by a shuffle for each 8 values, whose indices come from a table of all 256 masks; so there is no
//! branch that depends on the data.

#![cfg(target_arch = "x86_64")]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_loadl_epi64, _mm_set_epi8, _mm_unpacklo_epi64, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_or_si256, _mm256_permute4x64_epi64, _mm256_set_epi32, _mm256_set_epi64x,
    _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_shuffle_epi8,
    _mm256_slli_epi16, _mm256_srli_epi16, _mm256_srlv_epi32, _mm256_srlv_epi64,
    _mm256_storeu_si256, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8,
};

use super::block::{BITS_SIZE, DIGITS_SIZE, ESCAPE, GROUP_LEN, Symbols};
use super::cascade::Planes;
use super::isa::{Isa, Level};

/// Swaps the middle quarters: then the halves that `unpack` makes lie in the order of the values.
const SWAP: i32 = 0b11_01_10_00;

/// [`cascade::expand`](super::cascade::expand), whose checks stand before this.
pub(super) fn expand(
    isa: Isa,
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    rest: &Symbols,
    target: &mut Symbols,
) -> usize {
    assert_eq!(isa.0, Level::Avx2);
    // SAFETY: an `Isa` of this level is only made where the machine has AVX2 and POPCNT.
    unsafe { expand_avx2(digits, symbols, rest, target) }
}

/// [`cascade::merge`](super::cascade::merge), whose checks stand before this.
pub(super) fn merge(
    isa: Isa,
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    rest: (&Symbols, usize),
    planes: Planes<'_>,
    target: &mut [[u8; 2 * GROUP_LEN]],
) -> usize {
    assert_eq!(isa.0, Level::Avx2);
    if planes.pairs.is_empty() {
        // SAFETY: an `Isa` of this level is only made where the machine has AVX2 and POPCNT.
        unsafe { merge_avx2::<false>(digits, symbols, rest, planes, target) }
    } else {
        // SAFETY: as above.
        unsafe { merge_avx2::<true>(digits, symbols, rest, planes, target) }
    }
}

#[target_feature(enable = "avx2,popcnt")]
fn expand_avx2(
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    rest: &Symbols,
    target: &mut Symbols,
) -> usize {
    let table = table(symbols);
    let mut used = 0;
    for (digits, target) in digits.iter().zip(target.as_chunks_mut::<GROUP_LEN>().0) {
        let symbols = group(*digits, table, rest, &mut used);
        store(target, _mm256_permute4x64_epi64::<SWAP>(symbols));
    }
    used
}

#[target_feature(enable = "avx2,popcnt")]
fn merge_avx2<const EXTRA: bool>(
    digits: &[[u8; DIGITS_SIZE]],
    symbols: [u8; 3],
    (rest, mut used): (&Symbols, usize),
    planes: Planes<'_>,
    target: &mut [[u8; 2 * GROUP_LEN]],
) -> usize {
    let table = table(symbols);
    for (at, ((digits, low), target)) in digits.iter().zip(planes.low).zip(target).enumerate() {
        let mut high = group(*digits, table, rest, &mut used);
        if EXTRA {
            high = _mm256_or_si256(high, extra(planes.pairs[at], planes.bits[at]));
        }
        let low = _mm256_permute4x64_epi64::<SWAP>(load(low));
        let (first, second) = target.split_at_mut(GROUP_LEN);
        let halves = first
            .as_chunks_mut()
            .0
            .iter_mut()
            .chain(second.as_chunks_mut().0);
        let values = [
            _mm256_unpacklo_epi8(low, high),
            _mm256_unpackhi_epi8(low, high),
        ];
        for (half, value) in halves.zip(values) {
            let rotated = _mm256_or_si256(
                _mm256_srli_epi16::<1>(value),
                _mm256_slli_epi16::<15>(value),
            );
            store(half, rotated);
        }
    }
    used
}

/// The symbols of 32 values, middle quarters swapped.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn group(digits: [u8; DIGITS_SIZE], table: __m256i, rest: &Symbols, used: &mut usize) -> __m256i {
    let digits = unpack(digits);
    let escaped = _mm256_cmpeq_epi8(digits, _mm256_set1_epi8(ESCAPE as i8));
    let mask = _mm256_movemask_epi8(escaped) as u32;
    // Where the symbols of each quarter start, in the order of the values: 0, 2, 1, 3.
    let starts =
        [0, 0xFF_00FF, 0xFF, 0xFF_FFFF].map(|before| *used + (mask & before).count_ones() as usize);
    *used += mask.count_ones() as usize;
    let bytes = _mm256_set_m128i(
        pair(quarter(rest, starts[2]), quarter(rest, starts[3])),
        pair(quarter(rest, starts[0]), quarter(rest, starts[1])),
    );
    let [a, b, c, d] = mask.to_le_bytes().map(usize::from);
    let places = _mm256_set_m128i(
        pair(eight(&SPREAD[0][c]), eight(&SPREAD[1][d])),
        pair(eight(&SPREAD[0][a]), eight(&SPREAD[1][b])),
    );
    _mm256_or_si256(
        _mm256_shuffle_epi8(table, digits),
        _mm256_shuffle_epi8(bytes, places),
    )
}

/// 32 digits of two bits, middle quarters swapped.
#[inline]
#[target_feature(enable = "avx2")]
fn unpack(digits: [u8; DIGITS_SIZE]) -> __m256i {
    let digits = _mm256_set1_epi64x(i64::from_le_bytes(digits));
    let shifted = _mm256_srlv_epi64(digits, _mm256_set_epi64x(6, 2, 4, 0));
    _mm256_and_si256(shifted, _mm256_set1_epi8(3))
}

/// The three extra bits of 32 values, middle quarters swapped.
#[inline]
#[target_feature(enable = "avx2")]
fn extra(pairs: [u8; DIGITS_SIZE], bits: [u8; BITS_SIZE]) -> __m256i {
    let bits = _mm256_set1_epi32(i32::from_le_bytes(bits));
    let shifted = _mm256_srlv_epi32(bits, _mm256_set_epi32(7, 6, 3, 2, 5, 4, 1, 0));
    let bits = _mm256_slli_epi16::<2>(_mm256_and_si256(shifted, _mm256_set1_epi8(1)));
    _mm256_or_si256(bits, unpack(pairs))
}

/// What a shuffle takes to turn digits 0 to 2 into symbols and 3 into 0.
#[inline]
#[target_feature(enable = "avx2")]
fn table([a, b, c]: [u8; 3]) -> __m256i {
    let [a, b, c] = [a, b, c].map(|symbol| symbol as i8);
    _mm256_broadcastsi128_si256(_mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, c, b, a))
}

#[inline]
#[target_feature(enable = "avx2")]
fn quarter(rest: &Symbols, start: usize) -> __m128i {
    debug_assert!(start + 8 <= rest.len());
    // SAFETY: `cascade` checks that `used` and 32 for each group stay inside `rest`. A quarter's
    // start is at most 24 behind `used` at the start of its group, and 8 bytes are read.
    unsafe { _mm_loadl_epi64(rest.as_ptr().add(start).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn eight(bytes: &[u8; 8]) -> __m128i {
    // SAFETY: 8 bytes are read, which is what the array has.
    unsafe { _mm_loadl_epi64(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn pair(low: __m128i, high: __m128i) -> __m128i {
    _mm_unpacklo_epi64(low, high)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are read, which is what the array has; the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8; 32], value: __m256i) {
    // SAFETY: 32 bytes are written, which is what the array has; the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}

/// For each mask of 8 bits the shuffle that sends byte `n` of 8 to the `n`-th set bit and 0 to the
/// others; the second half takes its bytes from the upper 8 of 16.
static SPREAD: [[[u8; 8]; 256]; 2] = [spread(0), spread(8)];

const fn spread(first: u8) -> [[u8; 8]; 256] {
    let mut places = [[0x80; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut bit, mut next) = (0, first);
        while bit < 8 {
            if mask >> bit & 1 == 1 {
                places[mask][bit] = next;
                next += 1;
            }
            bit += 1;
        }
        mask += 1;
    }
    places
}
