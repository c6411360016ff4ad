//! The normalisers of a `tokenizer.json`, one after the other, for models of sentence pieces.

pub(crate) mod aligned;
mod charsmap;
mod compose;

use crate::file::Stage;
use crate::{Error, base64, unicode};
pub(crate) use aligned::Aligned;
use aligned::Change;
use charsmap::Charsmap;
use compose::Form;

/// All that a file does to a text before it is cut.
#[derive(Debug)]
pub(crate) struct Normalizers(Vec<Normalizer>);

#[derive(Debug)]
enum Normalizer {
    Charsmap(Box<Charsmap>),
    Form(Form),
    /// Each `from` becomes `to`.
    Replace {
        from: String,
        to: String,
    },
    /// Each run of at least so many of these characters becomes `to`.
    Runs {
        of: Runs,
        min: usize,
        to: String,
    },
    Prepend(String),
    Strip {
        left: bool,
        right: bool,
    },
    Lowercase,
    StripAccents,
    /// Control characters go, other white space and unseen characters become spaces.
    Nmt,
}

/// The characters of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    Space,
    White,
}

impl Normalizers {
    /// Reads the normaliser of a file.
    pub(crate) fn new(stage: Option<&Stage>) -> Result<Self, Error> {
        let stages = Stage::flatten(stage, "normalizers")?;
        let list: Result<_, _> = stages.iter().map(Normalizer::new).collect();
        list.map(Self)
    }

    /// Normalises a part of a text. Time is linear but for the ordering of runs of marks.
    pub(crate) fn apply<'a>(&self, text: &'a str, is_tracked: bool) -> Aligned<'a> {
        let mut aligned = Aligned::new(text, is_tracked);
        for normalizer in &self.0 {
            normalizer.apply(&mut aligned);
        }
        aligned
    }
}

