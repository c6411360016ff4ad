//! What the readers make of files: formats, order, rejects.

use crate::harness::{error, folder, gzip, options, read_jsonl, rows, values};
use nexus_data::{ErrorKind, Pipeline};
use serde_json::json;

#[test]
fn each_format_gives_its_documents_in_the_order_of_names() {
    let multi_member = [gzip(b"{\"text\":\"m1\"}\n{\"te"), gzip(b"xt\":\"m2\"}\n")].concat();
    let folder = folder(&[
        ("b/two.md", b"# Two\n\n*text*"),
        ("b/one.txt", b"\xEF\xBB\xBFplain"),
        ("a.HTML", b"<title>A</title><p>page"),
        (
            "c.jsonl",
            b"\xEF\xBB\xBF{\"text\":\"l1\",\"id\":\"x\",\"k\":[1]}\r\n\n{\"text\":\"l3\"}",
        ),
        ("d.ndjson.gz", &multi_member),
        ("e.htm.gz", &gzip(b"z<br>ipped")),
        (".hidden.txt", b"no"),
        (".git/x.txt", b"no"),
        ("f.pdf", b"no"),
        ("g", b"no"),
    ]);
    let (found, report) = rows(Pipeline::read(folder.path()), &options(2, 1));
    let summary: Vec<_> = found
        .iter()
        .map(|row| json!([row["id"], row["text"], row["line"], row["fields"]]))
        .collect();
    let expected = [
        json!(["a.HTML", "page", null, {"title": "A"}]),
        json!(["b/one.txt", "plain", null, {}]),
        json!(["b/two.md", "Two\n\ntext", null, {"title": "Two"}]),
        json!(["x", "l1", 1, {"k": [1]}]),
        json!(["c.jsonl:3", "l3", 3, {}]),
        json!(["d.ndjson.gz:1", "m1", 1, {}]),
        json!(["d.ndjson.gz:2", "m2", 2, {}]),
        json!(["e.htm.gz", "z\nipped", null, {}]),
    ];
    assert_eq!(summary, expected);
    assert_eq!(
        found[1]["source"],
        folder.path().join("b/one.txt").to_str().unwrap()
    );
    assert_eq!(
        (report.rejected.count, report.skipped.count, report.files),
        (0, 2, 6)
    );
    assert!(
        report.skipped.samples[0].ends_with("f.pdf"),
        "{:?}",
        report.skipped
    );
}

#[test]
fn what_was_written_is_read_back_as_it_was() {
    let record = b"{\"id\":\"x\",\"text\":\"t\",\"lang\":\"en\",\"n\":1.50}\n";
    let folder = folder(&[("in.jsonl", record)]);
    let output = folder.path().join("out.jsonl");
    let input = folder.path().join("in.jsonl");
    Pipeline::read(input)
        .write_jsonl(&output)
        .run(&options(1, 1))
        .unwrap();
    let (found, _) = rows(Pipeline::read(&output), &options(1, 1));
    assert_eq!(
        (&found[0]["id"], &found[0]["text"]),
        (&json!("x"), &json!("t"))
    );
    assert_eq!(
        (&found[0]["fields"]["lang"], &found[0]["fields"]["n"]),
        (&json!("en"), &json!(1.5))
    );
}

#[test]
fn bad_records_are_set_aside_and_the_run_goes_on() {
    let truncated = gzip(&b"{\"text\":\"before the end\"}\n".repeat(2000));
    let lines: &[&[u8]] = &[
        b"{\"text\":\"good\"}",
        b"{\"text\":",
        b"{\"txt\":\"\"}",
        b"{\"text\":\"\xff\"}",
        b"{\"text\":\"\\ud800\"}",
        b"{\"text\":\"good too\"}",
    ];
    let folder = folder(&[
        ("a.jsonl", &lines.join(b"\n".as_slice())),
        ("b.txt", b"caf\xe9"),
        ("c.jsonl.gz", &truncated[..truncated.len() - 20]),
        ("d.md.gz", b"this is no gzip file"),
        ("e.txt", b"last"),
    ]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("f.txt")).unwrap();
    let rejects = tempfile::tempdir().unwrap();
    let rejects = rejects.path().join("rejects.jsonl");
    let pipeline = Pipeline::read(folder.path()).write_rejects(&rejects);
    let (found, report) = rows(pipeline, &options(4, 2));

    let expected: [(&str, Option<u64>, &str); 8] = [
        (
            "a.jsonl",
            Some(2),
            "bad JSON in column 8: EOF while parsing a value",
        ),
        ("a.jsonl", Some(3), "the record has no `text`"),
        (
            "a.jsonl",
            Some(4),
            "invalid UTF-8: invalid utf-8 sequence of 1 bytes from index 9",
        ),
        (
            "a.jsonl",
            Some(5),
            "`text` is no string but a string with a lone surrogate",
        ),
        (
            "b.txt",
            None,
            "invalid UTF-8: incomplete utf-8 byte sequence from index 3",
        ),
        ("c.jsonl.gz", Some(0), "the rest of the file cannot be read"),
        ("d.md.gz", None, "cannot read: invalid gzip header"),
        ("f.txt", None, "cannot examine: No such file"),
    ];
    let written = read_jsonl(&rejects);
    assert_eq!(report.rejected.count, 8, "{written:?}");
    for (file, line, reason) in expected {
        let is_it = |row: &&serde_json::Value| {
            let named = row["file"].as_str().unwrap().ends_with(file);
            named
                && row["reason"].as_str().unwrap().starts_with(reason)
                && (line == Some(0) || row["line"] == json!(line))
        };
        assert_eq!(
            written.iter().filter(is_it).count(),
            1,
            "{file} {line:?} {reason} {written:#?}"
        );
    }
    let texts = values(&found, "text");
    assert_eq!(
        (texts[0], texts[1], *texts.last().unwrap()),
        ("good", "good too", "last")
    );
    // Whole lines before the truncation are read, and the reject names the line after them.
    let cut = written
        .iter()
        .find(|row| row["file"].as_str().unwrap().ends_with("c.jsonl.gz"));
    assert_eq!(cut.unwrap()["line"], json!(texts.len() - 3 + 1));
    assert_eq!(report.rejected.samples.len(), 8);
}

