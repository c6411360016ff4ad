//! The leaves of factorisations, with the registers of the machine along rows or columns.
//!
//! An item goes through the same operations in the same order wherever it lies in a register, so its bits depend
//! on its row and column alone.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

mod columns;
mod rows;
mod squares;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::{Diagonal, Triangle};
use crate::{Complex, Float, Isa, MatMut, MatRef};
use std::ops::Range;

/// The leaves for types that have them; the others say that they do nothing.
pub trait Leaf: Copy + 'static {
    /// Solves `a x = b`, `b` becoming `x`, where the rows of `b` lie without gaps between their items.
    fn substitute(_: MatRef<'_, Self>, _: (Triangle, Diagonal), _: &mut MatMut<'_, Self>) -> bool {
        false
    }

    /// Rows of the factor `u` of `u^H u`, in these columns, of a matrix with so many items in a row. What rows before `known`
    /// take from them is taken; the columns begin with those of the rows, or the items there are factored. Says
    /// which row has no positive pivot.
    fn factor_rows(
        _: (&mut [Self], usize),
        _: Range<usize>,
        _: Range<usize>,
        _: usize,
    ) -> Option<Result<(), usize>> {
        None
    }

    /// Eliminates in columns of so many items, one after the other, with exchanges of rows: of each column the
    /// row that its own was exchanged with is told.
    fn eliminate(_: &mut [Self], _: usize, _: &mut [usize]) -> bool {
        false
    }

    /// Item `i` of line `j` of the source becomes item `j` of line `i` of the target, for so many lines of the target and items
    /// of each. Both are items and the distance of lines.
    fn turn(_: (&[Self], usize), _: (&mut [Self], usize), _: (usize, usize)) -> bool {
        false
    }
}

impl Leaf for Complex<f32> {}
impl Leaf for Complex<f64> {}

macro_rules! leaf {
    ($type:ident) => {
        impl Leaf for $type {
            fn substitute(
                a: MatRef<'_, Self>,
                kind: (Triangle, Diagonal),
                b: &mut MatMut<'_, Self>,
            ) -> bool {
                shells::substitute::<Self>((a, kind), b);
                true
            }

            fn factor_rows(
                items: (&mut [Self], usize),
                rows: Range<usize>,
                columns: Range<usize>,
                known: usize,
            ) -> Option<Result<(), usize>> {
                Some(shells::factor_rows::<Self>(items, (rows, columns, known)))
            }

            fn eliminate(items: &mut [Self], len: usize, exchanges: &mut [usize]) -> bool {
                shells::eliminate::<Self>((items, len), exchanges);
                true
            }

            fn turn(
                source: (&[Self], usize),
                (target, step): (&mut [Self], usize),
                size: (usize, usize),
            ) -> bool {
                shells::turn::<Self>(source, (target, step, size));
                true
            }
        }
    };
}

leaf!(f32);
leaf!(f64);

/// Numbers side by side.
///
/// # Safety
/// Of every method: the machine has the instructions of the type. Those with pointers need as many items there as
/// the register has, or as many as are counted, which are at most that.
unsafe trait Register: Copy {
    type Item: Float;
    const LANES: usize;

