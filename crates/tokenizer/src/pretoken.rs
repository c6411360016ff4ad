//! Cuts a text into pretokens, the pieces that byte-pair encoding never merges across.
//!
//! Published vocabularies use a handful of regular expressions. Each is recognised by its text and
//! done by a hand-written automaton of the same result; an unknown one is refused.

mod cl100k;
mod deepseek;
mod gpt2;
mod o200k;
mod scan;
pub(crate) mod stages;

use crate::class::Classes;
use scan::Scan;
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

    /// Gives the end of each pretoken of `text`, UTF-8, in order.
    #[inline]
    pub(crate) fn cut(&self, text: &[u8], classes: Classes, mut emit: impl FnMut(usize, usize)) {
        let scan = Scan::new(text, classes);
        match self {
            Self::Gpt2 => scan.cut(|at| gpt2::end(scan, at), &mut emit),
            Self::Gpt2Digits => scan.cut(|at| gpt2::end_without_digits(scan, at), &mut emit),
            Self::DeepSeek => scan.cut(|at| deepseek::end(scan, at), &mut emit),
            &Self::Cl100k(rule) => scan.cut(|at| cl100k::end(scan, at, rule), &mut emit),
            &Self::O200k(rule) => scan.cut(|at| o200k::end(scan, at, rule), &mut emit),
            Self::EachSpace => scan.cut(|at| scan.next_space(at), &mut emit),
            Self::Spaces => scan.cut(|at| scan.next_word(at), &mut emit),
            Self::Whole => scan.cut(|_| text.len(), &mut emit),
            Self::Stages(cuts) => stages::cut(cuts, text, 0, classes, &mut emit),
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
