//! A set of small numbers that finds the next one: a tree of bits with 64 children a node.

/// Numbers below a fixed bound.
pub(super) struct Occupied {
    /// From the leaves to the root; a bit says that the word below it is not zero.
    levels: Vec<Vec<u64>>,
}

impl Occupied {
    pub(super) fn new(bound: usize) -> Self {
        let mut levels = Vec::new();
        let mut len = bound.max(1);
        loop {
            len = len.div_ceil(64);
            levels.push(vec![0; len]);
            if len == 1 {
                return Self { levels };
            }
        }
    }

    pub(super) fn insert(&mut self, number: usize) {
        let mut at = number;
        for level in &mut self.levels {
            level[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    pub(super) fn remove(&mut self, number: usize) {
        let mut at = number;
        for level in &mut self.levels {
            level[at / 64] &= !(1 << (at % 64));
            if level[at / 64] != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// The smallest number that is at least `from`. Takes one or two words of each level.
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let mut at = from;
        for (depth, level) in self.levels.iter().enumerate() {
            let rest = level.get(at / 64)? & (u64::MAX << (at % 64));
            if rest != 0 {
                let found = at / 64 * 64 + rest.trailing_zeros() as usize;
                return Some(self.first_below(depth, found));
            }
            at = at / 64 + 1;
        }
        None
    }

    /// The smallest number under a node.
    fn first_below(&self, depth: usize, node: usize) -> usize {
        self.levels[..depth].iter().rev().fold(node, |node, level| {
            node * 64 + level[node].trailing_zeros() as usize
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_equals_a_sorted_set() {
        let bound = 70_000;
        let (mut set, mut twin) = (Occupied::new(bound), BTreeSet::new());
        let mut number = 1_usize;
        for turn in 0..20_000 {
            number = (number * 25_173 + 13_849) % bound;
            if turn % 3 == 2 {
                set.remove(number);
                twin.remove(&number);
            } else {
                set.insert(number);
                twin.insert(number);
            }
            let from = (number * 31) % bound;
            assert_eq!(set.next(from), twin.range(from..).next().copied());
        }
        assert_eq!(set.next(bound), None);
    }
}
