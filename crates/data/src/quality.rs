//! Which quality filters a pipeline may have.

use crate::settings::Settings;
use crate::{Error, EvaluationSets};
use nexus_text::{
    Basic, C4BadWords, C4Paragraphs, C4Quality, Filter, FineWebQuality, GopherQuality,
    GopherRepetition, LanguageFilter, LanguageId, UrlFilter, UrlRules,
};
use std::path::PathBuf;

/// A quality filter, with its settings.
///
/// Filters that follow each other share one profile of each document. Their verdicts and reasons are
/// those of datatrove 0.10.1, which has the same names for the settings.
///
/// ```
/// use nexus_data::Pipeline;
/// use nexus_text::{FineWebQuality, GopherQuality};
///
/// let short = GopherQuality { min_doc_words: Some(20), ..GopherQuality::default() };
/// let pipeline = Pipeline::read("docs").quality(short).quality(FineWebQuality::default());
/// # drop(pipeline);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Quality {
    /// `gopher_quality`: the rules of Gopher on words, symbols and lines (Rae et al. 2021).
    GopherQuality(GopherQuality),
    /// `gopher_repetition`: those on repeated lines, paragraphs and runs of words.
    GopherRepetition(GopherRepetition),
    /// `c4_quality`: the rules of C4 (Raffel et al. 2020), which also drop lines of documents.
    C4Quality(C4Quality),
    /// `c4_paragraphs`: at least so many long paragraphs.
    C4Paragraphs(C4Paragraphs),
    /// `c4_bad_words`: no word of a list.
    C4BadWords(BadWords),
    /// `fineweb_quality`: the rules of `FineWeb` (Penedo et al. 2024) on lines.
    FineWebQuality(FineWebQuality),
    /// `basic`: rules with fixed limits that any language can state in a page.
    Basic(Basic),
    /// `language`: what the text is written in.
    Language(LanguageRules),
    /// `url`: the key `url` of the record, by lists of domains, addresses and words.
    Url(UrlRules),
    /// `n_grams_decont`: no run of words of an evaluation set (Brown et al. 2020).
    NGramsDecont(EvaluationSets),
}

impl Quality {
    /// The names that plans have for them.
    pub const NAMES: [&str; 10] = [
        GopherQuality::OP,
        GopherRepetition::OP,
        C4Quality::OP,
        C4Paragraphs::OP,
        BadWords::OP,
        FineWebQuality::OP,
        Basic::OP,
        LanguageRules::OP,
        UrlRules::OP,
        EvaluationSets::OP,
    ];
}

/// Which languages stay.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageRules {
    /// Their codes, as the model has them; none for any.
    pub languages: Option<Vec<String>>,
    /// What the language's probability must exceed.
    pub language_threshold: f64,
    /// A model of fastText, such as `lid.176.ftz`; none for trigrams, which need no model.
    pub model: Option<PathBuf>,
}

impl Default for LanguageRules {
    fn default() -> Self {
        Self {
            languages: None,
            language_threshold: LanguageFilter::default().language_threshold,
            model: None,
        }
    }
}

/// Words that a document must not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadWords {
    /// A file with a word on each line, in lower case.
    pub path: PathBuf,
    /// Whether words count inside other words too, as in languages without spaces.
    pub is_substring: bool,
}

impl Quality {
    /// The filter that judges. Reads the files that the settings name.
    pub(crate) fn filter(&self) -> Result<Box<dyn Filter>, Error> {
        Ok(match self.clone() {
            Self::GopherQuality(filter) => Box::new(filter),
            Self::GopherRepetition(filter) => Box::new(filter),
            Self::C4Quality(filter) => Box::new(filter),
            Self::C4Paragraphs(filter) => Box::new(filter),
            Self::FineWebQuality(filter) => Box::new(filter),
            Self::Basic(filter) => Box::new(filter),
            Self::Url(rules) => Box::new(UrlFilter::new(rules)),
            Self::NGramsDecont(sets) => Box::new(sets.filter()?),
            Self::Language(rules) => Box::new(LanguageFilter {
                languages: rules.languages,
                language_threshold: rules.language_threshold,
                backend: match rules.model {
                    None => LanguageId::Trigrams,
                    Some(path) => LanguageId::open(&path).map_err(Error::text)?,
                },
            }),
            Self::C4BadWords(BadWords { path, is_substring }) => {
                let words = std::fs::read_to_string(&path)
                    .map_err(|error| Error::io("read", &path, error))?;
                Box::new(C4BadWords::new(words.lines(), !is_substring))
            }
        })
    }
}

impl From<GopherQuality> for Quality {
    fn from(filter: GopherQuality) -> Self {
        Self::GopherQuality(filter)
    }
}

impl From<GopherRepetition> for Quality {
    fn from(filter: GopherRepetition) -> Self {
        Self::GopherRepetition(filter)
    }
}

impl From<C4Quality> for Quality {
    fn from(filter: C4Quality) -> Self {
        Self::C4Quality(filter)
    }
}

impl From<C4Paragraphs> for Quality {
    fn from(filter: C4Paragraphs) -> Self {
        Self::C4Paragraphs(filter)
    }
}

impl From<BadWords> for Quality {
    fn from(filter: BadWords) -> Self {
        Self::C4BadWords(filter)
    }
}

impl From<FineWebQuality> for Quality {
    fn from(filter: FineWebQuality) -> Self {
        Self::FineWebQuality(filter)
    }
}

impl From<LanguageRules> for Quality {
    fn from(rules: LanguageRules) -> Self {
        Self::Language(rules)
    }
}

impl From<UrlRules> for Quality {
    fn from(rules: UrlRules) -> Self {
        Self::Url(rules)
    }
}

impl From<EvaluationSets> for Quality {
    fn from(sets: EvaluationSets) -> Self {
        Self::NGramsDecont(sets)
    }
}

impl From<Basic> for Quality {
    fn from(filter: Basic) -> Self {
        Self::Basic(filter)
    }
}
