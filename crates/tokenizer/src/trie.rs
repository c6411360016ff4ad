//! A double-array trie over bytes (Aoe, 1989): the longest key at the start of a text, one memory
//! access per byte.

use crate::Error;
use crate::limits::TRIE_SLOTS_MAX;

/// Marks a slot without a value and a slot without a parent.
const NONE: u32 = u32::MAX;

/// How many slots are looked at for a node's children before it gets fresh ones.
const WINDOW: usize = 256;

/// Byte strings with a 32-bit value each.
#[derive(Debug)]
pub(crate) struct Trie {
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The child for byte `b` is slot `base + b`, if that slot's `parent` is this slot.
    base: u32,
    parent: u32,
    value: u32,
}

const FREE: Slot = Slot {
    base: 0,
    parent: NONE,
    value: NONE,
};
const ROOT: u32 = 0;

impl Trie {
    /// Builds the trie of `keys`, of which the last of equal ones wins. Empty keys are left out.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = (&'a [u8], u32)>) -> Result<Self, Error> {
        let mut keys: Vec<_> = keys
            .into_iter()
            .filter(|(key, _)| !key.is_empty())
            .collect();
        keys.sort_by_key(|&(key, _)| key);
        let mut builder = Builder {
            slots: vec![FREE; 257],
            first_free: 1,
        };
        // Keys with a common prefix of `depth` bytes, and the slot of that prefix.
        let mut pending = vec![(ROOT, 0, 0..keys.len())];
        while let Some((slot, depth, range)) = pending.pop() {
            let mut at = range.start;
            while at < range.end && keys[at].0.len() == depth {
                builder.slots[slot as usize].value = keys[at].1;
                at += 1;
            }
            let mut children = Vec::new();
            while at < range.end {
                let byte = keys[at].0[depth];
                let end = at + keys[at..range.end].partition_point(|(key, _)| key[depth] == byte);
                children.push((byte, at..end));
                at = end;
            }
            if let Some(base) = builder.place(slot, &children)? {
                let children = children.into_iter();
                pending.extend(children.map(|(byte, keys)| (base + byte as u32, depth + 1, keys)));
            }
        }
        Ok(Self {
            slots: builder.slots,
        })
    }

    /// Gives the value and length of each key that `text` starts with, the shortest first.
    #[inline]
    pub(crate) fn prefixes(&self, text: &[u8], mut emit: impl FnMut(u32, usize)) {
        let mut slot = ROOT;
        for (at, &byte) in text.iter().enumerate() {
            let next = self.slots[slot as usize].base + byte as u32;
            match self.slots.get(next as usize) {
                Some(found) if found.parent == slot => {
                    slot = next;
                    if found.value != NONE {
                        emit(found.value, at + 1);
                    }
                }
                _ => break,
            }
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<u32> {
        let mut slot = ROOT;
        for &byte in key {
            let next = self.slots[slot as usize].base + byte as u32;
            self.slots
                .get(next as usize)
                .filter(|found| found.parent == slot)?;
            slot = next;
        }
        let value = self.slots[slot as usize].value;
        (value != NONE).then_some(value)
    }

    /// The value and length of the longest key that `text` starts with.
    #[inline]
    pub(crate) fn longest(&self, text: impl Iterator<Item = u8>) -> Option<(u32, usize)> {
        let mut slot = ROOT;
        let mut best = None;
        for (at, byte) in text.enumerate() {
            let next = self.slots[slot as usize].base + byte as u32;
            match self.slots.get(next as usize) {
                Some(found) if found.parent == slot => {
                    slot = next;
                    if found.value != NONE {
                        best = Some((found.value, at + 1));
                    }
                }
                _ => break,
            }
        }
        best
    }
}

struct Builder {
    slots: Vec<Slot>,
    first_free: usize,
}

impl Builder {
    /// Reserves slots for the children of `slot`; gives the base, or nothing when there are none.
    fn place<T>(&mut self, slot: u32, children: &[(u8, T)]) -> Result<Option<u32>, Error> {
        let Some(&(first, _)) = children.first() else {
            return Ok(None);
        };
        while self
            .slots
            .get(self.first_free)
            .is_some_and(|slot| slot.parent != NONE)
        {
            self.first_free += 1;
        }
        // Slot 0 is the root's, so a child's slot is at least 1.
        let lowest = self.first_free.max(first as usize + 1);
        let window = lowest..self.slots.len().min(lowest + WINDOW);
        let found = window
            .filter(|&at| self.slots[at].parent == NONE)
            .map(|at| at - first as usize)
            .find(|&base| {
                children
                    .iter()
                    .all(|(byte, _)| self.is_free(base + *byte as usize))
            });
        let base = found.unwrap_or_else(|| self.slots.len().max(lowest) - first as usize);
        if found.is_none() && self.slots.len() > lowest + WINDOW {
            // The window is too full to be worth another search.
            self.first_free += WINDOW / 8;
        }
        let end = base + children[children.len() - 1].0 as usize + 1;
        if end > TRIE_SLOTS_MAX {
            return Err(Error::limit(format!(
                "the vocabulary needs more than TRIE_SLOTS_MAX = {TRIE_SLOTS_MAX} slots"
            )));
        }
        self.slots.resize(end.max(self.slots.len()), FREE);
        self.slots[slot as usize].base = base as u32;
        for (byte, _) in children {
            self.slots[base + *byte as usize].parent = slot;
        }
        Ok(Some(base as u32))
    }

    fn is_free(&self, at: usize) -> bool {
        self.slots.get(at).is_none_or(|slot| slot.parent == NONE) && at != ROOT as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn longest_by_trial(keys: &HashMap<Vec<u8>, u32>, text: &[u8]) -> Option<(u32, usize)> {
        (1..=text.len())
            .rev()
            .find_map(|end| keys.get(&text[..end]).map(|&value| (value, end)))
    }

    proptest! {
        #[test]
        fn longest_equals_trying_every_prefix(
            keys in prop::collection::hash_map(prop::collection::vec(0u8..4, 1..6), 0u32..1000, 0..40),
            wild in prop::collection::hash_map(prop::collection::vec(any::<u8>(), 1..4), 0u32..1000, 0..40),
            text in prop::collection::vec(0u8..4, 0..12),
        ) {
            let mut keys = keys;
            keys.extend(wild);
            let trie = Trie::new(keys.iter().map(|(key, &value)| (key.as_slice(), value))).unwrap();
            prop_assert_eq!(trie.longest(text.iter().copied()), longest_by_trial(&keys, &text));
            let mut prefixes = Vec::new();
            trie.prefixes(&text, |value, size| prefixes.push((value, size)));
            let known = (1..=text.len()).filter_map(|end| Some((*keys.get(&text[..end])?, end)));
            prop_assert_eq!(prefixes, known.collect::<Vec<_>>());
            prop_assert_eq!(trie.get(&text), keys.get(&text).copied());
            for (key, &value) in &keys {
                prop_assert_eq!(trie.longest(key.iter().copied()), Some((value, key.len())));
            }
        }
    }

    #[test]
    fn an_empty_trie_holds_nothing() {
        let trie = Trie::new([(b"".as_slice(), 1)]).unwrap();
        assert_eq!(trie.longest(b"\0abc".iter().copied()), None);
    }
}
