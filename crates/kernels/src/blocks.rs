//! Weights in blocks of 32 with a scale each, as GGML lays them out (`ggml-common.h`: `block_q8_0`,
//! `block_q4_0`), times a vector.

mod simd;

use crate::Isa;
use half::f16;

/// The items of a block.
pub const BLOCK_LEN: usize = 32;

/// A layout of blocks. An item is a whole number times the block's scale, an `f16` that stands before them in
/// little-endian order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockFormat {
    /// 34 bytes: 32 numbers of 8 bits.
    Q8_0,
    /// 18 bytes: 32 numbers of 4 bits, less 8; byte `i` holds number `i` in its low and `i + 16` in its high
    /// bits.
    Q4_0,
}

impl BlockFormat {
    /// The bytes of a block.
    pub const fn block_size(self) -> usize {
        match self {
            Self::Q8_0 => 2 + BLOCK_LEN,
            Self::Q4_0 => 2 + BLOCK_LEN / 2,
        }
    }

    /// The largest number that [`quantize_block`] writes.
    const fn most(self) -> f32 {
        match self {
            Self::Q8_0 => 127.0,
            Self::Q4_0 => 7.0,
        }
    }
}

/// Writes a block of up to [`BLOCK_LEN`] finite items; missing ones are zeros. Returns false, and an arbitrary
/// block, where the scale is more than an `f16` holds.
///
/// No item is further from what is written than half of the scale. The scale is the smallest `f16` by which the
/// largest item becomes at most 127, or 7.
///
/// # Panics
/// When `block` has not the format's size, or `items` has more than a block's.
pub fn quantize_block(format: BlockFormat, items: &[f32], block: &mut [u8]) -> bool {
    assert_eq!(block.len(), format.block_size(), "bytes of a block");
    assert!(items.len() <= BLOCK_LEN, "items of a block");
    let largest = items
        .iter()
        .fold(0.0_f32, |most, item| most.max(item.abs()));
    let mut scale = f16::from_f32(largest / format.most());
    if scale.to_f32() * format.most() < largest {
        scale = f16::from_bits(scale.to_bits() + 1);
    }
    let (head, numbers) = block.split_at_mut(2);
    head.copy_from_slice(&scale.to_le_bytes());
    let scale = scale.to_f32();
    let number = |i: usize| match items.get(i) {
        Some(item) if scale > 0.0 => libm::rintf(item / scale) as i8,
        _ => 0,
    };
    match format {
        BlockFormat::Q8_0 => (0..)
            .zip(numbers)
            .for_each(|(i, byte)| *byte = number(i) as u8),
        BlockFormat::Q4_0 => {
            for (i, byte) in (0..).zip(numbers) {
                let [low, high] = [i, i + BLOCK_LEN / 2].map(|i| (number(i) + 8) as u8);
                *byte = high << 4 | low;
            }
        }
    }
    scale.is_finite()
}

/// The items of a block.
///
/// # Panics
/// When `block` has not the format's size.
pub fn dequantize_block(format: BlockFormat, block: &[u8]) -> [f32; BLOCK_LEN] {
    assert_eq!(block.len(), format.block_size(), "bytes of a block");
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    let mut items = [0.0; BLOCK_LEN];
    let numbers = &block[2..];
    match format {
        BlockFormat::Q8_0 => {
            for (item, &number) in items.iter_mut().zip(numbers) {
                *item = f32::from(number as i8) * scale;
            }
        }
        BlockFormat::Q4_0 => {
            let (low, high) = items.split_at_mut(BLOCK_LEN / 2);
            for ((low, high), &byte) in low.iter_mut().zip(high).zip(numbers) {
                *low = f32::from((byte & 15) as i8 - 8) * scale;
                *high = f32::from((byte >> 4) as i8 - 8) * scale;
            }
        }
    }
    items
}

/// Blocks of a [`VectorGroup`].
const GROUP: usize = 4;

/// Four blocks of a vector, as [`block_dots`] takes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct VectorGroup {
    scales: [f32; GROUP],
    /// The sums of each block's numbers.
    sums: [i32; GROUP],
    numbers: [[i8; BLOCK_LEN]; GROUP],
}

impl VectorGroup {
    /// The most items of a group.
    pub const LEN: usize = GROUP * BLOCK_LEN;

    /// The group of up to [`LEN`](Self::LEN) items; missing ones are zeros.
    ///
    /// No item is further from what is kept than half of its block's scale, a 127th of the block's largest item,
    /// as far as `f32` has such small numbers. NaN and infinities make the scale NaN.
    ///
    /// # Panics
    /// When there are more items.
    pub fn new(items: &[f32]) -> Self {
        assert!(items.len() <= Self::LEN, "items of a group");
        let mut group = Self::default();
        for (i, items) in items.chunks(BLOCK_LEN).enumerate() {
            let largest = items
                .iter()
                .fold(0.0_f32, |most, item| most.max(item.abs()));
            // Zero, or NaN.
            let doubt = items.iter().fold(0.0_f32, |sum, item| sum + item * 0.0);
            group.scales[i] = largest / 127.0 + doubt;
            let factor = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            for (number, item) in group.numbers[i].iter_mut().zip(items) {
                // Adding 1.5 * 2^23 leaves no bits for a fraction. The factor may be infinite: numbers saturate.
                let rounded = (item * factor + 12_582_912.0) - 12_582_912.0;
                *number = (rounded as i32).clamp(-127, 127) as i8;
            }
            group.sums[i] = group.numbers[i]
                .iter()
                .map(|&number| i32::from(number))
                .sum();
        }
        group
    }
}

