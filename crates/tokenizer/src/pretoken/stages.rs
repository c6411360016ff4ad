//! Pre-tokenisers one after the other: each cuts what the ones before it left. The general way, for
//! sequences that have no automaton of their own.

use super::Pattern;
use super::scan::Scan;
use crate::class::{Classes, LETTER, NUMBER, SYMBOL, WHITE};
use crate::unicode;

/// One pre-tokeniser: what it looks for, and what becomes of the matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) of: Of,
    pub(crate) behavior: Behavior,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The pieces of an expression that leaves nothing out.
    Pattern(Pattern),
    /// Each digit or other number.
    Digit,
    /// Each number after the text was written in the alphabet of bytes, in which some bytes of longer
    /// characters are numbers.
    DigitOfBytes,
    /// Each character of punctuation.
    Punctuation,
    /// Each character of white space.
    White,
    /// `\w+|[^\w\s]+`.
    Word,
    /// These characters.
    Literal(Box<str>),
    /// `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`, CLIP's.
    Clip,
    /// ` ?[^(\s|[.,!?…。，、।۔،])]+`, BLOOM's: white space, brackets, bars and some punctuation end a
    /// word.
    Bloom,
    /// `[0-9][0-9][0-9]`.
    ThreeDigits,
}

/// What becomes of matches and of what is between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Both are pieces.
    Isolated,
    /// Matches are dropped.
    Removed,
    /// Only matches are pieces.
    Kept,
    /// Matches side by side are one piece.
    Contiguous,
    /// A match belongs to what stands before it.
    MergedWithPrevious,
    /// A match belongs to what stands after it.
    MergedWithNext,
}

/// Gives the pieces of `text`, UTF-8 but where numbers of the alphabet of bytes were cut.
pub(super) fn cut(
    cuts: &[Cut],
    text: &[u8],
    start: usize,
    classes: Classes,
    emit: &mut dyn FnMut(usize, usize),
) {
    let Some((first, rest)) = cuts.split_first() else {
        return emit(start, start + text.len());
    };
    let mut pieces = Pieces {
        behavior: first.behavior,
        pending: None,
        emit: &mut |from, to| cut(rest, &text[from..to], start + from, classes, emit),
    };
    first.of.find(text, classes, &mut pieces);
    pieces.finish();
}

/// Joins matches and what is between them as asked.
struct Pieces<'a> {
    behavior: Behavior,
    /// Start, end and whether it is a match, of a piece that may grow.
    pending: Option<(usize, usize, bool)>,
    emit: &'a mut dyn FnMut(usize, usize),
}

impl Pieces<'_> {
    fn add(&mut self, start: usize, end: usize, is_match: bool) {
        if start == end {
            return;
        }
        match self.behavior {
            Behavior::Isolated => return (self.emit)(start, end),
            Behavior::Removed | Behavior::Kept => {
                if is_match == (self.behavior == Behavior::Kept) {
                    (self.emit)(start, end);
                }
                return;
            }
            Behavior::Contiguous | Behavior::MergedWithPrevious | Behavior::MergedWithNext => {}
        }
        if let Some((first, before, was_match)) = self.pending.take() {
            let joins = match self.behavior {
                Behavior::Contiguous => is_match == was_match,
                Behavior::MergedWithPrevious => is_match && !was_match,
                _ => was_match && !is_match,
            };
            if joins {
                // What a match was merged into counts as a match.
                let is_match = is_match || self.behavior == Behavior::MergedWithPrevious;
                self.pending = Some((first, end, is_match));
                return;
            }
            (self.emit)(first, before);
        }
        self.pending = Some((start, end, is_match));
    }

    fn finish(&mut self) {
        if let Some((start, end, _)) = self.pending.take() {
            (self.emit)(start, end);
        }
    }

    /// Adds what is between matches as well: `next` gives start and end of the first match at or after
    /// a place.
    fn add_all(&mut self, size: usize, next: impl Fn(usize) -> Option<(usize, usize)>) {
        let mut at = 0;
        while let Some((start, end)) = next(at) {
            self.add(at, start, false);
            self.add(start, end, true);
            at = end;
        }
        self.add(at, size, false);
    }
}

