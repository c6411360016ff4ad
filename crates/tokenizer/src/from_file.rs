//! Builds a byte-pair encoder from a `tokenizer.json`: byte-level models (GPT-2 and its successors)
//! and sentence pieces with byte fallback (Llama 1 and 2, Gemma).

use crate::Error;
use crate::alphabet::Alphabet;
use crate::bpe::{Bpe, Merges, NO_TOKEN, Pairs, Seams, Symbols, Vocab};
use crate::byte_pair::BytePair;
use crate::file::{AddedToken, File, Model, Stage};
use crate::limits::ADDED_TOKENS_MAX;
use crate::normal::{Normalization, Prefix};
use crate::pretoken::Pattern;
use crate::words::{Metaspace, Scheme};
use std::collections::HashMap;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Builds the encoder that `file` describes.
pub(crate) fn byte_pair(file: File<'_>) -> Result<BytePair, Error> {
    check_model(&file.model)?;
    check_added(&file.added_tokens, &file.model)?;
    let normalizers = Stage::flatten(file.normalizer.as_ref(), "normalizers")?;
    let pre_tokenizers = Stage::flatten(file.pre_tokenizer.as_ref(), "pretokenizers")?;
    if file.model.byte_fallback {
        let (normalization, splits) = spaces(&normalizers, &pre_tokenizers)?;
        let (bpe, pattern) = sentence_pieces(&file.model, splits)?;
        return BytePair::new(bpe, pattern, normalization, file.added_tokens);
    }
    let composes = match normalizers.as_slice() {
        [] => false,
        [one] if one.r#type == "NFC" => true,
        [other, ..] => {
            return Err(refuse(
                "normalizer",
                &other.r#type,
                "NFC or none for a byte-level BPE",
            ));
        }
    };
    let (pattern, prefix) = byte_level(&pre_tokenizers)?;
    let normalization = Normalization {
        composes,
        unifies_spaces: false,
        prefix,
        is_late: false,
    };
    BytePair::new(
        bytes(&file.model)?,
        pattern,
        normalization,
        file.added_tokens,
    )
}

fn refuse(part: &str, found: &str, supported: &str) -> Error {
    Error::unsupported(format!("its {part} is {found}; supported is {supported}"))
}

fn check_model(model: &Model<'_>) -> Result<(), Error> {
    model.check_ids()?;
    let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if model.dropout.is_some_and(|dropout| dropout > 0.0) {
        return Err(refuse(
            "model.dropout",
            "more than 0",
            "a BPE without chance",
        ));
    }
    if is_set(&model.continuing_subword_prefix) || is_set(&model.end_of_word_suffix) {
        return Err(refuse(
            "model",
            "a BPE with prefixes or suffixes of words",
            "a BPE without them",
        ));
    }
    Ok(())
}

fn check_added(tokens: &[AddedToken], model: &Model<'_>) -> Result<(), Error> {
    if tokens.len() > ADDED_TOKENS_MAX {
        return Err(Error::limit(format!(
            "it has {} added tokens, ADDED_TOKENS_MAX is {ADDED_TOKENS_MAX}",
            tokens.len()
        )));
    }
    let ids: HashMap<_, _> = tokens
        .iter()
        .map(|token| (token.content.as_str(), token.id))
        .collect();
    for (token, other) in model.vocab.iter().flat_map(|vocab| &vocab.pairs) {
        if let Some(id) = ids.get(token.as_ref()).filter(|id| *id != other) {
            return Err(Error::corrupt(format!(
                "added token `{token}` has id {id} and, in the vocabulary, {other}"
            )));
        }
    }
    Ok(())
}

/// The pattern of a byte-level pre-tokeniser and its space before a text.
fn byte_level(stages: &[Stage]) -> Result<(Pattern, Prefix), Error> {
    let supported = "ByteLevel, or one after Split or Digits";
    let Some((last, splits)) = stages.split_last() else {
        return Err(refuse("pre_tokenizer", "null", supported));
    };
    let cuts = last.flag("use_regex", true);
    let prefix = if last.flag("add_prefix_space", true) {
        Prefix::WhereMissing
    } else {
        Prefix::Never
    };
    let is_split = |stage: &Stage| stage.r#type == "Split";
    let pattern = match splits {
        _ if last.r#type != "ByteLevel" => None,
        [] if cuts => Pattern::of(GPT2),
        [] => Some(Pattern::Whole),
        [digits] if digits.r#type == "Digits" => {
            if !cuts || prefix != Prefix::Never || !digits.flag("individual_digits", false) {
                return Err(refuse(
                    "pre_tokenizer",
                    "another Digits",
                    "one with `individual_digits`, and a ByteLevel that cuts and adds no space",
                ));
            }
            Some(Pattern::Gpt2Digits)
        }
        _ if !splits.iter().all(is_split) => None,
        _ if cuts || prefix != Prefix::Never => {
            return Err(refuse(
                "pre_tokenizer",
                "Split and a ByteLevel that cuts or adds a space",
                "one that does neither",
            ));
        }
        _ => Some(of_splits(splits)?),
    };
    let pattern = pattern.ok_or_else(|| {
        let types: Vec<_> = stages.iter().map(|stage| stage.r#type.as_str()).collect();
        refuse(
            "pre_tokenizer",
            &format!("[{}]", types.join(", ")),
            supported,
        )
    })?;
    Ok((pattern, prefix))
}

