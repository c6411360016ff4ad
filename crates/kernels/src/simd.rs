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
        // SAFETY: an `Isa` of these levels exists only where `Isa::named` saw avx2, fma and f16c.
        Level::Avx2 | Level::Avx512 => unsafe { x86::run_avx2(kernel) },
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

    /// Eight lanes in an AVX register.
    #[derive(Clone, Copy)]
    pub(crate) struct F32x8(__m256);

    // SAFETY of every block below: `F32x8` is named only by `run_avx2`, whose callers checked that
    // the machine has avx2 and fma; memory is reached through slices whose length is asserted.
    impl Lanes for F32x8 {
        const COUNT: usize = 8;

        #[inline(always)]
        fn splat(value: f32) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_set1_ps(value) })
        }
        #[inline(always)]
        fn load(from: &[f32]) -> Self {
            assert!(from.len() == 8);
            // SAFETY: see above; eight items are readable and alignment is not needed.
            Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        fn store(self, to: &mut [f32]) {
            assert!(to.len() == 8);
            // SAFETY: see above; eight items are writable and alignment is not needed.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_add_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_sub_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_mul_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_div_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_max_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_min_ps(self.0, other.0) })
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, term: Self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, term.0) })
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
}
