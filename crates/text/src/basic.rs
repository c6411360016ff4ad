//! A filter of basic rules that any language can state in a page, for comparisons between programs.

use crate::filter::Filter;
use crate::hash::Table;
use crate::lines::{count as occurrences, split_feeds};
use crate::pieces::{Counts, count, pieces};
use crate::profile::Profile;
use crate::unicode::count_chars;
use crate::verdict::{Reason, Verdict, drop_if, share, verdict};
use memchr::memmem;
use std::ops::ControlFlow;
use xxhash_rust::xxh3::xxh3_64;

/// `the be to of and that have with`, as little-endian numbers.
const STOP_WORDS: [u64; 8] = {
    let words: [&[u8]; 8] = [
        b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with",
    ];
    let (mut numbers, mut at) = ([0; 8], 0);
    while at < words.len() {
        let mut byte = words[at].len();
        while byte > 0 {
            byte -= 1;
            numbers[at] = numbers[at] << 8 | words[at][byte] as u64;
        }
        at += 1;
    }
    numbers
};

/// The filter that `./x bench data` runs in every language: the spirit of Gopher and `FineWeb` with
/// words between white space, and fixed limits.
///
/// The rules and the order of the reasons are those of `bench/data/`; white space is Unicode's
/// `White_Space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basic {
    /// Whether there are rules on lines.
    pub lines: bool,
    /// Whether there is a rule on pairs of words.
    pub pairs: bool,
}

impl Default for Basic {
    /// All rules.
    fn default() -> Self {
        Self {
            lines: true,
            pairs: true,
        }
    }
}

impl Filter for Basic {
    fn name(&self) -> &'static str {
        "basic"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let text = profile.text();
        let counts = count(text);
        let first = reason(&counts, text)
            .or_else(|| if self.lines { lines(profile) } else { None })
            .or_else(|| {
                drop_if(
                    self.pairs && has_frequent_pair(profile, counts.chars),
                    "bigram",
                )
            })
            .or_else(|| drop_if(has_lorem_ipsum(profile), "lorem-ipsum"));
        verdict(first)
    }
}

/// The first rule on words that a text breaks.
fn reason(counts: &Counts, text: &str) -> Option<Reason> {
    let n = counts.pieces;
    if !(50..=100_000).contains(&n) {
        return Some(Reason::Named("words"));
    }
    let length = share(counts.chars, n);
    let ellipses = || occurrences(text, "...") + occurrences(text, "…");
    drop_if(!(3.0..=10.0).contains(&length), "word-length")
        .or_else(|| drop_if(share(counts.hashes, n) > 0.1, "hashes"))
        .or_else(|| drop_if(share(ellipses(), n) > 0.1, "ellipses"))
        .or_else(|| drop_if(share(counts.lettered, n) < 0.8, "letters"))
        .or_else(|| drop_if(!has_stop_words(text), "stop-words"))
}

