//! Reads `tokenizer.json` and `vocab.txt` into what [`WordPiece`](crate::WordPiece) is built from.
//!
//! Formats: the JSON is what `tokenizers.Tokenizer.save` of Hugging Face writes, version 1.0; the
//! text file is that of BERT, one token a line, the line's number being the id.

use crate::Error;
use crate::file::{AddedToken, File, Stage, expect_type};
use crate::limits::{TOKEN_SIZE_MAX, VOCAB_SIZE_MAX, WORD_CHARS_MAX};
use serde::Deserialize;
use std::collections::HashMap;

/// What happens to upper-case letters and accents. A `vocab.txt` does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Text is lower-cased and stripped of accents, as for the uncased BERT models.
    Lower,
    /// Text keeps its letters, as for the cased BERT models.
    Keep,
}

/// A checked tokenizer.
#[derive(Debug)]
pub(crate) struct Spec {
    /// What words are cut into, with their ids.
    pub(crate) pieces: Vec<(String, u32)>,
    /// The token of each id, added ones included; `None` where no token has that id.
    pub(crate) tokens: Vec<Option<Box<str>>>,
    pub(crate) added: Vec<AddedToken>,
    pub(crate) continuing_prefix: String,
    pub(crate) word_chars_max: usize,
    pub(crate) normalizer: Normalizer,
    pub(crate) special: Special,
}

/// Ids of the special tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Special {
    pub(crate) unk: u32,
    pub(crate) cls: Option<u32>,
    pub(crate) sep: Option<u32>,
    pub(crate) pad: Option<u32>,
}

/// The settings of `BertNormalizer`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Normalizer {
    #[serde(default = "yes")]
    pub(crate) clean_text: bool,
    #[serde(default = "yes")]
    pub(crate) handle_chinese_chars: bool,
    /// Follows `lowercase` where it is null.
    #[serde(default)]
    strip_accents: Option<bool>,
    #[serde(default = "yes")]
    pub(crate) lowercase: bool,
}

impl Normalizer {
    pub(crate) fn strip_accents(self) -> bool {
        self.strip_accents.unwrap_or(self.lowercase)
    }
}

fn yes() -> bool {
    true
}

const UNK_TOKEN: &str = "[UNK]";
const CONTINUING_PREFIX: &str = "##";
const WORD_CHARS: usize = 100;

/// Reads a `tokenizer.json`.
pub(crate) fn tokenizer_json(json: &[u8]) -> Result<Spec, Error> {
    of_file(File::parse(json)?)
}

