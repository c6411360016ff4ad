//! Batches to JSON Lines.

use crate::batch::columns;
use crate::cells::{Cells, write_json};
use crate::files::Keys;
use crate::{Error, Reject};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

/// One JSON object a row, with the columns as keys in their order. The column `fields` is copied
/// verbatim, but for line ends between its values; numbers that JSON has no form for are `null`.
///
/// As records they have the keys that they were read with: entries of `fields` stand beside the others,
/// and where the record was read is left out.
///
/// The places behind each row are given too.
pub(crate) fn encode(
    batch: &RecordBatch,
    as_records: Option<&Keys>,
) -> Result<(Vec<u8>, Vec<usize>), Error> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = match (field.name().as_str(), as_records) {
            (columns::SOURCE | columns::LINE, Some(_)) => continue,
            (columns::TEXT, Some(keys)) => &keys.text,
            (columns::ID, Some(keys)) => &keys.id,
            (name, _) => name,
        };
        let key = serde_json::Value::from(name);
        let verbatim = array
            .as_string_opt::<i32>()
            .filter(|_| field.name() == columns::FIELDS);
        let cells = Cells::new(array, field.name())?;
        columns.push((format!("{key}:"), cells, verbatim));
    }
    let (size, count) = (batch.get_array_memory_size().min(1 << 24), batch.num_rows());
    let (mut out, mut ends) = (Vec::with_capacity(size), Vec::with_capacity(count));
    for row in 0..batch.num_rows() {
        out.push(b'{');
        for (key, cells, verbatim) in &columns {
            let json = verbatim.filter(|_| !cells.is_null(row));
            let inner = json
                .filter(|_| as_records.is_some())
                .map(|json| inside(json.value(row)));
            if inner == Some("") {
                continue;
            }
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            if let Some(entries) = inner {
                push_json(entries, &mut out);
                continue;
            }
            out.extend_from_slice(key.as_bytes());
            match json {
                Some(json) => push_json(json.value(row), &mut out),
                None => cells.write(row, &mut out),
            }
        }
        out.extend_from_slice(b"}\n");
        ends.push(out.len());
    }
    Ok((out, ends))
}

/// Appends JSON, with blanks for its line ends: those of a record would end its line. They stand between
/// values, for strings have escapes in their place.
fn push_json(json: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(json.as_bytes());
    for byte in &mut out[start..] {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// The entries of an object.
fn inside(object: &str) -> &str {
    let entries = object
        .trim()
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    entries.unwrap_or_default().trim()
}

/// A line of a file of rejects.
pub(crate) fn encode_reject(reject: &Reject) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(reject, &mut out);
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray, UInt64Array};
    use std::sync::Arc;

    #[test]
    fn columns_are_keys_and_fields_are_verbatim() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("te\"xt", Arc::new(StringArray::from(vec![Some("a"), None]))),
            (
                "fields",
                Arc::new(StringArray::from(vec![Some(r#"{"n":1e400}"#), None])),
            ),
            ("line", Arc::new(UInt64Array::from(vec![Some(7), None]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let expected = [
            r#"{"te\"xt":"a","fields":{"n":1e400},"line":7}"#,
            r#"{"te\"xt":null,"fields":null,"line":null}"#,
            "",
        ];
        let written = |batch| String::from_utf8(encode(batch, None).unwrap().0).unwrap();
        assert_eq!(written(&batch), expected.join("\n"));
        assert_eq!(written(&batch.slice(1, 1)), expected[1..].join("\n"));
        let (records, ends) = encode(&batch, Some(&Keys::default())).unwrap();
        let expected = "{\"te\\\"xt\":\"a\",\"n\":1e400}\n{\"te\\\"xt\":null,\"fields\":null}\n";
        assert_eq!(String::from_utf8(records).unwrap(), expected);
        assert_eq!(ends, [25, expected.len()]);
    }

    #[test]
    fn a_record_is_one_line_however_its_fields_were_written() {
        let fields = "{\n  \"a\": [\r\n    1\n  ],\n  \"b\": \"\\n\"\n}";
        let fields: ArrayRef = Arc::new(StringArray::from(vec![fields]));
        let batch = RecordBatch::try_from_iter([("fields", fields)]).unwrap();
        let keys = Keys::default();
        for as_records in [false, true] {
            let (lines, ends) = encode(&batch, as_records.then_some(&keys)).unwrap();
            assert_eq!(ends, [lines.len()]);
            let line = lines.strip_suffix(b"\n").unwrap();
            assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            let record: serde_json::Value = serde_json::from_slice(line).unwrap();
            let expected = serde_json::json!({"a": [1], "b": "\n"});
            let found = if as_records {
                &record
            } else {
                &record["fields"]
            };
            assert_eq!(*found, expected);
        }
    }
}
