//! The registers of whole numbers with AVX-512.

use super::super::convert::{self, CellVec, NarrowLoops};
use super::super::integers::{Pair, Small};
use super::super::{
    Factor, Loops, MatVec, Packs, Real, Register, Strip, Tile, cell_tile, matvec, narrow_shells,
    pack, shells, small, tile_or_less,
};
use super::squares::{Square4, Square8};
use core::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_add_epi64, _mm512_loadu_si512, _mm512_madd_epi16,
    _mm512_mul_epi32, _mm512_mullo_epi32, _mm512_mullo_epi64, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_storeu_si512,
};
use core::ffi::c_void;
use core::num::Wrapping;

shells!(
    I32_AVX512,
    Wrapping<i32>,
    I32x16,
    (3, 8),
    Square4,
    "avx512f,avx512dq,avx512bw"
);
shells!(
    I64_AVX512,
    Wrapping<i64>,
    I64x8,
    (3, 8),
    Square8,
    "avx512f,avx512dq,avx512bw"
);
cell_tile!(
    PAIR_AVX512,
    Pair,
    Pairs,
    (3, 8),
    "avx512f,avx512dq,avx512bw"
);
cell_tile!(
    SMALL_AVX512,
    Small,
    Smalls,
    (3, 8),
    "avx512f,avx512dq,avx512bw"
);
narrow_shells!(
    FROM_I8_AVX512,
    i8,
    Pairs,
    (48, 8),
    Square4,
    "avx512f,avx512dq,avx512bw"
);
narrow_shells!(
    FROM_U8_AVX512,
    u8,
    Pairs,
    (48, 8),
    Square4,
    "avx512f,avx512dq,avx512bw"
);
narrow_shells!(
    FROM_I16_AVX512,
    i16,
    Pairs,
    (48, 8),
    Square4,
    "avx512f,avx512dq,avx512bw"
);
narrow_shells!(
    FROM_I64_AVX512,
    i64,
    Smalls,
    (24, 8),
    Square8,
    "avx512f,avx512dq,avx512bw"
);

macro_rules! register {
    ($name:ident, $item:ty, $count:literal, $splat:ident, $mul:expr, $add:ident) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name(pub(super) __m512i);

        // SAFETY of every block: registers are named only by the shells above, so the machine has
        // their instructions; loads and stores need no alignment, and callers vouch for the memory.
        impl Register for $name {
            type Item = Wrapping<$item>;
            const COUNT: usize = $count;

            #[inline(always)]
            fn zero() -> Self {
                // SAFETY: as of every block.
                Self(unsafe { _mm512_setzero_si512() })
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
                Self(unsafe { _mm512_loadu_si512(from.cast()) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut Self::Item) {
                // SAFETY: as of every block.
                unsafe { _mm512_storeu_si512(to.cast(), self.0) }
            }
        }
    };
}

register!(
    I32x16,
    i32,
    16,
    _mm512_set1_epi32,
    _mm512_mullo_epi32,
    _mm512_add_epi32
);
register!(
    I64x8,
    i64,
    8,
    _mm512_set1_epi64,
    _mm512_mullo_epi64,
    _mm512_add_epi64
);

macro_rules! factor {
    ($name:ident, $cell:ty, $sum:ident, $splat:expr, $mul:ident, $add:ident) => {
        #[derive(Clone, Copy)]
        struct $name(__m512i);

        impl Factor for $name {
            type Cell = $cell;
            type Sum = $sum;

            #[inline(always)]
            unsafe fn load(from: *const $cell) -> Self {
                // SAFETY: as of every block above.
                Self(unsafe { _mm512_loadu_si512(from.cast()) })
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
    I32x16,
    _mm512_set1_epi32,
    _mm512_madd_epi16,
    _mm512_add_epi32
);
factor!(
    Smalls,
    Small,
    I64x8,
    _mm512_set1_epi64,
    _mm512_mul_epi32,
    _mm512_add_epi64
);