#[test]
fn files_over_the_limit_are_rejected() {
    let folder = folder(&[("a.txt", b"small")]);
    let large = std::fs::File::create(folder.path().join("b.txt")).unwrap();
    large
        .set_len(nexus_data::limits::DOCUMENT_SIZE_MAX as u64 + 1)
        .unwrap();
    let (found, report) = rows(Pipeline::read(folder.path()), &options(1, 9));
    assert_eq!(values(&found, "text"), ["small"]);
    assert!(
        report.rejected.samples[0]
            .reason
            .contains("DOCUMENT_SIZE_MAX"),
        "{report:?}"
    );
}

#[test]
fn a_link_to_a_folder_is_not_followed() {
    let folder = folder(&[("a.txt", b"a"), ("sub/b.txt", b"b")]);
    std::os::unix::fs::symlink("..", folder.path().join("sub/up")).unwrap();
    let (found, report) = rows(Pipeline::read(folder.path()), &options(1, 9));
    assert_eq!(values(&found, "id"), ["a.txt", "sub/b.txt"]);
    assert_eq!(report.skipped.count, 1);
}

#[test]
fn a_source_without_files_is_an_error_with_a_hint() {
    let folder = folder(&[("a.pdf", b""), ("empty/.keep", b"")]);
    for (path, kind, message) in [
        (
            folder.path().join("missing"),
            ErrorKind::NotFound,
            "cannot read the source",
        ),
        (
            folder.path().join("empty"),
            ErrorKind::NotFound,
            "has no file to read (0 of other kinds)",
        ),
        (
            folder.path().to_owned(),
            ErrorKind::NotFound,
            "has no file to read (1 of other kinds)",
        ),
        (
            folder.path().join("a.pdf"),
            ErrorKind::Unsupported,
            "is of no kind that is read",
        ),
    ] {
        let error = error(&Pipeline::read(path));
        assert_eq!(error.kind(), kind);
        assert!(
            error.to_string().contains(message),
            "{error} lacks {message}"
        );
        assert!(error.hint().is_some(), "{error} has no hint");
    }
}

#[test]
fn an_empty_file_is_a_document_or_no_record() {
    let folder = folder(&[("a.txt", b""), ("b.jsonl", b"")]);
    let (found, _) = rows(Pipeline::read(folder.path()), &options(1, 9));
    assert_eq!(values(&found, "text"), [""]);
}

#[test]
fn csv_records_know_the_line_on_which_they_begin() {
    for (text, expected) in [
        ("text\na\nb", vec![("a", 2), ("b", 3)]),
        ("text\r\na\r\nb\r\n", vec![("a", 2), ("b", 3)]),
        ("text\n\"a\nb\"\nc\n", vec![("a\nb", 2), ("c", 4)]),
        ("text\r\n\"a\r\nb\"\r\nc", vec![("a\r\nb", 2), ("c", 4)]),
        ("text\n\n\na\nb\n", vec![("a", 4), ("b", 5)]),
        ("\"te\nxt\",text\n1,a\n", vec![("a", 3)]),
        ("text\n", vec![]),
    ] {
        let folder = folder(&[("a.csv", text.as_bytes())]);
        let (found, report) = rows(Pipeline::read(folder.path()), &options(1, 2));
        let found: Vec<_> = found
            .iter()
            .map(|row| (row["text"].as_str().unwrap(), row["line"].as_u64().unwrap()))
            .collect();
        assert_eq!(found, expected, "{text:?}: {report:?}");
    }
}

#[test]
fn a_pattern_of_paths_is_read_in_the_order_of_names() {
    let folder = folder(&[
        ("in/b/1.txt", b"b1"),
        ("in/a/2.txt", b"a2"),
        ("in/a/1.txt", b"a1"),
        ("in/a/1.md", b"other"),
        ("in/.hidden/1.txt", b"hidden"),
        ("in/[x]/1.txt", b"brackets"),
    ]);
    let read = |pattern: &str| {
        let (rows, _) = rows(Pipeline::read(folder.path().join(pattern)), &options(2, 1));
        let ids = values(&rows, "id").into_iter().map(str::to_owned);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(
        read("in/*/*.txt"),
        ["[x]/1.txt", "a/1.txt", "a/2.txt", "b/1.txt"]
    );
    assert_eq!(read("in/a/?.txt"), ["1.txt", "2.txt"]);
    assert_eq!(
        read("in/**/1.*"),
        ["[x]/1.txt", "a/1.md", "a/1.txt", "b/1.txt"]
    );
    assert_eq!(read("in/a*"), ["a/1.md", "a/1.txt", "a/2.txt"]);
    // A folder that matches has what is below it, which may match too.
    let all = ["[x]/1.txt", "a/1.md", "a/1.txt", "a/2.txt", "b/1.txt"];
    assert_eq!(read("in/*"), all);
    assert_eq!(read("in/**"), all);
    assert_eq!(read("in/**/*"), all);
    // What is there by this name is no pattern.
    assert_eq!(read("in/[x]"), ["1.txt"]);
    let nothing = error(&Pipeline::read(folder.path().join("in/*.jsonl")));
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    let wrong = error(&Pipeline::read(folder.path().join("in/***/a")));
    assert!(wrong.to_string().contains("is no pattern"), "{wrong}");
}
