//! Chunks of JSONL lines to rows.

use super::lines::LineChunk;
use crate::Reject;
use crate::batch::{Rows, Strings};
use crate::record;

/// Appends a row for each record of the chunk. Blank lines are no records.
pub(crate) fn decode(chunk: &LineChunk, rows: &mut Rows, rejects: &mut Vec<Reject>) {
    if rows.ids.is_empty() {
        // Escapes make texts shorter, not longer.
        rows.texts = Strings::with_capacity(chunk.bytes.len());
    }
    let (mut start, mut text) = (0, String::new());
    let ends = memchr::memchr_iter(b'\n', &chunk.bytes).chain([chunk.bytes.len()]);
    for (end, line) in ends.zip(chunk.first_line..) {
        let bytes = &chunk.bytes[start..end];
        start = end + 1;
        let bytes = match bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if line == 1 => rest,
            _ => bytes,
        };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match record::read(bytes, &chunk.input.keys, &mut text) {
            Ok((id, fields)) => {
                let id = id.unwrap_or_else(|| format!("{}:{line}", chunk.input.id));
                rows.ids.push(id);
                rows.texts.push(&text);
                rows.sources.push(chunk.input.source.clone());
                rows.lines.push(Some(line));
                rows.fields.push(fields);
            }
            Err(reason) => rejects.push(chunk.input.reject(Some(line), reason)),
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
