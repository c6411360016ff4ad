//! The quality rules of Gopher (Rae et al. 2021, <https://arxiv.org/abs/2112.11446>).

use crate::filter::Filter;
use crate::lines::count;
use crate::profile::Profile;
use crate::verdict::{Reason, Verdict, drop_if, share, verdict};

/// The quality rules of Gopher, as datatrove's `GopherQualityFilter` applies them.
///
/// A limit that is none or 0 is off. Where datatrove divides by zero (a text without words, with
/// `min_doc_words` off) the verdict is to drop it as `empty`.
#[derive(Clone, Debug, PartialEq)]
pub struct GopherQuality {
    /// Fewest words that are not punctuation alone.
    pub min_doc_words: Option<u64>,
    /// Most of them.
    pub max_doc_words: Option<u64>,
    /// Least mean length of these, in code points.
    pub min_avg_word_length: Option<f64>,
    /// Greatest mean length.
    pub max_avg_word_length: Option<f64>,
    /// Most `#` for each word, and most ellipses.
    pub max_symbol_word_ratio: Option<f64>,
    /// Greatest share of lines that begin with a bullet.
    pub max_bullet_lines_ratio: Option<f64>,
    /// Greatest share of lines that end in an ellipsis.
    pub max_ellipsis_lines_ratio: Option<f64>,
    /// Least share of words with a letter (datatrove's name says the opposite).
    pub max_non_alpha_words_ratio: Option<f64>,
    /// Fewest different stop words.
    pub min_stop_words: Option<u64>,
    /// The stop words.
    pub stop_words: Vec<String>,
}

impl Default for GopherQuality {
    fn default() -> Self {
        let stop_words = ["the", "be", "to", "of", "and", "that", "have", "with"];
        Self {
            min_doc_words: Some(50),
            max_doc_words: Some(100_000),
            min_avg_word_length: Some(3.0),
            max_avg_word_length: Some(10.0),
            max_symbol_word_ratio: Some(0.1),
            max_bullet_lines_ratio: Some(0.9),
            max_ellipsis_lines_ratio: Some(0.3),
            max_non_alpha_words_ratio: Some(0.8),
            min_stop_words: Some(2),
            stop_words: stop_words.map(str::to_owned).to_vec(),
        }
    }
}

impl Filter for GopherQuality {
    fn name(&self) -> &'static str {
        "gopher_quality"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let first = self
            .lengths(profile)
            .or_else(|| drop_if(profile.word_summary().words == 0, "empty"))
            .or_else(|| self.symbols(profile))
            .or_else(|| self.lines(profile))
            .or_else(|| self.words(profile));
        verdict(first)
    }
}

impl GopherQuality {
    fn lengths(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        let words = profile.word_summary();
        let n = words.spoken as u64;
        // Not a number without words, which no comparison holds for.
        let mean = share(words.spoken_chars, words.spoken);
        drop_if(
            on(self.min_doc_words).is_some_and(|min| n < min),
            "gopher_short_doc",
        )
        .or_else(|| {
            drop_if(
                on(self.max_doc_words).is_some_and(|max| n > max),
                "gopher_long_doc",
            )
        })
        .or_else(|| {
            let fails = on(self.min_avg_word_length).is_some_and(|min| mean < min);
            drop_if(fails, "gopher_below_avg_threshold")
        })
        .or_else(|| {
            drop_if(
                above(self.max_avg_word_length, mean),
                "gopher_above_avg_threshold",
            )
        })
    }

    fn symbols(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        on(self.max_symbol_word_ratio)?;
        let words = profile.word_summary().words;
        let text = profile.text();
        let hashes = text.bytes().filter(|&byte| byte == b'#').count();
        drop_if(
            above(self.max_symbol_word_ratio, share(hashes, words)),
            "gopher_too_many_hashes",
        )
        .or_else(|| {
            let ellipses = count(text, "...") + count(text, "…");
            let ratio = share(ellipses, words);
            drop_if(
                above(self.max_symbol_word_ratio, ratio),
                "gopher_too_many_ellipsis",
            )
        })
    }

    fn lines(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        on(self.max_bullet_lines_ratio).or(on(self.max_ellipsis_lines_ratio))?;
        let ends = profile.line_ends();
        let bullets = above(self.max_bullet_lines_ratio, share(ends.bullets, ends.lines));
        drop_if(bullets, "gopher_too_many_bullets").or_else(|| {
            let ellipses = above(
                self.max_ellipsis_lines_ratio,
                share(ends.ellipses, ends.lines),
            );
            drop_if(ellipses, "gopher_too_many_end_ellipsis")
        })
    }

    fn words(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        let words = profile.word_summary();
        let lettered = share(words.lettered, words.words);
        let fails = on(self.max_non_alpha_words_ratio).is_some_and(|min| lettered < min);
        drop_if(fails, "gopher_below_alpha_threshold").or_else(|| {
            let fails =
                on(self.min_stop_words).is_some_and(|min| !self.has_stop_words(profile, min));
            drop_if(fails, "gopher_enough_stop_words")
        })
    }

    /// Whether at least `min` different stop words are among the words.
    fn has_stop_words(&self, profile: &mut Profile<'_>, min: u64) -> bool {
        let sizes = self.stop_words.iter().map(String::len);
        let longest = sizes.max().unwrap_or_default() as u32;
        let mut missing: Vec<&str> = self.stop_words.iter().map(String::as_str).collect();
        missing.sort_unstable();
        missing.dedup();
        let enough = (missing.len() as u64).checked_sub(min);
        let Some(enough) = enough else {
            return false;
        };
        profile.words();
        for at in 0..profile.word_summary().words {
            let word = profile.words()[at];
            if word.end - word.start <= longest {
                let text = profile.word(&word);
                missing.retain(|stop| *stop != text);
                if missing.len() as u64 <= enough {
                    return true;
                }
            }
        }
        false
    }
}

/// A limit that is neither none nor 0, which is none in Python.
fn on<T: Default + PartialEq>(limit: Option<T>) -> Option<T> {
    limit.filter(|limit| *limit != T::default())
}

fn above(max: Option<f64>, ratio: f64) -> bool {
    on(max).is_some_and(|max| ratio > max)
}
