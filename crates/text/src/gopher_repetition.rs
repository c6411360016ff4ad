//! The repetition rules of Gopher (Rae et al. 2021, table A1, <https://arxiv.org/abs/2112.11446>).

use crate::filter::Filter;
use crate::lines::strip;
use crate::profile::Profile;
use crate::verdict::{Reason, Verdict, drop_if, share, verdict};
use memchr::memchr_iter;

/// The repetition rules of Gopher, as datatrove's `GopherRepetitionFilter` applies them.
///
/// All shares are of the code points of the whole text. A limit of the first four that is none or 0
/// is off.
#[derive(Clone, Debug, PartialEq)]
pub struct GopherRepetition {
    /// Greatest share of lines that repeat an earlier one.
    pub dup_line_frac: Option<f64>,
    /// Greatest share of paragraphs that repeat an earlier one.
    pub dup_para_frac: Option<f64>,
    /// Greatest share of characters in repeated lines.
    pub dup_line_char_frac: Option<f64>,
    /// Greatest share of characters in repeated paragraphs.
    pub dup_para_char_frac: Option<f64>,
    /// Numbers of words, and the greatest share of the most frequent run of so many.
    pub top_n_grams: Vec<(usize, f64)>,
    /// Numbers of words, and the greatest share of repeated runs of so many.
    pub dup_n_grams: Vec<(usize, f64)>,
}

impl Default for GopherRepetition {
    fn default() -> Self {
        Self {
            dup_line_frac: Some(0.3),
            dup_para_frac: Some(0.3),
            dup_line_char_frac: Some(0.2),
            dup_para_char_frac: Some(0.2),
            top_n_grams: vec![(2, 0.2), (3, 0.18), (4, 0.16)],
            dup_n_grams: vec![
                (5, 0.15),
                (6, 0.14),
                (7, 0.13),
                (8, 0.12),
                (9, 0.11),
                (10, 0.10),
            ],
        }
    }
}

impl Filter for GopherRepetition {
    fn name(&self) -> &'static str {
        "gopher_repetition"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let first = drop_if(profile.text().is_empty(), "empty")
            .or_else(|| self.paragraphs(profile))
            .or_else(|| self.lines(profile))
            .or_else(|| self.top(profile))
            .or_else(|| self.repeated(profile));
        verdict(first)
    }
}

impl GopherRepetition {
    fn paragraphs(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        let found = profile.duplicates(&split(strip(profile.text()), 2));
        let chars = profile.chars();
        drop_if(
            above(self.dup_para_frac, found.repeated, found.parts),
            "dup_para_frac",
        )
        .or_else(|| {
            drop_if(
                above(self.dup_para_char_frac, found.chars, chars),
                "dup_para_char_frac",
            )
        })
    }

    fn lines(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        let found = profile.duplicates(&split(profile.text(), 1));
        let chars = profile.chars();
        drop_if(
            above(self.dup_line_frac, found.repeated, found.parts),
            "dup_line_frac",
        )
        .or_else(|| {
            drop_if(
                above(self.dup_line_char_frac, found.chars, chars),
                "dup_line_char_frac",
            )
        })
    }

    fn top(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        let chars = profile.chars();
        let mut grams = self.top_n_grams.iter();
        let found = grams.find(|&&(n, max)| {
            let top = profile.top_run(n, enough(max, chars));
            top.is_some_and(|top| share(top as usize, chars) > max)
        });
        found.map(|&(n, _)| Reason::TopRun(n))
    }

    fn repeated(&self, profile: &mut Profile<'_>) -> Option<Reason> {
        let chars = profile.chars();
        let mut grams = self.dup_n_grams.iter();
        let found = grams.find(|&&(n, max)| {
            share(profile.repeated_runs(n, enough(max, chars)) as usize, chars) > max
        });
        found.map(|&(n, _)| Reason::RepeatedRuns(n))
    }
}

/// Splits a text at runs of at least `least` line feeds.
fn split(text: &str, least: usize) -> Vec<&str> {
    let (mut parts, mut start, mut run) = (Vec::new(), 0, 0..0);
    let mut end_run = |run: &std::ops::Range<usize>, start: &mut usize| {
        if run.len() >= least {
            parts.push(&text[*start..run.start]);
            *start = run.end;
        }
    };
    for at in memchr_iter(b'\n', text.as_bytes()) {
        if run.end != at {
            end_run(&run, &mut start);
            run.start = at;
        }
        run.end = at + 1;
    }
    end_run(&run, &mut start);
    parts.push(&text[start..]);
    parts
}

/// A number of characters whose share is surely not above `max`.
fn enough(max: f64, chars: usize) -> u64 {
    // One less than the product, which may be rounded up.
    (max * chars as f64).max(1.0) as u64 - 1
}

fn above(max: Option<f64>, count: usize, of: usize) -> bool {
    max.is_some_and(|max| max != 0.0 && share(count, of) > max)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn texts_are_split_as_by_regular_expressions() {
        for (text, least, parts) in [
            ("", 1, &[""][..]),
            ("a\nb\n\nc", 1, &["a", "b", "c"]),
            ("a\nb\n\nc", 2, &["a\nb", "c"]),
            ("\n\na\n", 1, &["", "a", ""]),
            ("\n\na\n", 2, &["", "a\n"]),
            ("a\n\n\n", 2, &["a", ""]),
        ] {
            assert_eq!(split(text, least), parts, "{text:?} {least}");
        }
    }
}