impl Normalizer {
    fn new(stage: &Stage) -> Result<Self, Error> {
        let form = |composes, is_compatible| {
            Ok(Self::Form(Form {
                composes,
                is_compatible,
            }))
        };
        let text = |name: &str| {
            stage.text(name).map(str::to_owned).ok_or_else(|| {
                Error::corrupt(format!("its normalizer {} lacks `{name}`", stage.r#type))
            })
        };
        match stage.r#type.as_str() {
            "Precompiled" => {
                let bytes = base64::decode(text("precompiled_charsmap")?.as_bytes())
                    .ok_or_else(|| Error::corrupt("its precompiled_charsmap is no base 64"))?;
                Ok(Self::Charsmap(Box::new(Charsmap::new(&bytes)?)))
            }
            "NFC" => form(true, false),
            "NFKC" => form(true, true),
            "NFD" => form(false, false),
            "NFKD" => form(false, true),
            "Replace" => Self::replace(stage, text("content")?),
            "Prepend" => Ok(Self::Prepend(text("prepend")?)),
            "Strip" => Ok(Self::Strip {
                left: stage.flag("strip_left", true),
                right: stage.flag("strip_right", true),
            }),
            "Lowercase" => Ok(Self::Lowercase),
            "StripAccents" => Ok(Self::StripAccents),
            "Nmt" => Ok(Self::Nmt),
            other => Err(Error::unsupported(format!(
                "its normalizer is {other}; supported are Precompiled, NFC, NFD, NFKC, NFKD, Nmt, Lowercase, StripAccents, Strip, Prepend and Replace"
            ))),
        }
    }

    fn replace(stage: &Stage, to: String) -> Result<Self, Error> {
        let pattern = stage.settings.get("pattern");
        let pattern = |kind| pattern.and_then(|pattern| pattern.get(kind)?.as_str());
        if let Some(from) = pattern("String").filter(|from| !from.is_empty()) {
            let from = from.to_owned();
            return Ok(Self::Replace { from, to });
        }
        let (of, min) = match pattern("Regex") {
            Some(" {2,}") => (Runs::Space, 2),
            Some(" +" | " {1,}") => (Runs::Space, 1),
            Some(r"\s+") => (Runs::White, 1),
            Some(r"\s{2,}") => (Runs::White, 2),
            other => {
                return Err(Error::unsupported(format!(
                    r"its normalizer replaces the unknown pattern `{}`; known are strings and the expressions ` {{2,}}`, ` +`, `\s+` and `\s{{2,}}`",
                    other.unwrap_or_default()
                )));
            }
        };
        Ok(Self::Runs { of, min, to })
    }

    fn apply(&self, aligned: &mut Aligned<'_>) {
        match self {
            Self::Charsmap(map) => map.apply(aligned),
            Self::Form(form) => form.apply(aligned),
            Self::Replace { from, to } => {
                let size = from.len();
                let found: Vec<_> = aligned.text.match_indices(from).map(|(at, _)| at).collect();
                aligned.replace(found.into_iter().map(|at| (at, at + size)), to);
            }
            Self::Runs { of, min, to } => {
                let runs = of.find(&aligned.text, *min);
                aligned.replace(runs.into_iter(), to);
            }
            Self::Prepend(prefix) => aligned.prepend(prefix),
            Self::Strip { left, right } => strip(aligned, *left, *right),
            Self::Lowercase => lowercase(aligned),
            Self::StripAccents => filter(aligned, |c| {
                (!unicode::is_mark(c) && !unicode::is_spacing_mark(c)).then_some(c)
            }),
            Self::Nmt => filter(aligned, nmt),
        }
    }
}

impl Runs {
    fn find(self, text: &str, min: usize) -> Vec<(usize, usize)> {
        let is_in = |c: char| match self {
            Self::Space => c == ' ',
            Self::White => c.is_whitespace(),
        };
        let mut runs = Vec::new();
        let mut end = 0;
        for (at, c) in text.char_indices() {
            if at < end || !is_in(c) {
                continue;
            }
            let rest = &text[at..];
            end = at + rest.find(|c| !is_in(c)).unwrap_or(rest.len());
            // Runs of one character are the usual case.
            if min <= 1 || text[at..end].chars().nth(min - 1).is_some() {
                runs.push((at, end));
            }
        }
        runs
    }
}

fn strip(aligned: &mut Aligned<'_>, left: bool, right: bool) {
    let text = &*aligned.text;
    let end = if right {
        text.trim_end().len()
    } else {
        text.len()
    };
    let start = if left {
        end - text[..end].trim_start().len()
    } else {
        0
    };
    aligned.keep(start, end);
}

fn lowercase(aligned: &mut Aligned<'_>) {
    let is_lower = |byte: &u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    if aligned.text.bytes().all(|byte| is_lower(&byte)) {
        return;
    }
    let text = aligned.text.to_string();
    let changes = text.chars().flat_map(|c| {
        let parts = c.to_lowercase().enumerate();
        parts.map(|(at, c)| Change {
            c,
            by: isize::from(at > 0),
        })
    });
    aligned.change(changes, 0);
}

/// Leaves out the characters that become nothing and replaces the others.
fn filter(aligned: &mut Aligned<'_>, change: impl Fn(char) -> Option<char>) {
    if aligned.text.chars().all(|c| change(c) == Some(c)) {
        return;
    }
    let mut changes: Vec<Change> = Vec::with_capacity(aligned.text.len());
    let mut removed = 0;
    for c in aligned.text.chars() {
        match (change(c), changes.last_mut()) {
            (Some(c), _) => changes.push(Change { c, by: 0 }),
            (None, Some(last)) => last.by -= 1,
            (None, None) => removed += 1,
        }
    }
    aligned.change(changes.into_iter(), removed);
}

/// What the normaliser of neural machine translation makes of a character.
fn nmt(c: char) -> Option<char> {
    match c as u32 {
        0x1..=0x8 | 0xB | 0xE..=0x1F | 0x7F | 0x8F | 0x9F => None,
        0x9
        | 0xA
        | 0xC
        | 0xD
        | 0x1680
        | 0x200B..=0x200F
        | 0x2028
        | 0x2029
        | 0x2581
        | 0xFEFF
        | 0xFFFD => Some(' '),
        _ => Some(c),
    }
}
