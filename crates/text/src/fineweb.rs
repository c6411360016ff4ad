//! The quality rules of `FineWeb` (Penedo et al. 2024, <https://arxiv.org/abs/2406.17557>).

use crate::filter::Filter;
use crate::lines::{split_feeds, strip};
use crate::profile::Profile;
use crate::unicode::{Classes, TERMINAL, count_chars};
use crate::verdict::{Reason, Verdict, drop_if, share, verdict};
use crate::words::pieces;
use memchr::memchr_iter;

/// The quality rules of `FineWeb`, as datatrove's `FineWebQualityFilter` applies them.
#[derive(Clone, Debug, PartialEq)]
pub struct FineWebQuality {
    /// Least share of lines that end in a stop character.
    pub line_punct_thr: f64,
    /// Whether a text without such a line passes.
    pub line_punct_exclude_zero: bool,
    /// What a line should end in; none stands for datatrove's characters of all scripts.
    pub stop_chars: Option<Vec<String>>,
    /// Greatest share of short lines.
    pub short_line_thr: f64,
    /// Code points of the longest short line.
    pub short_line_length: usize,
    /// Greatest share of characters in lines that repeat an earlier one.
    pub char_duplicates_ratio: f64,
    /// Most line feeds for each word.
    pub new_line_ratio: f64,
}

impl Default for FineWebQuality {
    fn default() -> Self {
        Self {
            line_punct_thr: 0.12,
            line_punct_exclude_zero: false,
            stop_chars: None,
            short_line_thr: 0.67,
            short_line_length: 30,
            char_duplicates_ratio: 0.01,
            new_line_ratio: 0.3,
        }
    }
}

impl Filter for FineWebQuality {
    fn name(&self) -> &'static str {
        "fineweb_quality"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let lines = split_feeds(profile.text()).filter(|line| !strip(line).is_empty());
        let lines: Vec<&str> = lines.collect();
        let first = drop_if(lines.is_empty(), "empty")
            .or_else(|| self.ends(&lines))
            .or_else(|| {
                let short = lines.iter().filter(|line| self.is_short(line)).count();
                drop_if(
                    share(short, lines.len()) > self.short_line_thr,
                    "short_line_ratio",
                )
            })
            .or_else(|| self.breaks(profile, &lines));
        verdict(first)
    }
}

impl FineWebQuality {
    fn ends(&self, lines: &[&str]) -> Option<Reason> {
        let classes = Classes::get();
        let ends = |line: &str| match &self.stop_chars {
            Some(stops) => stops.iter().any(|stop| line.ends_with(&**stop)),
            None => line
                .chars()
                .next_back()
                .is_some_and(|c| classes.of(c) & TERMINAL != 0),
        };
        let ratio = share(lines.iter().filter(|line| ends(line)).count(), lines.len());
        let is_excused = ratio == 0.0 && self.line_punct_exclude_zero;
        drop_if(
            ratio < self.line_punct_thr && !is_excused,
            "line_punct_ratio",
        )
    }

    fn is_short(&self, line: &str) -> bool {
        // A code point takes one to four bytes.
        line.len() <= self.short_line_length
            || line.len() <= self.short_line_length.saturating_mul(4)
                && count_chars(line) <= self.short_line_length
    }

    fn breaks(&self, profile: &mut Profile<'_>, lines: &[&str]) -> Option<Reason> {
        let breaks = memchr_iter(b'\n', profile.text().as_bytes()).count();
        let repeated = profile.duplicates(lines).chars;
        let ratio = share(repeated, profile.chars() - breaks);
        drop_if(ratio > self.char_duplicates_ratio, "char_dup_ratio").or_else(|| {
            let is_list = |words: usize| share(breaks, words) > self.new_line_ratio;
            // Every piece between white space has at least one word, so often pieces are enough.
            let fails = is_list(pieces(profile.text()))
                && (profile.word_summary().words == 0 || is_list(profile.word_summary().words));
            drop_if(fails, "list_ratio")
        })
    }
}
