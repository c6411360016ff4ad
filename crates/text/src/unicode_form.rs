//! Normalization forms of Unicode, and characters that are not seen.

use crate::formatter::Formatter;
use crate::ftfy::is_control;
use std::borrow::Cow;
use unicode_normalization::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

/// A normalization form (<https://www.unicode.org/reports/tr15>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnicodeForm {
    /// Canonical decomposition, then composition.
    Nfc,
    /// Canonical decomposition.
    Nfd,
    /// Compatibility decomposition, then composition.
    Nfkc,
    /// Compatibility decomposition.
    Nfkd,
}

/// Gives texts one form. Characters are removed first.
///
/// ```
/// use nexus_text::{Formatter, UnicodeForm, UnicodeFormatter};
///
/// let formatter = UnicodeFormatter { remove_soft_hyphens: true, ..UnicodeFormatter::default() };
/// assert_eq!(formatter.apply("Cafe\u{301} hy\u{AD}phen\0"), "Café hyphen");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnicodeFormatter {
    /// The normalization form, if any.
    pub form: Option<UnicodeForm>,
    /// Removes control characters, byte order marks and placeholders, as [`FtfyFormatter`] does, and
    /// U+80 to U+9F but for U+85, a line end. Tabs and line ends stay.
    ///
    /// [`FtfyFormatter`]: crate::FtfyFormatter
    pub remove_control_chars: bool,
    /// Removes zero-width spaces and word joiners (U+200B, U+2060, U+FEFF). Zero-width joiners and
    /// non-joiners, which Persian, Indian scripts and emoji need, stay.
    pub remove_zero_width: bool,
    /// Removes soft hyphens (U+AD).
    pub remove_soft_hyphens: bool,
}

impl Default for UnicodeFormatter {
    fn default() -> Self {
        Self {
            form: Some(UnicodeForm::Nfc),
            remove_control_chars: true,
            remove_zero_width: false,
            remove_soft_hyphens: false,
        }
    }
}

impl Formatter for UnicodeFormatter {
    fn name(&self) -> &'static str {
        "unicode"
    }

    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if !is_plain(&text) && text.contains(|c| self.removes(c)) {
            text = Cow::Owned(text.replace(|c| self.removes(c), ""));
        }
        if let Some(form) = self.form.filter(|form| !is_in_form(&text, *form)) {
            text = Cow::Owned(to_form(&text, form));
        }
        text
    }
}

impl UnicodeFormatter {
    fn removes(self, c: char) -> bool {
        let is_c1 = matches!(c, '\u{80}'..='\u{84}' | '\u{86}'..='\u{9F}');
        self.remove_control_chars && (is_control(c) || is_c1)
            || self.remove_zero_width && matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}')
            || self.remove_soft_hyphens && c == '\u{AD}'
    }
}

/// Whether a text is ASCII without control characters but tabs and line feeds; SIMD.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    text.bytes()
        .fold(true, |plain, byte| plain & is_plain(byte))
}

/// Whether a text is surely in a form.
pub(crate) fn is_in_form(text: &str, form: UnicodeForm) -> bool {
    // Characters below these do not change, and none changes by standing beside them.
    let plain = match form {
        UnicodeForm::Nfc => '\u{300}',
        UnicodeForm::Nfd => '\u{C0}',
        UnicodeForm::Nfkc | UnicodeForm::Nfkd => '\u{A0}',
    };
    if text.is_ascii() {
        return true;
    }
    let chars = text.chars().filter(|&c| c >= plain);
    let quick = match form {
        UnicodeForm::Nfc => is_nfc_quick(chars),
        UnicodeForm::Nfd => is_nfd_quick(chars),
        UnicodeForm::Nfkc => is_nfkc_quick(chars),
        UnicodeForm::Nfkd => is_nfkd_quick(chars),
    };
    quick == IsNormalized::Yes
}

pub(crate) fn to_form(text: &str, form: UnicodeForm) -> String {
    match form {
        UnicodeForm::Nfc => text.nfc().collect(),
        UnicodeForm::Nfd => text.nfd().collect(),
        UnicodeForm::Nfkc => text.nfkc().collect(),
        UnicodeForm::Nfkd => text.nfkd().collect(),
    }
}
