//! The affine family modulo the Mersenne prime p = 2^61 - 1 (Carter, Wegman 1979), true to the prime:
//! value `i` is the least `(a[i] * (x mod p) + b[i]) mod p`, `a` and `b` from `SplitMix64`.

use crate::simd::{self, SplitMix64};

pub(crate) const PRIME: u64 = (1 << 61) - 1;

/// Functions that are handled together; the tables are padded to it.
pub(crate) const TILE: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Affine {
    a: Vec<u64>,
    b: Vec<u64>,
    len: usize,
    use_avx2: bool,
}

impl Affine {
    /// `a[0] = 1 + next mod (p - 1)`, `b[0] = next mod p`, `a[1] = ..`, and so on.
    pub(crate) fn new(seed: u64, len: usize) -> Self {
        let mut random = SplitMix64(seed);
        let padded = len.next_multiple_of(TILE);
        let (mut a, mut b) = (Vec::with_capacity(padded), Vec::with_capacity(padded));
        for _ in 0..padded {
            a.push(1 + random.next() % (PRIME - 1));
            b.push(random.next() % PRIME);
        }
        let use_avx2 = simd::has_avx2();
        Self {
            a,
            b,
            len,
            use_avx2,
        }
    }

    /// The least value of each function over the hashes, of which there is at least one. The hashes
    /// are reduced modulo the prime.
    pub(crate) fn minima(&self, hashes: &mut [u64]) -> Vec<u64> {
        for hash in hashes.iter_mut() {
            *hash = reduce(*hash);
        }
        let mut minima = vec![PRIME; self.a.len()];
        let tiles = self.a.as_chunks().0.iter().zip(self.b.as_chunks().0);
        for ((a, b), least) in tiles.zip(minima.as_chunks_mut().0) {
            self.tile(a, b, hashes, least);
        }
        minima.truncate(self.len);
        minima
    }

    #[cfg(target_arch = "x86_64")]
    fn tile(&self, a: &[u64; TILE], b: &[u64; TILE], hashes: &[u64], least: &mut [u64; TILE]) {
        if self.use_avx2 {
            // SAFETY: `use_avx2` is only set where the machine has AVX2.
            unsafe { simd::avx2::affine(a, b, hashes, least) }
        } else {
            portable(a, b, hashes, least);
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn tile(&self, a: &[u64; TILE], b: &[u64; TILE], hashes: &[u64], least: &mut [u64; TILE]) {
        let _ = self.use_avx2;
        portable(a, b, hashes, least);
    }
}

fn portable(a: &[u64; TILE], b: &[u64; TILE], hashes: &[u64], least: &mut [u64; TILE]) {
    for ((&a, &b), least) in a.iter().zip(b).zip(least) {
        for &hash in hashes {
            let product = u128::from(a) * u128::from(hash);
            // 2^61 is 1 modulo the prime.
            let sum = (product as u64 & PRIME) + (product >> 61) as u64 + b;
            *least = (*least).min(reduce(sum));
        }
    }
}

/// Modulo the prime.
fn reduce(value: u64) -> u64 {
    let folded = (value & PRIME) + (value >> 61);
    if folded >= PRIME {
        folded - PRIME
    } else {
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_paths_give_the_definition(
            hashes in proptest::collection::vec(
                prop_oneof![any::<u64>(), Just(PRIME), Just(PRIME - 1), Just(u64::MAX), 0u64..3],
                1..40,
            ),
            seed: u64,
            len in 1usize..30,
        ) {
            let fast = Affine::new(seed, len);
            let slow = Affine { use_avx2: false, ..fast.clone() };
            let expected: Vec<u64> = (0..len).map(|i| {
                let value = |&hash: &u64| {
                    let x = u128::from(hash) % u128::from(PRIME);
                    ((u128::from(fast.a[i]) * x + u128::from(fast.b[i])) % u128::from(PRIME)) as u64
                };
                hashes.iter().map(value).min().unwrap()
            }).collect();
            prop_assert_eq!(fast.minima(&mut hashes.clone()), &expected[..]);
            prop_assert_eq!(slow.minima(&mut hashes.clone()), expected);
        }
    }

    #[test]
    fn the_largest_factors_do_not_overflow() {
        let most = Affine {
            a: vec![PRIME - 1; TILE],
            b: vec![PRIME - 1; TILE],
            len: TILE,
            use_avx2: simd::has_avx2(),
        };
        // (p - 1)(p - 1) + p - 1 = 1 - 1 modulo p.
        assert_eq!(most.minima(&mut [PRIME - 1]), [0; TILE]);
    }

    #[test]
    fn factors_are_those_of_split_mix_64() {
        // The first outputs of splitmix64.c for the state 1.
        let affine = Affine::new(1, 1);
        assert_eq!(affine.a[0], 1 + 0x910A_2DEC_8902_5CC1_u64 % (PRIME - 1));
        assert_eq!(affine.b[0], 0xBEEB_8DA1_658E_EC67_u64 % PRIME);
    }
}
