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
    fn bits(mask: Self::Mask) -> u16;
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
    fn bits(mask: bool) -> u16 {
        u16::from(mask)
    }
}

/// How many matrices the instructions work on side by side.
#[inline]
pub(super) fn width<T>(isa: Isa) -> usize {
    let bytes = if isa.name() == "avx512" { 64 } else { 32 };
    bytes / size_of::<T>()
}

/// Functions of matrices side by side, with the registers of the instructions; `None` where these have none.
macro_rules! shells {
    ($($name:ident[$($size:ident),*]($($item:ident: $type:ty),*) -> $output:ty = $($algorithm:ident)::+;)*) => {$(
        #[inline]
        pub(super) fn $name<'a, T: Registers, $(const $size: usize),*>(
            isa: Isa,
            get: &impl Fn(usize) -> MatRef<'a, T>,
            $($item: $type),*
        ) -> Option<$output> {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn narrow<'a, T: Registers, $(const $size: usize),*>(
                get: &impl Fn(usize) -> MatRef<'a, T>,
                $($item: $type),*
            ) -> $output {
                super::$($algorithm)::+::<T::Narrow, $($size),*>(get, $($item),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            fn wide<'a, T: Registers, $(const $size: usize),*>(
                get: &impl Fn(usize) -> MatRef<'a, T>,
                $($item: $type),*
            ) -> $output {
                super::$($algorithm)::+::<T::Wide, $($size),*>(get, $($item),*)
            }
            match isa.name() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the set of this name has avx2.
                "avx2" => Some(unsafe { narrow::<T, $($size),*>(get, $($item),*) }),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the set of this name has avx512f.
                "avx512" => Some(unsafe { wide::<T, $($size),*>(get, $($item),*) }),
                _ => None,
            }
        }
    )*};
}

shells! {
    det[N](result: &mut [T]) -> () = det_side_by_side;
    solve[N, M](b: &mut [T]) -> Wrong = solve_side_by_side;
    inv[N](result: &mut [T]) -> Wrong = inv_side_by_side;
    factor[N](result: &mut [T]) -> Wrong = factor_side_by_side;
    eigh[N](values: &mut [T], vectors: &mut [T]) -> Wrong = jacobi::eigh_side_by_side;
    qr[N, SIZE](shape: Shape, q: &mut [T], r: &mut [T]) -> Wrong = orthogonal::qr_side_by_side;
    svd[N](values: &mut [T], u: &mut [T], v: &mut [T]) -> Wrong = singular::svd_side_by_side;
}

/// [`singular::svd_one`](super::singular::svd_one) with the registers of the machine along columns.
#[inline]
pub(super) fn svd_one<T: Registers, const N: usize>(
    a: MatRef<'_, T>,
    values: &mut [T],
    vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn shell<T: Registers, const N: usize>(
        a: MatRef<'_, T>,
        values: &mut [T],
        vectors: Option<(MatMut<'_, T>, MatMut<'_, T>)>,
    ) -> bool {
        super::singular::svd_one::<T, N>(a, values, vectors)
    }
    #[cfg(target_arch = "x86_64")]
    if Isa::detect() != Isa::portable() {
        // SAFETY: every set but the portable one has avx2.
        return unsafe { shell::<T, N>(a, values, vectors) };
    }
    super::singular::svd_one::<T, N>(a, values, vectors)
}