/// Whether there are two different stop words. Most texts have them in their first lines.
fn has_stop_words(text: &str) -> bool {
    let (bytes, mut found) = (text.as_bytes(), 0_u8);
    pieces(text, |start, end| {
        if end - start <= 4 {
            found |= stop_word(head(bytes, start, end));
        }
        if found.count_ones() < 2 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    found.count_ones() >= 2
}

/// Whether the most frequent pair of words takes too many of the characters.
fn has_frequent_pair(profile: &mut Profile<'_>, chars: usize) -> bool {
    // One of the two words takes at least half of what the pair takes, so usually no pair need be
    // counted. Bytes are at least as many as code points, and a share of nearly 0.1 is refused.
    share(heaviest(profile.text()) as usize, chars) > 0.099 && pair_share(profile, chars) > 0.2
}

/// An upper bound of the bytes that the occurrences of any one word take.
fn heaviest(text: &str) -> u32 {
    let (bytes, mut weights) = (text.as_bytes(), [0_u32; BUCKETS]);
    pieces(text, |start, end| {
        let size = end - start;
        let hash = (head(bytes, start, end) ^ size as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let bucket = &mut weights[(hash >> 54) as usize];
        *bucket = bucket.saturating_add(size as u32);
        ControlFlow::Continue(())
    });
    weights.into_iter().max().unwrap_or_default()
}

/// Buckets in which words of the same hash are weighed together.
const BUCKETS: usize = 1024;

/// The first eight bytes of a word, padded with NUL.
#[inline]
fn head(bytes: &[u8], start: usize, end: usize) -> u64 {
    let size = end - start;
    let mut head = [0; 8];
    if let Some(whole) = bytes[start..].first_chunk::<8>() {
        head = *whole;
    } else {
        head[..size].copy_from_slice(&bytes[start..end]);
    }
    let head = u64::from_le_bytes(head);
    if size < 8 {
        head & ((1 << (8 * size)) - 1)
    } else {
        head
    }
}

/// The bit of a stop word, or 0.
#[inline]
fn stop_word(head: u64) -> u8 {
    STOP_WORDS
        .iter()
        .enumerate()
        .fold(0, |bits, (at, stop)| bits | u8::from(*stop == head) << at)
}

/// The share of the characters that the most frequent pair of words takes; of several pairs the
/// smallest text.
fn pair_share(profile: &mut Profile<'_>, chars: usize) -> f64 {
    let words: Vec<&str> = profile.text().split_whitespace().collect();
    let (names, firsts) = profile.number(&words);
    let mut counts: Vec<(u32, u64)> = Vec::new();
    let table = profile.table();
    table.reset(names.len());
    for pair in names.windows(2) {
        let key = u64::from(pair[0]) << 32 | u64::from(pair[1]);
        let next = counts.len() as u32;
        let at = table.get_or_insert(key, next, |_| true);
        if at == next {
            counts.push((0, key));
        }
        counts[at as usize].0 += 1;
    }
    let text = |key: u64| {
        let word = |name: u64| words[firsts[name as usize] as usize];
        (word(key >> 32), word(key & u64::from(u32::MAX)))
    };
    let most = counts.iter().map(|pair| pair.0).max().unwrap_or_default();
    let frequent = counts.iter().filter(|pair| pair.0 == most);
    let best = frequent
        .map(|pair| text(pair.1))
        .min_by(|a, b| joined(*a).cmp(joined(*b)));
    let length = best.map_or(0, |(left, right)| count_chars(left) + count_chars(right));
    share(most as usize * length, chars)
}

fn joined<'a>((left, right): (&'a str, &'a str)) -> impl Iterator<Item = u8> {
    left.bytes().chain([b' ']).chain(right.bytes())
}

fn lines(profile: &mut Profile<'_>) -> Option<Reason> {
    let lines = split_feeds(profile.text()).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let repeated = profile.duplicates(&lines);
    let is_ascii = profile.chars() == profile.text().len();
    let (mut bullets, mut ellipses, mut ends, mut short, mut chars) = (0, 0, 0, 0, 0);
    for line in &lines {
        let length = if is_ascii {
            line.len()
        } else {
            count_chars(line)
        };
        chars += length;
        short += usize::from(length <= 30);
        bullets += usize::from(line.starts_with(['-', '•']));
        ellipses += usize::from(line.ends_with("...") || line.ends_with('…'));
        ends += usize::from(line.ends_with(['.', '?', '!', '"', '\'']));
    }
    let part = |count: usize| share(count, lines.len());
    drop_if(part(bullets) > 0.9, "bullets")
        .or_else(|| drop_if(part(ellipses) > 0.3, "ellipsis-lines"))
        .or_else(|| drop_if(part(repeated.repeated) > 0.3, "repeated-lines"))
        .or_else(|| {
            drop_if(
                share(repeated.chars, chars) > 0.2,
                "repeated-line-characters",
            )
        })
        .or_else(|| drop_if(part(ends) < 0.12, "line-ends"))
        .or_else(|| drop_if(part(short) > 0.67, "short-lines"))
}

fn has_lorem_ipsum(profile: &mut Profile<'_>) -> bool {
    let lower = profile.take_lower();
    let found = memmem::find(lower.as_bytes(), b"lorem ipsum").is_some();
    profile.return_lower(lower);
    found
}

/// Numbers words in the order of their first occurrence; gives the number of each word, and for each
/// number where it first occurs.
pub(crate) fn number(table: &mut Table, words: &[&str]) -> (Vec<u32>, Vec<u32>) {
    table.reset(words.len());
    let (mut names, mut firsts) = (Vec::with_capacity(words.len()), Vec::new());
    for (at, word) in words.iter().enumerate() {
        let is_same = |other: u32| words[other as usize] == *word;
        let first = table.get_or_insert(xxh3_64(word.as_bytes()), at as u32, is_same);
        let name = if first == at as u32 {
            firsts.push(first);
            firsts.len() as u32 - 1
        } else {
            names[first as usize]
        };
        names.push(name);
    }
    (names, firsts)
}
