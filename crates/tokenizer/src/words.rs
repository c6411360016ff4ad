//! The pre-tokenisers of sentence pieces: `WhitespaceSplit`, and `Metaspace`, which writes spaces as
//! a visible character and puts one before the words.

use crate::Error;
use crate::file::Stage;
use crate::normalizer::Aligned;

/// How a normalised text is cut into words.
#[derive(Debug)]
pub(crate) struct Words {
    splits_white: bool,
    metaspace: Option<Metaspace>,
}

/// The settings of `Metaspace`.
#[derive(Clone, Debug)]
pub(crate) struct Metaspace {
    /// The character that stands for a space.
    pub(crate) mark: char,
    pub(crate) scheme: Scheme,
    /// Whether words are cut before each mark.
    pub(crate) splits: bool,
}

/// Where a mark is put first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Before each part of the text.
    Always,
    /// Before the start of the text only.
    First,
    Never,
}

/// Memory that is reused from text to text.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    text: String,
    sources: Vec<(u32, u32)>,
}

/// A word as the model gets it.
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    origin: Origin<'a>,
}

enum Origin<'a> {
    /// The word stands in the normalised text from this byte on.
    At(&'a Aligned<'a>, usize),
    /// The range of each of its bytes; nothing where ranges are not asked for.
    Sources(&'a [(u32, u32)]),
}

impl Word<'_> {
    /// Where bytes `start..end` of the word come from.
    pub(crate) fn source(&self, start: usize, end: usize) -> (usize, usize) {
        match self.origin {
            Origin::At(aligned, at) => aligned.source(at + start, at + end),
            Origin::Sources(sources) => {
                let range = sources.get(start..end).unwrap_or_default();
                let ends = range.first().zip(range.last());
                ends.map_or((0, 0), |(first, last)| (first.0 as usize, last.1 as usize))
            }
        }
    }
}

impl Metaspace {
    pub(crate) fn new(stage: &Stage) -> Result<Self, Error> {
        let corrupt = |what: &str| Error::corrupt(format!("its Metaspace has {what}"));
        let mut mark = stage.text("replacement").unwrap_or_default().chars();
        let (Some(mark), None) = (mark.next(), mark.next()) else {
            return Err(corrupt("a replacement that is not one character"));
        };
        let adds = stage.settings.get("add_prefix_space");
        let adds = adds.and_then(serde_json::Value::as_bool).unwrap_or(true);
        let scheme = match (stage.text("prepend_scheme"), adds) {
            (Some("never"), _) | (None, false) => Scheme::Never,
            (Some("always") | None, true) => Scheme::Always,
            (Some("first"), true) => Scheme::First,
            _ => {
                return Err(corrupt(
                    "a prepend_scheme that add_prefix_space contradicts",
                ));
            }
        };
        Ok(Self {
            mark,
            scheme,
            splits: stage.flag("split", true),
        })
    }
}

impl Words {
    /// Reads the pre-tokeniser of a file.
    pub(crate) fn new(stage: Option<&Stage>) -> Result<Self, Error> {
        let mut stages = Stage::flatten(stage, "pretokenizers")?;
        let metaspace = stages.pop_if(|last| last.r#type == "Metaspace");
        let splits_white = stages
            .pop_if(|last| last.r#type == "WhitespaceSplit")
            .is_some();
        if let Some(other) = stages.last() {
            return Err(Error::unsupported(format!(
                "its pre_tokenizer is {}; supported for a Unigram model are WhitespaceSplit and Metaspace, in this order",
                other.r#type
            )));
        }
        Ok(Self {
            splits_white,
            metaspace: metaspace.as_ref().map(Metaspace::new).transpose()?,
        })
    }

    /// Whether it matters where a word stands in the text.
    pub(crate) fn asks_for_start(&self) -> bool {
        let scheme = self.metaspace.as_ref().map(|metaspace| metaspace.scheme);
        scheme == Some(Scheme::First)
    }

    /// Gives the words of bytes `start..end`. `is_tracked` says whether their ranges are asked for,
    /// `is_first` whether a range of the text is at its start.
    pub(crate) fn cut(
        &self,
        normal: &Aligned<'_>,
        (start, end): (usize, usize),
        is_tracked: bool,
        is_first: impl Fn(usize) -> bool,
        scratch: &mut Scratch,
        mut emit: impl FnMut(Word<'_>),
    ) {
        let text = &normal.text[..end];
        let mut at = start;
        while at < end {
            let mut to = end;
            if self.splits_white {
                at = end - text[at..].trim_start().len();
                to = at + text[at..].find(char::is_whitespace).unwrap_or(end - at);
            }
            if at == to {
                return;
            }
            match &self.metaspace {
                None => emit(Word {
                    text: &text[at..to],
                    origin: Origin::At(normal, at),
                }),
                Some(metaspace) => {
                    let puts = match metaspace.scheme {
                        Scheme::Always => true,
                        Scheme::First => is_first(normal.source(at, to).0),
                        Scheme::Never => false,
                    };
                    metaspace.write(normal, (at, to), puts, is_tracked, scratch);
                    metaspace.split(scratch, &mut emit);
                }
            }
            at = to;
        }
    }
}

impl Metaspace {
    /// Writes bytes `at..to` with marks into `scratch`.
    fn write(
        &self,
        normal: &Aligned<'_>,
        (at, to): (usize, usize),
        puts: bool,
        is_tracked: bool,
        scratch: &mut Scratch,
    ) {
        let word = &normal.text[at..to];
        let Scratch { text, sources } = scratch;
        text.clear();
        sources.clear();
        let mark = self.mark.encode_utf8(&mut [0; 4]).to_owned();
        let starts = word.starts_with([' ', self.mark]);
        if puts && !starts {
            text.push_str(&mark);
        }
        for (count, part) in word.split(' ').enumerate() {
            if count > 0 {
                text.push_str(&mark);
            }
            text.push_str(part);
        }
        if is_tracked {
            let source = |at, size: usize| {
                let (from, to) = normal.source(at, at + size);
                (from as u32, to as u32)
            };
            if puts && !starts {
                let first = word.chars().next().map_or(1, char::len_utf8);
                sources.extend(std::iter::repeat_n(source(at, first), mark.len()));
            }
            for (offset, c) in word.char_indices() {
                let size = if c == ' ' { mark.len() } else { c.len_utf8() };
                let source = source(at + offset, c.len_utf8());
                sources.extend(std::iter::repeat_n(source, size));
            }
        }
    }

    /// Gives the words that `scratch` holds.
    fn split(&self, scratch: &Scratch, emit: &mut impl FnMut(Word<'_>)) {
        let Scratch { text, sources } = scratch;
        let mut start = 0;
        while start < text.len() {
            let first = text[start..].chars().next().map_or(0, char::len_utf8);
            let rest = &text[start + first..];
            let size = self.splits.then(|| rest.find(self.mark)).flatten();
            let end = start + first + size.unwrap_or(rest.len());
            emit(Word {
                text: &text[start..end],
                origin: Origin::Sources(sources.get(start..end).unwrap_or_default()),
            });
            start = end;
        }
    }
}
