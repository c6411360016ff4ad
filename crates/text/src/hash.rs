//! Hash tables that are used again for the next document, and a hash of words that is made by
//! concatenation.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::LazyLock;

/// An open-addressing table of 32-bit values by 64-bit hash; equal hashes may differ in what they
/// stand for, so the caller compares. Clearing it costs nothing.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    generation: u32,
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    value: u32,
    generation: u32,
}

impl Table {
    /// Empties the table and makes room for `len` values.
    pub(crate) fn reset(&mut self, len: usize) {
        let size = (2 * len).next_power_of_two().max(64);
        if self.slots.len() < size || self.generation == u32::MAX {
            self.slots = vec![Slot::default(); size.max(self.slots.len())];
            self.generation = 0;
        }
        self.generation += 1;
        self.len = size;
    }

    /// The value with this hash of which `is_same` is true, or `value`, which is stored then.
    #[inline]
    pub(crate) fn get_or_insert(
        &mut self,
        hash: u64,
        value: u32,
        is_same: impl Fn(u32) -> bool,
    ) -> u32 {
        let mask = self.len - 1;
        let mut at = spread(hash) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.generation != self.generation {
                *slot = Slot {
                    hash,
                    value,
                    generation: self.generation,
                };
                return value;
            }
            if slot.hash == hash && is_same(slot.value) {
                return slot.value;
            }
            at = (at + 1) & mask;
        }
    }
}

#[inline]
fn spread(hash: u64) -> u64 {
    let product = u128::from(hash) * 0x9E37_79B9_7F4A_7C15;
    (product >> 64) as u64 ^ product as u64
}

/// A map of texts that are known beforehand, with a short hash.
pub(crate) type TextMap<V> = HashMap<Box<str>, V, BuildHasherDefault<Fold>>;

/// A hash that multiplies and folds eight bytes at a time. Its keys are tables of this crate, so it
/// need not withstand chosen ones.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fold(u64);

impl Hasher for Fold {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = spread(self.0.rotate_left(23) ^ u64::from_le_bytes(word));
        }
    }

    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.0 = spread(self.0.rotate_left(23) ^ u64::from(value));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The modulus of the polynomial hash, a Mersenne prime.
const PRIME: u64 = (1 << 61) - 1;

/// Powers of the base that are at hand.
const POWERS: usize = 256;

/// Random in each process, so that no document can be made to collide; no verdict depends on it.
static BASE: LazyLock<[u64; POWERS]> = LazyLock::new(|| {
    let base = RandomState::new().hash_one(0) % (PRIME - 512) + 257;
    let mut powers = [1; POWERS];
    for at in 1..POWERS {
        powers[at] = multiply(powers[at - 1], base);
    }
    powers
});

/// A polynomial over bytes modulo 2^61-1 (Karp and Rabin 1987): the hash of a concatenation is
/// made from the hashes of its parts.
#[derive(Clone, Copy)]
pub(crate) struct Polynomial {
    powers: &'static [u64; POWERS],
}

impl Polynomial {
    pub(crate) fn get() -> Self {
        Self { powers: &BASE }
    }

    /// The hash of the text of `hash` with `bytes` behind it.
    #[inline]
    pub(crate) fn extend(self, mut hash: u64, bytes: &[u8]) -> u64 {
        let power = self.powers;
        let chunks = bytes.chunks_exact(4);
        let rest = chunks.remainder();
        for chunk in chunks {
            let [a, b, c, d] =
                [chunk[0], chunk[1], chunk[2], chunk[3]].map(|byte| u128::from(byte) + 1);
            let sum = u128::from(hash) * u128::from(power[4])
                + a * u128::from(power[3])
                + b * u128::from(power[2])
                + c * u128::from(power[1])
                + d;
            hash = reduce(sum);
        }
        for &byte in rest {
            hash = reduce(u128::from(hash) * u128::from(power[1]) + u128::from(byte) + 1);
        }
        hash
    }

    /// The hash of the last `size` bytes of a text whose hash is `whole`, when what stands before
    /// them has the hash `front`.
    #[inline]
    pub(crate) fn tail(self, whole: u64, front: u64, size: usize) -> u64 {
        let product = multiply(front, self.power(size));
        if whole >= product {
            whole - product
        } else {
            whole + PRIME - product
        }
    }

    #[inline]
    fn power(self, exponent: usize) -> u64 {
        if let Some(&power) = self.powers.get(exponent) {
            return power;
        }
        // Square and multiply, for the rare long word.
        let root = self.power(exponent / 2);
        multiply(multiply(root, root), self.powers[exponent % 2])
    }
}

#[inline]
fn multiply(a: u64, b: u64) -> u64 {
    reduce(u128::from(a) * u128::from(b))
}

#[inline]
fn reduce(product: u128) -> u64 {
    let folded = (product as u64 & PRIME) + (product >> 61) as u64;
    let folded = (folded & PRIME) + (folded >> 61);
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
        fn the_hash_of_a_tail_is_the_hash_of_its_bytes(
            front in proptest::collection::vec(any::<u8>(), 0..700),
            back in proptest::collection::vec(any::<u8>(), 0..700),
        ) {
            let hash = Polynomial::get();
            let first = hash.extend(0, &front);
            let whole = hash.extend(first, &back);
            prop_assert_eq!(hash.tail(whole, first, back.len()), hash.extend(0, &back));
        }
    }
}
