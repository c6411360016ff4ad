//! Texts and ids by other names than `text` and `id`.

use crate::harness::{error, folder, options, rows};
use crate::images::tar;
use nexus_data::{ErrorKind, Files, Format, Output, Pipeline};
use serde_json::{Value, json};

fn named(path: impl Into<std::path::PathBuf>) -> Pipeline {
    Pipeline::read(Files::new(path).text("content").id("sha"))
}

fn summary(rows: &[Value]) -> Vec<Value> {
    let row = |row: &Value| json!([row["id"], row["text"], row["fields"]]);
    rows.iter().map(row).collect()
}

#[test]
fn every_kind_of_record_has_its_text_where_the_caller_says() {
    let archive = tar(&[
        ("s1.json", br#"{"content": "tar", "text": "t", "sha": "x"}"#),
        ("s2.txt", b"plain"),
    ]);
    let folder = folder(&[
        (
            "a.jsonl",
            b"{\"content\":\"A\",\"text\":\"other\",\"sha\":7,\"id\":\"i\"}\n{\"text\":\"lacks\"}\n\
              {\"content\":null}\n{\"content\":\"B\",\"fields\":{\"text\":1,\"content\":2}}",
        ),
        ("b.csv", b"text,content,sha,id\nt,C,s,i\n"),
        ("c.tsv", b"id\ttext\n1\tlacks\n"),
        ("d.txt", b"a document"),
        ("e.tar", &archive),
    ]);
    let (found, report) = rows(named(folder.path()), &options(2, 1));
    let expected = [
        json!(["7", "A", {"text": "other", "id": "i"}]),
        json!(["a.jsonl:4", "B", {"text": 1, "content": 2}]),
        json!(["s", "C", {"text": "t", "id": "i"}]),
        json!(["d.txt", "a document", {}]),
        json!(["x", "tar", {"text": "t"}]),
        json!(["e.tar:s2", "plain", {}]),
    ];
    assert_eq!(summary(&found), expected);
    let reasons: Vec<_> = report
        .rejected
        .samples
        .iter()
        .map(|reject| &reject.reason)
        .collect();
    let expected = [
        "the record has no `content`",
        "`content` is no string but null",
        "there is no column `content` among id, text",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_table_has_its_text_where_the_caller_says() {
    let source = folder(&[("a.jsonl", b"{\"id\":\"i\",\"text\":\"t\",\"k\":1}")]);
    for (name, format) in [("t.parquet", Format::Parquet), ("t.arrow", Format::Arrow)] {
        let path = source.path().join(name);
        let output = Output::new(&path).format(format);
        let first = Pipeline::read(source.path().join("a.jsonl")).write(output);
        first.run(&options(1, 9)).unwrap();
        let files = Files::new(&path).text("source").id("text");
        let (found, _) = rows(Pipeline::read(files), &options(1, 9));
        let place = source.path().join("a.jsonl");
        let expected = json!(["t", place.to_str().unwrap(), {"id": "i", "line": 1, "k": 1}]);
        assert_eq!(summary(&found), [expected], "{name}");
        let (_, report) = rows(named(&path), &options(1, 9));
        let reason = &report.rejected.samples[0].reason;
        assert!(
            reason.contains("there is no column `content` among"),
            "{reason}"
        );
    }
}

#[test]
fn records_are_written_by_the_keys_that_they_were_read_with() {
    let record = "{\"sha\":\"s\",\"content\":\"c\",\"text\":\"t\",\"id\":\"i\"}\n";
    let folder = folder(&[("a.jsonl", record.as_bytes())]);
    let output = folder.path().join("out.jsonl");
    let written = named(folder.path().join("a.jsonl")).write(Output::new(&output).records());
    written.run(&options(1, 9)).unwrap();
    assert_eq!(std::fs::read_to_string(&output).unwrap(), record);
    let (found, _) = rows(named(&output), &options(1, 9));
    assert_eq!(
        summary(&found),
        [json!(["s", "c", {"text": "t", "id": "i"}])]
    );
}

#[test]
fn keys_are_part_of_the_plan_and_of_what_a_run_would_do() {
    let pipeline = named("docs");
    let plan = pipeline.to_toml().unwrap();
    assert_eq!(
        plan,
        "[source]\npath = \"docs\"\ntext = \"content\"\nid = \"sha\"\n"
    );
    assert_eq!(Pipeline::from_toml(&plan).unwrap().to_toml().unwrap(), plan);
    let lines = pipeline.explain(&options(1, 1)).unwrap();
    assert_eq!(lines[0], "read docs, text from `content`, id from `sha`");
    let error = error(&Pipeline::read(Files::new("docs").text("x").id("x")));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "the key `x` cannot be the text and the id of a record"
    );
}

#[test]
fn a_run_does_not_go_on_with_other_keys() {
    let folder = folder(&[("in/a.jsonl", b"{\"text\":\"t\",\"content\":\"c\"}")]);
    let output = folder.path().join("out.jsonl");
    let resumed = |pipeline: Pipeline| {
        let mut options = options(1, 9);
        options.resume = true;
        options.work = Some(folder.path().join("work"));
        let pipeline = pipeline.map_batches("fail", |_| Err("stop".into()));
        pipeline.write_jsonl(&output).run(&options).unwrap_err()
    };
    let input = folder.path().join("in");
    assert_eq!(resumed(Pipeline::read(&input)).kind(), ErrorKind::Function);
    let other = resumed(named(&input));
    assert_ne!(other.kind(), ErrorKind::Function, "{other}");
}
