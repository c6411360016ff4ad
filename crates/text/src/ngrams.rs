//! Repeated runs of words: the most frequent run of n words, and the characters in repeated runs.
//!
//! The definitions are those of Gopher (Rae et al. 2021, table A1) as datatrove counts them.

use crate::hash::{Polynomial, Table};
use crate::word::Word;
use xxhash_rust::xxh3::xxh3_64;

/// The words of one document, numbered and hashed, and the tables for runs of them.
#[derive(Default)]
pub(crate) struct Ngrams {
    /// The number of each word: equal words have equal numbers.
    names: Vec<u32>,
    /// The number of each run of `run` words.
    runs: Vec<u32>,
    run: usize,
    /// How often each run number occurs; the first to occur has the smallest number.
    counts: Vec<u32>,
    /// Prefix sums over the words: their code points, their bytes, and the hash of all so far.
    chars: Vec<u64>,
    bytes: Vec<usize>,
    hashes: Vec<u64>,
    is_hashed: bool,
    grams: Vec<u64>,
    seen: Vec<u64>,
    table: Table,
}

impl Ngrams {
    /// Numbers the words of a document.
    pub(crate) fn fill(&mut self, text: &str, words: &[Word]) {
        self.table.reset(words.len());
        self.names.clear();
        self.counts.clear();
        self.chars.clear();
        self.chars.push(0);
        self.is_hashed = false;
        let mut chars = 0;
        let slice = |word: &Word| &text.as_bytes()[word.start as usize..word.end as usize];
        for (at, word) in words.iter().enumerate() {
            let bytes = slice(word);
            let first = self
                .table
                .get_or_insert(xxh3_64(bytes), at as u32, |other| {
                    slice(&words[other as usize]) == bytes
                });
            // A word's number is the order of its first occurrence, so that ties go to the first.
            let name = if first == at as u32 {
                self.counts.push(0);
                self.counts.len() as u32 - 1
            } else {
                self.names[first as usize]
            };
            self.counts[name as usize] += 1;
            self.names.push(name);
            chars += u64::from(word.chars);
            self.chars.push(chars);
        }
        self.runs.clone_from(&self.names);
        self.run = 1;
    }

    /// The characters of the most frequent run of `n` words, joined by blanks, times its count; of
    /// several the first. None if there are fewer words. May give an upper bound instead when that
    /// is at most `enough`.
    pub(crate) fn top(&mut self, n: usize, enough: u64) -> Option<u64> {
        let words = self.names.len();
        if n == 0 || words < n {
            return None;
        }
        if n < self.run {
            self.recount();
        }
        if n > self.run {
            // No longer run is more frequent than the most frequent shorter one.
            let most = self.counts.iter().max().copied().unwrap_or_default();
            let longest = (0..=words - n).map(|at| self.length(at, n)).max();
            let bound = longest.map(|longest| longest * u64::from(most));
            if bound.is_some_and(|bound| bound <= enough) {
                return bound;
            }
        }
        while self.run < n {
            self.lengthen();
        }
        let most = self.counts.iter().max().copied().unwrap_or_default();
        let top = self.counts.iter().position(|&count| count == most)? as u32;
        let at = self.runs.iter().position(|&run| run == top)?;
        Some(self.length(at, n) * u64::from(most))
    }

    /// Code points of the `n` words from `at`, with the blanks between them.
    fn length(&self, at: usize, n: usize) -> u64 {
        self.chars[at + n] - self.chars[at] + n as u64 - 1
    }

    /// Goes back to runs of one word.
    fn recount(&mut self) {
        self.runs.clone_from(&self.names);
        self.run = 1;
        self.counts.clear();
        for &run in &self.runs {
            if run as usize == self.counts.len() {
                self.counts.push(0);
            }
            self.counts[run as usize] += 1;
        }
    }

    /// Makes runs of one word more: a run is the number of the shorter run and of the next word.
    fn lengthen(&mut self) {
        self.table.reset(self.runs.len());
        self.counts.clear();
        let words = self.names.len() - self.run;
        for at in 0..words {
            let key = u64::from(self.runs[at]) << 32 | u64::from(self.names[at + self.run]);
            let next = self.counts.len() as u32;
            let run = self.table.get_or_insert(key, next, |_| true);
            if run == next {
                self.counts.push(0);
            }
            self.counts[run as usize] += 1;
            self.runs[at] = run;
        }
        self.runs.truncate(words);
        self.run += 1;
    }

    /// The characters in repeated runs of `n` words that do not overlap, from the left; runs are the
    /// same when their letters are, wherever words begin. May give an upper bound instead when that
    /// is at most `enough`.
    pub(crate) fn repeated(&mut self, text: &str, words: &[Word], n: usize, enough: u64) -> u64 {
        if n == 0 || words.len() < n {
            return 0;
        }
        self.hash(text, words);
        let bound = self.hash_runs(n);
        if bound <= enough {
            return bound;
        }
        self.table.reset(self.grams.len());
        let (mut at, mut repeated) = (0, 0);
        while at < self.grams.len() {
            let hash = self.grams[at];
            if !is_marked(&self.seen, hash, 1) {
                at += 1;
                continue;
            }
            let size = self.bytes[at + n] - self.bytes[at];
            let (bytes, chars) = (&self.bytes, &self.chars);
            let first = self.table.get_or_insert(hash, at as u32, |other| {
                let other = other as usize;
                bytes[other + n] - bytes[other] == size
                    && letters(text, &words[other..other + n]).eq(letters(text, &words[at..at + n]))
            });
            if first == at as u32 {
                at += 1;
            } else {
                repeated += chars[at + n] - chars[at];
                at += n;
            }
        }
        repeated
    }

