//! The registers of AVX-512.

use super::super::{Register, Square};
use super::squares::{Wide4, Wide8};
use super::{F32x8, F64x4};

#[allow(
    clippy::wildcard_imports,
    reason = "the intrinsics of an instruction set"
)]
use core::arch::x86_64::*;

register!(
    F64x8(__m512d),
    f64,
    8,
    _mm512_setzero_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_mul_pd,
    _mm512_add_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    #[inline(always)]
    fn totals([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        F64x4::totals([a.halves(), b.halves(), c.halves(), d.halves()])
    },
    #[inline(always)]
    fn prefetch(from: *const f64) {
        // SAFETY: see above; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    },
    #[inline(always)]
    unsafe fn add_columns(mut self, rows: *const f64, row: usize, factors: *const f64) -> Self {
        // SAFETY: see above.
        unsafe {
            let place = |i| rows.wrapping_add(i * row).cast();
            Wide8::turn(place, |i, column| {
                self = self.add_product(Self(column.0), Self::splat(*factors.add(i)));
            });
        }
        self
    },
    #[inline(always)]
    unsafe fn load_some(from: *const f64, count: usize) -> Self {
        // SAFETY: see above; what the mask leaves out is not read.
        Self(unsafe { _mm512_maskz_loadu_pd(first(count) as __mmask8, from) })
    },
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f64, count: usize) {
        // SAFETY: see above; what the mask leaves out is not written.
        unsafe { _mm512_mask_storeu_pd(to, first(count) as __mmask8, self.0) }
    }
);
register!(
    F32x16(__m512),
    f32,
    16,
    _mm512_setzero_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_mul_ps,
    _mm512_add_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    #[inline(always)]
    fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        F32x8::totals([a.halves(), b.halves(), c.halves(), d.halves()])
    },
    #[inline(always)]
    fn prefetch(from: *const f32) {
        // SAFETY: see above; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
    },
    #[inline(always)]
    unsafe fn add_columns(mut self, rows: *const f32, row: usize, factors: *const f32) -> Self {
        // SAFETY: see above.
        unsafe {
            let place = |i| rows.wrapping_add(i * row).cast();
            Wide4::turn(place, |i, column| {
                self = self.add_product(Self(column.0), Self::splat(*factors.add(i)));
            });
        }
        self
    },
    #[inline(always)]
    unsafe fn load_some(from: *const f32, count: usize) -> Self {
        // SAFETY: see above; what the mask leaves out is not read.
        Self(unsafe { _mm512_maskz_loadu_ps(first(count), from) })
    },
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, count: usize) {
        // SAFETY: see above; what the mask leaves out is not written.
        unsafe { _mm512_mask_storeu_ps(to, first(count), self.0) }
    }
);

/// The mask of the first `count` items, at most 16.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    ((1_u32 << count) - 1) as __mmask16
}

impl F64x8 {
    /// The sum of the two halves.
    #[inline(always)]
    fn halves(self) -> F64x4 {
        // SAFETY: see above.
        unsafe {
            let high = _mm512_extractf64x4_pd::<1>(self.0);
            F64x4(_mm256_add_pd(_mm512_castpd512_pd256(self.0), high))
        }
    }
}

impl F32x16 {
    /// The sum of the two halves.
    #[inline(always)]
    fn halves(self) -> F32x8 {
        // SAFETY: see above.
        unsafe {
            let high = _mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0));
            let low = _mm512_castps512_ps256(self.0);
            F32x8(_mm256_add_ps(low, _mm256_castpd_ps(high)))
        }
    }
}
