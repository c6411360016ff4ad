//! Cells of whole numbers.

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Cell, Tile, portable};
use crate::isa::{Isa, Level};
use core::num::Wrapping;

/// Two numbers that lie along `k`. The sum of two products fits `i32`, unless all four are `i16::MIN`; it wraps
/// around then, as sums do.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(4))]
pub struct Pair([i16; 2]);

impl Pair {
    #[inline(always)]
    pub(super) fn new(first: i16, second: i16) -> Self {
        Self([first, second])
    }

    /// As a register holds it.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn bits(self) -> i32 {
        let [first, second] = self.0;
        i32::from(second) << 16 | i32::from(first as u16)
    }

    #[inline(always)]
    pub(super) fn product(self, other: Self) -> Wrapping<i32> {
        let [a, b] = self.0.map(|x| Wrapping(i32::from(x)));
        let [c, d] = other.0.map(|x| Wrapping(i32::from(x)));
        a * c + b * d
    }
}

/// A number that fits `i32`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(transparent)]
pub struct Small(i64);

impl Small {
    /// Keeps the low 32 bits, which for a number that fits are all.
    #[inline(always)]
    pub(super) fn new(number: i64) -> Self {
        Self(number)
    }

    /// As a register holds it.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn bits(self) -> i64 {
        self.0
    }

    #[inline(always)]
    pub(super) fn product(self, other: Self) -> Wrapping<i64> {
        Wrapping(i64::from(self.0 as i32)) * Wrapping(i64::from(other.0 as i32))
    }
}

macro_rules! cell {
    ($cell:ty, $sum:ty, $numbers:literal, $portable:expr, $avx2:expr, $avx512:expr) => {
        impl Cell for $cell {
            type Sum = Wrapping<$sum>;
            const UNIT: Self::Sum = Wrapping(1);
            const NUMBERS: usize = $numbers;

            #[inline]
            fn tile(isa: Isa) -> Tile<Self> {
                match isa.0 {
                    Level::Portable => $portable,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => $avx2,
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => $avx512,
                }
            }
        }
    };
}

cell!(Pair, i32, 2, portable::PAIR, x86::PAIR, x86::PAIR_AVX512);
cell!(
    Small,
    i64,
    1,
    portable::SMALL,
    x86::SMALL,
    x86::SMALL_AVX512
);
