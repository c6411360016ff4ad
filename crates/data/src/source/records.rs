//! Chunks of JSONL lines to rows.

use super::lines::LineChunk;
use crate::batch::Rows;
use crate::{Record, Reject};

/// Appends a row for each record of the chunk. Blank lines are no records.
pub(crate) fn decode(chunk: &LineChunk, rows: &mut Rows, rejects: &mut Vec<Reject>) {
    let lines = chunk
        .bytes
        .strip_suffix(b"\n")
        .unwrap_or(&chunk.bytes)
        .split(|&b| b == b'\n');
    for (bytes, line) in lines.zip(chunk.first_line..) {
        let bytes = match bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if line == 1 => rest,
            _ => bytes,
        };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match Record::parse(bytes) {
            Ok(record) => {
                let id = record
                    .id
                    .unwrap_or_else(|| format!("{}:{line}", chunk.input.id));
                rows.ids.push(id);
                rows.texts.push(record.text);
                rows.sources.push(chunk.input.source.clone());
                rows.lines.push(Some(line));
                rows.fields.push(record.fields);
            }
            Err(reason) => rejects.push(chunk.input.reject(Some(line), reason)),
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
