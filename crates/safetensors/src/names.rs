//! The names of a header: one string, found by hash, sorted when somebody asks for the order.
//!
//! 100 000 names cost three allocations. Hashes are those of the standard library with their random
//! seed, so that a file cannot choose names that collide; the sort reads eight bytes of every name
//! at a time, so that long common prefixes (`model.layers.`) are not compared again and again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;

/// Names by their place, which is the place of their tensor in the data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    text: String,
    spans: Vec<(u32, u32)>,
    hasher: RandomState,
    /// Open addressing with linear probing: 0, or the upper half of a hash beside a place plus 1. A
    /// power of two in size, at most half full.
    slots: Vec<u64>,
    sorted: OnceLock<Vec<u32>>,
}

impl Names {
    pub(crate) fn with_capacity(text_size: usize, count: usize) -> Self {
        Self {
            text: String::with_capacity(text_size),
            spans: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// Adds a name at the next place; `None` when there is more text than 4 GiB, which no header
    /// can hold.
    pub(crate) fn push(&mut self, name: &str) -> Option<()> {
        let start = u32::try_from(self.text.len()).ok()?;
        let end = u32::try_from(self.text.len().checked_add(name.len())?).ok()?;
        self.text.push_str(name);
        self.spans.push((start, end));
        Some(())
    }

    /// Brings the names to the places that `order` lists.
    pub(crate) fn reorder(&mut self, order: &[u32]) {
        self.spans = order.iter().map(|&at| self.spans[at as usize]).collect();
    }

    /// Makes names findable, once all are at their places. Gives the first place of a name that
    /// stands at an earlier place too.
    pub(crate) fn index(&mut self) -> Result<(), usize> {
        self.slots = vec![0; (self.len() * 2).next_power_of_two()];
        for at in 0..self.len() {
            let (slot, entry) = self.probe(self.get(at));
            if self.slots[slot] != 0 {
                return Err(at);
            }
            self.slots[slot] = entry | (at as u64 + 1);
        }
        Ok(())
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let (slot, _) = self.probe(name);
        place(self.slots[slot]).checked_sub(1)
    }

    pub(crate) fn get(&self, at: usize) -> &str {
        let (start, end) = self.spans[at];
        &self.text[start as usize..end as usize]
    }

    pub(crate) fn text_size(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The places in the order of their names. Costs a sort the first time.
    pub(crate) fn sorted(&self) -> &[u32] {
        self.sorted.get_or_init(|| {
            let mut order: Vec<u32> = (0..self.len() as u32).collect();
            // Writers sort by type, then by name: most files are in order already.
            if !order
                .windows(2)
                .all(|pair| self.get(pair[0] as usize) <= self.get(pair[1] as usize))
            {
                self.sort(&mut order);
            }
            order
        })
    }

    /// The slot of a name, or the empty slot where it belongs, and the half of its hash that is
    /// kept there.
    fn probe(&self, name: &str) -> (usize, u64) {
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash_one(name);
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.slots[slot];
            let same = |entry: u64| (entry ^ hash) >> 32 == 0 && self.get(place(entry) - 1) == name;
            if entry == 0 || same(entry) {
                return (slot, hash >> 32 << 32);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Sorts by eight bytes, then what is equal by the next eight. No recursion: names may be long.
    fn sort(&self, order: &mut [u32]) {
        let mut keyed = Vec::with_capacity(order.len());
        let mut groups = vec![(0..order.len(), 0)];
        while let Some((range, depth)) = groups.pop() {
            let group = &mut order[range.clone()];
            let depth = depth + self.common_prefix(group, depth);
            keyed.clear();
            keyed.extend(group.iter().map(|&at| self.key(at, depth)));
            keyed.sort_unstable();
            for (slot, &key) in group.iter_mut().zip(&keyed) {
                *slot = key as u32;
            }
            let mut start = range.start;
            for equal in keyed.chunk_by(|a, b| a >> 32 == b >> 32) {
                if equal.len() > 1 {
                    groups.push((start..start + equal.len(), depth + KEY_SIZE));
                }
                start += equal.len();
            }
        }
    }

    /// Eight bytes of a name, how many bytes are left (at most nine), and its place, as one number.
    /// Names that differ only by their places go on: those that end here differ in one or the other.
    fn key(&self, at: u32, depth: usize) -> u128 {
        let rest = &self.get(at as usize).as_bytes()[depth..];
        let mut bytes = [0; KEY_SIZE];
        let taken = rest.len().min(KEY_SIZE);
        bytes[..taken].copy_from_slice(&rest[..taken]);
        let left = rest.len().min(KEY_SIZE + 1) as u128;
        u128::from(u64::from_be_bytes(bytes)) << 64 | left << 32 | u128::from(at)
    }

    /// How many bytes behind `depth` are the same in all names of a group.
    fn common_prefix(&self, group: &[u32], depth: usize) -> usize {
        let rest = |at: u32| &self.get(at as usize).as_bytes()[depth..];
        let Some((&first, others)) = group.split_first() else {
            return 0;
        };
        others.iter().fold(rest(first).len(), |common, &other| {
            let pairs = rest(first)[..common].iter().zip(rest(other));
            pairs.take_while(|(a, b)| a == b).count()
        })
    }
}

/// The lower half of a slot.
fn place(entry: u64) -> usize {
    entry as u32 as usize
}

/// How many bytes of a name are compared at once.
const KEY_SIZE: usize = size_of::<u64>();

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::Names;

    fn names(list: &[String]) -> Names {
        let mut names = Names::with_capacity(0, 0);
        for name in list {
            names.push(name).expect("short text");
        }
        names
    }

    proptest! {
        #[test]
        fn order_and_places_are_those_of_a_sorted_list(
            set in prop::collection::hash_set("(ab|a|b|\0|layers\\.|é){0,12}[a-c]{0,9}", 0..40),
        ) {
            let list: Vec<String> = set.into_iter().collect();
            let mut names = names(&list);
            prop_assert_eq!(names.index(), Ok(()));
            let sorted: Vec<_> = names.sorted().iter().map(|&at| names.get(at as usize)).collect();
            let expected: BTreeSet<_> = list.iter().map(String::as_str).collect();
            prop_assert!(sorted.iter().eq(&expected));
            for (at, name) in list.iter().enumerate() {
                prop_assert_eq!(names.find(name), Some(at));
            }
            prop_assert_eq!(names.find("not there"), None);
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_found() {
        let list = ["a", "b", "", "b"].map(str::to_owned);
        assert_eq!(names(&list).index(), Err(3));
    }
}
