//! Which language a text is in.

use crate::error::Error;
use crate::fasttext::FastText;
use crate::filter::Filter;
use crate::profile::Profile;
use crate::verdict::{Verdict, drop_if, verdict};
use std::path::Path;
use std::sync::Arc;

/// What tells languages apart. Clones share the model.
#[derive(Clone, Debug, Default)]
pub enum LanguageId {
    /// Trigrams of the crate `whatlang`: no model is needed, 70 languages, weak on short texts.
    #[default]
    Trigrams,
    /// A model of fastText, such as `lid.176.ftz`: 176 languages.
    FastText(Arc<FastText>),
}

/// A language and how sure the model is of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Language<'a> {
    /// The label of the model: for `lid.176` and trigrams the ISO 639-1 code, or that of 639-3 where
    /// there is none.
    pub code: &'a str,
    /// 0 to 1. Trigrams give their confidence in the best language, which is no probability.
    pub score: f32,
}

impl LanguageId {
    /// Reads a model of fastText.
    ///
    /// # Errors
    /// Those of [`FastText::open`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self::FastText(Arc::new(FastText::open(path)?)))
    }

    /// The languages of a text, the most likely first; trigrams give at most one. Time is linear in
    /// the text.
    pub fn predict(&self, text: &str) -> Vec<Language<'_>> {
        match self {
            Self::Trigrams => whatlang::detect(text)
                .map(|found| Language {
                    code: code(found.lang()),
                    score: found.confidence() as f32,
                })
                .into_iter()
                .collect(),
            Self::FastText(model) => model
                .predict(text)
                .into_iter()
                .map(|found| Language {
                    code: found.label,
                    score: found.probability,
                })
                .collect(),
        }
    }
}

/// Keeps documents in some languages, as datatrove's `LanguageFilter` does: with `languages`, if one
/// of them scores above the threshold, likely or not; without, if the most likely one does.
///
/// ```
/// use nexus_text::{Filter, LanguageFilter, Profiler};
///
/// let english = LanguageFilter { languages: Some(vec!["en".into()]), ..LanguageFilter::default() };
/// let mut profiler = Profiler::new();
/// let text = "It was the best of times, it was the worst of times, it was the age of wisdom, it was \
///     the age of foolishness, it was the season of light, it was the season of darkness.";
/// assert!(english.judge(&mut profiler.profile(text)?).is_kept());
/// let text = "Es war die beste Zeit und die schlechteste Zeit, die wir kannten.";
/// assert!(!english.judge(&mut profiler.profile(text)?).is_kept());
/// # Ok::<(), nexus_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LanguageFilter {
    /// The languages to keep, by the labels of the model; none stands for all.
    pub languages: Option<Vec<String>>,
    /// A score must be above this.
    pub language_threshold: f64,
    /// What tells languages apart.
    pub backend: LanguageId,
}

impl Default for LanguageFilter {
    fn default() -> Self {
        Self {
            languages: None,
            language_threshold: 0.65,
            backend: LanguageId::default(),
        }
    }
}

impl LanguageFilter {
    /// Whether a document with these languages, the most likely first, is kept.
    pub fn keeps(&self, found: &[Language<'_>]) -> bool {
        let is_sure = |language: &Language<'_>| f64::from(language.score) > self.language_threshold;
        match self.languages.as_deref() {
            None => found.first().is_some_and(is_sure),
            // A language that the model does not name scores 0.
            Some(languages) => languages.iter().any(|code| {
                let language = found.iter().find(|language| language.code == *code);
                language.map_or(0.0 > self.language_threshold, is_sure)
            }),
        }
    }
}

impl Filter for LanguageFilter {
    fn name(&self) -> &'static str {
        "language"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let found = self.backend.predict(profile.text());
        verdict(drop_if(!self.keeps(&found), "language"))
    }
}

/// The ISO 639-1 code of a language, or the code of 639-3 for those that have none.
fn code(lang: whatlang::Lang) -> &'static str {
    let long = lang.code();
    let codes = CODES.binary_search_by_key(&long, |codes| codes.0);
    codes.map_or(long, |at| CODES[at].1)
}

/// The languages that `whatlang` knows.
const CODES: [(&str, &str); 70] = [
    ("afr", "af"),
    ("aka", "ak"),
    ("amh", "am"),
    ("ara", "ar"),
    ("aze", "az"),
    ("bel", "be"),
    ("ben", "bn"),
    ("bul", "bg"),
    ("cat", "ca"),
    ("ces", "cs"),
    ("cmn", "zh"),
    ("cym", "cy"),
    ("dan", "da"),
    ("deu", "de"),
    ("ell", "el"),
    ("eng", "en"),
    ("epo", "eo"),
    ("est", "et"),
    ("fin", "fi"),
    ("fra", "fr"),
    ("guj", "gu"),
    ("heb", "he"),
    ("hin", "hi"),
    ("hrv", "hr"),
    ("hun", "hu"),
    ("hye", "hy"),
    ("ind", "id"),
    ("ita", "it"),
    ("jav", "jv"),
    ("jpn", "ja"),
    ("kan", "kn"),
    ("kat", "ka"),
    ("khm", "km"),
    ("kor", "ko"),
    ("lat", "la"),
    ("lav", "lv"),
    ("lit", "lt"),
    ("mal", "ml"),
    ("mar", "mr"),
    ("mkd", "mk"),
    ("mya", "my"),
    ("nep", "ne"),
    ("nld", "nl"),
    ("nob", "no"),
    ("ori", "or"),
    ("pan", "pa"),
    ("pes", "fa"),
    ("pol", "pl"),
    ("por", "pt"),
    ("ron", "ro"),
    ("rus", "ru"),
    ("sin", "si"),
    ("slk", "sk"),
    ("slv", "sl"),
    ("sna", "sn"),
    ("spa", "es"),
    ("srp", "sr"),
    ("swe", "sv"),
    ("tam", "ta"),
    ("tel", "te"),
    ("tgl", "tl"),
    ("tha", "th"),
    ("tuk", "tk"),
    ("tur", "tr"),
    ("ukr", "uk"),
    ("urd", "ur"),
    ("uzb", "uz"),
    ("vie", "vi"),
    ("yid", "yi"),
    ("zul", "zu"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_a_code_of_two_letters() {
        assert!(CODES.is_sorted());
        for &lang in whatlang::Lang::all() {
            assert_eq!(code(lang).len(), 2, "{lang:?}");
        }
    }
}
