//! The registers of whole numbers with AVX2.

use super::super::convert::{self, CellVec, NarrowLoops};
use super::super::integers::{Pair, Small};
use super::super::{
    Factor, Loops, MatVec, Packs, Real, Register, Strip, Tile, cell_tile, matvec, narrow_shells,
    pack, shells, small, tile_or_less,
};
use super::squares::{Square4, Square8};
use core::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_epi64, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_mul_epi32, _mm256_mul_epu32, _mm256_mullo_epi16, _mm256_mullo_epi32,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setzero_si256,
    _mm256_shuffle_epi32, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_storeu_si256,
};
use core::ffi::c_void;
use core::num::Wrapping;

shells!(I16, Wrapping<i16>, I16x16, (2, 6), [u16; 8], "avx2,fma");
shells!(I32, Wrapping<i32>, I32x8, (2, 6), Square4, "avx2,fma");
shells!(I64, Wrapping<i64>, I64x4, (2, 4), Square8, "avx2,fma");
cell_tile!(PAIR, Pair, Pairs, (2, 6), "avx2,fma");
cell_tile!(SMALL, Small, Smalls, (2, 6), "avx2,fma");
narrow_shells!(FROM_I8, i8, Pairs, (16, 6), Square4, "avx2,fma");
narrow_shells!(FROM_U8, u8, Pairs, (16, 6), Square4, "avx2,fma");
narrow_shells!(FROM_I16, i16, Pairs, (16, 6), Square4, "avx2,fma");
narrow_shells!(FROM_I64, i64, Smalls, (8, 6), Square8, "avx2,fma");

macro_rules! register {
    ($name:ident, $item:ty, $count:literal, $splat:ident, $mul:expr, $add:ident) => {
        #[derive(Clone, Copy)]
        struct $name(__m256i);

        // SAFETY of every block: registers are named only by the shells above, so the machine has
        // their instructions; loads and stores need no alignment, and callers vouch for the memory.
        impl Register for $name {
            type Item = Wrapping<$item>;
            const COUNT: usize = $count;

            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: as of every block.
                Self(unsafe { _mm256_setzero_si256() })
            }
            #[inline(always)]
            fn splat(value: Self::Item) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { $splat(value.0) })
            }
            #[inline(always)]
            fn add_product(self, a: Self, b: Self) -> Self {
                self.add(a.mul(b))
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
            unsafe fn load(from: *const Self::Item) -> Self {
                // SAFETY: as of every block.
                Self(unsafe { _mm256_loadu_si256(from.cast()) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut Self::Item) {
                // SAFETY: as of every block.
                unsafe { _mm256_storeu_si256(to.cast(), self.0) }
            }
        }
    };
}

register!(
    I16x16,
    i16,
    16,
    _mm256_set1_epi16,
    _mm256_mullo_epi16,
    _mm256_add_epi16
);
register!(
    I32x8,
    i32,
    8,
    _mm256_set1_epi32,
    _mm256_mullo_epi32,
    _mm256_add_epi32
);
register!(I64x4, i64, 4, _mm256_set1_epi64x, mul_i64, _mm256_add_epi64);

/// The low halves of products, of three products of 32 bits each: the fourth has none of the low bits.
#[inline(always)]
unsafe fn mul_i64(a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: as of every block above.
    unsafe {
        let turned = _mm256_shuffle_epi32::<0b10_11_00_01>(a);
        let crossed = _mm256_mullo_epi32(turned, b);
        let high = _mm256_add_epi32(crossed, _mm256_srli_epi64::<32>(crossed));
        _mm256_add_epi64(_mm256_mul_epu32(a, b), _mm256_slli_epi64::<32>(high))
    }
}

macro_rules! factor {
    ($name:ident, $cell:ty, $sum:ident, $splat:expr, $mul:ident, $add:ident) => {
        #[derive(Clone, Copy)]
        struct $name(__m256i);

        impl Factor for $name {
            type Cell = $cell;
            type Sum = $sum;

            #[inline(always)]
            unsafe fn load(from: *const $cell) -> Self {
                // SAFETY: as of every block above.
                Self(unsafe { _mm256_loadu_si256(from.cast()) })
            }
            #[inline(always)]
            fn splat(cell: $cell) -> Self {
                // SAFETY: as of every block above.
                Self(unsafe { $splat(cell.bits()) })
            }
            #[inline(always)]
            fn add_to(sum: $sum, a: Self, b: Self) -> $sum {
                // SAFETY: as of every block above.
                $sum(unsafe { $add(sum.0, $mul(a.0, b.0)) })
            }
        }
    };
}

factor!(
    Pairs,
    Pair,
    I32x8,
    _mm256_set1_epi32,
    _mm256_madd_epi16,
    _mm256_add_epi32
);
factor!(
    Smalls,
    Small,
    I64x4,
    _mm256_set1_epi64x,
    _mm256_mul_epi32,
    _mm256_add_epi64
);
