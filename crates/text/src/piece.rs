//! Takes a piece of text between white space apart by all rules.

use crate::affix::{Glyph, infix, prefix, suffix};
use crate::special::Specials;
use crate::url::is_url;
use crate::word::{Rules, Word, word_of};

/// The words of a special piece by the rules alone; none if no affix rule touches it.
pub(crate) fn split_piece(rules: &Rules, text: &str) -> Option<Vec<Word>> {
    let mut glyphs = Vec::new();
    rules.fill(&mut glyphs, text);
    let is_touched = prefix(&glyphs) > 0
        || suffix(&glyphs) > 0
        || (0..glyphs.len()).any(|at| infix(&glyphs, at) > 0);
    let piece = Piece {
        rules,
        text,
        start: 0,
        end: text.len(),
        glyphs: &glyphs,
    };
    let mut words = Vec::new();
    piece.tear(&mut Vec::new(), None, &mut words);
    is_touched.then_some(words)
}

/// A piece of text, decoded.
pub(crate) struct Piece<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) text: &'a str,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) glyphs: &'a [Glyph],
}

impl Piece<'_> {
    /// Takes affixes from both ends, and adds the words in the order of the text.
    pub(crate) fn tear(
        &self,
        suffixes: &mut Vec<(usize, usize)>,
        specials: Option<&Specials>,
        words: &mut Vec<Word>,
    ) {
        suffixes.clear();
        let (mut from, mut to, mut size) = (0, self.glyphs.len(), 0);
        let is_special = |from: usize, to: usize| {
            from < to
                && specials.is_some_and(|specials| specials.get(self.text(from, to)).is_some())
        };
        while from < to && to - from != size && !is_special(from, to) {
            size = to - from;
            let head = prefix(&self.glyphs[from..to]);
            if head > 0 && is_special(from + head, to) {
                self.push(from, from + head, words);
                from += head;
                break;
            }
            let foot = suffix(&self.glyphs[from + head..to]);
            if foot > 0 && is_special(from, to - foot) {
                suffixes.push((to - foot, to));
                to -= foot;
                break;
            }
            if head > 0 {
                self.push(from, from + head, words);
                from += head;
            }
            if foot > 0 {
                suffixes.push((to - foot, to));
                to -= foot;
            }
        }
        if from < to {
            self.core(from, to, specials, words);
        }
        for &(from, to) in suffixes.iter().rev() {
            self.push(from, to, words);
        }
    }

    /// Adds the words of what is left between the affixes.
    fn core(&self, from: usize, to: usize, specials: Option<&Specials>, words: &mut Vec<Word>) {
        if let Some(cuts) = specials.and_then(|specials| specials.get(self.text(from, to))) {
            let start = self.start as u32 + self.glyphs[from].at;
            return self.rules.push_cuts(self.text, start, cuts, 0, words);
        }
        let core = &self.glyphs[from..to];
        if is_url(core) {
            return self.push(from, to, words);
        }
        let (mut at, mut word) = (0, 0);
        while at < core.len() {
            let length = infix(core, at);
            if length > 0 && at > 0 {
                if word < at {
                    self.push(from + word, from + at, words);
                }
                self.push(from + at, from + at + length, words);
                word = at + length;
            }
            at += length.max(1);
        }
        if word < core.len() {
            self.push(from + word, to, words);
        }
    }

    /// The byte in the text at which a character begins.
    fn byte(&self, at: usize) -> usize {
        self.glyphs
            .get(at)
            .map_or(self.end, |glyph| self.start + glyph.at as usize)
    }

    fn text(&self, from: usize, to: usize) -> &str {
        &self.text[self.byte(from)..self.byte(to)]
    }

    fn push(&self, from: usize, to: usize, words: &mut Vec<Word>) {
        let (start, end) = (self.byte(from) as u32, self.byte(to) as u32);
        let classes = self.glyphs[from..to].iter().map(|glyph| glyph.class);
        words.push(word_of(start, end, 0, classes));
    }
}
