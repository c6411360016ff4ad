//! Numbers of several matrices in the lanes of a register, and the shell that enables its instructions.

use super::orthogonal::Shape;
use super::{LANES, Wrong};
use crate::{Float, Isa, MatMut, MatRef};
use std::array::from_fn;

/// Numbers that are computed with side by side; each lane as its type computes.
pub(super) trait Vector: Copy {
    /// The type of the numbers.
    type Item: Float;
    /// Lanes in which something holds.
    type Mask: Copy;
    /// Something for each lane.
    type Each<X>;

    /// What `f` says of each lane.
    fn each<X>(f: impl Fn(usize) -> X) -> Self::Each<X>;
    /// The item at `index` of the slice of each lane.
    fn pick(from: &Self::Each<&[Self::Item]>, index: usize) -> Self;
    fn splat(value: Self::Item) -> Self;
    /// The numbers of the lanes, and zeros.
    fn lanes(self) -> [Self::Item; LANES];
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn greater(a: Self, b: Self) -> Self::Mask;
    fn equal(a: Self, b: Self) -> Self::Mask;
    /// `yes` in the lanes of the mask, `no` in the others.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// A bit for each lane.
    fn bits(mask: Self::Mask) -> u8;
}

/// One number.
#[derive(Clone, Copy)]
pub(super) struct One<T>(pub(super) T);

impl<T: Float> Vector for One<T> {
    type Item = T;
    type Mask = bool;
    type Each<X> = X;

    #[inline(always)]
    fn each<X>(f: impl Fn(usize) -> X) -> X {
        f(0)
    }
    #[inline(always)]
    fn pick(from: &&[T], index: usize) -> Self {
        Self(from[index])
    }
    #[inline(always)]
    fn splat(value: T) -> Self {
        Self(value)
    }
    #[inline(always)]
    fn lanes(self) -> [T; LANES] {
        from_fn(|lane| if lane == 0 { self.0 } else { T::default() })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(self.0 / other.0)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    #[inline(always)]
    fn greater(a: Self, b: Self) -> bool {
        a.0 > b.0
    }
    #[inline(always)]
    fn equal(a: Self, b: Self) -> bool {
        a.0 == b.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn bits(mask: bool) -> u8 {
        u8::from(mask)
    }
}

/// Bytes of a register.
pub(super) const WIDTH_BYTES: usize = 32;

/// Functions of matrices side by side, with the registers of the machine; `None` where it has none of them.
macro_rules! shells {
    ($($name:ident[$($size:ident),*]($items:ident) -> $output:ty = $algorithm:ident;)*) => {$(
        #[inline]
        pub(super) fn $name<'a, T: Registers, $(const $size: usize),*>(
            get: &impl Fn(usize) -> MatRef<'a, T>,
            $items: &mut [T],
        ) -> Option<$output> {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn shell<'a, T: Registers, $(const $size: usize),*>(
                get: &impl Fn(usize) -> MatRef<'a, T>,
                items: &mut [T],
            ) -> $output {
                super::$algorithm::<T::Wide, $($size),*>(get, items)
            }
            #[cfg(target_arch = "x86_64")]
            if Isa::detect() != Isa::portable() {
                // SAFETY: every set but the portable one has avx2.
                return Some(unsafe { shell::<T, $($size),*>(get, $items) });
            }
            None
        }
    )*};
}

shells! {
    det[N](result) -> () = det_side_by_side;
    solve[N, M](b) -> Wrong = solve_side_by_side;
    inv[N](result) -> Wrong = inv_side_by_side;
    factor[N](result) -> Wrong = factor_side_by_side;
}

/// [`jacobi::eigh_side_by_side`](super::jacobi::eigh_side_by_side) with the registers of the machine; `None` where
/// it has none of them.
#[inline]
pub(super) fn eigh<'a, T: Registers, const N: usize>(
    get: &impl Fn(usize) -> MatRef<'a, T>,
    values: &mut [T],
    vectors: &mut [T],
) -> Option<Wrong> {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn shell<'a, T: Registers, const N: usize>(
        get: &impl Fn(usize) -> MatRef<'a, T>,
        values: &mut [T],
        vectors: &mut [T],
    ) -> Wrong {
        super::jacobi::eigh_side_by_side::<T::Wide, N>(get, values, vectors)
    }
    #[cfg(target_arch = "x86_64")]
    if Isa::detect() != Isa::portable() {
        // SAFETY: every set but the portable one has avx2.
        return Some(unsafe { shell::<T, N>(get, values, vectors) });
    }
    None
}

/// [`orthogonal::qr_one`](super::orthogonal::qr_one) with the registers of the machine along rows.
#[inline]
pub(super) fn qr_one<T: Registers, const N: usize, const SIZE: usize>(
    a: MatRef<'_, T>,
    q: &mut MatMut<'_, T>,
    r: &mut MatMut<'_, T>,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn shell<T: Registers, const N: usize, const SIZE: usize>(
        a: MatRef<'_, T>,
        q: &mut MatMut<'_, T>,
        r: &mut MatMut<'_, T>,
    ) -> bool {
        super::orthogonal::qr_one::<T, N, SIZE>(a, q, r)
    }
    #[cfg(target_arch = "x86_64")]
    if Isa::detect() != Isa::portable() {
        // SAFETY: every set but the portable one has avx2.
        return unsafe { shell::<T, N, SIZE>(a, q, r) };
    }
    super::orthogonal::qr_one::<T, N, SIZE>(a, q, r)
}

