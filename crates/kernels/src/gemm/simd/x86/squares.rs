//! Squares that change their rows with their columns in registers of AVX2 and AVX-512.

use super::super::Square;
#[allow(
    clippy::wildcard_imports,
    reason = "the intrinsics of two instruction sets"
)]
use core::arch::x86_64::*;

/// Items of 8 bytes.
#[derive(Clone, Copy)]
pub(super) struct Square8(pub(super) __m256d);

/// Items of 4 bytes.
#[derive(Clone, Copy)]
pub(super) struct Square4(pub(super) __m256);

/// More items of 8 bytes.
#[derive(Clone, Copy)]
pub(super) struct Wide8(pub(super) __m512d);

/// More items of 4 bytes.
#[derive(Clone, Copy)]
pub(super) struct Wide4(pub(super) __m512);

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

impl Square for Wide8 {
    type Item = u64;
    const SIDE: usize = 8;

    #[inline(always)]
    unsafe fn turn(row: impl Fn(usize) -> *const u64, mut put: impl FnMut(usize, Self)) {
        // SAFETY: as of every block.
        unsafe {
            // Whole rows, so that each line of the cache is read once: rows may share its sets.
            let rows: [__m512d; 8] = core::array::from_fn(|i| _mm512_loadu_pd(row(i).cast()));
            let pair = |i: usize| (rows[2 * i], rows[2 * i + 1]);
            let even = quarters(core::array::from_fn(|i| {
                _mm512_unpacklo_pd(pair(i).0, pair(i).1)
            }));
            let odd = quarters(core::array::from_fn(|i| {
                _mm512_unpackhi_pd(pair(i).0, pair(i).1)
            }));
            for i in 0..4 {
                put(2 * i, Self(even[i]));
                put(2 * i + 1, Self(odd[i]));
            }
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: as of every block.
        unsafe { _mm512_storeu_pd(to.cast(), self.0) }
    }
}

impl Square for Wide4 {
    type Item = u32;
    const SIDE: usize = 16;

    #[inline(always)]
    unsafe fn turn(row: impl Fn(usize) -> *const u32, mut put: impl FnMut(usize, Self)) {
        // SAFETY: as of every block.
        unsafe {
            let rows: [__m512; 16] = core::array::from_fn(|i| _mm512_loadu_ps(row(i).cast()));
            // Every fourth column of four rows each.
            let low: [[__m512d; 2]; 4] = core::array::from_fn(|i| {
                let (a, b) = (rows[4 * i], rows[4 * i + 1]);
                let (c, d) = (rows[4 * i + 2], rows[4 * i + 3]);
                let top = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
                let bottom = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
                [
                    _mm512_unpacklo_pd(top, bottom),
                    _mm512_unpackhi_pd(top, bottom),
                ]
            });
            let high: [[__m512d; 2]; 4] = core::array::from_fn(|i| {
                let (a, b) = (rows[4 * i], rows[4 * i + 1]);
                let (c, d) = (rows[4 * i + 2], rows[4 * i + 3]);
                let top = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
                let bottom = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
                [
                    _mm512_unpacklo_pd(top, bottom),
                    _mm512_unpackhi_pd(top, bottom),
                ]
            });
            let columns = [
                quarters(core::array::from_fn(|i| low[i][0])),
                quarters(core::array::from_fn(|i| low[i][1])),
                quarters(core::array::from_fn(|i| high[i][0])),
                quarters(core::array::from_fn(|i| high[i][1])),
            ];
            for i in 0..4 {
                for (j, columns) in columns.iter().enumerate() {
                    put(4 * i + j, Self(_mm512_castpd_ps(columns[i])));
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u32) {
        // SAFETY: as of every block.
        unsafe { _mm512_storeu_ps(to.cast(), self.0) }
    }
}

/// The first quarters of all four, their second ones, and so on.
///
/// # Safety
/// The machine has AVX-512.
#[inline(always)]
unsafe fn quarters([a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
    // SAFETY: the caller says so.
    unsafe {
        let (ab, cd) = (
            _mm512_shuffle_f64x2::<0x88>(a, b),
            _mm512_shuffle_f64x2::<0x88>(c, d),
        );
        let (first, third) = (
            _mm512_shuffle_f64x2::<0x88>(ab, cd),
            _mm512_shuffle_f64x2::<0xDD>(ab, cd),
        );
        let (ab, cd) = (
            _mm512_shuffle_f64x2::<0xDD>(a, b),
            _mm512_shuffle_f64x2::<0xDD>(c, d),
        );
        let (second, fourth) = (
            _mm512_shuffle_f64x2::<0x88>(ab, cd),
            _mm512_shuffle_f64x2::<0xDD>(ab, cd),
        );
        [first, second, third, fourth]
    }
}
