//! Ranks of pairs of tokens in an open-addressing table of 16 bytes a slot.

use super::merge::NONE;
use super::vocab::fold;

const FREE: u64 = u64::MAX;

/// What each pair merges into.
#[derive(Debug)]
pub(crate) struct Pairs {
    /// Both ids, and rank and id of the merged token.
    slots: Vec<(u64, u64)>,
}

impl Pairs {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            slots: vec![(FREE, NONE); (count * 2).next_power_of_two().max(16)],
        }
    }

    /// Adds a pair; the last of equal ones wins. There are at most `count` of them.
    pub(crate) fn put(&mut self, left: u32, right: u32, rank: u32, merged: u32) {
        let slot = self.slot(left, right);
        self.slots[slot] = (key(left, right), (rank as u64) << 32 | merged as u64);
    }

    /// Rank (upper half) and merged token of a pair, or `NONE`.
    #[inline]
    pub(crate) fn get(&self, left: u32, right: u32) -> u64 {
        self.slots[self.slot(left, right)].1
    }

    #[inline]
    fn slot(&self, left: u32, right: u32) -> usize {
        let mask = self.slots.len() - 1;
        let key = key(left, right);
        let mut at = fold(key ^ 0x9E37_79B9_7F4A_7C15) as usize & mask;
        while self.slots[at].0 != key && self.slots[at].0 != FREE {
            at = (at + 1) & mask;
        }
        at
    }
}

fn key(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}
