//! Plans: what they say, and what is said about wrong ones.

use crate::harness::{folder, options, read_jsonl, tokenizer};
use nexus_data::{ErrorKind, Format, Output, Pipeline, TokenType};

const PLAN: &str = r#"[source]
path = "in \"quoted\""

[[steps]]
op = "clean"

[[steps]]
op = "min_chars"
chars = 20

[[steps]]
op = "dedup_exact"

[[steps]]
op = "tokenize"
path = "tokenizer.json"

[[steps]]
op = "cut"
max_tokens = 256

[sink]
write_jsonl = "out.jsonl"
rejects = "rejects.jsonl"
"#;

#[test]
fn a_plan_is_the_pipeline_it_was_written_from() {
    let built = Pipeline::read("in \"quoted\"")
        .clean()
        .min_chars(20)
        .dedup_exact()
        .tokenize_file("tokenizer.json")
        .cut(256)
        .write_jsonl("out.jsonl")
        .write_rejects("rejects.jsonl");
    assert_eq!(built.to_toml().unwrap(), PLAN);
    let read = Pipeline::from_toml(PLAN).unwrap();
    assert_eq!(format!("{read:?}"), format!("{built:?}"));
    let shards = Output::new("out")
        .format(Format::Megatron)
        .shard_size_bytes(1 << 30)
        .token_type(TokenType::U16);
    let plan = Pipeline::read("in").write(shards).to_toml().unwrap();
    let sink = "[sink]\nwrite = \"out\"\nformat = \"megatron\"\nshard_size_bytes = 1073741824\n\
                token_type = \"uint16\"\n";
    assert!(plan.ends_with(sink), "{plan}");
    assert_eq!(Pipeline::from_toml(&plan).unwrap().to_toml().unwrap(), plan);
    for path in ["a\\b", "tab\tline\n", "\u{1}\u{7f}é日"] {
        let plan = Pipeline::read(path).to_toml().unwrap();
        assert_eq!(Pipeline::from_toml(&plan).unwrap().to_toml().unwrap(), plan);
    }
}

#[test]
fn a_plan_runs() {
    let folder = folder(&[("in/a.txt", b"some  text "), ("in/b.txt", b"x")]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let plan = format!(
        "source = {{path = '{}'}}\nsteps = [{{op = 'clean'}}, {{op = 'min_chars', chars = 0x2}}]\n\
         sink.write_jsonl = '{}'",
        path("in"),
        path("out.jsonl"),
    );
    let report = Pipeline::from_toml(&plan)
        .unwrap()
        .run(&options(2, 1))
        .unwrap();
    assert_eq!(report.rows(), 1);
    assert_eq!(
        read_jsonl(folder.path().join("out.jsonl").as_ref())[0]["text"],
        "some  text"
    );
}

#[test]
fn wrong_plans_are_refused_with_line_and_hint() {
    let source = "[source]\npath = 'x'\n";
    let with = |rest: &str| format!("{source}{rest}");
    for (plan, message, hint) in [
        ("[source".to_owned(), "plan, line 1: ", ""),
        (
            String::new(),
            "plan, line 1: the plan needs the key `source`",
            "",
        ),
        (
            "source = 'x'".to_owned(),
            "line 1: `source` is a table, not of type string",
            "",
        ),
        (
            "[source]\n".to_owned(),
            "line 1: source needs the key `path`",
            "",
        ),
        (
            "[source]\npath = 1".to_owned(),
            "line 2: `path` is a string, not of type integer",
            "",
        ),
        (
            "[source]\n\npaht = 'x'".to_owned(),
            "line 3: source has no key `paht`",
            "`path`",
        ),
        (
            with("[stesp]"),
            "line 3: the plan has no key `stesp`",
            "did you mean `steps`?",
        ),
        (
            with("[steps]"),
            "line 3: `steps` is an array of tables",
            "[[steps]]",
        ),
        (with("[[steps]]\n"), "line 3: a step needs the key `op`", ""),
        (
            with("[[steps]]\nop = 'dedup'"),
            "line 4: there is no step `dedup`",
            "`dedup_exact`",
        ),
        (
            with("[[steps]]\nop = 'qqq'"),
            "line 4: there is no step `qqq`",
            "known are clean, ",
        ),
        (
            with("[[steps]]\nop = 'cut'"),
            "line 3: a step needs the key `max_tokens`",
            "",
        ),
        (
            with("[[steps]]\nop = 'cut'\nmax_token = 3"),
            "line 5: a step has no key",
            "`max_tokens`",
        ),
        (
            with("[[steps]]\nop = 'cut'\nmax_tokens = -3"),
            "line 5: `max_tokens` is a whole",
            "",
        ),
        (
            with("[[steps]]\nop = 'cut'\nmax_tokens = 1e3"),
            "line 5: `max_tokens` is a whole",
            "",
        ),
        (
            with("[sink]\nwrit = 'x'"),
            "line 4: sink has no key `writ`",
            "`write`",
        ),
        (with("[sink]\npath = 'x'\npath = 'y'"), "line 5: ", ""),
    ] {
        let error = Pipeline::from_toml(&plan).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains(message),
            "{plan:?}: {error} lacks {message:?}"
        );
        let found = error.hint().unwrap_or_default();
        assert!(found.contains(hint), "{plan:?}: {found:?} lacks {hint:?}");
    }
    let long = " ".repeat(nexus_data::limits::PLAN_SIZE_MAX + 1);
    assert_eq!(
        Pipeline::from_toml(&long).unwrap_err().kind(),
        ErrorKind::LimitReached
    );
}

#[test]
fn wrong_sinks_are_refused_with_line_and_hint() {
    let with = |rest: &str| format!("[source]\npath = 'x'\n{rest}");
    for (plan, message, hint) in [
        (
            with("[sink]\nwrite = 'x'\nformat = 'xml'"),
            "line 5: there is no format `xml`",
            "known are jsonl, ",
        ),
        (
            with("[sink]\nwrite = 'x'\ntoken_type = 'int8'"),
            "line 5: there is no token type `int8`",
            "uint16",
        ),
        (
            with("[sink]\nformat = 'parquet'"),
            "line 3: sink needs the key `write`",
            "",
        ),
        (
            with("[sink]\nwrite = 'x'\nwrite_jsonl = 'y'"),
            "line 3: sink has `write` and `write_jsonl`",
            "",
        ),
    ] {
        let error = Pipeline::from_toml(&plan).unwrap_err();
        assert!(
            error.to_string().contains(message),
            "{error} lacks {message:?}"
        );
        let found = error.hint().unwrap_or_default();
        assert!(found.contains(hint), "{plan:?}: {found:?} lacks {hint:?}");
    }
}

#[test]
fn what_has_no_form_in_toml_is_refused() {
    for (pipeline, message) in [
        (Pipeline::batches([]), "batches"),
        (
            Pipeline::read("x").map(|row| row.text().to_owned()),
            "`map`",
        ),
        (Pipeline::read("x").filter(|_| true), "`filter`"),
        (Pipeline::read("x").map_batches("embed", Ok), "`embed`"),
        (
            Pipeline::read("x").tokenize(tokenizer()),
            "tokenizer in memory",
        ),
    ] {
        let error = pipeline.to_toml().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains(message),
            "{error} lacks {message}"
        );
    }
}
