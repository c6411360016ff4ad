//! Splits text into words as spaCy's blank English tokenizer does, less the words of white space.
//!
//! White space cuts the text into pieces. A piece of plain letters is one word; from any other piece
//! prefixes and suffixes are taken until nothing changes, what remains is looked up among the special
//! pieces, kept if it is a web address, and cut at infixes otherwise.

use crate::affix::{Glyph, infix, prefix, suffix};
use crate::merge::Merges;
use crate::special::Specials;
use crate::unicode::{
    Classes, ICON, LETTER, PREFIX, PUNCTUATION, SENTENCE_END, SPACE, SUFFIX, SYMBOL, is_space,
};
use crate::url::is_url;
use std::sync::LazyLock;

/// A word: where it stands in the text, in bytes, its length in code points, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where the word begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// Its length in code points.
    pub chars: u32,
    flags: u8,
}

const HAS_LETTER: u8 = 1;
const ALL_SYMBOLS: u8 = 2;
const ALL_PUNCTUATION: u8 = 4;
const ENDS_SENTENCE: u8 = 8;
const AFTER_GAP: u8 = 16;

impl Word {
    /// Whether Python's `str.isalpha` is true of one of its characters.
    #[inline]
    pub fn has_letter(&self) -> bool {
        self.flags & HAS_LETTER != 0
    }

    /// Whether datatrove counts all its characters as punctuation.
    #[inline]
    pub fn is_symbol(&self) -> bool {
        self.flags & ALL_SYMBOLS != 0
    }

    /// Whether all characters are of the general category P.
    pub(crate) fn is_punctuation(&self) -> bool {
        self.flags & ALL_PUNCTUATION != 0
    }

    /// Whether it is a character that ends a sentence.
    pub(crate) fn ends_sentence(&self) -> bool {
        self.flags & ENDS_SENTENCE != 0
    }

    /// Whether white space other than one blank stands before it, which is a word for spaCy.
    pub(crate) fn is_after_gap(&self) -> bool {
        self.flags & AFTER_GAP != 0
    }

    pub(crate) fn gap(&self) -> u8 {
        self.flags & AFTER_GAP
    }
}

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let rules = Rules {
        classes: Classes::get(),
        specials: Specials::new(),
        merges: Merges::empty(),
    };
    Rules {
        merges: Merges::new(&rules),
        ..rules
    }
});

/// All tables of the tokenizer.
pub(crate) struct Rules {
    classes: &'static Classes,
    pub(crate) specials: Specials,
    merges: Merges,
}

impl Rules {
    /// The one set of tables, built at the first call in about a millisecond.
    pub(crate) fn get() -> &'static Self {
        &RULES
    }

    /// Adds the words of a special piece at `start`, whose lengths are `cuts`.
    pub(crate) fn push_cuts(
        &self,
        text: &str,
        start: u32,
        cuts: &[u8],
        mut gap: u8,
        words: &mut Vec<Word>,
    ) {
        let mut at = start;
        for &cut in cuts {
            let end = at + u32::from(cut);
            words.push(self.word(text, at, end, gap));
            (at, gap) = (end, 0);
        }
    }

    fn word(&self, text: &str, start: u32, end: u32, gap: u8) -> Word {
        let chars = text[start as usize..end as usize].chars();
        word_of(start, end, gap, chars.map(|c| self.classes.of(c)))
    }
}

#[inline]
fn word_of(start: u32, end: u32, gap: u8, classes: impl Iterator<Item = u16>) -> Word {
    let (mut any, mut all, mut chars) = (0, u16::MAX, 0);
    for class in classes {
        any |= class;
        all &= class;
        chars += 1;
    }
    let ends_sentence = chars == 1 && any & SENTENCE_END != 0;
    let flags = [
        (any & LETTER != 0, HAS_LETTER),
        (all & SYMBOL != 0, ALL_SYMBOLS),
        (all & PUNCTUATION != 0, ALL_PUNCTUATION),
        (ends_sentence, ENDS_SENTENCE),
    ];
    let flags = flags.iter().fold(
        gap,
        |flags, &(is, flag)| if is { flags | flag } else { flags },
    );
    Word {
        start,
        end,
        chars,
        flags,
    }
}

/// What [`Splitter::split`] tells beside the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The text ends in white space that is a word for spaCy.
    pub(crate) ends_in_gap: bool,
    /// One of the words is `IS_ALPHA`, which spaCy cannot hold.
    pub(crate) has_poison: bool,
}

/// The name of an attribute of spaCy's: as a word it makes spaCy fail, and datatrove takes it out of
/// the text then.
pub(crate) const POISON: &str = "IS_ALPHA";

/// Splits texts; holds the buffers of a piece.
pub(crate) struct Splitter {
    rules: &'static Rules,
    glyphs: Vec<Glyph>,
    suffixes: Vec<(usize, usize)>,
}

/// What a scan of a piece found.
#[derive(Default)]
struct Scan {
    end: usize,
    chars: u32,
    bytes: u8,
    /// Bytes of ASCII that are neither letters nor digits.
    others: u32,
    classes: u16,
}