    unsafe fn splat(value: Self::Item) -> Self;
    unsafe fn load(from: *const Self::Item) -> Self;
    unsafe fn store(self, to: *mut Self::Item);
    unsafe fn load_some(from: *const Self::Item, count: usize) -> Self;
    unsafe fn store_some(self, to: *mut Self::Item, count: usize);
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self - a * b`, rounded as the machine does.
    unsafe fn less_product(self, a: Self, b: Self) -> Self;
    /// The larger of `self` and the absolute value of `other`, `self` where that is NaN.
    unsafe fn max_abs(self, other: Self) -> Self;
    /// Copies a square of as many lines as lanes, its columns becoming rows.
    unsafe fn turn(from: (*const Self::Item, usize), to: (*mut Self::Item, usize));
    /// A bit for each lane whose absolute value is that of `other`.
    unsafe fn equal_abs(self, other: Self) -> u32;
}

/// Items that can be in any register at most.
const LANES_MAX: usize = 8;

/// The numbers of a register, and whatever above them.
#[inline(always)]
unsafe fn spill<V: Register>(value: V) -> [V::Item; LANES_MAX] {
    let mut items = [V::Item::default(); LANES_MAX];
    // SAFETY: a register has at most that many items.
    unsafe { value.store(items.as_mut_ptr()) };
    items
}

/// Registers for machines of any kind.
#[derive(Clone, Copy)]
struct Plain<T>([T; 4]);

// SAFETY: no instructions are asked for.
unsafe impl<T: Float> Register for Plain<T> {
    type Item = T;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: T) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller vouches for four items.
        Self(unsafe { from.cast::<[T; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller vouches for four items.
        unsafe { to.cast::<[T; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_some(from: *const T, count: usize) -> Self {
        let mut items = [T::default(); 4];
        for (i, item) in items.iter_mut().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` items.
            *item = unsafe { *from.add(i) };
        }
        Self(items)
    }
    #[inline(always)]
    unsafe fn store_some(self, to: *mut T, count: usize) {
        for (i, item) in self.0.into_iter().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` items.
            unsafe { *to.add(i) = item };
        }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] / other.0[i]))
    }
    #[inline(always)]
    unsafe fn less_product(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] - a.0[i] * b.0[i]))
    }
    #[inline(always)]
    unsafe fn max_abs(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| {
            let size = other.0[i].abs();
            if size > self.0[i] { size } else { self.0[i] }
        }))
    }
    #[inline(always)]
    unsafe fn turn((from, from_step): (*const T, usize), (to, to_step): (*mut T, usize)) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: the caller vouches for four lines of four items.
                unsafe { *to.add(i * to_step + j) = *from.add(j * from_step + i) };
            }
        }
    }
    #[inline(always)]
    unsafe fn equal_abs(self, other: Self) -> u32 {
        let equal = |i: &usize| self.0[*i].abs() == other.0[*i].abs();
        (0..4).filter(equal).fold(0, |bits, i| bits | 1 << i)
    }
}

/// Types with registers.
trait Registers: Float {
    #[cfg(target_arch = "x86_64")]
    type Wide: Register<Item = Self>;
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f32 {}
#[cfg(not(target_arch = "x86_64"))]
impl Registers for f64 {}

/// Rows up to which products are rounded before they are taken away, as [`tiny`](super::tiny) does.
const TINY: usize = 4;

/// The leaves with the registers of the machine, or with those of any where the condition holds.
mod shells {
    use super::{Diagonal, Isa, MatMut, MatRef, Plain, Range, Registers, TINY, Triangle};

    macro_rules! shell {
        ($name:ident($from:ident: $from_type:ty, $to:ident: $to_type:ty) -> $output:ty = $module:ident::$algorithm:ident, $plain:expr) => {
            #[inline]
            pub(super) fn $name<T: Registers>($from: $from_type, $to: $to_type) -> $output {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx2,fma")]
                fn shell<T: Registers>($from: $from_type, $to: $to_type) -> $output {
                    // SAFETY: this function has the instructions of the registers.
                    unsafe { super::$module::$algorithm::<T::Wide>($from, $to) }
                }
                #[cfg(target_arch = "x86_64")]
                if !$plain && Isa::detect() != Isa::portable() {
                    // SAFETY: every set but the portable one has avx2 and fma.
                    return unsafe { shell::<T>($from, $to) };
                }
                // SAFETY: the registers need no instructions.
                unsafe { super::$module::$algorithm::<Plain<T>>($from, $to) }
            }
        };
    }

    shell!(substitute(a: (MatRef<'_, T>, (Triangle, Diagonal)), b: &mut MatMut<'_, T>) -> () = rows::substitute, a.0.shape().0 <= TINY);
    shell!(factor_rows(items: (&mut [T], usize), place: (Range<usize>, Range<usize>, usize)) -> Result<(), usize> = rows::factor, false);
    shell!(turn(source: (&[T], usize), target: (&mut [T], usize, (usize, usize))) -> () = squares::turn, false);
    shell!(eliminate(items: (&mut [T], usize), exchanges: &mut [usize]) -> () = columns::eliminate, items.1 <= TINY);
}
