//! Repair of texts that were decoded by the wrong encoding, and of other damage.

mod badness;
mod bytes;
mod encoding;
mod tables;

use crate::formatter::Formatter;
use crate::unicode::{Classes, DIGIT};
use crate::unicode_form::{UnicodeForm, is_in_form, to_form};
use std::borrow::Cow;
use tables::LIGATURES;

/// Lines longer than this, in code points, are repaired in parts.
const SEGMENT_CHARS_MAX: usize = 1_000_000;

/// Repairs texts as ftfy 6.3.1 does, with datatrove's `FTFYFormatter`'s defaults: UTF-8 that was read as
/// Latin-1, Windows-125x, ISO 8859-2, Mac Roman or DOS 437, also twice or in parts of a line.
///
/// HTML character references are left as they are, where ftfy decodes them in texts without `<`:
/// what reads HTML does that. Each line is repaired on its own.
///
/// ```
/// use nexus_text::{Formatter, FtfyFormatter};
///
/// let text = FtfyFormatter::default().apply("Itâ€™s a rÃ©sumÃ©: l’été à Paris");
/// assert_eq!(text, "It’s a résumé: l’été à Paris");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct FtfyFormatter {
    /// Escape sequences of terminals, such as colours, are removed.
    pub remove_terminal_escapes: bool,
    /// Text that was decoded by the wrong encoding is decoded by the right one.
    pub fix_encoding: bool,
    /// Then blanks may stand for the byte A0.
    pub restore_byte_a0: bool,
    /// Then characters that lost a byte become U+FFFD.
    pub replace_lossy_sequences: bool,
    /// Then parts of a line are repaired if the whole cannot be.
    pub decode_inconsistent_utf8: bool,
    /// Control characters U+80 to U+9F become what Windows-1252 has in their place.
    pub fix_c1_controls: bool,
    /// Ligatures and digraphs, such as ﬁ, become letters.
    pub fix_latin_ligatures: bool,
    /// Half-width and full-width forms become ordinary ones.
    pub fix_character_width: bool,
    /// Typographic quotation marks become straight.
    pub uncurl_quotes: bool,
    /// All line ends become line feeds.
    pub fix_line_breaks: bool,
    /// Control characters that mean nothing in a text are removed.
    pub remove_control_chars: bool,
    /// The normalization form to give the text, if any.
    pub normalization: Option<UnicodeForm>,
}

impl Default for FtfyFormatter {
    fn default() -> Self {
        Self {
            remove_terminal_escapes: true,
            fix_encoding: true,
            restore_byte_a0: true,
            replace_lossy_sequences: true,
            decode_inconsistent_utf8: true,
            fix_c1_controls: true,
            fix_latin_ligatures: false,
            fix_character_width: false,
            uncurl_quotes: false,
            fix_line_breaks: false,
            remove_control_chars: true,
            normalization: None,
        }
    }
}

impl Formatter for FtfyFormatter {
    fn name(&self) -> &'static str {
        "ftfy"
    }

    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let (mut new, mut kept, mut at) = (String::new(), 0, 0);
        while at < text.len() {
            let end = memchr::memchr(b'\n', &text.as_bytes()[at..]);
            let segment = first_chars(&text[at..end.map_or(text.len(), |end| at + end + 1)]);
            if let Some(fixed) = self.fix(segment) {
                new.push_str(&text[kept..at]);
                new.push_str(&fixed);
                kept = at + segment.len();
            }
            at += segment.len();
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        new.push_str(&text[kept..]);
        Cow::Owned(new)
    }
}

impl FtfyFormatter {
    /// Applies all fixes until nothing changes; gives nothing if nothing does.
    fn fix(&self, segment: &str) -> Option<String> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        if segment
            .bytes()
            .fold(true, |plain, byte| plain & is_plain(byte))
        {
            return None;
        }
        let mut text = Cow::Borrowed(segment);
        for _ in 0..crate::limits::REPAIR_PASSES_MAX {
            let before = text.clone();
            if self.fix_encoding
                && let Some(fixed) = self.repair(&text, 0)
            {
                text = Cow::Owned(fixed);
            }
            if self.fix_c1_controls
                && let Some(fixed) = encoding::c1(&text, false)
            {
                text = Cow::Owned(fixed);
            }
            self.fix_characters(&mut text);
            if self.fix_line_breaks && text.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}']) {
                let fixed = text.replace("\r\n", "\n");
                text = Cow::Owned(fixed.replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n"));
            }
            if self.remove_terminal_escapes && text.contains("\x1B[") {
                text = Cow::Owned(without_escapes(&text));
            }
            if self.remove_control_chars && text.contains(is_control) {
                text = Cow::Owned(text.replace(is_control, ""));
            }
            if let Some(form) = self.normalization.filter(|form| !is_in_form(&text, *form)) {
                text = Cow::Owned(to_form(&text, form));
            }
            if text == before {
                break;
            }
        }
        (text != segment).then(|| text.into_owned())
    }

    /// The fixes that replace characters one by one.
    fn fix_characters(&self, text: &mut Cow<'_, str>) {
        let is_wide = |c: char| matches!(c, '\u{3000}' | '\u{FF01}'..='\u{FFEF}');
        let ligature = |c: char| LIGATURES.binary_search_by_key(&c, |pair| pair.0).ok();
        if self.fix_latin_ligatures && text.contains(|c| ligature(c).is_some()) {
            let mut new = String::new();
            for c in text.chars() {
                match ligature(c) {
                    Some(at) => new.push_str(LIGATURES[at].1),
                    None => new.push(c),
                }
            }
            *text = Cow::Owned(new);
        }
        if self.fix_character_width && text.contains(is_wide) {
            let mut new = String::new();
            for c in text.chars() {
                if is_wide(c) {
                    new.push_str(&to_form(c.encode_utf8(&mut [0; 4]), UnicodeForm::Nfkc));
                } else {
                    new.push(c);
                }
            }
            *text = Cow::Owned(new);
        }
        let is_single = |c| matches!(c, '\u{2BC}' | '\u{2018}'..='\u{201B}');
        let is_double = |c| matches!(c, '\u{201C}'..='\u{201F}');
        if self.uncurl_quotes && text.contains(|c| is_single(c) || is_double(c)) {
            *text = Cow::Owned(text.replace(is_double, "\"").replace(is_single, "'"));
        }
    }
}

/// At most so many code points from the front as are repaired at once.
fn first_chars(line: &str) -> &str {
    if line.len() <= SEGMENT_CHARS_MAX {
        return line;
    }
    let end = line.char_indices().nth(SEGMENT_CHARS_MAX);
    &line[..end.map_or(line.len(), |(at, _)| at)]
}

/// The control characters, marks and placeholders that mean nothing in a text.
pub(crate) fn is_control(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x08' | '\x0B' | '\x0E'..='\x1F' | '\x7F' | '\u{206A}'
            ..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFC}'
    )
}

/// The text without `ESC [`, digits and semicolons, and a letter.
fn without_escapes(text: &str) -> String {
    let classes = Classes::get();
    let is_parameter = |c: char| c == ';' || classes.of(c) & DIGIT != 0;
    let (mut new, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("\x1B[") {
        let after = rest[at + 2..].trim_start_matches(is_parameter);
        let is_escape = after.starts_with(|c: char| c.is_ascii_alphabetic());
        // What follows holds no other escape, so it need not be searched.
        let next = if is_escape { &after[1..] } else { after };
        let end = rest.len() - next.len();
        new.push_str(&rest[..if is_escape { at } else { end }]);
        rest = next;
    }
    new.push_str(rest);
    new
}
