//! The steps of a plan, their names, and the operators that they become.

use crate::limits::PASSAGE_TOKENS_MAX;
use crate::operators::{
    BatchFn, Clean, Cut, DedupExact, Filter, FilterBatches, FilterFn, Format, Judge, KeepFn, Map,
    MapBatches, MapFn, MinChars, Operator, SPECIAL_TOKENS, Tokenize,
};
use crate::stages::Repeats;
use crate::{
    AnyTokenizer, Error, ExactCopies, Formatting, ImageCopies, ImageRules, ImageTensors,
    NearCopies, Quality, RepeatedLines, RepeatedSubstrings, Tokenization,
};
use nexus_tokenizer::Tokenizer;
use std::fmt;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) enum Step {
    Clean,
    MinChars(usize),
    Format(Formatting),
    Quality(Quality),
    DedupExact(ExactCopies),
    DedupNear(NearCopies),
    DedupLines(RepeatedLines),
    DedupSubstrings(RepeatedSubstrings),
    Images(ImageRules),
    DedupImages(ImageCopies),
    ImageTensors(ImageTensors),
    TokenizeFile(Tokenization),
    Tokenize(AnyTokenizer),
    Cut(usize),
    Map(Arc<MapFn>),
    Filter(Arc<FilterFn>),
    FilterBatches {
        name: String,
        function: Arc<KeepFn>,
    },
    MapBatches {
        name: String,
        function: Arc<BatchFn>,
    },
}

impl Step {
    /// What is decided on parts of documents.
    pub(super) fn repeats(&self) -> Result<Option<Repeats>, Error> {
        Ok(match self {
            Self::DedupLines(settings) => {
                settings.check()?;
                Some(Repeats::Lines(*settings))
            }
            Self::DedupSubstrings(settings) => {
                settings.check()?;
                let tokenizer = settings.tokenizer.as_ref().map(Tokenizer::from_file);
                let tokenizer = tokenizer.transpose().map_err(Error::tokenizer)?;
                let tokenizer = tokenizer.map(AnyTokenizer::from);
                Some(Repeats::Substrings(settings.clone(), tokenizer))
            }
            _ => None,
        })
    }

    pub(super) fn operator(&self) -> Result<Box<dyn Operator>, Error> {
        Ok(match self {
            Self::Clean => Box::new(Clean),
            Self::MinChars(chars) => Box::new(MinChars(*chars)),
            Self::Format(formatting) => Box::new(Format(formatting.formatter())),
            Self::Quality(filter) => Box::new(Judge::new([filter])?),
            Self::DedupExact(settings) => Box::new(DedupExact::new(settings.ignore_space)),
            Self::DedupNear(_) | Self::DedupLines(_) | Self::DedupSubstrings(_) => {
                unreachable!("a decision is no operator")
            }
            Self::Images(_) | Self::DedupImages(_) | Self::ImageTensors(_) => {
                Box::new(self.pictures(&mut [].iter().peekable(), false)?.0)
            }
            Self::Tokenize(tokenizer) => Box::new(Tokenize::new(tokenizer.clone())),
            Self::TokenizeFile(settings) => Box::new(Tokenize::from_file(settings)?),
            Self::Cut(tokens) => {
                if !(SPECIAL_TOKENS + 1..=PASSAGE_TOKENS_MAX).contains(tokens) {
                    return Err(Error::invalid(format!(
                        "step `cut`: max_tokens is {tokens}, it must be from {} to {PASSAGE_TOKENS_MAX}",
                        SPECIAL_TOKENS + 1
                    )));
                }
                Box::new(Cut::new(*tokens))
            }
            Self::Map(function) => Box::new(Map(function.clone())),
            Self::Filter(function) => Box::new(Filter(function.clone())),
            Self::FilterBatches { name, function } => Box::new(FilterBatches {
                name: name.clone(),
                function: function.clone(),
            }),
            Self::MapBatches { name, function } => Box::new(MapBatches {
                name: name.clone(),
                function: function.clone(),
            }),
        })
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::MinChars(chars) => write!(f, "min_chars({chars})"),
            Self::Format(formatting) => formatting.fmt(f),
            Self::Quality(filter) => filter.fmt(f),
            Self::DedupExact(settings) => write!(f, "dedup_exact({settings:?})"),
            Self::DedupNear(settings) => write!(f, "dedup_near({settings:?})"),
            Self::DedupLines(settings) => write!(f, "dedup_lines({settings:?})"),
            Self::DedupSubstrings(settings) => write!(f, "dedup_substrings({settings:?})"),
            Self::Images(settings) => write!(f, "images({settings:?})"),
            Self::DedupImages(settings) => write!(f, "dedup_images({settings:?})"),
            Self::ImageTensors(settings) => write!(f, "image_tensors({settings:?})"),
            Self::TokenizeFile(settings) => write!(f, "tokenize({settings:?})"),
            Self::Tokenize(tokenizer) => write!(f, "tokenize({tokenizer:?})"),
            Self::Cut(tokens) => write!(f, "cut({tokens})"),
            Self::Map(_) => f.write_str("map"),
            Self::Filter(_) => f.write_str("filter"),
            Self::FilterBatches { name, .. } | Self::MapBatches { name, .. } => f.write_str(name),
        }
    }
}
