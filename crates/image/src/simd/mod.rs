//! The two passes of a resize, with AVX2 where the machine has it.
//!
//! Sums are of integers, so that the order of additions does not matter and all paths agree.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;

use crate::kernel::{Kernel, PRECISION, Taps};

/// The instructions that passes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    Portable,
    /// Exists only where [`Isa::detect`] found it.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Isa {
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2;
        }
        Self::Portable
    }

    /// Source rows, which may go on behind their end, become rows of the target's width. `N` samples
    /// a pixel.
    pub(crate) fn across<const N: usize>(
        self,
        kernel: &Kernel,
        sources: &[&[u8]],
        target: &mut [u8],
    ) {
        match self {
            // SAFETY: `Avx2` is made only where the machine has it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 if N == 3 => unsafe { avx2::across(kernel, sources, target) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::across_any::<N>(kernel, sources, target) },
            Self::Portable => portable::across::<N>(kernel, sources, target),
        }
    }

    /// The weighted sum of rows, which are as long as the target.
    pub(crate) fn down(self, taps: Taps<'_>, rows: &[&[u8]], target: &mut [u8]) {
        match self {
            // SAFETY: `Avx2` is made only where the machine has it.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2::down(taps, rows, target) },
            Self::Portable => portable::down(taps, rows, target),
        }
    }
}

/// Half of the last bit that is kept, to round.
const HALF: i32 = 1 << (PRECISION - 1);

/// A rounded sum as a sample.
#[inline]
fn sample(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}
