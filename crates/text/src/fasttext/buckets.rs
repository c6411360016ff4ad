//! From the hash of an n-gram to its bucket, and from the bucket to its row where few are left.

use super::reader::Reader;
use crate::error::Error;

/// The remainder by a number that is the same each time, for 32 bits by two multiplications (Lemire,
/// Kaser, Kurz 2019, <https://arxiv.org/abs/1902.01961>).
pub(super) struct Modulus {
    divisor: u32,
    inverse: u64,
}

impl Modulus {
    pub(super) fn new(divisor: u32) -> Self {
        Self {
            divisor,
            inverse: (u64::MAX / u64::from(divisor.max(1))).wrapping_add(1),
        }
    }

    #[inline]
    pub(super) fn of(&self, number: u64) -> u32 {
        let Ok(number) = u32::try_from(number) else {
            return (number % u64::from(self.divisor)) as u32;
        };
        let fraction = self.inverse.wrapping_mul(u64::from(number));
        ((u128::from(fraction) * u128::from(self.divisor)) >> 64) as u32
    }
}

/// A table of buckets, and before it a sparse set of bits: nearly all n-grams are not there, and the
/// bits, which fit into a cache, say so.
pub(super) struct Pruned {
    bits: Vec<u64>,
    /// Bucket and row; a free slot has [`FREE`] for its bucket. At most half of the slots is taken.
    slots: Vec<(u32, u32)>,
    /// One more than the greatest row.
    pub(super) rows: usize,
}

const FREE: u32 = u32::MAX;
/// Bits for each bucket that is there.
const BITS_EACH: usize = 32;

impl Pruned {
    pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Self, Error> {
        let pairs = reader.bytes(count.saturating_mul(8), "the n-grams")?;
        let (pairs, _) = pairs.as_chunks::<8>();
        let size = (2 * count).next_power_of_two();
        let mut table = Self {
            bits: vec![0; (size * BITS_EACH / 2).div_ceil(64)],
            slots: vec![(FREE, 0); size],
            rows: 0,
        };
        for &[a, b, c, d, e, f, g, h] in pairs {
            let (bucket, row) = (
                u32::from_le_bytes([a, b, c, d]),
                u32::from_le_bytes([e, f, g, h]),
            );
            if bucket > i32::MAX as u32 || row > i32::MAX as u32 {
                return Err(Error::corrupt(format!(
                    "cannot read a fastText model: n-gram {bucket} is in row {row}"
                )));
            }
            table.rows = table.rows.max(row as usize + 1);
            let spread = spread(bucket);
            let bit = table.bit(spread);
            table.bits[bit / 64] |= 1 << (bit % 64);
            let slot = table.slot(bucket, spread);
            table.slots[slot] = (bucket, row);
        }
        Ok(table)
    }

    #[inline]
    pub(super) fn may_have(&self, bucket: u32) -> bool {
        let bit = self.bit(spread(bucket));
        self.bits[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[inline]
    pub(super) fn row(&self, bucket: u32) -> Option<u32> {
        let (found, row) = self.slots[self.slot(bucket, spread(bucket))];
        (found == bucket).then_some(row)
    }

    #[inline]
    fn bit(&self, spread: u64) -> usize {
        (spread >> 32) as usize & (64 * self.bits.len() - 1)
    }

    /// The slot of a bucket, or the free one where it would be.
    fn slot(&self, bucket: u32, spread: u64) -> usize {
        let mut slot = (spread >> 32) as usize & (self.slots.len() - 1);
        while self.slots[slot].0 != bucket && self.slots[slot].0 != FREE {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }
}

fn spread(bucket: u32) -> u64 {
    u64::from(bucket).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn remainders_are_those_of_division(number: u64, short: u32, divisor in 1..=u32::MAX) {
            let modulus = Modulus::new(divisor);
            for number in [number, u64::from(short), u64::from(u32::MAX), 0] {
                prop_assert_eq!(u64::from(modulus.of(number)), number % u64::from(divisor));
            }
        }
    }

    #[test]
    fn remainders_by_one_are_zero() {
        assert_eq!(Modulus::new(1).of(5), 0);
    }
}
