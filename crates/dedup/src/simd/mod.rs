//! The least value of each function of the fast family, with AVX2 where the machine has it; the
//! affine family has its kernel here too.

#[cfg(target_arch = "x86_64")]
pub(crate) mod affine;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_affine.rs"]
pub(crate) mod affine;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod sieve;

/// Functions that are handled together; the table of multipliers is padded to it.
const TILE: usize = 56;

/// The odd multipliers of the functions.
#[derive(Clone, Debug)]
pub(crate) struct Fast {
    multipliers: Vec<u32>,
    len: usize,
    use_avx2: bool,
}

impl Fast {
    pub(crate) fn new(len: usize) -> Self {
        let mut random = SplitMix64(0);
        // The padding is drawn too, so that a longer signature begins like a shorter one.
        let multipliers = (0..len.next_multiple_of(TILE))
            .map(|_| (random.next() >> 32) as u32 | 1)
            .collect();
        Self {
            multipliers,
            len,
            use_avx2: has_avx2(),
        }
    }

    /// The least value of each function over the hashes, of which there is at least one.
    pub(crate) fn minima(&self, hashes: &[u64]) -> Vec<u64> {
        let mut minima = vec![u32::MAX; self.multipliers.len()];
        let tiles = self.multipliers.as_chunks::<TILE>().0;
        for (multipliers, minima) in tiles.iter().zip(minima.as_chunks_mut::<TILE>().0) {
            self.tile(multipliers, hashes, minima);
        }
        minima.truncate(self.len);
        minima.into_iter().map(u64::from).collect()
    }

    #[cfg(target_arch = "x86_64")]
    fn tile(&self, multipliers: &[u32; TILE], hashes: &[u64], minima: &mut [u32; TILE]) {
        if self.use_avx2 {
            // SAFETY: `use_avx2` is only set where the machine has AVX2.
            unsafe { avx2::tile(multipliers, hashes, minima) }
        } else {
            portable(multipliers, hashes, minima);
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn tile(&self, multipliers: &[u32; TILE], hashes: &[u64], minima: &mut [u32; TILE]) {
        let _ = self.use_avx2;
        portable(multipliers, hashes, minima);
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

fn portable(multipliers: &[u32; TILE], hashes: &[u64], minima: &mut [u32; TILE]) {
    for &hash in hashes {
        let (low, high) = (hash as u32, (hash >> 32) as u32);
        for (least, multiplier) in minima.iter_mut().zip(multipliers) {
            *least = (*least).min(multiplier.wrapping_mul(low).wrapping_add(high));
        }
    }
}

/// Steele, Lea, Flood 2014.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_paths_give_the_same_bits(
            hashes in proptest::collection::vec(any::<u64>(), 1..40),
            len in 1usize..200,
        ) {
            let fast = Fast::new(len);
            let slow = Fast { use_avx2: false, ..fast.clone() };
            prop_assert_eq!(fast.minima(&hashes), slow.minima(&hashes));
        }
    }

    #[test]
    fn values_are_those_of_version_1() {
        // By hand: the first multiplier is the upper half of SplitMix64's 0xE220A8397B1DCDAF.
        let minima = Fast::new(1).minima(&[0x0000_0003_0000_0002]);
        assert_eq!(
            minima,
            [u64::from(0xE220_A839_u32.wrapping_mul(2).wrapping_add(3))]
        );
    }

    #[test]
    fn a_longer_signature_begins_like_a_shorter_one() {
        let hashes = [1, u64::MAX, 0x1234_5678_9ABC_DEF0];
        let (short, long) = (
            Fast::new(56).minima(&hashes),
            Fast::new(112).minima(&hashes),
        );
        assert_eq!(short, long[..56]);
    }
}
