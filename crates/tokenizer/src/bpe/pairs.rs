//! Ranks of pairs of tokens in an open-addressing table of 16 bytes a slot.

use super::merge::NONE;
use super::vocab::fold;
use crate::raw::Table;

const FREE: u64 = u64::MAX;

/// Ids below stand in a table of their own: the tokens of single bytes, by which each merge begins.
const SMALL: usize = 256;

/// Bits of the filter for each pair.
const FILTER_BITS: usize = 16;

/// What each pair merges into.
#[derive(Debug)]
pub(crate) struct Pairs {
    /// Both ids, and rank and id of the merged token.
    slots: Table<(u64, u64)>,
    /// What two small ids merge into.
    small: Box<[u64]>,
    /// A bit for each hash of a pair: most pairs are none, and their slots need not be fetched.
    filter: Vec<u64>,
}

impl Pairs {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            slots: Table::new((count * 2).next_power_of_two().max(16), (FREE, NONE)),
            small: vec![NONE; SMALL * SMALL].into(),
            filter: vec![0; (count * FILTER_BITS / 64).next_power_of_two()],
        }
    }

    /// Adds a pair; the last of equal ones wins. There are at most `count` of them.
    pub(crate) fn put(&mut self, left: u32, right: u32, rank: u32, merged: u32) {
        let value = (rank as u64) << 32 | merged as u64;
        if let Some(small) = small(left, right) {
            self.small[small] = value;
            return;
        }
        let hash = hash(left, right);
        let (word, bit) = self.bit(hash);
        self.filter[word] |= 1 << bit;
        let slot = self.slot(left, right, hash);
        self.slots[slot] = (key(left, right), value);
    }

    /// Rank (upper half) and merged token of a pair, or `NONE`.
    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> u64 {
        if let Some(small) = small(left, right) {
            return self.small[small];
        }
        let hash = hash(left, right);
        let (word, bit) = self.bit(hash);
        if self.filter[word] >> bit & 1 == 0 {
            return NONE;
        }
        self.slots[self.slot(left, right, hash)].1
    }

    #[inline]
    fn bit(&self, hash: u64) -> (usize, u32) {
        let word = (hash >> 38) as usize & (self.filter.len() - 1);
        (word, (hash >> 32) as u32 % 64)
    }

    #[inline]
    fn slot(&self, left: u32, right: u32, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let key = key(left, right);
        let mut at = hash as usize & mask;
        while self.slots[at].0 != key && self.slots[at].0 != FREE {
            at = (at + 1) & mask;
        }
        at
    }
}

/// The place of two small ids.
#[inline]
fn small(left: u32, right: u32) -> Option<usize> {
    let (left, right) = (left as usize, right as usize);
    (left < SMALL && right < SMALL).then_some(left * SMALL + right)
}

#[inline]
fn hash(left: u32, right: u32) -> u64 {
    fold(key(left, right) ^ 0x9E37_79B9_7F4A_7C15)
}

fn key(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}
