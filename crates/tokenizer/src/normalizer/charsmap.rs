//! The precompiled character maps of `SentencePiece`: a double-array trie (Darts-clone) of what is
//! replaced, and the replacements.
//!
//! The bytes are the size of the trie, its 32-bit units, little-endian, and the replacements, each
//! ended by a zero byte; a key's value is where its replacement starts.

use super::aligned::{Aligned, Change};
use crate::Error;
use unicode_segmentation::UnicodeSegmentation;

/// Clusters of more bytes are looked up character by character.
const CLUSTER_SIZE_MAX: usize = 5;

/// What some characters and clusters are replaced by.
#[derive(Debug)]
pub(crate) struct Charsmap {
    units: Vec<u32>,
    /// The replacements, ended by zero bytes.
    text: String,
    /// Whether an ASCII character is replaced.
    changes_ascii: [bool; 128],
}

impl Charsmap {
    /// Reads the bytes of a map.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = || Error::corrupt("its precompiled_charsmap is malformed");
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(corrupt)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (units, text) = rest.split_at_checked(size / 4 * 4).ok_or_else(corrupt)?;
        let (units, _) = units.as_chunks::<4>();
        let mut map = Self {
            units: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            text: std::str::from_utf8(text).map_err(|_| corrupt())?.to_owned(),
            changes_ascii: [false; 128],
        };
        if map.units.is_empty() {
            return Err(corrupt());
        }
        map.changes_ascii = std::array::from_fn(|byte| map.replacement(&[byte as u8]).is_some());
        Ok(map)
    }

    /// The replacement of the shortest key that `text` starts with.
    fn replacement(&self, text: &[u8]) -> Option<&str> {
        let unit = |at: usize| self.units.get(at).copied();
        let mut at = offset(unit(0)?);
        for &byte in text.iter().take_while(|byte| **byte != 0) {
            at ^= byte as usize;
            let here = unit(at)?;
            if here & LABEL != byte as u32 {
                return None;
            }
            at ^= offset(here);
            if here & HAS_LEAF != 0 {
                let start = (unit(at)? & VALUE) as usize;
                let rest = self.text.get(start..)?;
                return rest.split('\0').next();
            }
        }
        None
    }

    /// Replaces what the map holds, cluster by cluster (Unicode Standard Annex 29).
    pub(crate) fn apply(&self, aligned: &mut Aligned<'_>) {
        let bytes = aligned.text.as_bytes();
        let is_kept = |&byte: &u8| byte < 0x80 && !self.changes_ascii[byte as usize];
        if bytes.iter().all(is_kept) && !self.changes_line_end(bytes) {
            return;
        }
        let mut changes = Vec::with_capacity(bytes.len());
        let text = &*aligned.text;
        let mut at = 0;
        while at < bytes.len() {
            // A character before another ASCII one is a cluster, but for a line end of two.
            let is_single = bytes[at] < 0x80
                && bytes.get(at + 1).is_none_or(u8::is_ascii)
                && !bytes[at..].starts_with(b"\r\n");
            let end = if is_single {
                at + 1
            } else {
                segment_end(bytes, at)
            };
            if is_single && !self.changes_ascii[bytes[at] as usize] {
                let c = bytes[at] as char;
                changes.push(Change { c, by: 0 });
            } else {
                for cluster in text[at..end].graphemes(true) {
                    self.cluster(cluster, &mut changes);
                }
            }
            at = end;
        }
        aligned.change(changes.into_iter(), 0);
    }

    /// Whether the cluster of a carriage return and a line feed is replaced.
    fn changes_line_end(&self, text: &[u8]) -> bool {
        self.replacement(b"\r\n").is_some() && text.windows(2).any(|pair| pair == b"\r\n")
    }

    fn cluster(&self, cluster: &str, changes: &mut Vec<Change>) {
        if cluster.len() <= CLUSTER_SIZE_MAX
            && let Some(to) = self.replacement(cluster.as_bytes())
        {
            return put(cluster.chars().count(), to, changes);
        }
        for (at, c) in cluster.char_indices() {
            match self.replacement(&cluster.as_bytes()[at..at + c.len_utf8()]) {
                Some(to) => put(1, to, changes),
                None => changes.push(Change { c, by: 0 }),
            }
        }
    }
}

/// The changes of `count` characters that become `to`.
fn put(count: usize, to: &str, changes: &mut Vec<Change>) {
    let first = changes.len();
    changes.extend(to.chars().map(|c| Change { c, by: 0 }));
    let added = changes.len() - first;
    if added > count {
        for change in &mut changes[first + count..] {
            change.by = 1;
        }
    } else if let Some(last) = changes.last_mut() {
        // What is left out belongs to the character before it, as for the peer; at the start of a
        // text to none.
        last.by -= (count - added) as isize;
    }
}

/// Where two ASCII characters meet, or the text ends, after `at`: clusters do not reach across.
fn segment_end(bytes: &[u8], at: usize) -> usize {
    let is_seam = |at: &usize| {
        let pair = [bytes[at - 1], bytes[*at]];
        pair.is_ascii() && pair != *b"\r\n"
    };
    (at + 1..bytes.len()).find(is_seam).unwrap_or(bytes.len())
}

const LABEL: u32 = 1 << 31 | 0xFF;
const VALUE: u32 = (1 << 31) - 1;
const HAS_LEAF: u32 = 1 << 8;
/// The offset of this unit counts in 256s.
const IS_FAR: u32 = 1 << 9;

/// How far a unit's children are from it.
fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & IS_FAR) >> 6)) as usize
}
