//! Text that was decoded by the wrong encoding, decoded by the right one.

use super::FtfyFormatter;
use super::badness::{class, is_bad};
use super::bytes::{decode, replace_lossy, restore_blanks};
use super::tables::{
    ENCODINGS, UTF8_CONTINUATION, UTF8_CONTINUATION_STRICT, UTF8_FIRST_OF_2, UTF8_FIRST_OF_3,
    UTF8_FIRST_OF_4,
};
use crate::limits::{REPAIR_DEPTH_MAX, REPAIR_PASSES_MAX};
use std::collections::HashMap;
use std::sync::LazyLock;

/// An encoding in which each byte is a character.
struct Encoding {
    name: &'static str,
    /// The bytes of characters beyond ASCII.
    bytes: HashMap<char, u8>,
}

/// In the order in which they are tried; Latin-1 comes before.
static KNOWN: LazyLock<Vec<Encoding>> = LazyLock::new(|| {
    let encoding = |(name, chars): (&'static str, [char; 128])| Encoding {
        name,
        bytes: chars.into_iter().zip(0x80..=0xFF).collect(),
    };
    ENCODINGS.into_iter().map(encoding).collect()
});

impl Encoding {
    /// Whether unassigned bytes are control characters in it, and a lost one is U+1A.
    fn is_sloppy(&self) -> bool {
        self.name.starts_with("windows")
    }

    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let byte = |c: char| match c {
            '\u{FFFD}' if self.is_sloppy() => Some(0x1A),
            '\u{1A}' if self.is_sloppy() => None,
            '\0'..='\x7F' => Some(c as u8),
            _ => self.bytes.get(&c).copied(),
        };
        text.chars().map(byte).collect()
    }
}

impl FtfyFormatter {
    /// Repairs a text as often as there is something to repair.
    pub(super) fn repair(&self, text: &str, depth: usize) -> Option<String> {
        let mut fixed = None;
        for _ in 0..REPAIR_PASSES_MAX {
            let current = fixed.as_deref().unwrap_or(text);
            match self.step(current, depth).filter(|new| *new != current) {
                Some(new) => fixed = Some(new),
                None => break,
            }
        }
        fixed
    }

    fn step(&self, text: &str, depth: usize) -> Option<String> {
        if text.is_ascii() || !is_bad(text) {
            return None;
        }
        let latin = latin_1(text);
        if let Some(bytes) = &latin
            && let Some(fixed) = self.decode(bytes.clone(), true, false)
        {
            return Some(fixed);
        }
        for encoding in &*KNOWN {
            let is_mac = encoding.name == "macroman";
            let fixed = encoding
                .encode(text)
                .and_then(|bytes| self.decode(bytes, !is_mac, encoding.is_sloppy()));
            if fixed.is_some() {
                return fixed;
            }
        }
        if self.decode_inconsistent_utf8
            && let Some(fixed) = embedded(text, depth)
        {
            return Some(fixed);
        }
        if latin.is_some()
            && let Some(fixed) = c1(text, true)
        {
            return Some(fixed);
        }
        self.fix_c1_controls.then(|| c1(text, false))?
    }

    fn decode(&self, mut bytes: Vec<u8>, has_blanks: bool, is_lossy: bool) -> Option<String> {
        if self.restore_byte_a0 && has_blanks {
            restore_blanks(&mut bytes);
        }
        if self.replace_lossy_sequences && is_lossy {
            replace_lossy(&mut bytes);
        }
        decode(bytes)
    }
}

fn latin_1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// The text with control characters of C1 as Windows-1252 has them; none if there are none. If
/// `strict`, none too if one stands for nothing there.
pub(super) fn c1(text: &str, strict: bool) -> Option<String> {
    let windows = &ENCODINGS[0].1;
    let is_c1 = |c: char| ('\u{80}'..='\u{9F}').contains(&c);
    if !text.contains(is_c1) {
        return None;
    }
    let fix = |c: char| match c {
        c if !is_c1(c) => Some(c),
        c => Some(windows[c as usize - 0x80]).filter(|new| !strict || *new != c),
    };
    text.chars().map(fix).collect()
}

/// The text with runs repaired that look like UTF-8; none if nothing changes.
fn embedded(text: &str, depth: usize) -> Option<String> {
    if depth >= REPAIR_DEPTH_MAX {
        return None;
    }
    let (mut new, mut end, mut before) = (String::new(), 0, None);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let is_inside = before.is_some_and(|c| class(c) & UTF8_CONTINUATION_STRICT != 0);
        let size = if is_inside { 0 } else { run(&text[at..]) };
        if size == 0 {
            before = Some(c);
            at += c.len_utf8();
            continue;
        }
        let part = &text[at..at + size];
        if size < text.len() && is_bad(part) {
            // Whatever the settings, as in ftfy.
            if let Some(fixed) = FtfyFormatter::default().repair(part, depth + 1) {
                new.push_str(&text[end..at]);
                new.push_str(&fixed);
                end = at + size;
            }
        }
        at += size;
        before = part.chars().next_back();
    }
    if end == 0 {
        return None;
    }
    new.push_str(&text[end..]);
    Some(new)
}

/// The size of the run of characters at the front that UTF-8, decoded wrongly, looks like.
fn run(text: &str) -> usize {
    let mut size = 0;
    loop {
        let rest = &text[size..];
        let Some(first) = rest.chars().next() else {
            return size;
        };
        let kinds = [
            (UTF8_FIRST_OF_2, 1),
            (UTF8_FIRST_OF_3, 2),
            (UTF8_FIRST_OF_4, 3),
        ];
        let found = kinds.iter().find_map(|&(kind, more)| {
            if class(first) & kind == 0 {
                return None;
            }
            let mut chars = rest.char_indices().skip(1);
            let mut end = 0;
            for _ in 0..more {
                let (at, c) = chars
                    .next()
                    .filter(|(_, c)| class(*c) & UTF8_CONTINUATION != 0)?;
                end = at + c.len_utf8();
            }
            Some(end)
        });
        match found {
            Some(more) => size += more,
            None => return size,
        }
    }
}
