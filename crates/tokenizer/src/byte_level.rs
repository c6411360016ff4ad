//! The pre-tokenisers of a byte-level model: what a `tokenizer.json` says, and how the text is cut.

use crate::Error;
use crate::file::Stage;
use crate::from_file::refuse;
use crate::normal::Prefix;
use crate::pretoken::Pattern;
use crate::pretoken::stages::{Behavior, Cut, Of};

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const CLIP: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
const BLOOM: &str = " ?[^(\\s|[.,!?…。，、।۔،])]+";
const THREE_DIGITS: &str = "[0-9][0-9][0-9]";

const SUPPORTED: &str =
    "ByteLevel, with Split, Digits, Punctuation, Whitespace and WhitespaceSplit beside it";

/// The pattern of a byte-level pre-tokeniser and its space before a text.
pub(crate) fn pattern(stages: &[Stage]) -> Result<(Pattern, Prefix), Error> {
    let is_level = |stage: &&Stage| stage.r#type == "ByteLevel";
    if stages.iter().filter(is_level).count() != 1 {
        let types: Vec<_> = stages.iter().map(|stage| stage.r#type.as_str()).collect();
        let found = format!("[{}]", types.join(", "));
        return Err(refuse("pre_tokenizer", &found, SUPPORTED));
    }
    if let Some(pattern) = several_splits(stages) {
        return Ok((pattern, Prefix::Never));
    }
    let mut cuts = Vec::new();
    let mut prefix = Prefix::Never;
    let mut is_in_bytes = false;
    for (at, stage) in stages.iter().enumerate() {
        if stage.r#type == "ByteLevel" {
            is_in_bytes = true;
            if stage.flag("add_prefix_space", true) {
                if at > 0 {
                    let found = "a ByteLevel that adds a space to each piece of others";
                    return Err(refuse("pre_tokenizer", found, "one that adds none"));
                }
                prefix = Prefix::WhereMissing;
            }
            if stage.flag("use_regex", true) {
                cuts.extend(Pattern::of(GPT2).map(whole));
            }
        } else if is_in_bytes {
            cuts.push(of_bytes(stage)?);
        } else {
            cuts.push(of_text(stage)?);
        }
    }
    Ok((join(cuts), prefix))
}

/// The automaton of these cuts, where there is one.
fn join(mut cuts: Vec<Cut>) -> Pattern {
    let digits = Cut {
        of: Of::Digit,
        behavior: Behavior::Isolated,
    };
    match cuts.as_slice() {
        [] => Pattern::Whole,
        [
            Cut {
                of: Of::Pattern(_), ..
            },
        ] => match cuts.pop() {
            Some(Cut {
                of: Of::Pattern(pattern),
                ..
            }) => pattern,
            _ => Pattern::Whole,
        },
        [first, second] if *first == digits && *second == whole(Pattern::Gpt2) => {
            Pattern::Gpt2Digits
        }
        _ => Pattern::Stages(cuts.into()),
    }
}

/// A cut by an expression that leaves nothing out.
fn whole(pattern: Pattern) -> Cut {
    Cut {
        of: Of::Pattern(pattern),
        behavior: Behavior::Isolated,
    }
}

/// The automaton of several expressions before a `ByteLevel` that does nothing but write bytes.
fn several_splits(stages: &[Stage]) -> Option<Pattern> {
    let (last, splits) = stages.split_last()?;
    if splits.len() < 2 || last.flag("use_regex", true) || last.flag("add_prefix_space", true) {
        return None;
    }
    let is_plain = |stage: &Stage| {
        let is_split = stage.r#type == "Split" && !stage.flag("invert", false);
        is_split && stage.text("behavior") == Some("Isolated")
    };
    let regexes: Option<Vec<_>> = splits
        .iter()
        .map(|split| regex(split).filter(|_| is_plain(split)))
        .collect();
    Pattern::of_many(&regexes?)
}