impl Of {
    fn find(&self, text: &[u8], classes: Classes, pieces: &mut Pieces<'_>) {
        let scan = Scan::new(text, classes);
        let size = text.len();
        match self {
            Self::Pattern(pattern) => {
                pattern.each(text, classes, |start, end| pieces.add(start, end, true));
            }
            Self::Digit => chars(scan, size, pieces, |at| scan.class(at).0 == NUMBER),
            Self::Punctuation => chars(scan, size, pieces, |at| {
                char::from_u32(scan.char(at)).is_some_and(unicode::is_punctuation)
            }),
            Self::White => chars(scan, size, pieces, |at| scan.class(at).0 & WHITE != 0),
            Self::DigitOfBytes => {
                let is_digit = |at: &usize| is_number_of_bytes(text[*at]);
                pieces.add_all(size, |from| {
                    (from..size).find(is_digit).map(|at| (at, at + 1))
                });
            }
            Self::Literal(literal) => {
                let literal = literal.as_bytes();
                pieces.add_all(size, |from| {
                    let mut windows = text[from..].windows(literal.len());
                    let at = from + windows.position(|window| window == literal)?;
                    Some((at, at + literal.len()))
                });
            }
            Self::ThreeDigits => pieces.add_all(size, |from| {
                let is_match = |window: &[u8]| window.iter().all(u8::is_ascii_digit);
                let at = from + text[from..].windows(3).position(is_match)?;
                Some((at, at + 3))
            }),
            Self::Word => pieces.add_all(size, |from| first(scan, from, size, |at| word(scan, at))),
            Self::Clip => pieces.add_all(size, |from| first(scan, from, size, |at| clip(scan, at))),
            Self::Bloom => {
                pieces.add_all(size, |from| first(scan, from, size, |at| bloom(scan, at)));
            }
        }
    }
}

/// Adds each character as a match or not.
fn chars(scan: Scan<'_>, size: usize, pieces: &mut Pieces<'_>, is_match: impl Fn(usize) -> bool) {
    pieces.add_all(size, |from| {
        first(scan, from, size, |at| {
            is_match(at).then(|| at + scan.class(at).1)
        })
    });
}

/// The first match at or after `from`, where `end` gives that of a match.
fn first(
    scan: Scan<'_>,
    from: usize,
    size: usize,
    end: impl Fn(usize) -> Option<usize>,
) -> Option<(usize, usize)> {
    let mut at = from;
    while at < size {
        if let Some(end) = end(at) {
            return Some((at, end));
        }
        at += scan.class(at).1;
    }
    None
}

fn word(scan: Scan<'_>, at: usize) -> Option<usize> {
    let is_in_word = |at| {
        scan.text
            .get(at)
            .is_some_and(|_| char::from_u32(scan.char(at)).is_some_and(unicode::is_in_word))
    };
    let is_other = |at| {
        let (class, size) = scan.class(at);
        size > 0 && class & WHITE == 0 && !is_in_word(at)
    };
    if is_in_word(at) {
        Some(run(scan, at, is_in_word))
    } else {
        is_other(at).then(|| run(scan, at, is_other))
    }
}

fn clip(scan: Scan<'_>, at: usize) -> Option<usize> {
    let (class, size) = scan.class(at);
    if scan.text[at] == b'\''
        && let Some(end) = scan.contraction(at, false)
    {
        return Some(end);
    }
    match class {
        NUMBER => Some(at + size),
        _ if class & LETTER != 0 => Some(scan.letters(at)),
        _ if class & SYMBOL != 0 => Some(scan.run(at, SYMBOL)),
        _ => None,
    }
}

fn bloom(scan: Scan<'_>, at: usize) -> Option<usize> {
    // The brackets of the inner set are no members of it.
    const ENDS: [char; 14] = [
        '(', ')', '|', '.', ',', '!', '?', '…', '。', '，', '、', '।', '۔', '،',
    ];
    let is_in_word = |at| {
        let (class, size) = scan.class(at);
        let ends = || ENDS.iter().any(|&end| end as u32 == scan.char(at));
        size > 0 && class & WHITE == 0 && !ends()
    };
    let from = at + usize::from(scan.text[at] == b' ');
    is_in_word(from).then(|| run(scan, from, is_in_word))
}

/// The end of the run of characters from `at`, the first of which is known to be in it.
fn run(scan: Scan<'_>, mut at: usize, is_in: impl Fn(usize) -> bool) -> usize {
    loop {
        at += scan.class(at).1;
        if !is_in(at) {
            return at;
        }
    }
}

/// Whether the character that stands for a byte is a number: digits, superscripts and fractions, which
/// stand for themselves.
fn is_number_of_bytes(byte: u8) -> bool {
    (byte as char).is_numeric()
}
