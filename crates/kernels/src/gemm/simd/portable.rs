//! Arrays, which the compiler maps to what the baseline has.

use super::convert::{self, CellVec, NarrowLoops};
use super::integers::{Pair, Small};
use super::{
    Factor, Loops, MatVec, Packs, Real, Register, Strip, Tile, cell_tile, matvec, narrow_shells,
    pack, shells, small, tile_or_less,
};
use core::ffi::c_void;
use core::num::Wrapping;
use half::{bf16, f16};

shells!(F64, f64, [f64; 2], (2, 4), [u64; 2]);
shells!(F32, f32, [f32; 4], (2, 4), [u32; 4]);
shells!(I16, Wrapping<i16>, [Wrapping<i16>; 8], (2, 4), [u16; 4]);
shells!(I32, Wrapping<i32>, [Wrapping<i32>; 4], (2, 4), [u32; 4]);
shells!(I64, Wrapping<i64>, [Wrapping<i64>; 2], (2, 4), [u64; 2]);
cell_tile!(PAIR, Pair, [Pair; 4], (2, 4));
cell_tile!(SMALL, Small, [Small; 2], (2, 4));
narrow_shells!(BF16, bf16, [f32; 4], (8, 4), [u32; 4]);
narrow_shells!(F16, f16, [f32; 4], (8, 4), [u32; 4]);
narrow_shells!(FROM_I8, i8, [Pair; 4], (8, 4), [u32; 4]);
narrow_shells!(FROM_U8, u8, [Pair; 4], (8, 4), [u32; 4]);
narrow_shells!(FROM_I16, i16, [Pair; 4], (8, 4), [u32; 4]);
narrow_shells!(FROM_I64, i64, [Small; 2], (4, 4), [u64; 2]);

impl Factor for [Pair; 4] {
    type Cell = Pair;
    type Sum = [Wrapping<i32>; 4];

    #[inline(always)]
    unsafe fn load(from: *const Pair) -> Self {
        // SAFETY: the caller says so; arrays of numbers have no other needs.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    fn splat(cell: Pair) -> Self {
        [cell; 4]
    }
    #[inline(always)]
    fn add_to(sum: Self::Sum, a: Self, b: Self) -> Self::Sum {
        core::array::from_fn(|i| sum[i] + a[i].product(b[i]))
    }
}

impl Factor for [Small; 2] {
    type Cell = Small;
    type Sum = [Wrapping<i64>; 2];

    #[inline(always)]
    unsafe fn load(from: *const Small) -> Self {
        // SAFETY: the caller says so; arrays of numbers have no other needs.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    fn splat(cell: Small) -> Self {
        [cell; 2]
    }
    #[inline(always)]
    fn add_to(sum: Self::Sum, a: Self, b: Self) -> Self::Sum {
        core::array::from_fn(|i| sum[i] + a[i].product(b[i]))
    }
}

macro_rules! array {
    ($item:ty, $count:literal) => {
        impl Register for [$item; $count] {
            type Item = $item;
            const COUNT: usize = $count;

            #[inline(always)]
            fn zero() -> Self {
                [<$item>::default(); $count]
            }
            #[inline(always)]
            fn splat(value: $item) -> Self {
                [value; $count]
            }
            #[inline(always)]
            fn add_product(self, a: Self, b: Self) -> Self {
                // Unfused: without the instruction a fused product is a slow library call.
                core::array::from_fn(|i| self[i] + a[i] * b[i])
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                core::array::from_fn(|i| self[i] * other[i])
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                core::array::from_fn(|i| self[i] + other[i])
            }
            #[inline(always)]
            unsafe fn load(from: *const $item) -> Self {
                // SAFETY: the caller says so; arrays of numbers have no other needs.
                unsafe { from.cast::<Self>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $item) {
                // SAFETY: as above.
                unsafe { to.cast::<Self>().write_unaligned(self) }
            }
        }
    };
}

array!(f64, 2);
array!(f32, 4);
array!(Wrapping<i16>, 8);
array!(Wrapping<i32>, 4);
array!(Wrapping<i64>, 2);
