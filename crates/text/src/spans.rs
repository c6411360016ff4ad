//! Runs of lines, paragraphs or sentences, as they are compared across documents.

use crate::parts::{Parts, Unit};
use crate::profile::Profiler;
use crate::simplify::TextNorm;
use xxhash_rust::xxh3::xxh3_128;

/// What a text is cut into, to compare runs of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpanUnit {
    /// Lines: they end with a line feed.
    #[default]
    Line,
    /// Paragraphs: they end with two or more line feeds.
    Paragraph,
    /// Sentences as datatrove cuts English; white space before one belongs to it.
    Sentence,
}

/// Which runs of a text are compared with those of other texts: C4 (Raffel et al. 2020,
/// <https://arxiv.org/abs/1910.10683>) took three sentences, as datatrove's `SentDedupConfig` does;
/// `CCNet` (Wenzek et al. 2019, <https://arxiv.org/abs/1911.00359>) took single paragraphs.
///
/// ```
/// use nexus_text::{Profiler, SpanUnit, Spans};
///
/// let spans = Spans { unit: SpanUnit::Line, length: 2, min_words: 3, ..Spans::default() };
/// let mut profiler = Profiler::new();
/// let hashes = |profiler: &mut Profiler, text| -> Result<_, nexus_text::Error> {
///     Ok(spans.hashes(&spans.units(profiler, text)?))
/// };
/// let first = hashes(&mut profiler, "Home\nAll rights reserved.\nOne.")?;
/// let other = hashes(&mut profiler, "HOME!\nAll rights reserved\nTwo.")?;
/// assert_eq!(first.len(), 3);
/// assert_eq!(first[0], other[0]);
/// assert!(first[1].is_some() && first[1] != other[1] && first[2].is_none());
/// # Ok::<(), nexus_text::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Lines, paragraphs or sentences.
    pub unit: SpanUnit,
    /// How many of them in a row are compared; at least 1.
    pub length: usize,
    /// Runs of fewer words, in the form in which they are compared, have no hash; blank ones never have.
    pub min_words: usize,
    /// In which form they are compared.
    pub norm: TextNorm,
}

impl Default for Spans {
    /// Single lines of at least three words, simplified.
    fn default() -> Self {
        Self {
            unit: SpanUnit::Line,
            length: 1,
            min_words: 3,
            norm: TextNorm::default(),
        }
    }
}

impl Spans {
    /// The units of a text; together they are the text.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) for sentences of a text that is larger than
    /// [`TEXT_SIZE_MAX`](crate::limits::TEXT_SIZE_MAX).
    pub fn units<'a>(
        &self,
        profiler: &mut Profiler,
        text: &'a str,
    ) -> Result<Vec<&'a str>, crate::Error> {
        let unit = match self.unit {
            SpanUnit::Line => Unit::Line,
            SpanUnit::Paragraph => Unit::Paragraph,
            SpanUnit::Sentence => {
                let sentences = match text {
                    "" => Vec::new(),
                    _ => sentences(profiler, text)?,
                };
                return Ok(sentences);
            }
        };
        let parts = Parts {
            unit,
            ..Parts::default()
        };
        Ok(parts.split(text).collect())
    }

    /// For each unit the hash (XXH3, 128 bits) of the run that begins there; none where fewer units are
    /// left, and where a run has too few words. Time is linear in the text times [`length`](Self::length).
    pub fn hashes(&self, units: &[&str]) -> Vec<Option<u128>> {
        let length = self.length.max(1);
        let simple: Vec<_> = units.iter().map(|unit| self.norm.apply(unit)).collect();
        let words = |unit: &String| unit.split_whitespace().count();
        let words: Vec<usize> = simple.iter().map(words).collect();
        let mut run = String::new();
        let hash = |at: usize| {
            let end = at + length;
            let count: usize = words.get(at..end)?.iter().sum();
            if count < self.min_words.max(1) {
                return None;
            }
            run.clear();
            for (place, unit) in simple[at..end].iter().enumerate() {
                if place > 0 {
                    run.push(' ');
                }
                run.push_str(unit);
            }
            Some(xxh3_128(run.as_bytes()))
        };
        (0..units.len()).map(hash).collect()
    }
}

/// The sentences, of which the last one ends with the text.
fn sentences<'a>(profiler: &mut Profiler, text: &'a str) -> Result<Vec<&'a str>, crate::Error> {
    let sentences = profiler.profile(text)?.sentences();
    let sizes: Vec<usize> = sentences.iter().map(|each| each.len()).collect();
    let mut rest = text;
    let mut next = |size| {
        let (sentence, after) = rest.split_at(size);
        rest = after;
        sentence
    };
    let sentences = sizes.into_iter().map(&mut next);
    Ok(sentences.filter(|each| !each.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_with_enough_words_have_a_hash() {
        let units = ["one two", "", "three", "four"];
        for (length, min_words, expected) in [
            (1, 1, [true, false, true, true]),
            (1, 2, [true, false, false, false]),
            (2, 1, [true, true, true, false]),
            (2, 3, [false, false, false, false]),
            (3, 3, [true, false, false, false]),
            (4, 0, [true, false, false, false]),
            (5, 0, [false; 4]),
        ] {
            let spans = Spans {
                length,
                min_words,
                ..Spans::default()
            };
            let found: Vec<_> = spans.hashes(&units).iter().map(Option::is_some).collect();
            assert_eq!(found, expected, "{spans:?}");
        }
    }

    proptest! {
        #[test]
        fn units_are_the_text(text in "[a. \n!\u{e9}\u{2028}]{0,30}") {
            let mut profiler = Profiler::new();
            for unit in [SpanUnit::Line, SpanUnit::Paragraph, SpanUnit::Sentence] {
                let spans = Spans { unit, ..Spans::default() };
                prop_assert_eq!(spans.units(&mut profiler, &text).unwrap().concat(), text.clone());
            }
        }
    }
}