fn regex(stage: &Stage) -> Option<&str> {
    stage.settings.get("pattern")?.get("Regex")?.as_str()
}

/// A stage before the text is written in the alphabet of bytes.
fn of_text(stage: &Stage) -> Result<Cut, Error> {
    let (of, behavior) = match stage.r#type.as_str() {
        "Digits" if stage.flag("individual_digits", false) => (Of::Digit, Behavior::Isolated),
        "Digits" => (Of::Digit, Behavior::Contiguous),
        "Punctuation" => (Of::Punctuation, behavior(stage)?),
        "Whitespace" => (Of::Word, Behavior::Kept),
        "WhitespaceSplit" => (Of::White, Behavior::Removed),
        "Split" => return split(stage),
        other => return Err(refuse("pre_tokenizer", other, SUPPORTED)),
    };
    Ok(Cut { of, behavior })
}

/// A stage behind it.
fn of_bytes(stage: &Stage) -> Result<Cut, Error> {
    match stage.r#type.as_str() {
        "Digits" => Ok(Cut {
            of: Of::DigitOfBytes,
            ..of_text(stage)?
        }),
        "Split" if regex(stage) == Some(THREE_DIGITS) => split(stage),
        other => {
            let found = format!("{other} behind ByteLevel");
            let supported = format!("Digits and a Split by `{THREE_DIGITS}` there");
            Err(refuse("pre_tokenizer", &found, &supported))
        }
    }
}

fn split(stage: &Stage) -> Result<Cut, Error> {
    let literal = || stage.settings.get("pattern")?.get("String")?.as_str();
    let behavior = behavior(stage)?;
    let of = match (regex(stage), literal()) {
        (Some(CLIP), _) => Of::Clip,
        (Some(BLOOM), _) => Of::Bloom,
        (Some(THREE_DIGITS), _) => Of::ThreeDigits,
        (Some(regex), _) => {
            let pattern = Pattern::of(regex).ok_or_else(|| {
                Error::unsupported(format!(
                    "its pre_tokenizer splits by the unknown expression `{regex}`; known are those of GPT-2, cl100k, Llama 3, Qwen, o200k, Tekken, CLIP, BLOOM, Falcon and DeepSeek V3"
                ))
            })?;
            // The expression leaves nothing out, so that all pieces are matches.
            if !matches!(behavior, Behavior::Isolated | Behavior::Kept) {
                let found = "a Split that joins or drops the pieces of an expression";
                return Err(refuse("pre_tokenizer", found, "one that is Isolated"));
            }
            return Ok(whole(pattern));
        }
        (None, Some(literal)) if !literal.is_empty() => Of::Literal(literal.into()),
        _ => return Err(Error::corrupt("its Split has no pattern")),
    };
    Ok(Cut { of, behavior })
}

fn behavior(stage: &Stage) -> Result<Behavior, Error> {
    let inverted = stage.flag("invert", false);
    match stage.text("behavior") {
        // Between pieces and matches nothing tells the difference.
        Some("Isolated") => Ok(Behavior::Isolated),
        None if stage.r#type == "Punctuation" => Ok(Behavior::Isolated),
        Some("Removed") if inverted => Ok(Behavior::Kept),
        Some("Removed") => Ok(Behavior::Removed),
        Some("Contiguous") if !inverted => Ok(Behavior::Contiguous),
        Some("MergedWithPrevious") if !inverted => Ok(Behavior::MergedWithPrevious),
        Some("MergedWithNext") if !inverted => Ok(Behavior::MergedWithNext),
        other => {
            let how = if inverted { ", inverted" } else { "" };
            let found = format!(
                "a {} that is {}{how}",
                stage.r#type,
                other.unwrap_or("null")
            );
            let supported = "Isolated, Removed, Contiguous, MergedWithPrevious and MergedWithNext";
            Err(refuse("pre_tokenizer", &found, supported))
        }
    }
}
