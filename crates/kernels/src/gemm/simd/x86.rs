//! The registers of AVX2 and AVX-512.

mod dotted;
mod integers;
mod squares;
mod whole;

use super::convert::{self, CellVec, F16c, NarrowLoops};
use super::{
    Loops, MatVec, Packs, Real, Register, Square, Strip, Tile, matvec, narrow_shells, pack, shells,
    small, tile_or_less,
};
use core::ffi::c_void;
use half::bf16;
use squares::{Square4, Square8};
use wide::{F32x16, F64x8};

#[allow(
    clippy::wildcard_imports,
    reason = "the intrinsics of two instruction sets"
)]
use core::arch::x86_64::*;
pub(super) use dotted::{DOTTED_BF16, DOTTED_I8, DOTTED_U8, FOURS, TWOS};
pub(super) use integers::{FROM_I8, FROM_I16, FROM_I64, FROM_U8, I16, I32, I64, PAIR, SMALL};
pub(super) use whole::{
    FROM_I8_AVX512, FROM_I16_AVX512, FROM_I64_AVX512, FROM_U8_AVX512, I32_AVX512, I64_AVX512,
    PAIR_AVX512, SMALL_AVX512,
};

// AVX2 has 16 registers: 12 sums, 2 of the left operand, one of the right, one to spare. AVX-512 has 32.
shells!(F64_AVX2, f64, F64x4, (2, 6), Square8, "avx2,fma");
shells!(F32_AVX2, f32, F32x8, (2, 6), Square4, "avx2,fma");
shells!(F64_AVX512, f64, F64x8, (3, 8), Square8, "avx512f");
shells!(F32_AVX512, f32, F32x16, (3, 8), Square4, "avx512f");
narrow_shells!(BF16_AVX2, bf16, F32x8, (16, 6), Square4, "avx2,fma,f16c");
narrow_shells!(F16_AVX2, F16c, F32x8, (16, 6), Square4, "avx2,fma,f16c");
narrow_shells!(BF16_AVX512, bf16, F32x16, (48, 8), Square4, "avx512f");
narrow_shells!(F16_AVX512, F16c, F32x16, (48, 8), Square4, "avx512f");

macro_rules! register {
    ($name:ident($raw:ty), $item:ty, $count:literal, $zero:ident, $splat:ident, $fma:ident, $mul:ident, $add:ident, $load:ident, $store:ident $(, $more:item)*) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name(pub(super) $raw);

        // SAFETY of every block: registers are named only by the shells above, so the machine has
        // their instructions; loads and stores need no alignment, and callers vouch for the memory.
        impl Register for $name {
            type Item = $item;
            const COUNT: usize = $count;

            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $zero() })
            }
            #[inline(always)]
            fn splat(value: $item) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $splat(value) })
            }
            #[inline(always)]
            fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $fma(a.0, b.0, self.0) })
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn load(from: *const $item) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $item) {
                // SAFETY: as of every block.
                unsafe { $store(to, self.0) }
            }
            $($more)*
        }
    };
}

mod wide;

register!(
    F64x4(__m256d),
    f64,
    4,
    _mm256_setzero_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_mul_pd,
    _mm256_add_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    #[inline(always)]
    fn totals([a, b, c, d]: [Self; 4]) -> [f64; 4] {
        let mut totals = [0.0; 4];
        // SAFETY: see above.
        unsafe {
            let (ab, cd) = (_mm256_hadd_pd(a.0, b.0), _mm256_hadd_pd(c.0, d.0));
            let low = _mm256_permute2f128_pd::<0x20>(ab, cd);
            let high = _mm256_permute2f128_pd::<0x31>(ab, cd);
            _mm256_storeu_pd(totals.as_mut_ptr(), _mm256_add_pd(low, high));
        }
        totals
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
            Square8::turn(place, |i, column| {
                self = self.add_product(Self(column.0), Self::splat(*factors.add(i)));
            });
        }
        self
    },
    #[inline(always)]
    unsafe fn load_some(from: *const f64, count: usize) -> Self {
        // SAFETY: see above; of the mask's sign bits, as many as the count are set.
        unsafe {
            let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
            let mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), lanes);
            Self(_mm256_maskload_pd(from, mask))
        }
    },
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f64, count: usize) {
        // SAFETY: see above.
        unsafe {
            let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
            let mask = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), lanes);
            _mm256_maskstore_pd(to, mask, self.0);
        }
    }
);
register!(
    F32x8(__m256),
    f32,
    8,
    _mm256_setzero_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_mul_ps,
    _mm256_add_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    #[inline(always)]
    fn totals([a, b, c, d]: [Self; 4]) -> [f32; 4] {
        let mut totals = [0.0; 4];
        // SAFETY: see above.
        unsafe {
            let (ab, cd) = (_mm256_hadd_ps(a.0, b.0), _mm256_hadd_ps(c.0, d.0));
            let all = _mm256_hadd_ps(ab, cd);
            let high = _mm256_extractf128_ps::<1>(all);
            _mm_storeu_ps(
                totals.as_mut_ptr(),
                _mm_add_ps(_mm256_castps256_ps128(all), high),
            );
        }
        totals
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
            Square4::turn(place, |i, column| {
                self = self.add_product(Self(column.0), Self::splat(*factors.add(i)));
            });
        }
        self
    },
    #[inline(always)]
    unsafe fn load_some(from: *const f32, count: usize) -> Self {
        // SAFETY: see above; of the mask's sign bits, as many as the count are set.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes);
            Self(_mm256_maskload_ps(from, mask))
        }
    },
    #[inline(always)]
    unsafe fn store_some(self, to: *mut f32, count: usize) {
        // SAFETY: see above.
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes);
            _mm256_maskstore_ps(to, mask, self.0);
        }
    }
);
