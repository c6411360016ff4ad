//! Cuts a text into pretokens, the pieces that byte-pair encoding never merges across.
//!
//! Published vocabularies use a handful of regular expressions. Each is recognised by its text and
//! done by a hand-written automaton of the same result; an unknown one is refused. Where the processor
//! has AVX2, those of GPT-2 and cl100k are done on 64 bytes at a time, and the automaton does the rest.

mod blocks;
mod cl100k;
mod deepseek;
mod gpt2;
mod o200k;
mod scan;
mod simd;
pub(crate) mod stages;

use crate::class::{Classes, LETTER};
use blocks::Wide;
use scan::Scan;
use simd::Avx2;
use stages::Cut;
use std::sync::Arc;

/// How a text is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The expression of GPT-2: also r50k and p50k.
    Gpt2,
    /// The expression of GPT-2 after each digit is cut off: `StarCoder`, `SmolLM2`, Command R.
    Gpt2Digits,
    /// The three expressions of `DeepSeek` V3, one after the other.
    DeepSeek,
    /// The family of cl100k: Llama 3 and Qwen.
    Cl100k(Cl100k),
    /// The family of o200k: words are cut where upper case follows lower case.
    O200k(O200k),
    /// Before each space: how Metaspace cuts a text.
    EachSpace,
    /// Before each run of spaces: how the sentence piece models' own merges cut a text.
    Spaces,
    /// Nowhere.
    Whole,
    /// By several pre-tokenisers in a row. Some bytes may be in no pretoken.
    Stages(Arc<[Cut]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cl100k {
    /// Most digits of a pretoken.
    pub(crate) digits: usize,
    /// Whether white space at the text's end is one pretoken in spite of line ends.
    pub(crate) joins_trailing_white: bool,
    /// Whether marks are letters.
    pub(crate) joins_marks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct O200k {
    /// Most digits of a pretoken.
    pub(crate) digits: usize,
    /// Whether `'s` and the like belong to the word before them.
    pub(crate) contractions: bool,
}

/// What GPT-2's pre-tokeniser does where a file names no expression.
const GPT2: [&str; 2] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
];

impl Pattern {
    /// The pattern of a regular expression, if it is a known one.
    pub(crate) fn of(regex: &str) -> Option<Self> {
        if GPT2.contains(&regex) {
            return Some(Self::Gpt2);
        }
        if regex
            == r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
        {
            return Some(Self::Cl100k(Cl100k {
                // Oniguruma, the peer's engine, takes `{1,3}+` for a repetition of `{1,3}`.
                digits: usize::MAX,
                joins_trailing_white: true,
                joins_marks: false,
            }));
        }
        let rest = regex.strip_suffix(r"|\s*[\r\n]+|\s+(?!\S)|\s+")?;
        let contractions = ["(?i:'s|'t|'re|'ve|'m|'ll|'d)|", "'(?i:[sdmt]|ll|ve|re)|"];
        if let Some(rest) = contractions
            .iter()
            .find_map(|start| rest.strip_prefix(start))
        {
            let rest = rest.strip_prefix(r"[^\r\n\p{L}\p{N}]?")?;
            let (number, joins_marks) = if let Some(rest) = rest.strip_prefix(r"\p{L}+|") {
                (rest.strip_suffix(r"| ?[^\s\p{L}\p{N}]+[\r\n]*")?, false)
            } else {
                let rest = rest.strip_prefix(r"[\p{L}\p{M}]+|")?;
                let rest = rest.strip_suffix(r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*")?;
                (rest, true)
            };
            return Some(Self::Cl100k(Cl100k {
                digits: digits(number)?,
                joins_trailing_white: false,
                joins_marks,
            }));
        }
        let rest = rest.strip_suffix(r"| ?[^\s\p{L}\p{N}]+[\r\n/]*")?;
        let (words, number) = rest.rsplit_once('|')?;
        let digits = digits(number)?;
        let contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
        let word = |contraction| {
            format!(
                r"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]*[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]+{contraction}|[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]+[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]*{contraction}"
            )
        };
        let contractions = match words {
            _ if words == word(contraction) => true,
            _ if words == word("") => false,
            _ => return None,
        };
        Some(Self::O200k(O200k {
            digits,
            contractions,
        }))
    }

    /// The pattern of several regular expressions, each of which cuts what those before it left.
    pub(crate) fn of_many(regexes: &[&str]) -> Option<Self> {
        match regexes {
            [regex] => Self::of(regex),
            _ if regexes == deepseek::EXPRESSIONS => Some(Self::DeepSeek),
            _ => None,
        }
    }

    /// Gives start and end of each pretoken of `text`, in order.
    pub(crate) fn each(&self, text: &[u8], classes: Classes, mut emit: impl FnMut(usize, usize)) {
        self.cut(text, classes, |mut start, ends| {
            for &end in ends {
                emit(start, end);
                start = end;
            }
        });
    }

    /// Gives the pretokens of `text`, UTF-8, in order, several at a time: where the first starts, and
    /// where each ends.
    #[inline]
    pub(crate) fn cut(&self, text: &[u8], classes: Classes, mut emit: impl FnMut(usize, &[usize])) {
        self.cut_with(Avx2::new(), text, classes, &mut emit);
    }

    fn cut_with(
        &self,
        avx2: Option<Avx2>,
        text: &[u8],
        classes: Classes,
        emit: &mut impl FnMut(usize, &[usize]),
    ) {
        let scan = Scan::new(text, classes);
        let letters = Wide {
            word: LETTER,
            odd: 0,
        };
        match self {
            Self::Gpt2 => blocks::cut(
                scan,
                avx2.map(|avx2| (avx2, letters)),
                |at, block| gpt2::starts(scan, at, block),
                |at| gpt2::end(scan, at),
                emit,
            ),
            Self::Gpt2Digits => blocks::cut(
                scan,
                avx2.map(|avx2| (avx2, letters)),
                |at, block| gpt2::starts_without_digits(scan, at, block),
                |at| gpt2::end_without_digits(scan, at),
                emit,
            ),
            &Self::Cl100k(rule) => blocks::cut(
                scan,
                avx2.map(|avx2| (avx2, cl100k::wide(rule))),
                |at, block| cl100k::starts(scan, at, block, rule),
                |at| cl100k::end(scan, at, rule),
                emit,
            ),
            Self::DeepSeek => blocks::one_by_one(scan, |at| deepseek::end(scan, at), emit),
            &Self::O200k(rule) => blocks::one_by_one(scan, |at| o200k::end(scan, at, rule), emit),
            Self::EachSpace => blocks::one_by_one(scan, |at| scan.next_space(at), emit),
            Self::Spaces => blocks::one_by_one(scan, |at| scan.next_word(at), emit),
            Self::Whole => blocks::one_by_one(scan, |_| text.len(), emit),
            Self::Stages(cuts) => stages::cut(cuts, text, 0, classes, &mut |start, end| {
                emit(start, &[end]);
            }),
        }
    }
}

fn digits(regex: &str) -> Option<usize> {
    match regex {
        r"\p{N}" => Some(1),
        r"\p{N}{1,3}" => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Characters of each class and size, the rare ones that patterns tell apart, and runs of them.
    const PARTS: [&str; 48] = [
        "a",
        "b",
        "word",
        "Word",
        "HTML",
        "s",
        "t",
        "re",
        "ll",
        "'",
        "'s",
        "'re",
        "'LL",
        "'ſ",
        " ",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        "    ",
        "1",
        "22",
        "333",
        "4444444",
        ".",
        "!?",
        "(",
        "/",
        "_",
        "é",
        "ж",
        "слово",
        "語",
        "日本語",
        "한",
        "ا",
        "\u{301}",
        "²",
        "٣",
        "\u{a0}",
        "\u{3000}",
        "“",
        "。",
        "😀",
        "𝟘",
        "\u{200b}",
    ];

    fn patterns() -> Vec<Pattern> {
        let mut patterns = vec![Pattern::Gpt2, Pattern::Gpt2Digits];
        for digits in [1, 3, usize::MAX] {
            for joins_trailing_white in [false, true] {
                for joins_marks in [false, true] {
                    patterns.push(Pattern::Cl100k(Cl100k {
                        digits,
                        joins_trailing_white,
                        joins_marks,
                    }));
                }
            }
        }
        patterns
    }

    fn ends(pattern: &Pattern, avx2: Option<Avx2>, text: &[u8]) -> Vec<usize> {
        let (mut at, mut all) = (0, Vec::new());
        pattern.cut_with(avx2, text, Classes::new(), &mut |start, ends| {
            assert_eq!(start, at, "batches are side by side");
            at = *ends.last().expect("a batch is not empty");
            all.extend_from_slice(ends);
        });
        // A character that is cut at the end counts whole.
        assert!(at >= text.len());
        all
    }

    fn check(text: &[u8]) {
        for pattern in patterns() {
            let expected = ends(&pattern, None, text);
            let found = ends(&pattern, Avx2::new(), text);
            let text = String::from_utf8_lossy(text);
            assert_eq!(found, expected, "{pattern:?} of {text:?}");
        }
    }

    #[test]
    fn runs_are_cut_the_same_with_and_without_simd() {
        for part in PARTS {
            for other in PARTS {
                for count in [1, 2, 20, 70] {
                    check(format!("{}{other}{}", part.repeat(count), " a".repeat(40)).as_bytes());
                    check(format!("{part}{other}").repeat(count).as_bytes());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn texts_are_cut_the_same_with_and_without_simd(
            parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..150),
        ) {
            check(parts.concat().as_bytes());
        }

        #[test]
        fn spaces_and_symbols_are_cut_the_same_with_and_without_simd(
            parts in prop::collection::vec(prop::sample::select(&PARTS[8..37]), 0..150),
        ) {
            check(parts.concat().as_bytes());
        }

        #[test]
        fn cut_characters_are_cut_the_same_with_and_without_simd(
            parts in prop::collection::vec(prop::sample::select(&PARTS[30..]), 0..60),
            cuts in (0usize..4, 0usize..4),
        ) {
            let text = parts.concat();
            let (from, to) = (cuts.0.min(text.len()), text.len().saturating_sub(cuts.1));
            check(&text.as_bytes()[from.min(to)..to]);
        }
    }
}
