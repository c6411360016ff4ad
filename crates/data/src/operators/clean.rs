//! One form for line ends, white space at ends and invisible characters.

use super::{Operator, Stop};
use crate::batch::{columns, string_array, strings, with_columns};
use crate::turnstile::Turn;
use arrow_array::RecordBatch;
use std::sync::Arc;

pub(crate) struct Clean;

impl Operator for Clean {
    fn name(&self) -> &'static str {
        "clean"
    }

    fn apply(&self, batch: RecordBatch, _turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let texts = strings(&batch, columns::TEXT, self.name())?;
        let cleaned: Vec<_> = texts
            .iter()
            .map(|text| clean(text.unwrap_or_default()))
            .collect();
        let texts = Arc::new(string_array(&cleaned)?);
        Ok(with_columns(&batch, [(columns::TEXT, texts as _)])?)
    }
}

/// Ends every line with `\n`, removes control characters, blanks at line ends, blank lines at both
/// ends of the text and all but one of consecutive ones. Indentation is kept.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut is_gap = false;
    let mut rest = Some(text);
    while let Some(text) = rest {
        let line;
        (line, rest) = split_line(text);
        let start = cleaned.len();
        if start > 0 {
            cleaned.push_str(if is_gap { "\n\n" } else { "\n" });
        }
        let content = cleaned.len();
        cleaned.extend(line.split(is_invisible));
        let size = cleaned[content..].trim_end().len();
        is_gap = size == 0;
        cleaned.truncate(if is_gap { start } else { content + size });
    }
    cleaned
}

/// The first line of `text`, and what follows its end if it has one. Line ends are those of the
/// Unicode Standard, section 5.8.
fn split_line(text: &str) -> (&str, Option<&str>) {
    let is_end = |c| {
        matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let Some(at) = text.find(is_end) else {
        return (text, None);
    };
    let (line, rest) = text.split_at(at);
    let end = if rest.starts_with("\r\n") {
        2
    } else {
        rest.chars().next().map_or(0, char::len_utf8)
    };
    (line, Some(&rest[end..]))
}

/// Control characters, and the byte order mark, which also serves as a zero-width space.
fn is_invisible(c: char) -> bool {
    c.is_control() && c != '\t' || c == '\u{FEFF}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_cleaned() {
        for (text, expected) in [
            ("", ""),
            ("  \n\t\n", ""),
            ("a\r\nb\rc\u{2028}d\u{85}e\x0cf", "a\nb\nc\nd\ne\nf"),
            ("a \t\n    b\u{a0}\n", "a\n    b"),
            ("\n\na\n\n\n \nb\n\nc\n\n", "a\n\nb\n\nc"),
            ("\r\n\r\na\r\n\r\n\r\nb", "a\n\nb"),
            ("a\0b\u{feff}c\x1b[0m\td", "abc[0m\td"),
            ("  indented first line", "  indented first line"),
            ("日本 語\u{3000}\n", "日本 語"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in "(\\PC|[ \t\r\n\u{85}\u{feff}\0]){0,40}") {
            let once = clean(&text);
            prop_assert_eq!(clean(&once), once.clone());
            prop_assert!(!once.contains("\n\n\n"));
        }
    }
}
