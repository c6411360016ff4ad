//! Union-find over ordinals: the root of a set is its smallest member, whatever the order of unions.

/// 4 bytes a document.
pub(crate) struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    pub(crate) fn new(len: u32) -> Self {
        Self {
            parents: (0..len).collect(),
        }
    }

    /// The smallest member of the set of `x`. Halves the path.
    pub(crate) fn root(&mut self, mut x: u32) -> u32 {
        loop {
            let parent = self.parents[x as usize];
            if parent == x {
                return x;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[x as usize] = grandparent;
            x = grandparent;
        }
    }

    pub(crate) fn union(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn roots_are_the_smallest_reachable_members(
            edges in proptest::collection::vec((0u32..60, 0u32..60), 0..80),
        ) {
            let mut sets = UnionFind::new(60);
            let mut labels: Vec<u32> = (0..60).collect();
            for &(a, b) in &edges {
                sets.union(a, b);
                let (x, y) = (labels[a as usize], labels[b as usize]);
                for label in &mut labels {
                    if *label == x.max(y) {
                        *label = x.min(y);
                    }
                }
            }
            for x in 0..60 {
                prop_assert_eq!(sets.root(x), labels[x as usize]);
            }
        }
    }
}
