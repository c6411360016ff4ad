//! The second look of spaCy's tokenizer at its special pieces.
//!
//! A special piece that the affix rules can tear apart is also found as a run of words: in
//! `(see here):` the words `)` and `:` become the one word `):`. A run is found across single
//! blanks too. Such a run is left as it is, but it hides shorter runs that overlap it.

use crate::hash::{Fold, TextMap};
use crate::piece::split_piece;
use crate::word::{Rules, Word};
use std::collections::HashSet;
use std::hash::BuildHasherDefault;

/// A number for each text that is a word of some pattern; 0 is any other text.
type Name = u16;

/// The patterns of words.
pub(crate) struct Merges {
    names: TextMap<Name>,
    /// Patterns by the name of their first word; each is the names of all its words.
    patterns: Vec<Vec<Box<[Name]>>>,
    /// The names of the first two words of patterns.
    pairs: HashSet<(Name, Name), BuildHasherDefault<Fold>>,
    /// Last bytes of these first words, and first bytes of the second ones.
    left: [bool; 256],
    right: [bool; 256],
}

/// A run of words `start..end` that some pattern matches.
struct Run {
    start: usize,
    end: usize,
}

impl Merges {
    pub(crate) fn empty() -> Self {
        Self {
            names: TextMap::default(),
            patterns: vec![Vec::new()],
            pairs: HashSet::default(),
            left: [false; 256],
            right: [false; 256],
        }
    }

    /// The patterns of the special pieces of `rules`, whose own patterns are still empty.
    pub(crate) fn new(rules: &Rules) -> Self {
        let mut merges = Self::empty();
        for piece in rules.specials.pieces() {
            if let Some(words) = split_piece(rules, piece) {
                merges.add(piece, &words);
            }
        }
        merges
    }

    fn add(&mut self, piece: &str, words: &[Word]) {
        let text = |word: &Word| &piece[word.start as usize..word.end as usize];
        let names: Box<[Name]> = words.iter().map(|word| self.intern(text(word))).collect();
        if let [first, second, ..] = words {
            self.left[usize::from(piece.as_bytes()[first.end as usize - 1])] = true;
            self.right[usize::from(piece.as_bytes()[second.start as usize])] = true;
            self.pairs.insert((names[0], names[1]));
        }
        self.patterns[usize::from(names[0])].push(names);
    }

    fn intern(&mut self, text: &str) -> Name {
        let next = self.patterns.len() as Name;
        let name = *self.names.entry(text.into()).or_insert(next);
        if name == next {
            self.patterns.push(Vec::new());
        }
        name
    }

    /// Whether two adjacent words, without white space between them, begin a pattern.
    #[inline]
    pub(crate) fn is_pair(&self, text: &str, left: &Word, right: &Word) -> bool {
        let bytes = text.as_bytes();
        self.left[usize::from(bytes[left.end as usize - 1])]
            && self.right[usize::from(bytes[right.start as usize])]
            && self
                .pairs
                .contains(&(self.name(text, left), self.name(text, right)))
    }

    fn name(&self, text: &str, word: &Word) -> Name {
        let text = &text[word.start as usize..word.end as usize];
        self.names.get(text).copied().unwrap_or_default()
    }

    /// Joins the runs among `words[from..]`, a stretch of `text` without broad white space.
    pub(crate) fn apply(&self, rules: &Rules, text: &str, words: &mut Vec<Word>, from: usize) {
        let chosen = choose(self.runs(text, &words[from..]), words.len() - from);
        let is_joined = |run: &&Run| {
            words[from + run.start..from + run.end]
                .windows(2)
                .all(|pair| pair[0].end == pair[1].start)
        };
        let chosen: Vec<&Run> = chosen.iter().filter(is_joined).collect();
        if chosen.iter().all(|run| run.end - run.start == 1) {
            return;
        }
        let old = words.split_off(from);
        let mut at = 0;
        for run in chosen {
            words.extend_from_slice(&old[at..run.start]);
            let (first, last) = (old[run.start], old[run.end - 1]);
            let piece = &text[first.start as usize..last.end as usize];
            match rules.specials.get(piece) {
                Some(cuts) => rules.push_cuts(text, first.start, cuts, first.gap(), words),
                None => words.extend_from_slice(&old[run.start..run.end]),
            }
            at = run.end;
        }
        words.extend_from_slice(&old[at..]);
    }

    /// Every run of `words` that is a pattern, in order of its start.
    fn runs(&self, text: &str, words: &[Word]) -> Vec<Run> {
        let names: Vec<Name> = words.iter().map(|word| self.name(text, word)).collect();
        let mut runs = Vec::new();
        for start in 0..names.len() {
            for pattern in &self.patterns[usize::from(names[start])] {
                if names[start..].starts_with(pattern) {
                    runs.push(Run {
                        start,
                        end: start + pattern.len(),
                    });
                }
            }
        }
        runs
    }
}

/// The longest runs first, of these the leftmost; a run whose first or last word an earlier one
/// has is left out, and yet hides its words from later ones. The result is in order.
fn choose(mut runs: Vec<Run>, words: usize) -> Vec<Run> {
    runs.sort_by_key(|run| (std::cmp::Reverse(run.end - run.start), run.start));
    let mut is_seen = vec![false; words];
    runs.retain(|run| {
        let is_free = !is_seen[run.start] && !is_seen[run.end - 1];
        is_seen[run.start..run.end].fill(true);
        is_free
    });
    runs.sort_by_key(|run| run.start);
    runs
}
