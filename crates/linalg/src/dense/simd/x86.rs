//! Registers of AVX.

use super::{Register, Registers};
#[allow(
    clippy::wildcard_imports,
    reason = "the intrinsics of one instruction set"
)]
use core::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(super) struct F64x4(__m256d);

#[derive(Clone, Copy)]
pub(super) struct F32x8(__m256);

impl Registers for f64 {
    type Wide = F64x4;
}

impl Registers for f32 {
    type Wide = F32x8;
}

#[inline(always)]
unsafe fn some_of_four(count: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let lanes = _mm256_setr_epi64x(0, 1, 2, 3);
        _mm256_cmpgt_epi64(_mm256_set1_epi64x(count as i64), lanes)
    }
}

#[inline(always)]
unsafe fn some_of_eight(count: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
    }
}

#[inline(always)]
unsafe fn turn_four([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
    // SAFETY: the caller has AVX2.
    unsafe {
        let (even, odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (even_last, odd_last) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        [
            _mm256_permute2f128_pd::<0x20>(even, even_last),
            _mm256_permute2f128_pd::<0x20>(odd, odd_last),
            _mm256_permute2f128_pd::<0x31>(even, even_last),
            _mm256_permute2f128_pd::<0x31>(odd, odd_last),
        ]
    }
}

#[inline(always)]
unsafe fn turn_eight(lines: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller has AVX2.
    unsafe {
        // Pairs of items of two lines, then of four, within halves of a register.
        let pair = |i: usize| {
            let (a, b) = (lines[i], lines[i + 1]);
            (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
        };
        let four = |i: usize| {
            let ((low, high), (low_last, high_last)) = (pair(i), pair(i + 2));
            [
                _mm256_shuffle_ps::<0x44>(low, low_last),
                _mm256_shuffle_ps::<0xEE>(low, low_last),
                _mm256_shuffle_ps::<0x44>(high, high_last),
                _mm256_shuffle_ps::<0xEE>(high, high_last),
            ]
        };
        let (top, bottom) = (four(0), four(4));
        std::array::from_fn(|i| {
            if i < 4 {
                _mm256_permute2f128_ps::<0x20>(top[i], bottom[i])
            } else {
                _mm256_permute2f128_ps::<0x31>(top[i - 4], bottom[i - 4])
            }
        })
    }
}

macro_rules! register {
    (
        $register:ident, $item:ty, $lanes:literal, $some:ident, $set1:ident, $load:ident, $store:ident,
        $maskload:ident, $maskstore:ident, $mul:ident, $div:ident, $fnmadd:ident, $max:ident, $andnot:ident,
        $cmp:ident, $movemask:ident, $turn:ident
    ) => {
        // SAFETY of every block below: callers have AVX2 and FMA, and vouch for the items.
        unsafe impl Register for $register {
            type Item = $item;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn splat(value: $item) -> Self {
                // SAFETY: see above.
                Self(unsafe { $set1(value) })
            }
            #[inline(always)]
            unsafe fn load(from: *const $item) -> Self {
                // SAFETY: see above.
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $item) {
                // SAFETY: see above.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn load_some(from: *const $item, count: usize) -> Self {
                // SAFETY: see above; what the mask leaves out is not read.
                Self(unsafe { $maskload(from, $some(count)) })
            }
            #[inline(always)]
            unsafe fn store_some(self, to: *mut $item, count: usize) {
                // SAFETY: see above; what the mask leaves out is not written.
                unsafe { $maskstore(to, $some(count), self.0) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn div(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $div(self.0, other.0) })
            }
            #[inline(always)]
            unsafe fn less_product(self, a: Self, b: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $fnmadd(a.0, b.0, self.0) })
            }
            #[inline(always)]
            unsafe fn max_abs(self, other: Self) -> Self {
                // SAFETY: see above; the instruction gives its second operand where one is NaN.
                Self(unsafe { $max($andnot($set1(-0.0), other.0), self.0) })
            }
            #[inline(always)]
            unsafe fn turn(
                (from, step): (*const $item, usize),
                (to, to_step): (*mut $item, usize),
            ) {
                // SAFETY: see above; the caller vouches for the squares.
                unsafe {
                    let lines = std::array::from_fn(|i| $load(from.add(i * step)));
                    for (i, line) in $turn(lines).into_iter().enumerate() {
                        $store(to.add(i * to_step), line);
                    }
                }
            }
            #[inline(always)]
            unsafe fn equal_abs(self, other: Self) -> u32 {
                // SAFETY: see above.
                unsafe {
                    let sign = $set1(-0.0);
                    let (a, b) = ($andnot(sign, self.0), $andnot(sign, other.0));
                    $movemask($cmp::<_CMP_EQ_OQ>(a, b)) as u32
                }
            }
        }
    };
}

register!(
    F64x4,
    f64,
    4,
    some_of_four,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_maskload_pd,
    _mm256_maskstore_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fnmadd_pd,
    _mm256_max_pd,
    _mm256_andnot_pd,
    _mm256_cmp_pd,
    _mm256_movemask_pd,
    turn_four
);
register!(
    F32x8,
    f32,
    8,
    some_of_eight,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_maskload_ps,
    _mm256_maskstore_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fnmadd_ps,
    _mm256_max_ps,
    _mm256_andnot_ps,
    _mm256_cmp_ps,
    _mm256_movemask_ps,
    turn_eight
);