/// [`orthogonal::qr_side_by_side`](super::orthogonal::qr_side_by_side) with the registers of the machine; `None`
/// where it has none of them.
#[inline]
pub(super) fn qr<'a, T: Registers, const N: usize, const SIZE: usize>(
    shape: Shape,
    get: &impl Fn(usize) -> MatRef<'a, T>,
    q: &mut [T],
    r: &mut [T],
) -> Option<Wrong> {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn shell<'a, T: Registers, const N: usize, const SIZE: usize>(
        shape: Shape,
        get: &impl Fn(usize) -> MatRef<'a, T>,
        q: &mut [T],
        r: &mut [T],
    ) -> Wrong {
        super::orthogonal::qr_side_by_side::<T::Wide, N, SIZE>(shape, get, q, r)
    }
    #[cfg(target_arch = "x86_64")]
    if Isa::detect() != Isa::portable() {
        // SAFETY: every set but the portable one has avx2.
        return Some(unsafe { shell::<T, N, SIZE>(shape, get, q, r) });
    }
    None
}

/// Types with registers.
pub(super) trait Registers: Float {
    /// The register.
    type Wide: Vector<Item = Self>;
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f64 {
    type Wide = One<f64>;
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f32 {
    type Wide = One<f32>;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LANES, Registers, Vector};
    #[allow(
        clippy::wildcard_imports,
        reason = "the intrinsics of one instruction set"
    )]
    use core::arch::x86_64::*;
    use std::array::from_fn;

    /// Four numbers in an AVX register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct F64x4(__m256d);

    /// Eight numbers in an AVX register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct F32x8(__m256);

    impl Registers for f64 {
        type Wide = F64x4;
    }

    impl Registers for f32 {
        type Wide = F32x8;
    }

    /// The methods of a register; `$lane` are the numbers of its lanes, the last one first.
    macro_rules! vector {
        (
            $vector:ident, $item:ty, $count:literal, [$($lane:literal),*],
            $set:ident, $set1:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $sqrt:ident,
            $andnot:ident, $cmp:ident, $blend:ident, $movemask:ident
        ) => {
            // SAFETY of every block below: the shells alone name these types, on a machine that has avx2; the store writes as many numbers as the array has.
            impl Vector for $vector {
                type Item = $item;
                type Mask = Self;
                type Each<X> = [X; $count];

                #[inline(always)]
                fn each<X>(f: impl Fn(usize) -> X) -> [X; $count] {
                    from_fn(f)
                }
                #[inline(always)]
                fn pick(from: &[&[$item]; $count], index: usize) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $set($(from[$lane][index]),*) })
                }
                #[inline(always)]
                fn splat(value: $item) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $set1(value) })
                }
                #[inline(always)]
                fn lanes(self) -> [$item; LANES] {
                    let mut items = [0.0; LANES];
                    // SAFETY: see above; a register has at most as many lanes as the array items.
                    unsafe { $store(items.as_mut_ptr(), self.0) };
                    items
                }
                #[inline(always)]
                fn add(self, other: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $add(self.0, other.0) })
                }
                #[inline(always)]
                fn sub(self, other: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $sub(self.0, other.0) })
                }
                #[inline(always)]
                fn mul(self, other: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $mul(self.0, other.0) })
                }
                #[inline(always)]
                fn div(self, other: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $div(self.0, other.0) })
                }
                #[inline(always)]
                fn abs(self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $andnot($set1(-0.0), self.0) })
                }
                #[inline(always)]
                fn sqrt(self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $sqrt(self.0) })
                }
                #[inline(always)]
                fn greater(a: Self, b: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $cmp::<_CMP_GT_OQ>(a.0, b.0) })
                }
                #[inline(always)]
                fn equal(a: Self, b: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $cmp::<_CMP_EQ_OQ>(a.0, b.0) })
                }
                #[inline(always)]
                fn select(mask: Self, yes: Self, no: Self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $blend(no.0, yes.0, mask.0) })
                }
                #[inline(always)]
                fn bits(mask: Self) -> u8 {
                    // SAFETY: see above.
                    unsafe { $movemask(mask.0) as u8 }
                }
            }
        };
    }

    vector!(
        F64x4,
        f64,
        4,
        [3, 2, 1, 0],
        _mm256_set_pd,
        _mm256_set1_pd,
        _mm256_storeu_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        _mm256_div_pd,
        _mm256_sqrt_pd,
        _mm256_andnot_pd,
        _mm256_cmp_pd,
        _mm256_blendv_pd,
        _mm256_movemask_pd
    );
    vector!(
        F32x8,
        f32,
        8,
        [7, 6, 5, 4, 3, 2, 1, 0],
        _mm256_set_ps,
        _mm256_set1_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        _mm256_div_ps,
        _mm256_sqrt_ps,
        _mm256_andnot_ps,
        _mm256_cmp_ps,
        _mm256_blendv_ps,
        _mm256_movemask_ps
    );
}
