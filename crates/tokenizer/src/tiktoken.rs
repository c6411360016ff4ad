//! Rank files of `tiktoken`: a line for each token, its bytes in base 64 and its rank, which is its
//! id too. What is not in the file, expression and special tokens, is known by the encoding's name.

use crate::Error;
use crate::base64;
use crate::bpe::{Bpe, Merges, NO_TOKEN, Seams, Symbols, Vocab};
use crate::byte_pair::{BytePair, Special};
use crate::file::AddedToken;
use crate::normal::Normalization;
use crate::pretoken::{Cl100k, O200k, Pattern};

/// An encoding of `tiktoken`, of which the rank file gives the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tiktoken {
    /// `r50k_base`, the encoding of GPT-2.
    R50k,
    /// `p50k_base`.
    P50k,
    /// `p50k_edit`, of the same file as `p50k_base`.
    P50kEdit,
    /// `cl100k_base`.
    Cl100k,
    /// `o200k_base`.
    O200k,
    /// `o200k_harmony`: the ranks of `o200k_base` and the special tokens of gpt-oss.
    O200kHarmony,
}

const END_OF_TEXT: &str = "<|endoftext|>";
const END_OF_PROMPT: &str = "<|endofprompt|>";
const FILL: [&str; 3] = ["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"];

const HARMONY: [(&str, u32); 9] = [
    ("<|startoftext|>", 199_998),
    (END_OF_TEXT, 199_999),
    ("<|return|>", 200_002),
    ("<|constrain|>", 200_003),
    ("<|channel|>", 200_005),
    ("<|start|>", 200_006),
    ("<|end|>", 200_007),
    ("<|message|>", 200_008),
    ("<|call|>", 200_012),
];
const HARMONY_END: u32 = 201_088;

impl Tiktoken {
    /// The encoding that a file's name names, such as `cl100k_base.tiktoken`.
    pub fn of_name(name: &str) -> Option<Self> {
        let known = [
            ("gpt2", Self::R50k),
            ("r50k_base", Self::R50k),
            ("p50k_base", Self::P50k),
            ("p50k_edit", Self::P50kEdit),
            ("cl100k_base", Self::Cl100k),
            ("o200k_base", Self::O200k),
            ("o200k_harmony", Self::O200kHarmony),
        ];
        let stem = name.strip_suffix(".tiktoken").unwrap_or(name);
        known
            .into_iter()
            .find(|(known, _)| *known == stem)
            .map(|(_, encoding)| encoding)
    }

    fn pattern(self) -> Pattern {
        match self {
            Self::R50k | Self::P50k | Self::P50kEdit => Pattern::Gpt2,
            Self::Cl100k => Pattern::Cl100k(Cl100k {
                digits: 3,
                joins_trailing_white: true,
                joins_marks: false,
            }),
            Self::O200k | Self::O200kHarmony => Pattern::O200k(O200k {
                digits: 3,
                contractions: true,
            }),
        }
    }

    fn special(self) -> Vec<(String, u32)> {
        let named = match self {
            Self::R50k | Self::P50k => vec![(END_OF_TEXT, 50256)],
            Self::P50kEdit => std::iter::once((END_OF_TEXT, 50256))
                .chain(FILL.into_iter().zip(50281..))
                .collect(),
            Self::Cl100k => [END_OF_TEXT]
                .into_iter()
                .chain(FILL)
                .zip(100_257..)
                .chain([(END_OF_PROMPT, 100_276)])
                .collect(),
            Self::O200k => vec![(END_OF_TEXT, 199_999), (END_OF_PROMPT, 200_018)],
            Self::O200kHarmony => std::iter::once((END_OF_PROMPT, 200_018))
                .chain(HARMONY)
                .collect(),
        };
        // Harmony names what it has no use for by the id; one is the end of a prompt too.
        let reserved = (200_000..HARMONY_END)
            .filter(|id| self == Self::O200kHarmony && HARMONY.iter().all(|(_, used)| used != id))
            .map(|id| (format!("<|reserved_{id}|>"), id));
        let named = named.into_iter().map(|(name, id)| (name.to_owned(), id));
        named.chain(reserved).collect()
    }
}

/// Builds the encoder of a rank file. Special tokens in a text are text, until told otherwise.
pub(crate) fn byte_pair(file: &[u8], encoding: Tiktoken) -> Result<BytePair, Error> {
    let mut arena = Vec::with_capacity(file.len());
    let mut tokens = Vec::with_capacity(file.len() / 16);
    for (line, number) in file.split(|&byte| byte == b'\n').zip(1u32..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let start = arena.len();
        let id = parse_line(line, &mut arena).ok_or_else(|| {
            Error::corrupt(format!(
                "line {number} of the rank file is not a token in base 64, a space and a rank"
            ))
        })?;
        tokens.push((start..arena.len(), id));
    }
    let pairs = tokens
        .iter()
        .map(|(range, id)| (&arena[range.clone()], *id));
    let vocab = Vocab::new(tokens.len(), pairs)?;
    let mut symbols = Box::new([NO_TOKEN; 256]);
    for byte in 0..=255u8 {
        symbols[byte as usize] = vocab.id(&[byte]).ok_or_else(|| {
            Error::corrupt(format!("the rank file has no token for byte 0x{byte:02X}"))
        })?;
    }
    let added = encoding
        .special()
        .into_iter()
        .map(|(content, id)| AddedToken {
            id,
            content,
            special: true,
            ..AddedToken::default()
        });
    let bpe = Bpe {
        seams: Seams::new(&vocab),
        vocab,
        merges: Merges::Ranks,
        symbols: Symbols::Bytes(symbols),
        takes_whole_tokens: true,
    };
    let mut tokenizer = BytePair::new(
        bpe,
        encoding.pattern(),
        Normalization::NONE,
        None,
        added.collect(),
    )?;
    tokenizer.set_special(Special::Text)?;
    Ok(tokenizer)
}

/// Appends the token of a line to `out` and gives its rank.
fn parse_line(line: &[u8], out: &mut Vec<u8>) -> Option<u32> {
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (token, rank) = (&line[..space], &line[space + 1..]);
    base64::append(token, out)?;
    std::str::from_utf8(rank).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_give_tokens_and_ranks() {
        for (line, expected) in [
            ("IQ== 0", Some(("!", 0))),
            ("IHRoZQ== 262", Some((" the", 262))),
            ("YWJj 7", Some(("abc", 7))),
            ("IQ==", None),
            ("IQ= 0", None),
            ("I=== 0", None),
            ("I?== 0", None),
            (" 0", None),
            ("IQ== -1", None),
        ] {
            let mut out = Vec::new();
            let rank = parse_line(line.as_bytes(), &mut out);
            assert_eq!(
                rank.map(|rank| (std::str::from_utf8(&out).unwrap(), rank)),
                expected,
                "{line}"
            );
        }
    }
}
