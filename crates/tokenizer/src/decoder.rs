//! The decoders of a `tokenizer.json`: how tokens become a text again.

use crate::Error;
use crate::file::Stage;
use crate::words::{Metaspace, Scheme};

/// What a file does to tokens before they are joined.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Without any, tokens are joined by spaces.
    steps: Option<Vec<Step>>,
}

#[derive(Debug)]
enum Step {
    Metaspace(Metaspace),
    Replace {
        from: String,
        to: String,
    },
    /// Tokens such as `<0x41>` become bytes, and these text where they are UTF-8.
    Bytes,
    /// All tokens become one.
    Fuse,
    /// This character is taken from both ends of each token, so many times at most.
    Strip {
        c: char,
        start: usize,
        stop: usize,
    },
}

impl Decoder {
    /// Reads the decoder of a file.
    pub(crate) fn new(stage: Option<&Stage>) -> Result<Self, Error> {
        let Some(stage) = stage else {
            return Ok(Self { steps: None });
        };
        let stages = Stage::flatten(Some(stage), "decoders")?;
        let steps: Result<_, _> = stages.iter().map(Step::new).collect();
        Ok(Self {
            steps: Some(steps?),
        })
    }

    /// The text of tokens.
    pub(crate) fn decode(&self, mut tokens: Vec<String>) -> String {
        let Some(steps) = &self.steps else {
            return tokens.join(" ");
        };
        for step in steps {
            tokens = step.apply(tokens);
        }
        tokens.concat()
    }
}

impl Step {
    fn new(stage: &Stage) -> Result<Self, Error> {
        let corrupt = || Error::corrupt(format!("its decoder {} is incomplete", stage.r#type));
        match stage.r#type.as_str() {
            "Metaspace" => Metaspace::new(stage).map(Self::Metaspace),
            "Replace" => {
                let pattern = stage.settings.get("pattern");
                let from = pattern.and_then(|pattern| pattern.get("String")?.as_str());
                let from = from.filter(|from| !from.is_empty()).ok_or_else(|| {
                    Error::unsupported(
                        "its decoder replaces a regular expression; supported are strings",
                    )
                })?;
                Ok(Self::Replace {
                    from: from.to_owned(),
                    to: stage.text("content").ok_or_else(corrupt)?.to_owned(),
                })
            }
            "ByteFallback" => Ok(Self::Bytes),
            "Fuse" => Ok(Self::Fuse),
            "Strip" => {
                let count = |name| {
                    let value = stage.settings.get(name)?.as_u64()?;
                    usize::try_from(value).ok()
                };
                let c = stage.text("content").and_then(|text| text.chars().next());
                Ok(Self::Strip {
                    c: c.ok_or_else(corrupt)?,
                    start: count("start").ok_or_else(corrupt)?,
                    stop: count("stop").ok_or_else(corrupt)?,
                })
            }
            other => Err(Error::unsupported(format!(
                "its decoder is {other}; supported are Metaspace, Replace, ByteFallback, Fuse and Strip"
            ))),
        }
    }

    fn apply(&self, tokens: Vec<String>) -> Vec<String> {
        match self {
            Self::Metaspace(metaspace) => {
                let decode = |(at, token): (usize, String)| {
                    let is_dropped = at == 0 && metaspace.scheme != Scheme::Never;
                    token.replace(metaspace.mark, if is_dropped { "" } else { " " })
                };
                tokens.into_iter().enumerate().map(decode).collect()
            }
            Self::Replace { from, to } => {
                let replace = |token: String| token.replace(from.as_str(), to);
                tokens.into_iter().map(replace).collect()
            }
            Self::Bytes => join_bytes(tokens),
            Self::Fuse => vec![tokens.concat()],
            Self::Strip { c, start, stop } => {
                let strip = |token: String| strip(&token, *c, *start, *stop).to_owned();
                tokens.into_iter().map(strip).collect()
            }
        }
    }
}

fn strip(token: &str, c: char, start: usize, stop: usize) -> &str {
    let mut rest = token;
    for _ in 0..start {
        let Some(shorter) = rest.strip_prefix(c) else {
            break;
        };
        rest = shorter;
    }
    for _ in 0..stop {
        let Some(shorter) = rest.strip_suffix(c) else {
            break;
        };
        rest = shorter;
    }
    rest
}

/// The byte that a token of fallback stands for.
fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_byte = digits.len() == 2;
    u8::from_str_radix(digits, 16).ok().filter(|_| is_byte)
}

/// Joins runs of bytes: to text where they are UTF-8, else to U+FFFD each.
fn join_bytes(tokens: Vec<String>) -> Vec<String> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut bytes = Vec::new();
    let settle = |bytes: &mut Vec<u8>, out: &mut Vec<String>| {
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8(std::mem::take(bytes));
        out.push(text.unwrap_or_else(|error| "\u{FFFD}".repeat(error.as_bytes().len())));
    };
    for token in tokens {
        if let Some(byte) = byte(&token) {
            bytes.push(byte);
        } else {
            settle(&mut bytes, &mut out);
            out.push(token);
        }
    }
    settle(&mut bytes, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_text_step_by_step() {
        let bytes = r#"{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},
            {"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"#;
        let metaspace =
            r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}"#;
        for (decoder, tokens, expected) in [
            ("null", &["a", "▁b"][..], "a ▁b"),
            (metaspace, &["▁a", "▁b", "c▁"], "a bc "),
            (bytes, &["▁▁a", "<0xC3>", "<0xA9>", "<0x41>b"], " aé<0x41>b"),
            (
                bytes,
                &["<0xC3>", "<0xA9>", "<0xFF>", "x"],
                "\u{FFFD}\u{FFFD}\u{FFFD}x",
            ),
        ] {
            let stage: Option<Stage> = serde_json::from_str(decoder).unwrap();
            let decoder = Decoder::new(stage.as_ref()).unwrap();
            let tokens = tokens.iter().map(|&token| token.to_owned()).collect();
            assert_eq!(decoder.decode(tokens), expected);
        }
    }
}
