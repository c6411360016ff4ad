//! Whether a text looks as if it had been decoded wrongly: it holds a run of characters that is much
//! likelier so than meant. The runs are those of ftfy 6.3.1.

use super::tables::{
    BAD, BOX, C1, CLASSES, COMMON, CURRENCY, END_PUNCTUATION as END, KAOMOJI, LAW, LOWER_ACCENTED,
    LOWER_COMMON, NUMERIC, START_PUNCTUATION as START, UPPER_ACCENTED, UPPER_COMMON,
    UTF8_CONTINUATION,
};
use crate::unicode::{Classes, WORD, is_space};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The characters that may stand at one place of a run.
#[derive(Clone, Copy)]
enum Set {
    /// Of one of these classes of the tables, or one of these.
    Any(u32, &'static str),
    /// `A` to `Z`, `a` to `z`.
    Letter,
    /// `a` to `z`.
    Small,
    /// `a` to `z`, or one of these, or of these classes.
    SmallOr(u32, &'static str),
    /// White space.
    Space,
    /// A letter, digit or underscore of any script.
    Word,
    /// Anything but an ASCII letter.
    NoLetter,
    /// Anything but a line feed.
    Dot,
}

use Set::{Any, Dot, Letter, NoLetter, Small, SmallOr, Space, Word};

const ACCENTED: u32 = LOWER_ACCENTED | UPPER_ACCENTED;
const ODD: u32 = ACCENTED | BOX | START | END | CURRENCY | NUMERIC | LAW;
const ARABIC: Set = Any(COMMON | CURRENCY | BAD | NUMERIC | START, "ŸŠ®°µ»");
const CYRILLIC: Set = Any(0, "ВГРС");
const GREEK: Set = Any(0, "ΒΓΞΟ");

/// The runs, but for single control characters of C1 and the beginning of a text. The cases that
/// name characters are, from the tenth on, those of Windows-1252 and Latin-1, of Arabic and of Indian
/// scripts in them, of Mac Roman, of Windows-1251, of spaces after Â and Ã, of Windows-1253 and 1257.
const RUNS: [&[Set]; 36] = [
    &[Any(ODD | BAD, ""), Any(BAD, "")],
    &[Any(BAD, ""), Any(ODD, "")],
    &[Letter, Any(LOWER_COMMON | UPPER_COMMON, ""), Any(BAD, "")],
    &[
        Any(
            LOWER_ACCENTED | LOWER_COMMON | BOX | END | CURRENCY | NUMERIC,
            "",
        ),
        Any(UPPER_ACCENTED, ""),
    ],
    &[
        Any(BOX | END | CURRENCY | NUMERIC, ""),
        Any(LOWER_ACCENTED, ""),
    ],
    &[Any(LOWER_ACCENTED | BOX | END, ""), Any(CURRENCY, "")],
    &[Space, Any(UPPER_ACCENTED, ""), Any(CURRENCY, "")],
    &[Any(UPPER_ACCENTED | BOX, ""), Any(NUMERIC | LAW, "")],
    &[
        Any(ACCENTED | BOX | CURRENCY | END, ""),
        Any(START, ""),
        Any(NUMERIC, ""),
    ],
    &[
        Any(ACCENTED | CURRENCY | NUMERIC | BOX | LAW, ""),
        Any(END, ""),
        Any(START, ""),
    ],
    &[Any(CURRENCY | NUMERIC | BOX, ""), Any(START, "")],
    &[Small, Any(UPPER_ACCENTED, ""), Any(START | CURRENCY, "")],
    &[Any(BOX, ""), Any(KAOMOJI, "")],
    &[
        Any(ACCENTED | CURRENCY | NUMERIC | START | END | LAW, ""),
        Any(BOX, ""),
    ],
    &[Any(BOX, ""), Any(END, "")],
    &[Any(ACCENTED, ""), Any(START | END, ""), Word],
    &[Any(0, "Œœ"), NoLetter],
    &[Any(UPPER_ACCENTED, ""), Any(0, "°")],
    &[
        Any(0, "ÂÃÎÐ"),
        Any(START | END, "€œŠš¢£Ÿž\u{A0}\u{AD}®©°·»–—´"),
    ],
    &[Any(0, "×"), Any(0, "²³")],
    &[Any(0, "ØÙ"), ARABIC, Any(0, "ØÙ"), ARABIC],
    &[Any(0, "à"), Any(0, "²µ¹¼½¾")],
    &[Any(0, "√"), Any(0, "±∂†≠®™´≤≥¥µø")],
    &[Any(0, "≈"), Any(0, "°¢")],
    &[Any(0, "‚"), Any(0, "Ä"), Any(0, "ìîïòôúùû†°¢π")],
    &[Any(0, "‚"), Any(0, "âó"), Any(0, "àä°ê")],
    &[Any(0, "в"), Any(0, "Ђ")],
    &[
        CYRILLIC,
        Any(C1 | BAD | START | END | CURRENCY, "°µ"),
        CYRILLIC,
    ],
    &[
        Any(0, "Г"),
        Any(0, "ў"),
        Any(0, "В"),
        Any(0, "Ђ"),
        Any(0, "В"),
        Dot,
        SmallOr(0, " ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ],
    &[Any(0, "Ã"), Any(0, "\u{A0}¡")],
    &[Small, Any(0, "ÃÂ"), Any(0, " ")],
    &[Small, Space, Any(0, "ÃÂ"), Any(0, " ")],
    &[SmallOr(END, ".,?!"), Any(0, "Â"), Any(START | END, " ")],
    &[Any(0, "β"), Any(0, "€"), Any(0, "™\u{A0}Ά\u{AD}®°")],
    &[GREEK, Any(C1 | BAD | START | END | CURRENCY, "°"), GREEK],
    &[Any(0, "ā"), Any(0, "€")],
];

impl Set {
    fn has(self, c: char, class: u32) -> bool {
        match self {
            Any(classes, chars) => class & classes != 0 || chars.contains(c),
            Letter => c.is_ascii_alphabetic(),
            Small => c.is_ascii_lowercase(),
            SmallOr(classes, chars) => {
                c.is_ascii_lowercase() || class & classes != 0 || chars.contains(c)
            }
            Space => is_space(c),
            Word => Classes::get().of(c) & WORD != 0,
            NoLetter => !c.is_ascii_alphabetic(),
            Dot => c != '\n',
        }
    }
}

/// What is known of a character: its classes, and the runs that it may begin, and be the second of.
#[derive(Clone, Copy)]
struct Facts {
    class: u32,
    first: u64,
    second: u64,
}

impl Facts {
    fn new(c: char, class: u32) -> Self {
        let runs = |at: usize| {
            let mut bits = 0;
            for (bit, run) in RUNS.iter().enumerate() {
                bits |= u64::from(run[at].has(c, class)) << bit;
            }
            bits
        };
        Self {
            class,
            first: runs(0),
            second: runs(1),
        }
    }
}

/// Below this, facts are in a table.
const DIRECT: usize = 0x530;

struct Known {
    direct: Vec<Facts>,
    others: HashMap<char, Facts>,
    unknown: Facts,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let class = |c: char| {
        let at = CLASSES.binary_search_by_key(&c, |class| class.0);
        at.map_or(0, |at| CLASSES[at].1)
    };
    let facts = |c: char| {
        let class = if c == ' ' {
            UTF8_CONTINUATION
        } else {
            class(c)
        };
        Facts::new(c, class)
    };
    // The characters of the runs are all in a class or below the bound, but for white space.
    let others = CLASSES.iter().map(|class| class.0);
    let others = others.chain(('\u{1680}'..='\u{3000}').filter(|&c| is_space(c)));
    Known {
        direct: ('\0'..).take(DIRECT).map(facts).collect(),
        others: others.map(|c| (c, facts(c))).collect(),
        unknown: Facts::new('\u{4E00}', 0),
    }
});

fn facts(c: char) -> Facts {
    let known = &*KNOWN;
    match known.direct.get(c as usize) {
        Some(facts) => *facts,
        // Whatever has no class lies in or beyond the scripts of China, Korea and Japan.
        None if ('\u{3001}'..'\u{E000}').contains(&c) => known.unknown,
        None => known.others.get(&c).copied().unwrap_or(known.unknown),
    }
}

/// The classes of a character, as in the tables.
pub(super) fn class(c: char) -> u32 {
    facts(c).class
}

/// Whether a text looks as if it had been decoded wrongly. Time is linear.
pub(super) fn is_bad(text: &str) -> bool {
    let begins_badly = ["Ã ", "Â "].iter().any(|start| text.starts_with(start));
    let (mut first, mut rest) = (0, text.char_indices());
    begins_badly
        || rest.any(|(at, c)| {
            let facts = facts(c);
            let candidates = first & facts.second;
            first = facts.first;
            facts.class & C1 != 0
                || candidates != 0 && goes_on(candidates, &text[at + c.len_utf8()..])
        })
}

/// Whether one of the runs, whose first two characters were seen, goes on as `rest` does.
fn goes_on(mut candidates: u64, rest: &str) -> bool {
    while candidates != 0 {
        let run = RUNS[candidates.trailing_zeros() as usize];
        candidates &= candidates - 1;
        let mut chars = rest.chars();
        let mut follows = |set: &Set| chars.next().is_some_and(|c| set.has(c, class(c)));
        if run[2..].iter().all(&mut follows) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_run_is_known() {
        for set in RUNS.iter().copied().flatten() {
            if let Any(_, chars) | SmallOr(_, chars) = set {
                for c in chars.chars() {
                    let is_known = (c as usize) < DIRECT || KNOWN.others.contains_key(&c);
                    assert!(is_known, "{c}");
                }
            }
        }
        assert!(CLASSES.is_sorted());
        assert!(
            CLASSES
                .iter()
                .all(|&(c, _)| !('\u{3001}'..'\u{E000}').contains(&c))
        );
    }
}
