//! Squares that change their rows with their columns in registers of AVX2.

use super::super::Square;
use core::arch::x86_64::{
    __m256, __m256d, _mm_loadu_pd, _mm_loadu_ps, _mm256_castpd128_pd256, _mm256_castps128_ps256,
    _mm256_insertf128_pd, _mm256_insertf128_ps, _mm256_shuffle_ps, _mm256_storeu_pd,
    _mm256_storeu_ps, _mm256_unpackhi_pd, _mm256_unpackhi_ps, _mm256_unpacklo_pd,
    _mm256_unpacklo_ps,
};

/// Items of 8 bytes.
#[derive(Clone, Copy)]
pub(super) struct Square8(pub(super) __m256d);

/// Items of 4 bytes.
#[derive(Clone, Copy)]
pub(super) struct Square4(pub(super) __m256);

// SAFETY of every block: squares are named only by the shells of the instruction sets, so the machine has their
// instructions; loads and stores need no alignment, and callers vouch for the memory.
impl Square for Square8 {
    type Item = u64;
    const SIDE: usize = 4;

    #[inline(always)]
    unsafe fn turn(row: impl Fn(usize) -> *const u64, mut put: impl FnMut(usize, Self)) {
        for half in [0, 2] {
            // SAFETY: as of every block.
            unsafe {
                // Two items of a row, and below them those of the row two after it.
                let pair = |i: usize| {
                    let top = _mm_loadu_pd(row(i).wrapping_add(half).cast());
                    let bottom = _mm_loadu_pd(row(i + 2).wrapping_add(half).cast());
                    _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(top), bottom)
                };
                let (even, odd) = (pair(0), pair(1));
                put(half, Self(_mm256_unpacklo_pd(even, odd)));
                put(half + 1, Self(_mm256_unpackhi_pd(even, odd)));
            }
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: as of every block.
        unsafe { _mm256_storeu_pd(to.cast(), self.0) }
    }
}

impl Square for Square4 {
    type Item = u32;
    const SIDE: usize = 8;

    #[inline(always)]
    unsafe fn turn(row: impl Fn(usize) -> *const u32, mut put: impl FnMut(usize, Self)) {
        for half in [0, 4] {
            // SAFETY: as of every block.
            unsafe {
                // Four items of a row, and below them those of the row four after it.
                let [a, b, c, d] = core::array::from_fn(|i| {
                    let top = _mm_loadu_ps(row(i).wrapping_add(half).cast());
                    let bottom = _mm_loadu_ps(row(i + 4).wrapping_add(half).cast());
                    _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(top), bottom)
                });
                let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
                put(half, Self(_mm256_shuffle_ps::<0x44>(ab, cd)));
                put(half + 1, Self(_mm256_shuffle_ps::<0xEE>(ab, cd)));
                let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
                put(half + 2, Self(_mm256_shuffle_ps::<0x44>(ab, cd)));
                put(half + 3, Self(_mm256_shuffle_ps::<0xEE>(ab, cd)));
            }
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: as of every block.
        unsafe { _mm256_storeu_ps(to.cast(), self.0) }
    }
}
