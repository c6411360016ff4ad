//! Broken files of each kind: what is kept of them, and the place and reason of what is not.

use crate::harness::{folder, options, rows, values};
use nexus_data::Pipeline;
use nexus_data::limits::{LINE_SIZE_MAX, REASON_LEN_MAX};

/// A file gives these texts and one reject with this line, which says this.
fn check(name: &str, bytes: &[u8], texts: &[&str], line: Option<u64>, reason: &str) {
    let folder = folder(&[(name, bytes)]);
    let (found, report) = rows(Pipeline::read(folder.path()), &options(1, 9));
    assert_eq!(values(&found, "text"), texts, "{name}: {report:?}");
    let [reject] = report.rejected.samples.as_slice() else {
        panic!("{name} {reason}: {report:?}");
    };
    assert_eq!(reject.line, line, "{reject}");
    assert!(reject.reason.contains(reason), "{reject} lacks {reason}");
}

#[test]
fn compressed_files_are_read_up_to_the_break() {
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let lines = zstd(&b"{\"text\":\"a\"}\n".repeat(3));
    let cut = &lines[..lines.len() - 1];
    check("a.jsonl.zst", cut, &[], Some(1), "incomplete frame");
    // Whole frames before the cut one are kept.
    let frames = [lines.as_slice(), cut].concat();
    check(
        "a.jsonl.zst",
        &frames,
        &["a", "a", "a"],
        Some(4),
        "incomplete frame",
    );
    check(
        "a.jsonl.zst",
        b"no zstd at all",
        &[],
        Some(1),
        "Unknown frame descriptor",
    );
    check(
        "a.txt.zst",
        &lines[..5],
        &[],
        None,
        "cannot read: incomplete frame",
    );
    check("a.jsonl.bz2", b"BZh9 no", &[], Some(1), "cannot be read");
    check(
        "a.jsonl.xz",
        b"\xfd7zXZ\0 no",
        &[],
        Some(1),
        "cannot be read",
    );
}

#[test]
fn lines_and_records_over_the_limit_are_set_aside() {
    let long = "x".repeat(LINE_SIZE_MAX + 1);
    let lines = format!("{{\"text\":\"a\"}}\n{long}\n{{\"text\":\"b\"}}\n");
    let lines = zstd::encode_all(lines.as_bytes(), 1).unwrap();
    check("a.jsonl.zst", &lines, &["a", "b"], Some(2), "LINE_SIZE_MAX");
    let open_quote = format!("text\na\n\"{long}\n");
    check(
        "a.csv",
        open_quote.as_bytes(),
        &["a"],
        Some(3),
        "LINE_SIZE_MAX",
    );
}

#[test]
fn reasons_do_not_repeat_all_that_a_file_says() {
    let long = "é".repeat(1 << 20);
    let header = format!("{long},other\n");
    check("a.csv", header.as_bytes(), &[], None, "no column `text`");
    let page = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {long}\r\n\r\nbody"
    );
    let record = format!(
        "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: {}\r\n\r\n{page}\r\n\r\n",
        page.len()
    );
    check(
        "a.warc",
        record.as_bytes(),
        &[],
        Some(1),
        "content encoding",
    );
    for (name, bytes) in [("a.csv", header.as_bytes()), ("a.warc", record.as_bytes())] {
        let folder = folder(&[(name, bytes)]);
        let report = Pipeline::read(folder.path()).run(&options(1, 9)).unwrap();
        let reason = &report.rejected.samples[0].reason;
        assert!(reason.chars().count() <= REASON_LEN_MAX, "{}", reason.len());
        assert!(reason.ends_with("..."), "{reason}");
    }
}

#[test]
fn broken_csv_records_are_set_aside_by_line() {
    check(
        "a.csv",
        b"text,k\na,1\nb\nc,3\n",
        &["a", "c"],
        Some(3),
        "1 cells, the header 2",
    );
    check(
        "a.csv",
        b"text\na\n\xff\nb\n",
        &["a", "b"],
        Some(3),
        "invalid UTF-8",
    );
    // Two halves of a character in two cells are none.
    check(
        "a.csv",
        b"text,k\na\xc3,\xa9\n",
        &[],
        Some(2),
        "invalid UTF-8",
    );
    check(
        "a.tsv",
        b"a,text\n",
        &[],
        None,
        "no column `text` among a,text",
    );
    check("a.csv", b"\xff\n", &[], None, "invalid UTF-8 in the header");
    check("a.csv", b"", &[], None, "no column `text`");
}

#[test]
fn broken_tables_are_set_aside() {
    check("a.parquet", b"PAR1", &[], None, "Parquet footer");
    check("a.parquet", b"", &[], None, "Parquet footer");
    check("a.arrow", b"ARROW1\0\0", &[], None, "Arrow schema");
    check("a.arrows", &[0; 64], &[], None, "before version 0.15");
}

#[test]
fn broken_archives_are_read_up_to_the_break() {
    let warc = |size: &str, block: &str| {
        let head = "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\n";
        format!("{head}Content-Length: {size}\r\n\r\n{block}\r\n\r\n")
    };
    let cut = warc("1", "a") + &warc("9", "b");
    check(
        "a.warc",
        cut.as_bytes(),
        &["a"],
        Some(2),
        "ends at byte 5 of a block of 9",
    );
    let huge = warc("99999999999", "a");
    check(
        "a.warc",
        huge.as_bytes(),
        &[],
        Some(1),
        "of a block of 99999999999",
    );
    check(
        "a.warc",
        b"GET / HTTP/1.1\r\n",
        &[],
        Some(1),
        "no record begins with `GET",
    );
    check("a.tar", b"no archive", &[], Some(1), "within a header");
    check("a.tar", &[7; 512], &[], Some(1), "checksum");
}

#[test]
fn a_broken_page_of_parquet_costs_the_rest_of_its_row_group() {
    let source: Vec<_> = (0..6)
        .map(|n| format!("{{\"text\":\"text {n}\"}}\n"))
        .collect();
    let source = source.concat();
    let folder = folder(&[("a.jsonl", source.as_bytes())]);
    let path = folder.path().join("x.parquet");
    let write = Pipeline::read(folder.path().join("a.jsonl")).write(&path);
    write.run(&options(1, 9)).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    // The first page holds the ids; its data is compressed, and zstd knows its own damage.
    bytes[40..60].fill(0xAA);
    check(
        "x.parquet",
        &bytes,
        &[],
        Some(1),
        "6 rows of row group 0 cannot be read",
    );
}

#[test]
fn columns_that_are_no_text_are_refused_by_name() {
    use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray, UInt64Array};
    use std::sync::Arc;

    let folder = tempfile::tempdir().unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let number: ArrayRef = Arc::new(UInt64Array::from(vec![1]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"x".as_slice()]));
    for (columns, reason) in [
        (
            vec![("body", text.clone())],
            "there is no column `text` among body",
        ),
        (
            vec![("text", number)],
            "the column `text` is no text but UInt64",
        ),
        (
            vec![("text", text), ("blob", bytes)],
            "the column `blob` of type Binary",
        ),
    ] {
        for name in ["x.parquet", "x.arrow", "x.arrows"] {
            let path = folder.path().join(name);
            let batch = RecordBatch::try_from_iter(columns.clone()).unwrap();
            Pipeline::batches([batch])
                .write(&path)
                .run(&options(1, 1))
                .unwrap();
            check(name, &std::fs::read(path).unwrap(), &[], None, reason);
        }
    }
}