/// Products of square matrices, one after the other, with the roundings of products in blocks; `None` where the
/// instructions round in another way.
#[inline]
pub(super) fn multiply<'a, T: Registers, const N: usize>(
    isa: Isa,
    a: &impl Fn(usize) -> MatRef<'a, T>,
    b: &impl Fn(usize) -> MatRef<'a, T>,
    result: &mut [T],
) -> Option<()> {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn shell<'a, T: Registers, const N: usize>(
        a: &impl Fn(usize) -> MatRef<'a, T>,
        b: &impl Fn(usize) -> MatRef<'a, T>,
        result: &mut [T],
    ) {
        super::multiply::<T, N>(a, b, result);
    }
    #[cfg(target_arch = "x86_64")]
    if isa != Isa::portable() {
        // SAFETY: every set but the portable one has avx2 and fma.
        unsafe { shell::<T, N>(a, b, result) };
        return Some(());
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

/// Types with registers.
pub(super) trait Registers: Float {
    /// A register of 32 bytes.
    type Narrow: Vector<Item = Self>;
    /// A register of 64 bytes.
    type Wide: Vector<Item = Self>;
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f64 {
    type Narrow = One<f64>;
    type Wide = One<f64>;
}

#[cfg(not(target_arch = "x86_64"))]
impl Registers for f32 {
    type Narrow = One<f32>;
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

    /// Eight numbers in an AVX-512 register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct F64x8(__m512d);

    /// Sixteen numbers in an AVX-512 register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct F32x16(__m512);

    impl Registers for f64 {
        type Narrow = F64x4;
        type Wide = F64x8;
    }

    impl Registers for f32 {
        type Narrow = F32x8;
        type Wide = F32x16;
    }

    /// The methods of a register; `$lane` are the numbers of its lanes, the last one first.
    macro_rules! vector {
        (
            $vector:ident, $item:ty, $mask:ty, $count:literal, [$($lane:literal),*],
            $set:ident, $set1:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $sqrt:ident,
            $cmp:ident, |$x:ident| $abs:expr, |$bits:ident| $movemask:expr, |$yes:ident, $no:ident| $blend:expr
        ) => {
            // SAFETY of every block below: the shells alone name these types, on a machine that has their instructions; the store writes at most as many numbers as the array has.
            impl Vector for $vector {
                type Item = $item;
                type Mask = $mask;
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
                    let $x = self.0;
                    // SAFETY: see above.
                    Self(unsafe { $abs })
                }
                #[inline(always)]
                fn sqrt(self) -> Self {
                    // SAFETY: see above.
                    Self(unsafe { $sqrt(self.0) })
                }
                #[inline(always)]
                fn greater(a: Self, b: Self) -> $mask {
                    // SAFETY: see above.
                    unsafe { $cmp::<_CMP_GT_OQ>(a.0, b.0) }
                }
                #[inline(always)]
                fn equal(a: Self, b: Self) -> $mask {
                    // SAFETY: see above.
                    unsafe { $cmp::<_CMP_EQ_OQ>(a.0, b.0) }
                }
                #[inline(always)]
                fn select($bits: $mask, yes: Self, no: Self) -> Self {
                    let ($yes, $no) = (yes.0, no.0);
                    // SAFETY: see above.
                    Self(unsafe { $blend })
                }
                #[inline(always)]
                fn bits($bits: $mask) -> u16 {
                    // SAFETY: see above.
                    unsafe { $movemask }
                }
            }
        };
    }

    vector!(
        F64x4,
        f64,
        __m256d,
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
        _mm256_cmp_pd,
        |x| _mm256_andnot_pd(_mm256_set1_pd(-0.0), x),
        |mask| _mm256_movemask_pd(mask) as u16,
        |yes, no| _mm256_blendv_pd(no, yes, mask)
    );
    vector!(
        F32x8,
        f32,
        __m256,
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
        _mm256_cmp_ps,
        |x| _mm256_andnot_ps(_mm256_set1_ps(-0.0), x),
        |mask| _mm256_movemask_ps(mask) as u16,
        |yes, no| _mm256_blendv_ps(no, yes, mask)
    );
    vector!(
        F64x8,
        f64,
        __mmask8,
        8,
        [7, 6, 5, 4, 3, 2, 1, 0],
        _mm512_set_pd,
        _mm512_set1_pd,
        _mm512_storeu_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_div_pd,
        _mm512_sqrt_pd,
        _mm512_cmp_pd_mask,
        |x| _mm512_abs_pd(x),
        |mask| _cvtmask16_u32(u16::from(mask)) as u16,
        |yes, no| _mm512_mask_blend_pd(mask, no, yes)
    );
    vector!(
        F32x16,
        f32,
        __mmask16,
        16,
        [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
        _mm512_set_ps,
        _mm512_set1_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_div_ps,
        _mm512_sqrt_ps,
        _mm512_cmp_ps_mask,
        |x| _mm512_abs_ps(x),
        |mask| _cvtmask16_u32(mask) as u16,
        |yes, no| _mm512_mask_blend_ps(mask, no, yes)
    );
}
