//! Texts brought to a form in which near copies are equal.

use crate::mark_tables::MARKS;
use crate::unicode::{Classes, DIGIT, is_space};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfd_quick};

/// What becomes a blank beside the control characters.
const PUNCTUATION: &str =
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～";

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// What is made equal before texts are compared: datatrove's `TextNormConfig` and `simplify_text`.
///
/// ```
/// use nexus_text::TextNorm;
///
/// assert_eq!(TextNorm::default().apply(" On Été 3,5,\n\n fine! "), "on ete 0 fine");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct TextNorm {
    /// Letters become lower case.
    pub lowercase: bool,
    /// White space becomes one blank, and none at the ends.
    pub norm_whitespace: bool,
    /// Punctuation and control characters become blanks.
    pub remove_punctuation: bool,
    /// Accents are dropped, after canonical decomposition.
    pub norm_unicode_diacritics: bool,
    /// Numbers become `0`.
    pub norm_numbers: bool,
    /// English names of weekdays, in lower case, become `WEEKDAY`.
    pub norm_weekdays: bool,
    /// English names of months, in lower case, become `MONTH`.
    pub norm_monthnames: bool,
}

impl Default for TextNorm {
    fn default() -> Self {
        Self {
            lowercase: true,
            norm_whitespace: true,
            remove_punctuation: true,
            norm_unicode_diacritics: true,
            norm_numbers: true,
            norm_weekdays: false,
            norm_monthnames: false,
        }
    }
}

impl TextNorm {
    /// The text in this form. Time is linear; a few copies are made.
    pub fn apply(&self, text: &str) -> String {
        let mut text = if self.lowercase {
            text.to_lowercase()
        } else {
            text.to_owned()
        };
        if self.norm_numbers {
            text = numbers(&text);
        }
        if self.norm_weekdays {
            text = names(&text, &WEEKDAYS, "WEEKDAY");
        }
        if self.norm_monthnames {
            text = names(&text, &MONTHS, "MONTH");
        }
        if self.remove_punctuation || self.norm_whitespace {
            text = self.blanks(&text);
        }
        if self.norm_unicode_diacritics && !text.is_ascii() {
            text = without_marks(&text);
        }
        let stripped = text.trim_matches(is_space);
        if stripped.len() < text.len() {
            return stripped.to_owned();
        }
        text
    }

    fn blanks(self, text: &str) -> String {
        let (mut new, mut is_after_space) = (String::with_capacity(text.len()), true);
        for c in text.chars() {
            let c = if self.remove_punctuation && is_punctuation(c) {
                ' '
            } else {
                c
            };
            let is_space = self.norm_whitespace && is_space(c);
            if !is_space {
                new.push(c);
            } else if !is_after_space {
                new.push(' ');
            }
            is_after_space = is_space;
        }
        if self.norm_whitespace && new.ends_with(' ') {
            new.pop();
        }
        new
    }
}

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_punctuation() || c.is_ascii_control() && !matches!(c, '\t' | '\n')
    } else {
        c <= '\u{9F}' || PUNCTUATION.contains(c)
    }
}

/// Runs of digits, with at most one decimal separator inside, become `0`.
fn numbers(text: &str) -> String {
    let classes = Classes::get();
    let is_digit = |c: char| {
        if c.is_ascii() {
            c.is_ascii_digit()
        } else {
            classes.of(c) & DIGIT != 0
        }
    };
    let is_separator = |c| matches!(c, '.' | ',' | '،' | '٫' | '⎖' | '⎗' | '⎘');
    let (mut new, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(is_digit) {
        new.push_str(&rest[..start]);
        new.push('0');
        rest = rest[start..].trim_start_matches(is_digit);
        if let Some(after) = rest.strip_prefix(is_separator) {
            let fraction = after.trim_start_matches(is_digit);
            if fraction.len() < after.len() {
                rest = fraction;
            }
        }
    }
    new.push_str(rest);
    new
}

fn names(text: &str, names: &[&str], by: &str) -> String {
    let (mut new, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        if let Some(after) = names.iter().find_map(|name| rest.strip_prefix(name)) {
            new.push_str(by);
            rest = after;
        } else {
            new.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    new
}

/// The canonical decomposition, without marks that take no space (general category Mn).
fn without_marks(text: &str) -> String {
    let is_kept = |c: &char| *c < '\u{300}' || !is_mark(*c);
    if is_nfd_quick(text.chars()) == IsNormalized::Yes {
        return text.chars().filter(is_kept).collect();
    }
    text.nfd().filter(is_kept).collect()
}

fn is_mark(c: char) -> bool {
    let code = c as u32;
    let at = MARKS.partition_point(|run| run.1 < code);
    MARKS.get(at).is_some_and(|run| run.0 <= code)
}
