//! Suffix arrays by induced sorting (SA-IS: Nong, Zhang, Chan 2009), in linear time.

/// A place of the array that has no suffix yet.
const EMPTY: u32 = u32::MAX;

/// An element of a text.
pub(crate) trait Symbol: Copy + Ord + Into<u32> {
    /// Bytes of memory for an element of a pass: the text, the array, its inverse and bits; for tokens
    /// also those that differ, to rank them by.
    const MEMORY: u64;
}

impl Symbol for u8 {
    const MEMORY: u64 = 12;
}

impl Symbol for u32 {
    const MEMORY: u64 = 20;
}

/// The starts of the suffixes of `text` in their order, a suffix before those it begins. Elements
/// are at most `largest`. Takes some ten bytes of memory an element.
pub(crate) fn suffix_array<T: Symbol>(text: &[T], largest: u32) -> Vec<u32> {
    assert!(text.len() < EMPTY as usize, "positions are 32 bits wide");
    if text.len() < 2 {
        return (0..text.len() as u32).collect();
    }
    let sorter = Sorter::new(text, largest);
    let lms: Vec<u32> = sorter.lms().collect();
    let mut array = sorter.induce(&lms);
    if lms.len() > 1 {
        array.retain(|&at| sorter.is_lms(at as usize));
        let (names, most) = sorter.names(&lms, &array);
        drop(array);
        let order = suffix_array(&names, most);
        drop(names);
        let sorted: Vec<u32> = order.into_iter().map(|at| lms[at as usize]).collect();
        drop(lms);
        array = sorter.induce(&sorted);
    }
    array
}

struct Sorter<'a, T> {
    text: &'a [T],
    /// One bit for each suffix: whether it is smaller than the one after it (type S).
    small: Vec<u64>,
    /// Where the type-L and the type-S suffixes of each first element begin.
    large_starts: Vec<u32>,
    small_starts: Vec<u32>,
}

impl<'a, T: Symbol> Sorter<'a, T> {
    fn new(text: &'a [T], largest: u32) -> Self {
        let mut small = vec![0u64; text.len().div_ceil(64)];
        let mut is_small = false;
        let mut counts = vec![[0u32; 2]; largest as usize + 1];
        counts[index(text[text.len() - 1])][0] += 1;
        for at in (0..text.len() - 1).rev() {
            let (this, next) = (text[at].into(), text[at + 1].into());
            is_small = this < next || (this == next && is_small);
            small[at / 64] |= u64::from(is_small) << (at % 64);
            counts[this as usize][usize::from(is_small)] += 1;
        }
        let (mut large_starts, mut small_starts) = (Vec::new(), Vec::new());
        let mut start = 0;
        for [large, small] in counts {
            large_starts.push(start);
            small_starts.push(start + large);
            start += large + small;
        }
        large_starts.push(start);
        Self {
            text,
            small,
            large_starts,
            small_starts,
        }
    }

    fn is_small(&self, at: usize) -> bool {
        self.small[at / 64] >> (at % 64) & 1 == 1
    }

    /// Whether a suffix is the leftmost of a run of type S.
    fn is_lms(&self, at: usize) -> bool {
        at > 0 && self.is_small(at) && !self.is_small(at - 1)
    }

    fn lms(&self) -> impl Iterator<Item = u32> + '_ {
        (1..self.text.len() as u32).filter(|&at| self.is_lms(at as usize))
    }

    /// Sorts all suffixes, given the leftmost ones of type S in their order.
    fn induce(&self, lms: &[u32]) -> Vec<u32> {
        let mut array = vec![EMPTY; self.text.len()];
        let place = |array: &mut [u32], ends: &mut [u32], at: u32| {
            let end = &mut ends[index(self.text[at as usize])];
            array[*end as usize] = at;
            *end += 1;
        };
        let mut ends = self.small_starts.clone();
        for &at in lms {
            place(&mut array, &mut ends, at);
        }
        let mut ends = self.large_starts.clone();
        place(&mut array, &mut ends, self.text.len() as u32 - 1);
        for i in 0..array.len() {
            let at = array[i];
            if at != EMPTY && at > 0 && !self.is_small(at as usize - 1) {
                place(&mut array, &mut ends, at - 1);
            }
        }
        let mut starts = self.large_starts[1..].to_vec();
        for i in (0..array.len()).rev() {
            let at = array[i];
            if at != EMPTY && at > 0 && self.is_small(at as usize - 1) {
                let start = &mut starts[index(self.text[at as usize - 1])];
                *start -= 1;
                array[*start as usize] = at - 1;
            }
        }
        array
    }

    /// Names the pieces between leftmost suffixes of type S so that names compare like pieces, in
    /// the order of the text, and returns the largest name.
    fn names(&self, lms: &[u32], sorted: &[u32]) -> (Vec<u32>, u32) {
        // Two such suffixes are never neighbours, so half a position is enough to tell them apart.
        let mut ranks = vec![0u32; self.text.len() / 2 + 1];
        for (rank, &at) in (0..).zip(lms) {
            ranks[at as usize / 2] = rank;
        }
        let rank = |at: u32| ranks[at as usize / 2] as usize;
        let end = |at: u32| {
            lms.get(rank(at) + 1)
                .map_or(self.text.len(), |&end| end as usize + 1)
        };
        let mut names = vec![0; lms.len()];
        let mut name = 0;
        for pair in sorted.windows(2) {
            let (before, this) = (pair[0], pair[1]);
            let piece = |at: u32| &self.text[at as usize..end(at)];
            let is_last = end(before) == self.text.len() || end(this) == self.text.len();
            if is_last || piece(before) != piece(this) {
                name += 1;
            }
            names[rank(this)] = name;
        }
        (names, name)
    }
}

fn index<T: Symbol>(symbol: T) -> usize {
    let symbol: u32 = symbol.into();
    symbol as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive<T: Symbol + Ord>(text: &[T]) -> Vec<u32> {
        let mut array: Vec<u32> = (0..text.len() as u32).collect();
        array.sort_by_key(|&at| &text[at as usize..]);
        array
    }

    #[test]
    fn known_words_are_sorted() {
        for word in [
            "",
            "a",
            "aa",
            "ab",
            "ba",
            "banana",
            "mississippi",
            "abracadabra",
            "aabab",
        ] {
            let text = word.as_bytes();
            assert_eq!(suffix_array(text, 255), naive(text), "{word}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_sorting(text in proptest::collection::vec(0u32..4, 0..200)) {
            prop_assert_eq!(suffix_array(&text, 3), naive(&text));
        }

        #[test]
        fn bytes_are_sorted_too(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(suffix_array(&text, 255), naive(&text));
        }
    }
}