/// The pattern of one or more `Split`.
fn of_splits(splits: &[Stage]) -> Result<Pattern, Error> {
    let regex = |split: &Stage| {
        let is_plain = split.text("behavior") == Some("Isolated") && !split.flag("invert", false);
        let pattern = split.settings.get("pattern");
        let regex = pattern.and_then(|pattern| pattern.get("Regex")?.as_str());
        regex.filter(|_| is_plain).map(str::to_owned)
    };
    let regexes: Option<Vec<_>> = splits.iter().map(regex).collect();
    let regexes = regexes.ok_or_else(|| {
        let supported = "a Regex, Isolated and not inverted";
        refuse("pre_tokenizer", "another Split", supported)
    })?;
    let regexes: Vec<_> = regexes.iter().map(String::as_str).collect();
    Pattern::of_many(&regexes).ok_or_else(|| {
        Error::unsupported(format!(
            "its pre_tokenizer splits by the unknown expression `{}`; known are those of GPT-2, cl100k, Llama 3, Qwen, o200k, Tekken and DeepSeek V3",
            regexes.join("`, `")
        ))
    })
}

/// The tables of a byte-level model.
fn bytes(model: &Model<'_>) -> Result<Bpe, Error> {
    let alphabet = Alphabet::new();
    let tokens = model.vocab.as_ref().map_or(&[][..], |vocab| &vocab.pairs);
    let mut arena = Vec::with_capacity(tokens.len() * 8);
    let mut ranges = Vec::with_capacity(tokens.len());
    for (token, id) in tokens {
        let start = arena.len();
        // Tokens beyond the alphabet cannot come out of merges.
        if alphabet.append(token, &mut arena) {
            ranges.push((start..arena.len(), *id));
        }
    }
    let pairs = ranges.into_iter().map(|(range, id)| (&arena[range], id));
    let vocab = Vocab::new(tokens.len(), pairs)?;
    let mut symbols = Box::new([NO_TOKEN; 256]);
    for byte in 0..=255u8 {
        symbols[byte as usize] = vocab.id(&[byte]).ok_or_else(|| {
            Error::unsupported(format!(
                "its vocabulary has no token for byte 0x{byte:02X}; a byte-level BPE needs all 256"
            ))
        })?;
    }
    let merges = merges(model, &vocab, |token, out| alphabet.append(token, out))?;
    Ok(Bpe {
        seams: Seams::new(&vocab),
        vocab,
        merges,
        symbols: Symbols::Bytes(symbols),
        takes_whole_tokens: model.ignore_merges,
    })
}

/// The table of a model's merges. `append` turns a token of the file into the vocabulary's bytes.
fn merges(
    model: &Model<'_>,
    vocab: &Vocab,
    append: impl Fn(&str, &mut Vec<u8>) -> bool,
) -> Result<Merges, Error> {
    let list = model.merges.as_deref().unwrap_or_default();
    let mut pairs = Pairs::new(list.len());
    let mut bytes = Vec::new();
    for (pair, rank) in list.iter().zip(0..) {
        bytes.clear();
        let mut is_known = append(&pair.left, &mut bytes);
        let middle = bytes.len();
        is_known &= append(&pair.right, &mut bytes);
        let ids = (
            vocab.id(&bytes[..middle]),
            vocab.id(&bytes[middle..]),
            vocab.id(&bytes),
        );
        match ids {
            (Some(left), Some(right), Some(merged)) if is_known => {
                pairs.put(left, right, rank, merged);
            }
            _ => {
                let (left, right) = (&pair.left, &pair.right);
                return Err(Error::corrupt(format!(
                    "merge {rank}, `{left}` and `{right}`, is not of tokens of the vocabulary"
                )));
            }
        }
    }
    Ok(Merges::Pairs(pairs))
}