/// Reads the fields of a `tokenizer.json`.
pub(crate) fn of_file(file: File<'_>) -> Result<Spec, Error> {
    let model = file.model;
    expect_type("model", model.r#type.as_deref(), "WordPiece")?;
    expect_type(
        "normalizer",
        type_of(file.normalizer.as_ref()),
        "BertNormalizer",
    )?;
    expect_type(
        "pre_tokenizer",
        type_of(file.pre_tokenizer.as_ref()),
        "BertPreTokenizer",
    )?;
    let normalizer = file
        .normalizer
        .map(|stage| stage.settings)
        .unwrap_or_default();
    let normalizer = serde_json::from_value(normalizer.into()).map_err(Error::json)?;
    model.check_ids()?;
    let vocab = model.vocab.map(|vocab| vocab.pairs).unwrap_or_default();
    let vocab: HashMap<String, u32> = vocab
        .into_iter()
        .map(|(token, id)| (token.into_owned(), id))
        .collect();
    let word_chars_max = model.max_input_chars_per_word.unwrap_or(WORD_CHARS);
    if word_chars_max > WORD_CHARS_MAX {
        return Err(Error::limit(format!(
            "max_input_chars_per_word is {word_chars_max}, more than WORD_CHARS_MAX = {WORD_CHARS_MAX}"
        )));
    }
    for token in &file.added_tokens {
        check_added(token, &vocab)?;
    }
    let pieces: Vec<_> = vocab.into_iter().collect();
    let added = file
        .added_tokens
        .iter()
        .map(|token| (token.content.as_str(), token.id));
    let names = Names::new(
        pieces
            .iter()
            .map(|(piece, id)| (piece.as_str(), *id))
            .chain(added),
    )?;
    let mut special = names.special(model.unk_token.as_deref().unwrap_or(UNK_TOKEN))?;
    if let Some(stage) = &file.post_processor {
        let (cls, sep) = around(stage)?;
        special = Special {
            cls: cls.or(special.cls),
            sep: sep.or(special.sep),
            ..special
        };
    }
    special.pad = special.pad.or(file.padding.map(|padding| padding.pad_id));
    Ok(Spec {
        pieces,
        tokens: names.tokens,
        added: file.added_tokens,
        continuing_prefix: model
            .continuing_subword_prefix
            .unwrap_or_else(|| CONTINUING_PREFIX.to_owned()),
        word_chars_max,
        normalizer,
        special,
    })
}

/// Reads a `vocab.txt`.
pub(crate) fn vocab_txt(text: &[u8], case: Case) -> Result<Spec, Error> {
    let text = std::str::from_utf8(text)
        .map_err(|error| Error::corrupt(format!("no UTF-8 text: {error}")))?;
    // Of equal lines the last one counts, as it does for the peer.
    let lines = text.lines().map(|line| line.trim_end().to_owned()).zip(0..);
    let pieces: HashMap<String, u32> = lines.collect();
    let pieces: Vec<_> = pieces.into_iter().collect();
    let names = Names::new(pieces.iter().map(|(piece, id)| (piece.as_str(), *id)))?;
    let special = names.special(UNK_TOKEN)?;
    let literals = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let added = literals.into_iter().filter_map(|content| {
        let id = names.id(content)?;
        Some(AddedToken {
            id,
            content: content.to_owned(),
            ..AddedToken::default()
        })
    });
    Ok(Spec {
        added: added.collect(),
        continuing_prefix: CONTINUING_PREFIX.to_owned(),
        word_chars_max: WORD_CHARS,
        normalizer: Normalizer {
            clean_text: true,
            handle_chinese_chars: true,
            strip_accents: None,
            lowercase: case == Case::Lower,
        },
        special,
        pieces,
        tokens: names.tokens,
    })
}

fn type_of(stage: Option<&Stage>) -> Option<&str> {
    stage.map(|stage| stage.r#type.as_str())
}

fn check_added(token: &AddedToken, vocab: &HashMap<String, u32>) -> Result<(), Error> {
    let AddedToken { id, content, .. } = token;
    if token.normalized || token.single_word {
        return Err(Error::unsupported(format!(
            "added token `{content}` is `normalized` or `single_word`; only literal ones are supported"
        )));
    }
    match vocab.get(content) {
        Some(other) if other != id => Err(Error::corrupt(format!(
            "added token `{content}` has id {id} and, in the vocabulary, {other}"
        ))),
        _ => Ok(()),
    }
}

/// The first and the last special token that a post-processor puts around a text.
fn around(stage: &Stage) -> Result<(Option<u32>, Option<u32>), Error> {
    let settings = &stage.settings;
    let id = |value: &serde_json::Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match stage.r#type.as_str() {
        // {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}
        "BertProcessing" | "RobertaProcessing" => {
            let second = |key| settings.get(key).and_then(|pair| id(pair.get(1)?));
            Ok((second("cls"), second("sep")))
        }
        // {"single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": ..}, ..],
        //  "special_tokens": {"[CLS]": {"ids": [101]}, ..}}
        "TemplateProcessing" => {
            let single = settings.get("single").and_then(|single| single.as_array());
            let special = |part: Option<&serde_json::Value>| {
                let name = part?.get("SpecialToken")?.get("id")?.as_str()?;
                id(settings
                    .get("special_tokens")?
                    .get(name)?
                    .get("ids")?
                    .get(0)?)
            };
            Ok((
                special(single.and_then(|s| s.first())),
                special(single.and_then(|s| s.last())),
            ))
        }
        other => Err(Error::unsupported(format!("its post_processor is {other}"))),
    }
}

/// Tokens by id.
struct Names {
    tokens: Vec<Option<Box<str>>>,
}

impl Names {
    fn new<'a>(pairs: impl Iterator<Item = (&'a str, u32)>) -> Result<Self, Error> {
        let mut tokens: Vec<Option<Box<str>>> = Vec::new();
        for (token, id) in pairs {
            if id >= VOCAB_SIZE_MAX {
                return Err(Error::limit(format!(
                    "token `{token}` has id {id}, VOCAB_SIZE_MAX is {VOCAB_SIZE_MAX}"
                )));
            }
            if token.len() > TOKEN_SIZE_MAX {
                return Err(Error::limit(format!(
                    "the token with id {id} has {} bytes, TOKEN_SIZE_MAX is {TOKEN_SIZE_MAX}",
                    token.len()
                )));
            }
            if tokens.len() <= id as usize {
                tokens.resize(id as usize + 1, None);
            }
            match &tokens[id as usize] {
                Some(other) if **other != *token => {
                    let (first, second) = (token.min(other), token.max(other));
                    return Err(Error::corrupt(format!(
                        "tokens `{first}` and `{second}` have the same id {id}"
                    )));
                }
                _ => tokens[id as usize] = Some(token.into()),
            }
        }
        Ok(Self { tokens })
    }

    fn id(&self, name: &str) -> Option<u32> {
        let at = self
            .tokens
            .iter()
            .position(|token| token.as_deref() == Some(name))?;
        u32::try_from(at).ok()
    }

    /// The special tokens by their usual names.
    fn special(&self, unk: &str) -> Result<Special, Error> {
        let id = self.id(unk).ok_or_else(|| {
            Error::corrupt(format!(
                "the unknown token `{unk}` is not in the vocabulary"
            ))
        })?;
        let first = |names: [&str; 2]| names.into_iter().find_map(|name| self.id(name));
        Ok(Special {
            unk: id,
            cls: first(["[CLS]", "<s>"]),
            sep: first(["[SEP]", "</s>"]),
            pad: first(["[PAD]", "<pad>"]),
        })
    }
}
