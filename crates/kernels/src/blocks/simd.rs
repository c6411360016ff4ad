//! Dot products of rows of blocks.

use super::{BLOCK_LEN, BlockFormat, VectorBlock, dequantize_block};
use crate::isa::{Isa, Level};

/// `rows` are the bytes of all rows, and how many one has.
pub(super) fn dots(
    isa: Isa,
    format: BlockFormat,
    (rows, row): (&[u8], usize),
    vector: &[VectorBlock],
    out: &mut [f32],
) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(row)) {
        *out = match (isa.0, format) {
            (Level::Portable, _) => portable(format, row, vector),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: an `Isa` of these levels exists only where `Isa::named` saw avx2, fma and f16c.
            (Level::Avx2 | Level::Avx512, BlockFormat::Q8_0) => unsafe { x86::q8_0(row, vector) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            (Level::Avx2 | Level::Avx512, BlockFormat::Q4_0) => unsafe { x86::q4_0(row, vector) },
        };
    }
}

fn portable(format: BlockFormat, row: &[u8], vector: &[VectorBlock]) -> f32 {
    let blocks = row.chunks_exact(format.block_size());
    blocks
        .zip(vector)
        .map(|(block, x)| {
            let items = dequantize_block(format, block);
            let products = (0..BLOCK_LEN).map(|i| items[i] * f32::from(x.numbers[i]));
            products.sum::<f32>() * x.scale
        })
        .sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK_LEN, BlockFormat, VectorBlock};
    #[allow(
        clippy::wildcard_imports,
        reason = "the intrinsics of one instruction set"
    )]
    use core::arch::x86_64::*;

    /// Sums under way, so that the next addition need not wait for the last.
    const SUMS: usize = 4;

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn q8_0(row: &[u8], vector: &[VectorBlock]) -> f32 {
        dot(row, vector, BlockFormat::Q8_0.block_size(), q8_0_block)
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn q4_0(row: &[u8], vector: &[VectorBlock]) -> f32 {
        dot(row, vector, BlockFormat::Q4_0.block_size(), q4_0_block)
    }

    /// Adds up blocks in turn to some sums, and these in the end.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    fn dot(
        row: &[u8],
        vector: &[VectorBlock],
        size: usize,
        block_dot: unsafe fn(&[u8], &VectorBlock) -> __m256i,
    ) -> f32 {
        let mut sums = [_mm256_setzero_ps(); SUMS];
        let rows = row.chunks(size * SUMS);
        for (blocks, vector) in rows.zip(vector.chunks(SUMS)) {
            for ((sum, block), x) in sums.iter_mut().zip(blocks.chunks_exact(size)).zip(vector) {
                let bits = i32::from(u16::from_le_bytes([block[0], block[1]]));
                let scale = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits))) * x.scale;
                // SAFETY: the machine has the instructions; that is all it asks for.
                let numbers = unsafe { block_dot(&block[2..], x) };
                *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(numbers), _mm256_set1_ps(scale), *sum);
            }
        }
        let [a, b, c, d] = sums;
        let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
        let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
        _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)))
    }

    /// Eight sums of four products. The sign of each weight goes to the number of the vector: no sum of two
    /// products is more than `2 * 128 * 127`, which 16 bits hold.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    fn q8_0_block(numbers: &[u8], x: &VectorBlock) -> __m256i {
        assert!(numbers.len() == BLOCK_LEN);
        // SAFETY: both have 32 bytes.
        let (w, x) = unsafe {
            (
                _mm256_loadu_si256(numbers.as_ptr().cast()),
                _mm256_loadu_si256(x.numbers.as_ptr().cast()),
            )
        };
        let sums = _mm256_maddubs_epi16(_mm256_sign_epi8(w, w), _mm256_sign_epi8(x, w));
        _mm256_madd_epi16(sums, _mm256_set1_epi16(1))
    }

    /// The same. The 8 that is to be taken from each weight is taken from the sums: eight sums, each less the
    /// sum of the vector's numbers.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    fn q4_0_block(numbers: &[u8], x: &VectorBlock) -> __m256i {
        assert!(numbers.len() == BLOCK_LEN / 2);
        // SAFETY: they have 16 and 32 bytes.
        let (bytes, numbers) = unsafe {
            (
                _mm_loadu_si128(numbers.as_ptr().cast()),
                _mm256_loadu_si256(x.numbers.as_ptr().cast()),
            )
        };
        let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
        let w = _mm256_and_si256(both, _mm256_set1_epi8(15));
        let sums = _mm256_madd_epi16(_mm256_maddubs_epi16(w, numbers), _mm256_set1_epi16(1));
        _mm256_sub_epi32(sums, _mm256_set1_epi32(x.sum))
    }
}
