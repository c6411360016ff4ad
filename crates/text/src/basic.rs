//! A filter of basic rules that any language can state in a page, for comparisons between programs.

use crate::filter::Filter;
use crate::hash::Table;
use crate::lines::{count, split_feeds};
use crate::profile::Profile;
use crate::unicode::{Class, Classes, LETTER, SPACE, count_chars};
use crate::verdict::{Reason, Verdict, drop_if, share, verdict};
use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

/// The filter that `./x bench data` runs in every language: the spirit of Gopher and `FineWeb` with
/// words between white space, and fixed limits.
///
/// The rules and the order of the reasons are those of `bench/data/`; white space is Unicode's
/// `White_Space`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basic;

impl Filter for Basic {
    fn name(&self) -> &'static str {
        "basic"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let text = profile.text();
        let words = Words::of(text);
        let first = words
            .reason(text)
            .or_else(|| lines(profile))
            .or_else(|| drop_if(words.pair_share(profile) > 0.2, "bigram"))
            .or_else(|| drop_if(has_lorem_ipsum(profile), "lorem-ipsum"));
        verdict(first)
    }
}

/// The words between white space.
struct Words<'a> {
    texts: Vec<&'a str>,
    chars: usize,
    lettered: usize,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let classes = Classes::get();
        let mut found = Self {
            texts: Vec::new(),
            chars: 0,
            lettered: 0,
        };
        let (mut start, mut chars, mut all) = (0, 0, 0);
        let mut end = |start: usize, at: usize, chars: usize, all: Class| {
            if chars > 0 {
                found.texts.push(&text[start..at]);
                found.chars += chars;
                found.lettered += usize::from(all & LETTER != 0);
            }
        };
        for (at, c) in text.char_indices() {
            let class = classes.of(c);
            // Python counts the information separators as white space, Unicode does not.
            if class & SPACE != 0 && !matches!(c, '\x1C'..='\x1F') {
                end(start, at, chars, all);
                (start, chars, all) = (at + c.len_utf8(), 0, 0);
            } else {
                all |= class;
                chars += 1;
            }
        }
        end(start, text.len(), chars, all);
        found
    }

    fn reason(&self, text: &str) -> Option<Reason> {
        let n = self.texts.len();
        if !(50..=100_000).contains(&n) {
            return Some(Reason::Named("words"));
        }
        let length = share(self.chars, n);
        let hashes = text.bytes().filter(|&byte| byte == b'#').count();
        let ellipses = || count(text, "...") + count(text, "…");
        drop_if(!(3.0..=10.0).contains(&length), "word-length")
            .or_else(|| drop_if(share(hashes, n) > 0.1, "hashes"))
            .or_else(|| drop_if(share(ellipses(), n) > 0.1, "ellipses"))
            .or_else(|| drop_if(share(self.lettered, n) < 0.8, "letters"))
            .or_else(|| drop_if(!self.has_stop_words(), "stop-words"))
    }

    fn has_stop_words(&self) -> bool {
        let mut found = 0_u8;
        for word in self.texts.iter().filter(|word| word.len() <= 4) {
            if let Some(at) = STOP_WORDS.iter().position(|stop| stop == word) {
                found |= 1 << at;
                if found.count_ones() > 1 {
                    return true;
                }
            }
        }
        false
    }

    /// The share of the characters that the most frequent pair of words takes; of several pairs the
    /// smallest text.
    fn pair_share(&self, profile: &mut Profile<'_>) -> f64 {
        let (names, firsts) = profile.number(&self.texts);
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
            let word = |name: u64| self.texts[firsts[name as usize] as usize];
            (word(key >> 32), word(key & u64::from(u32::MAX)))
        };
        let most = counts.iter().map(|pair| pair.0).max().unwrap_or_default();
        let best = counts
            .iter()
            .filter(|pair| pair.0 == most)
            .map(|pair| text(pair.1))
            .min_by(|a, b| joined(*a).cmp(joined(*b)));
        let chars = best.map_or(0, |(left, right)| count_chars(left) + count_chars(right));
        share(most as usize * chars, self.chars)
    }
}

fn joined<'a>((left, right): (&'a str, &'a str)) -> impl Iterator<Item = u8> {
    left.bytes().chain([b' ']).chain(right.bytes())
}

fn lines(profile: &mut Profile<'_>) -> Option<Reason> {
    let lines = split_feeds(profile.text()).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let repeated = profile.duplicates(&lines);
    let (mut bullets, mut ellipses, mut ends, mut short, mut chars) = (0, 0, 0, 0, 0);
    for line in &lines {
        let length = count_chars(line);
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
