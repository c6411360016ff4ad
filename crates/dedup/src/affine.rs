//! The affine family modulo the Mersenne prime p = 2^61 - 1 (Carter, Wegman 1979), true to the prime:
//! value `i` is the least `(a[i] * (x mod p) + b[i]) mod p`, `a` and `b` from `SplitMix64`.

use crate::simd::{self, SplitMix64};

pub(crate) const PRIME: u64 = (1 << 61) - 1;

/// Functions that an exact kernel handles together.
pub(crate) const TILE: usize = 8;

/// The tables are padded to a multiple of this.
const PADDING: usize = 16;

#[derive(Clone, Debug)]
pub(crate) struct Affine {
    a: Vec<u64>,
    b: Vec<u64>,
    len: usize,
    /// The quicker way, where the machine has AVX2.
    kernel: Option<simd::affine::Kernel>,
}

impl Affine {
    /// `a[0] = 1 + next mod (p - 1)`, `b[0] = next mod p`, `a[1] = ..`, and so on.
    pub(crate) fn new(seed: u64, len: usize) -> Self {
        let mut random = SplitMix64(seed);
        let padded = len.next_multiple_of(PADDING);
        let (mut a, mut b) = (Vec::with_capacity(padded), Vec::with_capacity(padded));
        for _ in 0..padded {
            a.push(1 + random.next() % (PRIME - 1));
            b.push(random.next() % PRIME);
        }
        Self::of(a, b, len)
    }

    fn of(a: Vec<u64>, b: Vec<u64>, len: usize) -> Self {
        Self {
            kernel: simd::affine::Kernel::new(&a, &b),
            a,
            b,
            len,
        }
    }

    /// The least value of each function over the hashes, of which there is at least one. The hashes
    /// are reduced modulo the prime.
    pub(crate) fn minima(&self, hashes: &mut [u64]) -> Vec<u64> {
        for hash in hashes.iter_mut() {
            *hash = reduce(*hash);
        }
        // The largest that a value can be.
        let mut minima = vec![PRIME - 1; self.a.len()];
        match &self.kernel {
            Some(kernel) => kernel.lower(&self.a, &self.b, hashes, &mut minima),
            None => self.lower_portably(hashes, &mut minima),
        }
        minima.truncate(self.len);
        minima
    }

    fn lower_portably(&self, hashes: &[u64], minima: &mut [u64]) {
        let tiles = self.a.as_chunks().0.iter().zip(self.b.as_chunks().0);
        for ((a, b), least) in tiles.zip(minima.as_chunks_mut().0) {
            portable(a, b, hashes, least);
        }
    }
}

fn portable(a: &[u64; TILE], b: &[u64; TILE], hashes: &[u64], least: &mut [u64; TILE]) {
    for ((&a, &b), least) in a.iter().zip(b).zip(least) {
        for &hash in hashes {
            *least = (*least).min(value(a, b, hash));
        }
    }
}

/// `(a * x + b) mod p` of numbers below the prime.
#[inline]
pub(crate) fn value(a: u64, b: u64, x: u64) -> u64 {
    let product = u128::from(a) * u128::from(x);
    // 2^61 is 1 modulo the prime.
    reduce((product as u64 & PRIME) + (product >> 61) as u64 + b)
}

/// Modulo the prime.
#[inline]
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

    fn check(affine: &Affine, hashes: &[u64]) {
        let expected: Vec<u64> = (0..affine.len)
            .map(|i| {
                let value = |&hash: &u64| {
                    let x = u128::from(hash) % u128::from(PRIME);
                    let value = u128::from(affine.a[i]) * x + u128::from(affine.b[i]);
                    (value % u128::from(PRIME)) as u64
                };
                hashes.iter().map(value).min().unwrap()
            })
            .collect();
        assert_eq!(affine.minima(&mut hashes.to_vec()), expected);
        let mut portable = vec![PRIME - 1; affine.a.len()];
        let reduced: Vec<_> = hashes.iter().map(|&hash| reduce(hash)).collect();
        affine.lower_portably(&reduced, &mut portable);
        assert_eq!(portable[..affine.len], expected);
    }

    proptest! {
        #[test]
        fn all_paths_give_the_definition(
            hashes in proptest::collection::vec(
                prop_oneof![
                    any::<u64>(), Just(PRIME), Just(PRIME - 1), Just(u64::MAX), 0u64..3,
                    (0u32..64).prop_map(|bit| 1 << bit),
                ],
                1..200,
            ),
            seed: u64,
            len in 1usize..40,
        ) {
            check(&Affine::new(seed, len), &hashes);
        }

        #[test]
        fn factors_at_the_ends_of_their_range_do_not_overflow(
            hashes in proptest::collection::vec(
                prop_oneof![any::<u64>(), Just(PRIME - 1), 0u64..9],
                1..100,
            ),
            factors in proptest::collection::vec(
                prop_oneof![1u64..9, PRIME - 9..PRIME, any::<u64>().prop_map(|a| 1 + a % (PRIME - 1))],
                PADDING,
            ),
            summands in proptest::collection::vec(
                prop_oneof![0u64..9, PRIME - 9..PRIME, any::<u64>().prop_map(|b| b % PRIME)],
                PADDING,
            ),
        ) {
            check(&Affine::of(factors, summands, PADDING), &hashes);
        }
    }

    #[test]
    fn what_lowers_a_minimum_late_is_found() {
        let affine = Affine::new(7, 112);
        let mut random = SplitMix64(9);
        let hashes: Vec<_> = (0..20_000).map(|_| random.next()).collect();
        check(&affine, &hashes);
    }

    #[test]
    fn factors_are_those_of_split_mix_64() {
        // The first outputs of splitmix64.c for the state 1.
        let affine = Affine::new(1, 1);
        assert_eq!(affine.a[0], 1 + 0x910A_2DEC_8902_5CC1_u64 % (PRIME - 1));
        assert_eq!(affine.b[0], 0xBEEB_8DA1_658E_EC67_u64 % PRIME);
    }
}