const ASCII_LETTER: u8 = 1;
const ASCII_DIGIT: u8 = 2;
const ASCII_OTHER: u8 = 4;
const ASCII_SPACE: u8 = 8;
const BEYOND_ASCII: u8 = 16;

/// What each byte says of a piece.
static BYTES: [u8; 256] = {
    let mut table = [BEYOND_ASCII; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = match b {
            b'A'..=b'Z' | b'a'..=b'z' => ASCII_LETTER,
            b'0'..=b'9' => ASCII_DIGIT,
            b'\t'..=b'\r' | 0x1C..=b' ' => ASCII_SPACE,
            _ => ASCII_OTHER,
        };
        byte += 1;
    }
    table
};

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            rules: Rules::get(),
            glyphs: Vec::new(),
            suffixes: Vec::new(),
        }
    }

    /// Fills `words` with the words of `text`, which is shorter than 4 GiB. Time is linear.
    pub(crate) fn split(&mut self, text: &str, words: &mut Vec<Word>) -> Tail {
        words.clear();
        let mut tail = Tail::default();
        let (mut at, mut stretch, mut is_torn, mut gap) = (0, 0, false, 0);
        loop {
            let space = skip_space(text, at);
            if space > at {
                // A single blank is no word, but at the very start of the text.
                let is_gap = space - at > 1 || text.as_bytes()[at] != b' ' || at == 0;
                gap = u8::from(is_gap) * AFTER_GAP;
                if is_gap {
                    self.join(text, words, &mut stretch, &mut is_torn);
                }
            }
            if space == text.len() {
                tail.ends_in_gap = gap != 0 && space > at;
                break;
            }
            let before = words.len();
            at = self.piece(text, space, gap, words, &mut tail);
            gap = 0;
            if words.len() > before + 1 && !is_torn {
                is_torn = words[before..]
                    .windows(2)
                    .any(|pair| self.rules.merges.is_pair(text, &pair[0], &pair[1]));
            }
        }
        self.join(text, words, &mut stretch, &mut is_torn);
        tail
    }

    /// Ends a stretch of words between gaps.
    #[inline]
    fn join(&self, text: &str, words: &mut Vec<Word>, stretch: &mut usize, is_torn: &mut bool) {
        if *is_torn {
            self.rules.merges.apply(self.rules, text, words, *stretch);
            *is_torn = false;
        }
        *stretch = words.len();
    }

    /// Adds the words of the piece that begins at `start`; gives its end.
    #[inline]
    fn piece(
        &mut self,
        text: &str,
        start: usize,
        gap: u8,
        words: &mut Vec<Word>,
        tail: &mut Tail,
    ) -> usize {
        let scan = self.scan(text, start);
        let piece = &text[start..scan.end];
        if scan.bytes & (ASCII_OTHER | BEYOND_ASCII) == 0 {
            let is_plain = scan.bytes == ASCII_LETTER || !ends_in_unit(piece);
            if is_plain {
                match self.rules.specials.get(piece) {
                    Some(cuts) => self.rules.push_cuts(text, start as u32, cuts, gap, words),
                    None => words.push(plain(
                        start,
                        scan.end,
                        scan.chars,
                        gap,
                        scan.bytes & ASCII_LETTER != 0,
                    )),
                }
                return scan.end;
            }
        } else if scan.bytes & (ASCII_OTHER | ASCII_DIGIT) == 0
            && scan.classes & (PREFIX | SUFFIX | ICON) == 0
        {
            words.push(self.inert(text, start, &scan, gap));
            return scan.end;
        }
        let one_mark = scan.others == 1 && scan.bytes == ASCII_LETTER | ASCII_OTHER;
        if !(one_mark && self.split_mark(text, start, scan.end, gap, words)) {
            self.tear(text, start, scan.end, gap, words, tail);
        }
        scan.end
    }

    /// Splits ASCII letters with one mark in front or behind, the most frequent pieces after plain
    /// words, as the rules would; false if the piece is another or needs the tables.
    fn split_mark(
        &self,
        text: &str,
        start: usize,
        end: usize,
        gap: u8,
        words: &mut Vec<Word>,
    ) -> bool {
        let piece = &text[start..end];
        let class = |byte: u8| self.rules.classes.of(char::from(byte));
        let [first, .., before, last] = *piece.as_bytes() else {
            return false;
        };
        let is_front = !first.is_ascii_alphabetic();
        let (is_mark, middle, body) = match (is_front, last) {
            (true, _) => (
                first != b'+' && class(first) & PREFIX != 0,
                start + 1,
                &piece[1..],
            ),
            (_, b'.') => (
                before.is_ascii_lowercase(),
                end - 1,
                &piece[..piece.len() - 1],
            ),
            _ => (
                class(last) & SUFFIX != 0,
                end - 1,
                &piece[..piece.len() - 1],
            ),
        };
        let is_special = |piece: &str| self.rules.specials.get(piece).is_some();
        if !is_mark || is_special(piece) || is_special(body) {
            return false;
        }
        for (at, end, gap) in [(start, middle, gap), (middle, end, 0)] {
            words.push(if (at == start) == is_front {
                self.rules.word(text, at as u32, end as u32, gap)
            } else {
                plain(at, end, (end - at) as u32, gap, true)
            });
        }
        true
    }

    /// Finds the end of the piece that begins at `start`, and the classes of its characters.
    #[inline]
    fn scan(&self, text: &str, start: usize) -> Scan {
        let bytes = text.as_bytes();
        let mut scan = Scan {
            end: start,
            ..Scan::default()
        };
        while let Some(&byte) = bytes.get(scan.end) {
            let class = BYTES[usize::from(byte)];
            if class & (ASCII_SPACE | BEYOND_ASCII) != 0 {
                if class == ASCII_SPACE {
                    break;
                }
                let Some(c) = text[scan.end..].chars().next() else {
                    break;
                };
                let of = self.rules.classes.of(c);
                if of & SPACE != 0 {
                    break;
                }
                scan.classes |= of;
                scan.end += c.len_utf8();
            } else {
                scan.end += 1;
            }
            scan.bytes |= class;
            scan.others += u32::from(class == ASCII_OTHER);
            scan.chars += 1;
        }
        scan
    }

    /// The word of a piece that no rule touches: letters beyond ASCII, and others that are neither
    /// affixes nor digits.
    fn inert(&self, text: &str, start: usize, scan: &Scan, gap: u8) -> Word {
        if scan.classes & (SYMBOL | PUNCTUATION | SENTENCE_END) != 0 {
            return self.rules.word(text, start as u32, scan.end as u32, gap);
        }
        let has_letter = scan.bytes & ASCII_LETTER != 0 || scan.classes & LETTER != 0;
        plain(start, scan.end, scan.chars, gap, has_letter)
    }

    /// Splits a piece by all rules.
    fn tear(
        &mut self,
        text: &str,
        start: usize,
        end: usize,
        gap: u8,
        words: &mut Vec<Word>,
        tail: &mut Tail,
    ) {
        let Self {
            rules,
            glyphs,
            suffixes,
        } = self;
        let before = words.len();
        rules.fill(glyphs, &text[start..end]);
        let piece = Piece {
            rules,
            text,
            start,
            end,
            glyphs,
        };
        piece.tear(suffixes, Some(&rules.specials), words);
        if let Some(first) = words.get_mut(before) {
            first.flags |= gap;
        }
        tail.has_poison |= end - start >= POISON.len()
            && words[before..].iter().any(|word| {
                word.chars == POISON.len() as u32
                    && &text[word.start as usize..word.end as usize] == POISON
            });
    }
}

