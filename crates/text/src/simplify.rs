//! Texts brought to a form in which near copies are equal.

use crate::mark_tables::MARKS;
use crate::unicode::{Classes, DIGIT, is_space};
use crate::unicode_form::{UnicodeForm, is_in_form};
use unicode_normalization::UnicodeNormalization;

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
    /// The text in this form. Time is linear; most texts are gone through once or twice.
    pub fn apply(&self, text: &str) -> String {
        // Whether a sigma is final depends on what is around it.
        if self.lowercase && text.contains('Σ') {
            let lower = text.to_lowercase();
            return self.finish(lower.chars(), lower.len());
        }
        if self.lowercase {
            return self.finish(Lower::new(text), text.len());
        }
        self.finish(text.chars(), text.len())
    }

    fn finish(self, chars: impl Iterator<Item = char>, size: usize) -> String {
        let text = if self.norm_weekdays || self.norm_monthnames {
            let mut text: String = Numbers::new(chars, self.norm_numbers).collect();
            if self.norm_weekdays {
                text = names(&text, &WEEKDAYS, "WEEKDAY");
            }
            if self.norm_monthnames {
                text = names(&text, &MONTHS, "MONTH");
            }
            self.blanks(text.chars(), size)
        } else {
            self.blanks(Numbers::new(chars, self.norm_numbers), size)
        };
        let text = if self.norm_unicode_diacritics && !text.is_ascii() {
            without_marks(&text)
        } else {
            text
        };
        let stripped = text.trim_matches(is_space);
        if stripped.len() < text.len() {
            return stripped.to_owned();
        }
        text
    }

    fn blanks(self, chars: impl Iterator<Item = char>, size: usize) -> String {
        let (mut new, mut is_after_space) = (String::with_capacity(size), true);
        for c in chars {
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

/// The characters of a text in lower case.
struct Lower<'a> {
    chars: std::str::Chars<'a>,
    /// What is left of a character that becomes several.
    more: Option<std::char::ToLowercase>,
}

impl<'a> Lower<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            chars: text.chars(),
            more: None,
        }
    }
}

impl Iterator for Lower<'_> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        if let Some(more) = &mut self.more {
            if let Some(c) = more.next() {
                return Some(c);
            }
            self.more = None;
        }
        let c = self.chars.next()?;
        if c.is_ascii() {
            return Some(c.to_ascii_lowercase());
        }
        let mut lower = c.to_lowercase();
        let first = lower.next();
        self.more = (lower.len() > 0).then_some(lower);
        first
    }
}

/// Characters in which a run of digits, with at most one decimal separator inside, becomes `0`.
struct Numbers<I> {
    chars: I,
    is_on: bool,
    state: Number,
    /// What comes before the rest, once a separator turned out to be none.
    pending: Option<char>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Outside,
    Whole,
    Fraction,
}

impl<I: Iterator<Item = char>> Numbers<I> {
    fn new(chars: I, is_on: bool) -> Self {
        Self {
            chars,
            is_on,
            state: Number::Outside,
            pending: None,
        }
    }

    /// Skips the rest of a number, and gives what comes behind it.
    fn after(&mut self) -> Option<char> {
        loop {
            let c = self.chars.next()?;
            if is_digit(c) {
                continue;
            }
            if self.state == Number::Whole && is_separator(c) {
                let next = self.chars.next();
                if next.is_some_and(is_digit) {
                    self.state = Number::Fraction;
                    continue;
                }
                self.pending = next;
            }
            self.state = Number::Outside;
            return Some(c);
        }
    }
}

impl<I: Iterator<Item = char>> Iterator for Numbers<I> {
    type Item = char;

    #[inline]
    fn next(&mut self) -> Option<char> {
        if !self.is_on {
            return self.chars.next();
        }
        if let Some(c) = self.pending.take() {
            return Some(c);
        }
        if self.state != Number::Outside {
            return self.after();
        }
        let c = self.chars.next()?;
        if is_digit(c) {
            self.state = Number::Whole;
            return Some('0');
        }
        Some(c)
    }
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

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_punctuation() || c.is_ascii_control() && !matches!(c, '\t' | '\n')
    } else {
        c <= '\u{9F}' || PUNCTUATION.contains(c)
    }
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
    if !is_in_form(text, UnicodeForm::Nfd) {
        return text.nfd().filter(is_kept).collect();
    }
    if text.contains(|c| !is_kept(&c)) {
        return text.chars().filter(is_kept).collect();
    }
    text.to_owned()
}

fn is_mark(c: char) -> bool {
    let code = c as u32;
    let at = MARKS.partition_point(|run| run.1 < code);
    MARKS.get(at).is_some_and(|run| run.0 <= code)
}
