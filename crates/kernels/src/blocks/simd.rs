//! Dot products of rows of blocks with a vector.

#[cfg(target_arch = "x86_64")]
use super::GROUP;
use super::{BlockFormat, VectorGroup, dequantize_block};
use crate::isa::{Isa, Level};

/// Each row has `size` bytes: as many blocks as `vector`, less some of the last group.
pub(super) fn dots(
    isa: Isa,
    format: BlockFormat,
    (rows, size): (&[u8], usize),
    vector: &[VectorGroup],
    out: &mut [f32],
) {
    match (isa.0, format) {
        (Level::Portable, _) => {
            for (out, row) in out.iter_mut().zip(rows.chunks_exact(size)) {
                *out = portable(format, row, vector);
            }
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of these levels exists only where `Isa::named` saw avx2, fma and f16c.
        (Level::Avx2 | Level::Avx512, BlockFormat::Q8_0) => unsafe {
            x86::q8_0((rows, size), vector, out);
        },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Level::Avx2 | Level::Avx512, BlockFormat::Q4_0) => unsafe {
            x86::q4_0((rows, size), vector, out);
        },
    }
}

fn portable(format: BlockFormat, row: &[u8], vector: &[VectorGroup]) -> f32 {
    let blocks = row.chunks_exact(format.block_size());
    let numbers = vector
        .iter()
        .flat_map(|group| group.scales.iter().zip(&group.numbers));
    blocks
        .zip(numbers)
        .map(|(block, (scale, numbers))| {
            let items = dequantize_block(format, block);
            let products = items.iter().zip(numbers).map(|(w, &x)| w * f32::from(x));
            products.sum::<f32>() * scale
        })
        .sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BlockFormat, GROUP, VectorGroup};
    #[allow(
        clippy::wildcard_imports,
        reason = "the intrinsics of one instruction set"
    )]
    use core::arch::x86_64::*;

    // SAFETY of all unsafe code: these functions run where the machine has the instructions, and the caller checked
    // that the rows have the blocks of the vector.

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn q8_0(rows: (&[u8], usize), vector: &[VectorGroup], out: &mut [f32]) {
        // SAFETY: as of all.
        unsafe { dots::<Q8>(rows, vector, out) }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn q4_0(rows: (&[u8], usize), vector: &[VectorGroup], out: &mut [f32]) {
        // SAFETY: as of all.
        unsafe { dots::<Q4>(rows, vector, out) }
    }

    /// How a block is multiplied.
    trait Block {
        const SIZE: usize;

        /// Eight sums that together are the dot product of the block's numbers with those of the vector, which
        /// add up to `sum`.
        ///
        /// # Safety
        /// The numbers of a block, and as many of the vector, are readable.
        unsafe fn dot(block: *const u8, vector: *const i8, sum: i32) -> __m256i;
    }

    struct Q8;

    impl Block for Q8 {
        const SIZE: usize = BlockFormat::Q8_0.block_size();

        // The sign of each weight goes to the number of the vector, which is at least -127: no sum of two
        // products is more than `2 * 128 * 127`, which 16 bits hold.
        #[inline(always)]
        unsafe fn dot(block: *const u8, vector: *const i8, _sum: i32) -> __m256i {
            // SAFETY: as of all.
            unsafe {
                let (w, x) = (
                    _mm256_loadu_si256(block.cast()),
                    _mm256_loadu_si256(vector.cast()),
                );
                let sums = _mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(x, w));
                _mm256_madd_epi16(sums, _mm256_set1_epi16(1))
            }
        }
    }

    struct Q4;

    impl Block for Q4 {
        const SIZE: usize = BlockFormat::Q4_0.block_size();

        // The 8 that is to be taken from each weight is taken from eight sums, each less the vector's.
        #[inline(always)]
        unsafe fn dot(block: *const u8, vector: *const i8, sum: i32) -> __m256i {
            // SAFETY: as of all.
            unsafe {
                let (bytes, x) = (
                    _mm_loadu_si128(block.cast()),
                    _mm256_loadu_si256(vector.cast()),
                );
                let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
                let w = _mm256_and_si256(both, _mm256_set1_epi8(15));
                let sums = _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
                _mm256_sub_epi32(sums, _mm256_set1_epi32(sum))
            }
        }
    }

    /// # Safety
    /// As of all.
    #[inline(always)]
    unsafe fn dots<B: Block>(
        (rows, size): (&[u8], usize),
        vector: &[VectorGroup],
        out: &mut [f32],
    ) {
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(size)) {
            // SAFETY: as of all.
            *out = unsafe { dot::<B>(row, vector) };
        }
    }

    /// Bytes that are asked for before they are used.
    const AHEAD: usize = 2048;

    /// Adds up the first blocks of all groups, the second ones and so on, and these sums in the end.
    ///
    /// # Safety
    /// As of all.
    #[inline(always)]
    unsafe fn dot<B: Block>(row: &[u8], vector: &[VectorGroup]) -> f32 {
        let whole = row.len() / (GROUP * B::SIZE);
        // SAFETY: as of all; what is asked for ahead may lie anywhere.
        unsafe {
            let mut sums = [_mm256_setzero_ps(); GROUP];
            for (group, x) in vector.iter().enumerate().take(whole) {
                let first = row.as_ptr().add(group * GROUP * B::SIZE);
                for line in (0..GROUP * B::SIZE).step_by(64) {
                    _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(AHEAD + line).cast());
                }
                add::<B, GROUP>(&mut sums, first, x);
            }
            if let Some(x) = vector.get(whole) {
                let first = row.as_ptr().add(whole * GROUP * B::SIZE);
                match row.len() / B::SIZE % GROUP {
                    1 => add::<B, 1>(&mut sums, first, x),
                    2 => add::<B, 2>(&mut sums, first, x),
                    _ => add::<B, 3>(&mut sums, first, x),
                }
            }
            let [a, b, c, d] = sums;
            let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
            let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
            let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
            _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)))
        }
    }

    /// Adds each of the first `COUNT` blocks of a group to its sum.
    ///
    /// # Safety
    /// As of all, and the blocks are readable.
    #[inline(always)]
    unsafe fn add<B: Block, const COUNT: usize>(
        sums: &mut [__m256; GROUP],
        first: *const u8,
        x: &VectorGroup,
    ) {
        let mut bits = [0_i16; GROUP];
        // SAFETY: as of all.
        unsafe {
            for (i, bits) in bits.iter_mut().enumerate().take(COUNT) {
                *bits = first.add(i * B::SIZE).cast::<i16>().read_unaligned();
            }
            let scales = _mm_setr_epi16(bits[0], bits[1], bits[2], bits[3], 0, 0, 0, 0);
            let scales = _mm_mul_ps(_mm_cvtph_ps(scales), _mm_loadu_ps(x.scales.as_ptr()));
            let scales = _mm256_set_m128(scales, scales);
            let scales = [
                _mm256_permute_ps::<0x00>(scales),
                _mm256_permute_ps::<0x55>(scales),
                _mm256_permute_ps::<0xAA>(scales),
                _mm256_permute_ps::<0xFF>(scales),
            ];
            for (i, (sum, scale)) in sums.iter_mut().zip(scales).enumerate().take(COUNT) {
                let numbers = B::dot(first.add(i * B::SIZE + 2), x.numbers[i].as_ptr(), x.sums[i]);
                *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(numbers), scale, *sum);
            }
        }
    }
}