impl Rules {
    fn fill(&self, glyphs: &mut Vec<Glyph>, piece: &str) {
        glyphs.clear();
        glyphs.extend(piece.char_indices().map(|(at, c)| Glyph {
            at: at as u32,
            c,
            class: self.classes.of(c),
        }));
    }
}

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

/// Whether a piece of ASCII letters and digits ends in letters after a digit that may be a unit.
#[inline]
fn ends_in_unit(piece: &str) -> bool {
    let tail = piece
        .bytes()
        .rev()
        .take(5)
        .take_while(u8::is_ascii_alphabetic)
        .count();
    (1..=4).contains(&tail) && tail < piece.len()
}

#[inline]
fn plain(start: usize, end: usize, chars: u32, gap: u8, has_letter: bool) -> Word {
    Word {
        start: start as u32,
        end: end as u32,
        chars,
        flags: if has_letter { gap | HAS_LETTER } else { gap },
    }
}

/// Where the white space that begins at `at` ends.
#[inline]
fn skip_space(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match BYTES[usize::from(byte)] {
            ASCII_SPACE => at += 1,
            BEYOND_ASCII => match text[at..].chars().next() {
                Some(c) if is_space(c) => at += c.len_utf8(),
                _ => break,
            },
            _ => break,
        }
    }
    at
}

/// A piece of text, decoded.
struct Piece<'a> {
    rules: &'a Rules,
    text: &'a str,
    start: usize,
    end: usize,
    glyphs: &'a [Glyph],
}

impl Piece<'_> {
    /// Takes affixes from both ends, and adds the words in the order of the text.
    fn tear(
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

/// A lower bound of the number of words: the pieces between white space that hold a byte that is
/// surely no white space.
pub(crate) fn pieces(text: &str) -> usize {
    // White space beyond ASCII begins with one of these bytes and goes on with bytes below 0xC0.
    let is_sure = |byte: u8| byte < 0x80 || byte > 0xC2 && !matches!(byte, 0xE1..=0xE3);
    let (mut pieces, mut is_counted) = (0, false);
    for &byte in text.as_bytes() {
        let is_space = BYTES[usize::from(byte)] == ASCII_SPACE;
        let is_word = is_sure(byte) && !is_space;
        pieces += usize::from(is_word && !is_counted);
        is_counted = (is_counted || is_word) && !is_space;
    }
    pieces
}