/// What sentence-piece models do to a text, said by normalisers or by the Metaspace pre-tokeniser,
/// and whether that cuts it before each space.
fn spaces(normalizers: &[Stage], pre_tokenizers: &[Stage]) -> Result<(Normalization, bool), Error> {
    let is_of_space = |stage: &Stage| {
        let pattern = stage.settings.get("pattern");
        pattern.and_then(|pattern| pattern.get("String")?.as_str()) == Some(" ")
    };
    let is_space = |stage: &Stage| {
        let is_mark = stage.text("content") == Some("\u{2581}");
        stage.r#type == "Replace" && is_of_space(stage) && is_mark
    };
    let is_prefix =
        |stage: &Stage| stage.r#type == "Prepend" && stage.text("prepend") == Some("\u{2581}");
    // Gemma's, which finds nothing: all spaces have been replaced.
    let is_idle = |stage: &Stage| {
        stage.r#type == "Split" && is_of_space(stage) && !stage.flag("invert", false)
    };
    let (prefix, splits) = match (normalizers, pre_tokenizers) {
        ([space], []) if is_space(space) => (Prefix::Never, false),
        ([space], [split]) if is_space(space) && is_idle(split) => (Prefix::Never, false),
        ([prefix, space], []) if is_prefix(prefix) && is_space(space) => (Prefix::Always, false),
        ([], [stage]) if stage.r#type == "Metaspace" => {
            let metaspace = Metaspace::new(stage)?;
            if metaspace.mark != '\u{2581}' {
                return Err(refuse(
                    "pre_tokenizer",
                    "a Metaspace with another replacement",
                    "U+2581",
                ));
            }
            let prefix = match metaspace.scheme {
                Scheme::Never => Prefix::Never,
                Scheme::First => Prefix::AtStart,
                Scheme::Always => Prefix::WhereMissing,
            };
            (prefix, metaspace.splits)
        }
        _ => {
            let stages = normalizers.iter().chain(pre_tokenizers);
            let types: Vec<_> = stages.map(|stage| stage.r#type.as_str()).collect();
            return Err(refuse(
                "normalizer",
                &format!("[{}]", types.join(", ")),
                "Prepend and Replace of spaces, or Metaspace, for a BPE with byte fallback",
            ));
        }
    };
    let normalization = Normalization {
        composes: false,
        unifies_spaces: true,
        prefix,
        is_late: normalizers.is_empty(),
    };
    Ok((normalization, splits))
}

/// The tables of a sentence-piece model, and how a text may be cut before its merges.
fn sentence_pieces(model: &Model<'_>, splits: bool) -> Result<(Bpe, Pattern), Error> {
    let append = |token: &str, out: &mut Vec<u8>| {
        // A literal space never reaches the merges.
        let is_known = !token.contains(' ');
        out.extend_from_slice(token.replace('\u{2581}', " ").as_bytes());
        is_known
    };
    let mut tokens = Vec::new();
    for (token, id) in model.vocab.iter().flat_map(|vocab| &vocab.pairs) {
        let mut bytes = Vec::new();
        if append(token, &mut bytes) {
            tokens.push((bytes, *id));
        }
    }
    let vocab = Vocab::new(
        tokens.len(),
        tokens.iter().map(|(token, id)| (token.as_slice(), *id)),
    )?;
    let mut fallback = Box::new([NO_TOKEN; 256]);
    for byte in 0..=255u8 {
        let name = format!("<0x{byte:02X}>");
        // A character with a token of its own never falls back, and some bytes are in no character.
        let is_needless = matches!(byte, 0xC0 | 0xC1 | 0xF5..) || vocab.id(&[byte]).is_some();
        fallback[byte as usize] = match vocab.id(name.as_bytes()) {
            Some(id) => id,
            None if is_needless => NO_TOKEN,
            None => {
                return Err(Error::unsupported(format!(
                    "its vocabulary lacks the fallback `{name}`"
                )));
            }
        };
    }
    if vocab.id(b" ").is_none() {
        return Err(Error::unsupported(
            "its vocabulary lacks U+2581, which stands for a space",
        ));
    }
    let crosses = |pair: &crate::file::Pair<'_>| {
        pair.right.starts_with('\u{2581}') && !pair.left.ends_with('\u{2581}')
    };
    // Where no merge joins a space to what stands before it, words are independent of each other.
    let is_cut = !splits && !model.merges.iter().flatten().any(crosses);
    let pattern = match (splits, is_cut) {
        (true, _) => Pattern::EachSpace,
        (false, true) => Pattern::Spaces,
        (false, false) => Pattern::Whole,
    };
    let is_fallback = |token: &str| {
        vocab
            .id(token.as_bytes())
            .is_some_and(|id| fallback.contains(&id))
    };
    if let Some(pair) = model
        .merges
        .iter()
        .flatten()
        .find(|pair| is_fallback(&pair.left) || is_fallback(&pair.right))
    {
        let (left, right) = (&pair.left, &pair.right);
        return Err(Error::unsupported(format!(
            "it merges a fallback byte, `{left}` and `{right}`"
        )));
    }
    let merges = merges(model, &vocab, append)?;
    let takes_whole_tokens = model.ignore_merges && !is_cut;
    if model.ignore_merges && is_cut {
        return Err(refuse(
            "model",
            "a BPE with byte fallback and `ignore_merges`",
            "one of the two",
        ));
    }
    Ok((
        Bpe {
            seams: Seams::new(&vocab),
            vocab,
            merges,
            symbols: Symbols::Chars(fallback),
            takes_whole_tokens,
        },
        pattern,
    ))
}
