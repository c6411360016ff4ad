//! The per-instruction-set shells: register types and the one place that enters them.

use crate::isa::{Isa, Level};
use crate::lanes::{Lanes, Portable};

/// A generic algorithm, ready to run on any register type.
///
/// `run` is marked `#[inline(always)]` by every implementor, so that its body is compiled with the
/// instructions of the shell that calls it.
pub(crate) trait Kernel {
    /// What the algorithm returns.
    type Output;

    /// Runs the algorithm.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Runs `kernel` with the registers of `isa`.
#[inline]
pub(crate) fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    match isa.0 {
        Level::Portable => kernel.run::<Portable>(),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only where `Isa::named` saw avx2, fma and f16c.
        Level::Avx2 => unsafe { x86::run_avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this level exists only where `Isa::named` saw avx512f, and what `Avx2` has.
        Level::Avx512 => unsafe { x86::run_avx512(kernel) },
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Lanes};
    #[allow(
        clippy::wildcard_imports,
        reason = "the intrinsics of one instruction set"
    )]
    use core::arch::x86_64::*;

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<F32x8>()
    }

    #[target_feature(enable = "avx2,fma,avx512f")]
    pub(super) fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<F32x16>()
    }

    /// Eight lanes in an AVX register.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x8(__m256);

    /// Sixteen lanes in an AVX-512 register.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x16(__m512);

    /// What both registers say with instructions of the same form.
    macro_rules! same {
        (
            $lanes:literal, $set1:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident,
            $div:ident, $max:ident, $min:ident, $fmadd:ident
        ) => {
            const COUNT: usize = $lanes;

            #[inline(always)]
            fn splat(value: f32) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $set1(value) })
            }
            #[inline(always)]
            fn load(from: &[f32]) -> Self {
                assert!(from.len() == Self::COUNT);
                // SAFETY: see the implementation; so many items are readable, and alignment is not needed.
                Self(unsafe { $load(from.as_ptr()) })
            }
            #[inline(always)]
            fn store(self, to: &mut [f32]) {
                assert!(to.len() == Self::COUNT);
                // SAFETY: see the implementation; so many items are writable, and alignment is not needed.
                unsafe { $store(to.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $div(self.0, other.0) })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $max(self.0, other.0) })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $min(self.0, other.0) })
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                // SAFETY: see the implementation.
                Self(unsafe { $fmadd(self.0, factor.0, term.0) })
            }
        };
    }

    // SAFETY of every block below: `F32x8` is named only by `run_avx2`, whose callers checked that
    // the machine has avx2 and fma; memory is reached through slices whose length is asserted.
    impl Lanes for F32x8 {
        same! {
            8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps,
            _mm256_div_ps, _mm256_max_ps, _mm256_min_ps, _mm256_fmadd_ps
        }

        #[inline(always)]
        fn exp2_whole(self) -> Self {
            // SAFETY: see above.
            Self(unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            })
        }
        #[inline(always)]
        fn reduce_add(self) -> f32 {
            let mut lanes = [0.0; 8];
            self.store(&mut lanes);
            lanes.reduce_add()
        }
        #[inline(always)]
        fn reduce_max(self) -> f32 {
            let mut lanes = [0.0; 8];
            self.store(&mut lanes);
            lanes.reduce_max()
        }
    }

    #[inline(always)]
    fn first(count: usize) -> __mmask16 {
        assert!(count <= F32x16::COUNT);
        ((1_u32 << count) - 1) as __mmask16
    }

    // SAFETY of every block below: `F32x16` is named only by `run_avx512`, whose callers checked that
    // the machine has avx512f; memory is reached through slices, of which the mask has no more items.
    impl Lanes for F32x16 {
        same! {
            16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps,
            _mm512_div_ps, _mm512_max_ps, _mm512_min_ps, _mm512_fmadd_ps
        }

        #[inline(always)]
        fn load_some(from: &[f32], pad: f32) -> Self {
            // SAFETY: see above.
            Self(unsafe {
                _mm512_mask_loadu_ps(_mm512_set1_ps(pad), first(from.len()), from.as_ptr())
            })
        }
        #[inline(always)]
        fn store_some(self, to: &mut [f32]) {
            // SAFETY: see above.
            unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), first(to.len()), self.0) }
        }
        #[inline(always)]
        fn exp2_whole(self) -> Self {
            // SAFETY: see above.
            Self(unsafe {
                let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
                _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
            })
        }
        #[inline(always)]
        fn reduce_add(self) -> f32 {
            // SAFETY: see above.
            unsafe { _mm512_reduce_add_ps(self.0) }
        }
        #[inline(always)]
        fn reduce_max(self) -> f32 {
            // SAFETY: see above.
            unsafe { _mm512_reduce_max_ps(self.0) }
        }
    }
}
