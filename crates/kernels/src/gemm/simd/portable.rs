//! Arrays, which the compiler maps to what the baseline has.

use super::{Loops, MatVec, Register, Strip, Tile, matvec, pack, shells, tile};

shells!(F64, f64, [f64; 2], (2, 4), 2);
shells!(F32, f32, [f32; 4], (2, 4), 4);

macro_rules! array {
    ($item:ty, $count:literal) => {
        impl Register for [$item; $count] {
            type Item = $item;
            const COUNT: usize = $count;

            #[inline(always)]
            fn zero() -> Self {
                [0.0; $count]
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