/// Writes the dot products of rows of `count` blocks with `vector`: each block's in whole numbers, exactly, and
/// their sum in `f32`, in an order that depends on the number of blocks alone.
///
/// # Panics
/// When `rows` does not hold as many blocks for each item of `out`, or `vector` has not as many.
pub fn block_dots(
    isa: Isa,
    format: BlockFormat,
    (rows, count): (&[u8], usize),
    vector: &[VectorGroup],
    out: &mut [f32],
) {
    let row = count * format.block_size();
    assert_eq!(rows.len(), row * out.len(), "bytes of the rows");
    assert_eq!(vector.len(), count.div_ceil(GROUP), "groups of the vector");
    if row == 0 {
        return out.fill(0.0);
    }
    simd::dots(isa, format, (rows, row), vector, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMATS: [BlockFormat; 2] = [BlockFormat::Q8_0, BlockFormat::Q4_0];

    /// Every number of the format with every sign of the vector's, as a block of raw bytes.
    fn block(format: BlockFormat, seed: u8) -> Vec<u8> {
        let numbers = (0..format.block_size() as u8 - 2).map(|i| i.wrapping_mul(37) ^ seed);
        f16::from_f32(0.25)
            .to_le_bytes()
            .into_iter()
            .chain(numbers)
            .collect()
    }

    #[test]
    fn dots_of_blocks_are_exact_at_the_ends_of_the_ranges() {
        for format in FORMATS {
            for count in [1_u8, 2, 3, 4, 5, 9] {
                let mut row: Vec<u8> = (0..count)
                    .flat_map(|i| block(format, i.wrapping_mul(71)))
                    .collect();
                row[2] = 0x80;
                row[3] = 0x80;
                let x: Vec<f32> = (0..i32::from(count) * 32)
                    .map(|i| {
                        if i < 2 || i % 32 == 31 {
                            -127.0
                        } else {
                            ((i * 29) % 255 - 127) as f32
                        }
                    })
                    .collect();
                let vector: Vec<_> = x.chunks(128).map(VectorGroup::new).collect();
                let exact: f32 = row
                    .chunks(format.block_size())
                    .zip(x.chunks(32))
                    .map(|(block, x)| {
                        let items = dequantize_block(format, block);
                        items.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()
                    })
                    .sum();
                for isa in Isa::all() {
                    let mut out = [f32::NAN; 2];
                    block_dots(
                        isa,
                        format,
                        (&row.repeat(2), count.into()),
                        &vector,
                        &mut out,
                    );
                    assert_eq!(
                        out,
                        [exact; 2],
                        "{format:?}, {count} blocks, {}",
                        isa.name()
                    );
                }
            }
        }
    }

    #[test]
    fn a_block_of_nothing_is_zeros_and_a_scale_beyond_f16_is_refused() {
        for format in FORMATS {
            let mut block = vec![7; format.block_size()];
            assert!(quantize_block(format, &[], &mut block));
            assert_eq!(dequantize_block(format, &block), [0.0; 32]);
            assert!(!quantize_block(format, &[1e8], &mut block));
        }
    }

    #[test]
    fn nan_and_infinity_in_the_vector_make_its_product_nan() {
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let vector = [VectorGroup::new(&[1.0, x, 2.0])];
            for isa in Isa::all() {
                let mut out = [0.0];
                block_dots(
                    isa,
                    BlockFormat::Q8_0,
                    (&block(BlockFormat::Q8_0, 1), 1),
                    &vector,
                    &mut out,
                );
                assert!(out[0].is_nan());
            }
        }
    }

    proptest! {
        #[test]
        fn no_item_moves_by_more_than_half_a_scale(
            items in proptest::collection::vec(-1.0_f32..1.0, 0..=32),
            size in -40_i32..20,
        ) {
            let items: Vec<f32> = items.iter().map(|x| x * 2.0_f32.powi(size)).collect();
            for format in FORMATS {
                let mut block = vec![0; format.block_size()];
                prop_assume!(quantize_block(format, &items, &mut block));
                let scale = f16::from_le_bytes([block[0], block[1]]).to_f64();
                for (old, new) in items.iter().zip(dequantize_block(format, &block)) {
                    let moved = (f64::from(*old) - f64::from(new)).abs();
                    prop_assert!(moved <= scale * 0.500_001, "{old} became {new} with scale {scale}");
                }
            }
            let vector = VectorGroup::new(&items);
            for (old, new) in items.iter().zip(vector.numbers[0]) {
                let moved = (f64::from(*old) - f64::from(new) * f64::from(vector.scales[0])).abs();
                prop_assert!(moved <= f64::from(vector.scales[0]) * 0.500_01);
            }
        }
    }
}
