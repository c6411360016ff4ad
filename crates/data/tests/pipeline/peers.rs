//! Files that other libraries wrote (`tests/data/make_formats.py`) are read as they say.

use crate::harness::{options, rows};
use nexus_data::Pipeline;
use serde_json::{Value, json};
use std::path::PathBuf;

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/formats"
    ))
}

#[test]
fn files_of_other_libraries_are_read_as_they_say() {
    let expected = std::fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&expected).unwrap();
    assert!(expected.len() > 20, "{}", expected.len());
    for (name, expected) in &expected {
        for batch_rows in [1, 3, 1000] {
            let path = fixtures().join(name);
            let (found, report) = rows(Pipeline::read(&path), &options(2, batch_rows));
            let found: Vec<_> = found
                .iter()
                .map(|row| {
                    assert_eq!(row["source"], path.to_str().unwrap());
                    json!({"id": row["id"], "text": row["text"], "line": row["line"],
                           "fields": row["fields"]})
                })
                .collect();
            assert_eq!(json!(found), *expected, "{name}: {:?}", report.rejected);
            let size = std::fs::metadata(&path).unwrap().len();
            assert_eq!(report.steps[0].bytes_in, size, "{name}: {report:?}");
        }
    }
}

#[test]
fn members_that_are_no_text_are_set_aside_with_their_place() {
    for (name, line, reason) in [
        ("webdataset.tar", 4, "the sample has no text"),
        ("warcio.warc", 3, "the media type `image/png` is no text"),
    ] {
        let (_, report) = rows(Pipeline::read(fixtures().join(name)), &options(1, 9));
        let [reject] = report.rejected.samples.as_slice() else {
            panic!("{name}: {report:?}");
        };
        assert_eq!(reject.line, Some(line));
        assert!(reject.reason.contains(reason), "{reject}");
    }
}

/// A file that is cut anywhere gives the rows before the cut and one reject, or is whole.
#[test]
fn truncated_files_keep_the_rows_before_the_break() {
    let folder = tempfile::tempdir().unwrap();
    let expected = std::fs::read_to_string(fixtures().join("expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&expected).unwrap();
    for (name, expected) in &expected {
        let whole = std::fs::read(fixtures().join(name)).unwrap();
        let path = folder.path().join(name);
        let known: Vec<_> = expected
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["text"])
            .collect();
        for percent in [0, 5, 30, 50, 60, 75, 90, 99] {
            let size = whole.len() * percent / 100;
            std::fs::write(&path, &whole[..size]).unwrap();
            let (found, report) = rows(Pipeline::read(&path), &options(1, 2));
            let found: Vec<_> = found.iter().map(|row| &row["text"]).collect();
            let is_prefix = found.len() <= known.len() && found == known[..found.len()];
            // A CSV or plain file may be cut between records, and its last cell may be short.
            let is_plain = name.ends_with("sv");
            assert!(is_prefix || is_plain, "{name} at {size}: {found:?}");
            let is_said = report.rejected.count > 0 || found.len() == known.len();
            // An empty stream, and one cut between members, is whole.
            let is_open = percent == 0 || name.contains("members") || name.contains("warc");
            assert!(
                is_said || is_plain || is_open,
                "{name} at {size}: {report:?}"
            );
        }
        std::fs::remove_file(path).unwrap();
    }
}
