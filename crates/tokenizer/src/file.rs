//! The fields of a `tokenizer.json`, as `tokenizers.Tokenizer.save` of Hugging Face writes them,
//! version 1.0. What they mean together is decided by the module of each model.

use crate::Error;
use crate::limits::FILE_SIZE_MAX;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::path::Path;

#[derive(Deserialize)]
pub(crate) struct File<'a> {
    #[serde(default)]
    pub(crate) added_tokens: Vec<AddedToken>,
    pub(crate) normalizer: Option<Stage>,
    pub(crate) pre_tokenizer: Option<Stage>,
    pub(crate) post_processor: Option<Stage>,
    pub(crate) decoder: Option<Stage>,
    pub(crate) padding: Option<Padding>,
    #[serde(borrow)]
    pub(crate) model: Model<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the fields of the format")]
pub(crate) struct AddedToken {
    pub(crate) id: u32,
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) single_word: bool,
    #[serde(default)]
    pub(crate) lstrip: bool,
    #[serde(default)]
    pub(crate) rstrip: bool,
    #[serde(default)]
    pub(crate) normalized: bool,
    #[serde(default)]
    pub(crate) special: bool,
}

/// A pipeline stage: its type now, its settings once the type is known.
#[derive(Clone, Deserialize)]
pub(crate) struct Stage {
    pub(crate) r#type: String,
    #[serde(flatten)]
    pub(crate) settings: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
pub(crate) struct Padding {
    pub(crate) pad_id: u32,
}

/// The settings of all models; those of another model than `type` are ignored.
#[derive(Deserialize)]
pub(crate) struct Model<'a> {
    #[serde(default)]
    pub(crate) r#type: Option<String>,
    #[serde(default, borrow)]
    pub(crate) vocab: Option<Tokens<'a>>,
    #[serde(default, borrow)]
    pub(crate) merges: Option<Vec<Pair<'a>>>,
    #[serde(default)]
    pub(crate) unk_token: Option<String>,
    #[serde(default)]
    pub(crate) unk_id: Option<u32>,
    #[serde(default)]
    pub(crate) continuing_subword_prefix: Option<String>,
    #[serde(default)]
    pub(crate) end_of_word_suffix: Option<String>,
    #[serde(default)]
    pub(crate) max_input_chars_per_word: Option<usize>,
    #[serde(default)]
    pub(crate) dropout: Option<f64>,
    #[serde(default)]
    pub(crate) byte_fallback: bool,
    #[serde(default)]
    pub(crate) fuse_unk: bool,
    #[serde(default)]
    pub(crate) ignore_merges: bool,
}

/// A vocabulary: each token and its id, in the order of the file.
pub(crate) struct Tokens<'a> {
    pub(crate) pairs: Vec<(Cow<'a, str>, u32)>,
    /// The score of each token, where the file gives scores instead of ids.
    pub(crate) scores: Option<Vec<f64>>,
}

/// Two tokens that merge, `"a b"` or `["a", "b"]`.
pub(crate) struct Pair<'a> {
    pub(crate) left: Cow<'a, str>,
    pub(crate) right: Cow<'a, str>,
}

/// A string that borrows from the file where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> File<'a> {
    /// Reads the bytes of a `tokenizer.json`.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, Error> {
        serde_json::from_slice(json).map_err(Error::json)
    }
}

impl Model<'_> {
    /// Refuses a vocabulary of scores.
    pub(crate) fn check_ids(&self) -> Result<(), Error> {
        match &self.vocab {
            Some(Tokens {
                scores: Some(_), ..
            }) => Err(Error::corrupt(
                "its vocabulary is a list of tokens and scores, expected a map of tokens to ids",
            )),
            _ => Ok(()),
        }
    }
}

impl Stage {
    /// A setting that is true or false.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.settings
            .get(name)
            .and_then(serde_json::Value::as_bool)
            .unwrap_or(default)
    }

    /// A setting that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.as_str()
    }

    /// The stages of a `Sequence`, which stand under `name`, or the stage itself.
    pub(crate) fn flatten(stage: Option<&Self>, name: &str) -> Result<Vec<Self>, Error> {
        let Some(stage) = stage else {
            return Ok(Vec::new());
        };
        if stage.r#type != "Sequence" {
            return Ok(vec![stage.clone()]);
        }
        let stages = stage.settings.get(name).cloned().unwrap_or_default();
        let stages: Vec<Self> = serde_json::from_value(stages).map_err(Error::json)?;
        let mut flat = Vec::new();
        for stage in &stages {
            flat.append(&mut Self::flatten(Some(stage), name)?);
        }
        Ok(flat)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tokens<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Tokens<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tokens to ids, or a list of tokens and scores")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let (mut pairs, mut scores) = (Vec::new(), Vec::new());
                while let Some((Text(token), score)) = seq.next_element()? {
                    let id = u32::try_from(pairs.len()).map_err(serde::de::Error::custom)?;
                    pairs.push((token, id));
                    scores.push(score);
                }
                let scores = Some(scores);
                Ok(Tokens { pairs, scores })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some((Text(token), id)) = map.next_entry()? {
                    pairs.push((token, id));
                }
                let scores = None;
                Ok(Tokens { pairs, scores })
            }
        }
        deserializer.deserialize_any(Map)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Pair<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Pair<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge: \"a b\" or [\"a\", \"b\"]")
            }

            fn visit_borrowed_str<E: serde::de::Error>(
                self,
                text: &'de str,
            ) -> Result<Self::Value, E> {
                let (left, right) = text
                    .split_once(' ')
                    .ok_or_else(|| E::custom(format!("the merge `{text}` is no pair")))?;
                Ok(Pair {
                    left: left.into(),
                    right: right.into(),
                })
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let (left, right) = text
                    .split_once(' ')
                    .ok_or_else(|| E::custom(format!("the merge `{text}` is no pair")))?;
                Ok(Pair {
                    left: left.to_owned().into(),
                    right: right.to_owned().into(),
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut next = |at| {
                    let text = seq.next_element::<Text<'de>>()?;
                    text.map(|text| text.0)
                        .ok_or_else(|| serde::de::Error::invalid_length(at, &"two tokens"))
                };
                Ok(Pair {
                    left: next(0)?,
                    right: next(1)?,
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a file of at most [`FILE_SIZE_MAX`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(Error::io)?;
    file.take(FILE_SIZE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io)?;
    Ok(bytes)
}

/// Refuses more than [`FILE_SIZE_MAX`] bytes.
pub(crate) fn check_size(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 > FILE_SIZE_MAX {
        return Err(Error::limit(format!(
            "it has more than FILE_SIZE_MAX = {FILE_SIZE_MAX} bytes"
        )));
    }
    Ok(())
}

/// Refuses another type of `part` than the only one that is supported.
pub(crate) fn expect_type(part: &str, found: Option<&str>, expected: &str) -> Result<(), Error> {
    if found == Some(expected) {
        return Ok(());
    }
    let found = found.unwrap_or("null");
    Err(Error::unsupported(format!(
        "its {part} is {found}, only {expected} is supported"
    )))
}