    /// Fills the prefix sums of bytes and hashes, once a document.
    fn hash(&mut self, text: &str, words: &[Word]) {
        if std::mem::replace(&mut self.is_hashed, true) {
            return;
        }
        let polynomial = Polynomial::get();
        self.bytes.clear();
        self.hashes.clear();
        let (mut size, mut hash) = (0, 0);
        self.bytes.push(size);
        self.hashes.push(hash);
        for word in words {
            let bytes = &text.as_bytes()[word.start as usize..word.end as usize];
            hash = polynomial.extend(hash, bytes);
            size += bytes.len();
            self.hashes.push(hash);
            self.bytes.push(size);
        }
    }

    /// Hashes all runs of `n` words, and marks in `seen` the hashes that occur twice or collide with
    /// another; gives the characters of the runs with such a hash, an upper bound of the repeated.
    fn hash_runs(&mut self, n: usize) -> u64 {
        let polynomial = Polynomial::get();
        self.grams.clear();
        self.grams.extend((0..self.hashes.len() - n).map(|at| {
            let size = self.bytes[at + n] - self.bytes[at];
            polynomial.tail(self.hashes[at + n], self.hashes[at], size)
        }));
        let bits = (16 * self.grams.len()).next_power_of_two().max(64);
        self.seen.clear();
        // Two bits for each hash: seen, and seen again.
        self.seen.resize(bits / 32, 0);
        for &hash in &self.grams {
            let (at, shift) = place(&self.seen, hash);
            let once = self.seen[at] >> shift & 1;
            self.seen[at] |= (1 | once << 1) << shift;
        }
        let seen = &self.seen;
        let repeated = self
            .grams
            .iter()
            .enumerate()
            .filter(|&(_, &hash)| is_marked(seen, hash, 1));
        repeated
            .map(|(at, _)| self.chars[at + n] - self.chars[at])
            .sum()
    }
}

#[inline]
fn place(seen: &[u64], hash: u64) -> (usize, u64) {
    // The lengths of both are powers of two; the hash is below 2^61.
    let bit = (hash >> 5) as usize & (seen.len() * 32 - 1);
    (bit / 32, (bit % 32 * 2) as u64)
}

#[inline]
fn is_marked(seen: &[u64], hash: u64, mark: u64) -> bool {
    let (at, shift) = place(seen, hash);
    seen[at] >> (shift + mark) & 1 != 0
}

fn letters<'a>(text: &'a str, words: &'a [Word]) -> impl Iterator<Item = u8> {
    words.iter().flat_map(|word| {
        text.as_bytes()[word.start as usize..word.end as usize]
            .iter()
            .copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Splitter;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    /// The definition: the first most frequent run, joined by blanks, times its count.
    fn naive_top(words: &[&str], n: usize) -> Option<u64> {
        let mut counts: HashMap<&[&str], (u64, usize)> = HashMap::new();
        for (at, run) in words.windows(n).enumerate() {
            counts.entry(run).or_insert((0, at)).0 += 1;
        }
        let top = counts
            .iter()
            .max_by_key(|(_, (count, at))| (*count, std::cmp::Reverse(*at)))?;
        Some(top.0.join(" ").chars().count() as u64 * top.1.0)
    }

    /// The definition: from the left, skipping each run whose letters were seen.
    fn naive_repeated(words: &[&str], n: usize) -> u64 {
        let (mut seen, mut at, mut repeated) = (HashSet::new(), 0, 0);
        while at + n <= words.len() {
            let run = words[at..at + n].concat();
            if seen.contains(&run) {
                repeated += run.chars().count() as u64;
                at += n;
            } else {
                seen.insert(run);
                at += 1;
            }
        }
        repeated
    }

    proptest! {
        #[test]
        fn runs_are_those_of_the_definitions(
            words in proptest::collection::vec("(a|b|ab|ba|é|)", 0..60),
            lengths in proptest::collection::vec(1_usize..6, 1..5),
        ) {
            let text = words.join(" ");
            let (mut splitter, mut found) = (Splitter::new(), Vec::new());
            splitter.split(&text, &mut found);
            let slices: Vec<&str> =
                found.iter().map(|word| &text[word.start as usize..word.end as usize]).collect();
            let mut ngrams = Ngrams::default();
            ngrams.fill(&text, &found);
            for n in lengths {
                prop_assert_eq!(ngrams.top(n, 0), naive_top(&slices, n));
                prop_assert_eq!(ngrams.repeated(&text, &found, n, 0), naive_repeated(&slices, n));
            }
        }
    }
}
