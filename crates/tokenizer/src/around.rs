//! The special tokens that a file's post-processor puts before and after a text.

use crate::Error;
use crate::file::Stage;
use crate::limits::AROUND_MAX;
use serde_json::Value;

/// Ids before and after a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Around {
    pub(crate) before: Vec<u32>,
    pub(crate) after: Vec<u32>,
}

impl Around {
    /// Reads the post-processor of a file: what it does to a single text.
    pub(crate) fn new(stage: Option<&Stage>) -> Result<Self, Error> {
        let mut around = Self::default();
        for stage in Stage::flatten(stage, "processors")? {
            let Self { before, after } = match stage.r#type.as_str() {
                "ByteLevel" => continue,
                "BertProcessing" | "RobertaProcessing" => Self {
                    before: vec![pair(&stage, "cls")?],
                    after: vec![pair(&stage, "sep")?],
                },
                "TemplateProcessing" => template(&stage)?,
                other => {
                    return Err(Error::unsupported(format!(
                        "its post_processor is {other}; supported are TemplateProcessing, BertProcessing, RobertaProcessing and ByteLevel"
                    )));
                }
            };
            around.before.splice(..0, before);
            around.after.extend(after);
        }
        if around.before.len() + around.after.len() > AROUND_MAX {
            return Err(Error::limit(format!(
                "its post_processor puts {} tokens around a text, AROUND_MAX is {AROUND_MAX}",
                around.before.len() + around.after.len()
            )));
        }
        Ok(around)
    }
}

/// The id of a setting such as `["[CLS]", 101]`.
fn pair(stage: &Stage, name: &str) -> Result<u32, Error> {
    let id = stage.settings.get(name).and_then(|pair| id(pair.get(1)?));
    id.ok_or_else(|| corrupt(&format!("has no `{name}`")))
}

fn template(stage: &Stage) -> Result<Around, Error> {
    let pieces = stage.settings.get("single").and_then(Value::as_array);
    let pieces = pieces.ok_or_else(|| corrupt("has no template for a single text"))?;
    let mut around = Around::default();
    let mut is_after = false;
    for piece in pieces {
        if piece.get("Sequence").is_some() {
            if is_after {
                return Err(Error::unsupported(
                    "its post_processor gives a text twice; supported is once",
                ));
            }
            is_after = true;
            continue;
        }
        let name = piece
            .get("SpecialToken")
            .and_then(|token| token.get("id")?.as_str());
        let name = name.ok_or_else(|| corrupt("has a piece that is neither text nor token"))?;
        let tokens = stage.settings.get("special_tokens");
        let ids = tokens.and_then(|tokens| tokens.get(name)?.get("ids")?.as_array());
        let ids: Option<Vec<u32>> = ids.and_then(|ids| ids.iter().map(id).collect());
        let ids = ids.ok_or_else(|| corrupt(&format!("does not say the ids of `{name}`")))?;
        if is_after {
            around.after.extend(ids);
        } else {
            around.before.extend(ids);
        }
    }
    if is_after {
        Ok(around)
    } else {
        Err(corrupt("has a template without a text"))
    }
}

fn id(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(format!("its post_processor {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn post_processors_put_tokens_around_a_text() {
        let template = r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
            {"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
            "special_tokens":{"<s>":{"id":"<s>","ids":[1,7]},"</s>":{"id":"</s>","ids":[2]}}}"#;
        let roberta = r#"{"type":"RobertaProcessing","sep":["</s>",4],"cls":["<s>",3]}"#;
        let several = format!(
            r#"{{"type":"Sequence","processors":[{{"type":"ByteLevel"}},{template},{roberta}]}}"#
        );
        for (stage, before, after) in [
            ("null", &[][..], &[][..]),
            (r#"{"type":"ByteLevel"}"#, &[], &[]),
            (template, &[1, 7], &[2]),
            (roberta, &[3], &[4]),
            (&several, &[3, 1, 7], &[2, 4]),
        ] {
            let stage: Option<Stage> = serde_json::from_str(stage).unwrap();
            let around = Around::new(stage.as_ref()).unwrap();
            assert_eq!(
                (around.before.as_slice(), around.after.as_slice()),
                (before, after)
            );
        }
    }

    #[test]
    fn other_post_processors_are_refused() {
        for (stage, kind) in [
            (r#"{"type":"Odd"}"#, ErrorKind::Unsupported),
            (
                r#"{"type":"BertProcessing","sep":["</s>",4]}"#,
                ErrorKind::Corrupt,
            ),
            (r#"{"type":"TemplateProcessing"}"#, ErrorKind::Corrupt),
            (
                r#"{"type":"TemplateProcessing","single":[]}"#,
                ErrorKind::Corrupt,
            ),
            (
                r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}]}"#,
                ErrorKind::Corrupt,
            ),
            (
                r#"{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"Sequence":{"id":"A"}}]}"#,
                ErrorKind::Unsupported,
            ),
        ] {
            let stage: Option<Stage> = serde_json::from_str(stage).unwrap();
            let error = Around::new(stage.as_ref()).unwrap_err();
            assert_eq!(
                error.kind(),
                kind,
                "{stage:?}",
                stage = stage.map(|s| s.r#type)
            );
        }
        let many = format!(
            r#"{{"type":"TemplateProcessing","single":[{{"SpecialToken":{{"id":"x"}}}},{{"Sequence":{{"id":"A"}}}}],
            "special_tokens":{{"x":{{"ids":[{}0]}}}}}}"#,
            "0,".repeat(AROUND_MAX)
        );
        let stage: Stage = serde_json::from_str(&many).unwrap();
        let error = Around::new(Some(&stage)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitReached);
    }
}
