//! Repeated lines and paragraphs.

use crate::hash::Table;
use crate::unicode::count_chars;
use xxhash_rust::xxh3::xxh3_64;

/// How many parts are equal to an earlier one, and their code points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Duplicates {
    pub(crate) parts: usize,
    pub(crate) repeated: usize,
    pub(crate) chars: usize,
}

/// Counts the parts that are equal to an earlier one.
pub(crate) fn duplicates(table: &mut Table, parts: &[&str]) -> Duplicates {
    table.reset(parts.len());
    let mut found = Duplicates {
        parts: parts.len(),
        ..Duplicates::default()
    };
    for (at, part) in parts.iter().enumerate() {
        let is_same = |other: u32| parts[other as usize] == *part;
        if table.get_or_insert(xxh3_64(part.as_bytes()), at as u32, is_same) != at as u32 {
            found.repeated += 1;
            found.chars += count_chars(part);
        }
    }
    found
}
