//! Splits text into words as spaCy's blank English tokenizer does, less the words of white space.
//!
//! White space cuts the text into pieces. A piece of plain letters is one word; from any other piece
//! prefixes and suffixes are taken until nothing changes, what remains is looked up among the special
//! pieces, kept if it is a web address, and cut at infixes otherwise.

use crate::affix::Glyph;
use crate::piece::Piece;
use crate::unicode::{
    ICON, LETTER, PREFIX, PUNCTUATION, SENTENCE_END, SPACE, SUFFIX, SYMBOL, is_space,
};
use crate::word::{AFTER_GAP, Rules, Word, plain};

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
