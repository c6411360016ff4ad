//! Builds a byte-pair encoder from a `tokenizer.json`: byte-level models (GPT-2 and its successors)
//! and sentence pieces with byte fallback (Llama 1 and 2, Gemma).

use crate::Error;
use crate::alphabet::Alphabet;
use crate::bpe::{Bpe, Merges, NO_TOKEN, Pairs, Seams, Symbols, Vocab};
use crate::byte_level;
use crate::byte_pair::BytePair;
use crate::file::{AddedToken, File, Model, Stage};
use crate::limits::ADDED_TOKENS_MAX;
use crate::normal::{Normalization, Prefix};
use crate::normalizer::Normalizers;
use crate::pretoken::Pattern;
use crate::words::{Metaspace, Scheme};
use std::collections::HashMap;

/// Builds the encoder that `file` describes.
pub(crate) fn byte_pair(file: File<'_>) -> Result<BytePair, Error> {
    check_model(&file.model)?;
    check_added(&file.added_tokens, &file.model)?;
    let normalizers = Stage::flatten(file.normalizer.as_ref(), "normalizers")?;
    let pre_tokenizers = Stage::flatten(file.pre_tokenizer.as_ref(), "pretokenizers")?;
    if file.model.byte_fallback {
        let (normalization, splits) = spaces(&normalizers, &pre_tokenizers)?;
        let (bpe, pattern) = sentence_pieces(&file.model, splits)?;
        return BytePair::new(bpe, pattern, normalization, None, file.added_tokens);
    }
    let (pattern, prefix) = byte_level::pattern(&pre_tokenizers)?;
    let composes = matches!(normalizers.as_slice(), [one] if one.r#type == "NFC");
    let others = !composes && !normalizers.is_empty();
    let others = others.then(|| Normalizers::new(file.normalizer.as_ref()));
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
        others.transpose()?,
        file.added_tokens,
    )
}

pub(crate) fn refuse(part: &str, found: &str, supported: &str) -> Error {
    Error::unsupported(format!("its {part} is {found}; supported is {supported}"))
}

fn check_model(model: &Model<'_>) -> Result<(), Error> {
    model.check_ids()?;
    if model.dropout.is_some_and(|dropout| dropout > 0.0) {
        return Err(refuse(
            "model.dropout",
            "more than 0",
            "a BPE without chance",
        ));
    }
    if suffix(model).is_some() && (model.byte_fallback || model.ignore_merges) {
        return Err(refuse(
            "model",
            "a BPE with suffixes of words and `byte_fallback` or `ignore_merges`",
            "a byte-level BPE with suffixes alone",
        ));
    }
    if is_set(model.continuing_subword_prefix.as_ref()).is_some() {
        return Err(refuse(
            "model",
            "a BPE with prefixes of parts of words",
            "a BPE without them",
        ));
    }
    Ok(())
}

/// What ends the last token of a word.
fn suffix<'a>(model: &'a Model<'_>) -> Option<&'a str> {
    is_set(model.end_of_word_suffix.as_ref())
}

fn is_set(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
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
    let symbols = match suffix(model) {
        None => Symbols::Bytes(of_bytes(&vocab, "")?),
        Some(suffix) => Symbols::Words {
            inner: of_bytes(&vocab, "")?,
            last: of_bytes(&vocab, suffix)?,
            suffix: suffix.into(),
        },
    };
    let merges = merges(model, &vocab, |token, out| alphabet.append(token, out))?;
    Ok(Bpe {
        seams: Seams::new(&vocab),
        vocab,
        merges,
        symbols,
        takes_whole_tokens: model.ignore_merges,
    })
}

/// The token of each byte with this suffix.
fn of_bytes(vocab: &Vocab, suffix: &str) -> Result<Box<[u32; 256]>, Error> {
    let mut symbols = Box::new([NO_TOKEN; 256]);
    let mut token = vec![0];
    token.extend_from_slice(suffix.as_bytes());
    for byte in 0..=255u8 {
        token[0] = byte;
        symbols[byte as usize] = vocab.id(&token).ok_or_else(|| {
            Error::unsupported(format!(
                "its vocabulary has no token for byte 0x{byte:02X}{suffix}; a byte-level BPE needs all 256"
            ))
        })?;
    }
    Ok(symbols)
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

/// The tables of pieces that are merged, for texts whose unknown characters are a token: NLLB.
pub(crate) fn pieces(file: &File<'_>) -> Result<Bpe, Error> {
    let model = &file.model;
    check_model(model)?;
    if suffix(model).is_some() {
        let found = "a BPE of characters with suffixes of words";
        return Err(refuse("model", found, "a byte-level one"));
    }
    let tokens = model.vocab.as_ref().map_or(&[][..], |vocab| &vocab.pairs);
    let pairs = tokens.iter().map(|(token, id)| (token.as_bytes(), *id));
    let vocab = Vocab::new(tokens.len(), pairs)?;
    let unknown = model.unk_token.as_deref().unwrap_or_default();
    let id = vocab.id(unknown.as_bytes()).ok_or_else(|| {
        Error::corrupt(format!(
            "its unk_token `{unknown}` is not in the vocabulary"
        ))
    })?;
    let merges = merges(model, &vocab, |token, out| {
        out.extend_from_slice(token.as_bytes());
        true
    })?;
    Ok(Bpe {
        seams: Seams::new(&vocab),
        vocab,
        merges,
        symbols: Symbols::Unknown {
            id,
            fuses: model.fuse_unk,
        },
        takes_whole_tokens: model.ignore_merges,
    })
}

/// Whether the pieces of a BPE are those of [`pieces`].
pub(crate) fn has_unknown(file: &File<'_>) -> Result<bool, Error> {
    let stages = Stage::flatten(file.pre_tokenizer.as_ref(), "pretokenizers")?;
    let is_level = stages.iter().any(|stage| stage.r#type == "ByteLevel");
    Ok(!is_level && !file.model.byte_fallback && file.model.unk_token.is_some())
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
