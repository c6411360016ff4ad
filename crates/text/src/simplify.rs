//! Texts brought to a form in which near copies are equal.

use crate::mark_tables::MARKS;
use crate::unicode::{Classes, DIGIT, is_space};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{
    canonical_combining_class, decompose_canonical, is_combining_mark,
};

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
    /// The text in this form. Time is linear; most texts are gone through once or twice.
    pub fn apply(&self, text: &str) -> String {
        let has_names = self.norm_weekdays || self.norm_monthnames;
        let text = if has_names {
            let first = Self {
                remove_punctuation: false,
                norm_whitespace: false,
                ..*self
            };
            let mut text = first.stream(text);
            if self.norm_weekdays {
                text = names(&text, &WEEKDAYS, "WEEKDAY");
            }
            if self.norm_monthnames {
                text = names(&text, &MONTHS, "MONTH");
            }
            let second = Self {
                lowercase: false,
                norm_numbers: false,
                ..*self
            };
            second.stream(&text)
        } else {
            self.stream(text)
        };
        let text = if self.norm_unicode_diacritics && !text.is_ascii() {
            without_marks(text)
        } else {
            text
        };
        let stripped = text.trim_matches(is_space);
        if stripped.len() < text.len() {
            return stripped.to_owned();
        }
        text
    }

    /// What is done character by character: letters, numbers, punctuation and white space.
    fn stream(self, text: &str) -> String {
        let mut stream = Stream {
            norm: self,
            out: String::with_capacity(text.len()),
            number: Number::Outside,
            is_after_space: true,
        };
        // Whether a sigma is final depends on what is around it.
        if self.lowercase && text.contains('Σ') {
            stream.norm.lowercase = false;
            stream.push_text(&text.to_lowercase());
        } else {
            stream.push_text(text);
        }
        stream.finish()
    }
}

struct Stream {
    norm: TextNorm,
    out: String,
    number: Number,
    is_after_space: bool,
}

/// Where in a number the stream is: a run of digits, with at most one decimal separator inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Outside,
    Whole,
    /// Behind a character that is a separator if a digit follows.
    Separator(char),
    Fraction,
}

impl Stream {
    fn push_text(&mut self, text: &str) {
        let mut chars = text.chars();
        loop {
            let rest = chars.as_str();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            if letters > 0 {
                self.push_letters(&rest[..letters]);
                chars = rest[letters..].chars();
            }
            let Some(c) = chars.next() else {
                return;
            };
            if !self.norm.lowercase || c.is_ascii() || is_uncased(c) {
                self.push(c);
            } else {
                c.to_lowercase().for_each(|c| self.push(c));
            }
        }
    }

    /// ASCII letters.
    fn push_letters(&mut self, letters: &str) {
        self.end_number();
        let start = self.out.len();
        self.out.push_str(letters);
        if self.norm.lowercase {
            self.out[start..].make_ascii_lowercase();
        }
        self.is_after_space = false;
    }

    fn push(&mut self, c: char) {
        if !self.norm.norm_numbers {
            return self.emit(c);
        }
        self.number = match self.number {
            Number::Outside if is_digit(c) => {
                self.emit('0');
                Number::Whole
            }
            Number::Separator(_) if is_digit(c) => Number::Fraction,
            number if is_digit(c) => number,
            Number::Whole if is_separator(c) => Number::Separator(c),
            _ => {
                self.end_number();
                self.emit(c);
                Number::Outside
            }
        };
    }

    fn end_number(&mut self) {
        if let Number::Separator(c) = self.number {
            self.emit(c);
        }
        self.number = Number::Outside;
    }

    fn emit(&mut self, c: char) {
        let is_blank = self.norm.remove_punctuation && is_punctuation(c);
        let c = if is_blank { ' ' } else { c };
        let is_space = self.norm.norm_whitespace && is_space(c);
        if !is_space {
            self.out.push(c);
        } else if !self.is_after_space {
            self.out.push(' ');
        }
        self.is_after_space = is_space;
    }

    fn finish(mut self) -> String {
        self.end_number();
        if self.norm.norm_whitespace && self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out
    }
}

/// Whether a character is surely neither in upper case nor in lower case.
fn is_uncased(c: char) -> bool {
    matches!(c, '\u{2000}'..='\u{20FF}' | '\u{590}'..='\u{109F}' | '\u{2E80}'..='\u{A63F}' | '\u{AC00}'..='\u{FAFF}')
}

#[inline]
fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_digit()
    } else {
        Classes::get().of(c) & DIGIT != 0
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',' | '،' | '٫' | '⎖' | '⎗' | '⎘')
}

/// Punctuation of ASCII, of typography and of Chinese, and control characters but tab and line feed.
fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_punctuation() || c.is_ascii_control() && !matches!(c, '\t' | '\n');
    }
    matches!(
        c,
        '\u{80}'..='\u{9F}' | '«' | '»' | '´' | '–' | '—' | '’' | '“' | '”' | '„' | '…' | '∶' | '━' | '►'
            | '、' | '。' | '〈'..='」' | '【' | '】' | '！' | '％' | '（' | '）' | '，' | '．' | '１' | '：'
            | '；' | '？' | '～'
    )
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
fn without_marks(text: String) -> String {
    // No mark and no character that is composed lies between these.
    let is_simple = |c: char| c < '\u{C0}' || ('\u{3100}'..='\u{A63F}').contains(&c);
    let mut new = String::with_capacity(text.len());
    let (mut is_changed, mut has_class) = (false, false);
    for c in text.chars() {
        if is_simple(c) {
            new.push(c);
            continue;
        }
        decompose_canonical(c, |part| {
            if is_mark(part) {
                is_changed = true;
                return;
            }
            is_changed |= part != c;
            has_class |= is_combining_mark(part) && canonical_combining_class(part) != 0;
            new.push(part);
        });
    }
    if has_class {
        // Some of what is left has an order.
        return text.nfd().filter(|c| !is_mark(*c)).collect();
    }
    if is_changed { new } else { text }
}

fn is_mark(c: char) -> bool {
    let code = c as u32;
    let at = MARKS.partition_point(|run| run.1 < code);
    MARKS.get(at).is_some_and(|run| run.0 <= code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_without_cases_and_marks_have_none() {
        for c in ('\0'..=char::MAX).filter(|&c| is_uncased(c)) {
            assert!(c.to_lowercase().eq([c]), "{c:?}");
        }
        for c in '\u{3100}'..='\u{A63F}' {
            assert!(c.nfd().eq([c]) && !is_mark(c), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn marks_are_those_of_the_whole_decomposition(text: String) {
            let expected: String = text.nfd().filter(|c| !is_mark(*c)).collect();
            prop_assert_eq!(without_marks(text), expected);
        }
    }
}
