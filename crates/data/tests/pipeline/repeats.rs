//! Steps on parts of documents that other documents have: lines, substrings, evaluation sets.

use crate::harness::{error, failing, folder, options, read_jsonl, record, resumed, rows, values};
use nexus_data::{
    ErrorKind, EvaluationSets, Pipeline, RepeatedLines, RepeatedSubstrings, RunOptions,
};
use nexus_text::SpanUnit;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use tempfile::TempDir;

/// No limits for what is left.
fn lines(unit: SpanUnit, span: usize, min_words: usize) -> RepeatedLines {
    RepeatedLines {
        unit,
        span,
        min_words,
        min_doc_words: None,
        min_num_sentences: None,
        ..RepeatedLines::default()
    }
}

fn substrings(length: usize) -> RepeatedSubstrings {
    RepeatedSubstrings {
        length,
        min_doc_words: None,
        ..RepeatedSubstrings::default()
    }
}

/// Documents of lines from a small store, in two files.
fn corpus(documents: usize) -> TempDir {
    let mut files = [String::new(), String::new()];
    for document in 0..documents {
        let line = |at: usize| match (document * 7 + at * 3) % 5 {
            0 => format!("A line that many have, number {} of them.", at % 3),
            1 => format!(
                "Own line {document} of document {document} at {}.",
                "x".repeat(at)
            ),
            2 => "}".to_owned(),
            3 => String::new(),
            _ => format!("\u{e9}t\u{e9} {} {}", "word ".repeat(at), document % 4),
        };
        let text: Vec<_> = (0..6).map(line).collect();
        files[document * 2 / documents] += &record(&format!("d{document:03}"), &text.join("\n"));
    }
    folder(&[
        ("in/0.jsonl", files[0].as_bytes()),
        ("in/1.jsonl", files[1].as_bytes()),
    ])
}

/// Ways to run that change no byte.
fn ways() -> [RunOptions; 3] {
    let little = RunOptions {
        memory_size_bytes: Some(32 << 20),
        ..options(3, 7)
    };
    [options(1, 1000), little, options(2, 1)]
}

fn texts(folder: &Path) -> Vec<String> {
    let (rows, _) = rows(Pipeline::read(folder.join("in")), &options(1, 10));
    values(&rows, "text")
        .into_iter()
        .map(str::to_owned)
        .collect()
}

#[test]
fn lines_that_an_earlier_document_has_go() {
    let folder = folder(&[(
        "in/a.jsonl",
        br#"{"id":"a","text":"Share this with friends\nFirst story.\n}\n"}
{"id":"b","text":"Second story.\n\nSHARE this, with friends!\n}\n"}
{"id":"c","text":"First story.\nThe third story is long.\nThe third story is long."}
{"id":"d","text":"Share this with friends"}
"#,
    )]);
    let read = || Pipeline::read(folder.path().join("in"));
    let (found, report) = rows(
        read().dedup_lines(lines(SpanUnit::Line, 1, 3)),
        &options(2, 1),
    );
    assert_eq!(
        values(&found, "text"),
        [
            "Share this with friends\nFirst story.\n}\n",
            "Second story.\n\n}\n",
            "First story.\nThe third story is long."
        ]
    );
    let step = &report.steps[1];
    assert_eq!(
        (step.name.as_str(), step.rows_in, step.rows_out),
        ("dedup_lines", 4, 3)
    );
    assert_eq!(report.dropped[0].reason, "empty");
    assert_eq!((report.dropped[0].count, report.duplicates), (1, 0));
    // Without a floor short lines count too.
    let (found, _) = rows(
        read().dedup_lines(lines(SpanUnit::Line, 1, 0)),
        &options(2, 1),
    );
    assert_eq!(values(&found, "text")[1], "Second story.\n\n}\n");
    assert_eq!(values(&found, "text")[2], "The third story is long.");
    // Runs of two lines.
    let (found, _) = rows(
        read().dedup_lines(lines(SpanUnit::Line, 2, 3)),
        &options(2, 1),
    );
    assert_eq!(found.len(), 4);
}

#[test]
fn paragraphs_and_sentences_that_an_earlier_document_has_go() {
    let folder = folder(&[(
        "in/a.jsonl",
        br#"{"text":"One two\nthree four.\n\nFirst end here."}
{"text":"Before it all.\n\nOne two\nthree four.\n\nSecond end here."}
{"text":"New start. One two three four. First end here. And more of it."}
"#,
    )]);
    let read = || Pipeline::read(folder.path().join("in"));
    let found = |unit, span| {
        let (found, _) = rows(read().dedup_lines(lines(unit, span, 3)), &options(2, 2));
        values(&found, "text")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let paragraphs = found(SpanUnit::Paragraph, 1);
    assert_eq!(paragraphs[1], "Before it all.\n\nSecond end here.");
    let sentences = found(SpanUnit::Sentence, 1);
    assert_eq!(
        sentences[1],
        "Before it all. Second end here.".replace(". ", ".\n\n")
    );
    assert_eq!(sentences[2], "New start. And more of it.");
    let pairs = found(SpanUnit::Sentence, 2);
    assert_eq!(
        pairs[1],
        "Before it all.\n\nOne two\nthree four.\n\nSecond end here."
    );
    assert_eq!(pairs[2], "New start. And more of it.");
}

#[test]
fn what_is_left_of_a_document_has_a_floor_and_the_audit_tells() {
    let shared = "These words are shared by all of the documents here.";
    let behind = |id: &str, text: &str| record(id, &format!("{shared}\n{text}"));
    let input = record("a", shared)
        + &behind("b", "Too short.")
        + &behind("c", "One two three four five six, in one sentence.")
        + &behind("d", "One two three. Four five six. Seven eight nine.");
    let folder = folder(&[("in/a.jsonl", input.as_bytes())]);
    let audit = folder.path().join("audit.jsonl");
    let settings = RepeatedLines {
        min_doc_words: Some(9),
        min_num_sentences: Some(2),
        ..RepeatedLines::default()
    };
    let read = || Pipeline::read(folder.path().join("in")).write_audit(&audit);
    let (found, report) = rows(read().dedup_lines(settings), &options(1, 3));
    assert_eq!(values(&found, "id"), ["a", "d"]);
    let dropped: Vec<_> = report
        .dropped
        .iter()
        .map(|each| (&*each.reason, each.count))
        .collect();
    assert_eq!(dropped, [("few_sentences", 1), ("few_words", 1)]);
    let told = |audit: &[Value]| {
        let line = |line: &Value| {
            (
                line["id"].as_str().unwrap().to_owned(),
                line["reason"].as_str().unwrap().to_owned(),
            )
        };
        audit.iter().map(line).collect::<Vec<_>>()
    };
    let lines = read_jsonl(&audit);
    let pair = |id: &str, reason: &str| (id.to_owned(), reason.to_owned());
    assert_eq!(
        told(&lines),
        [
            pair("b", "few_words"),
            pair("c", "few_sentences"),
            pair("d", "repeated")
        ]
    );
    assert_eq!(
        lines[2]["spans"],
        serde_json::json!([[0, shared.len() + 1]])
    );
    // What is only reported stays.
    let (found, report) = rows(
        read().dedup_lines(RepeatedLines {
            remove: false,
            ..settings
        }),
        &options(1, 3),
    );
    assert_eq!((found.len(), report.dropped.len()), (4, 0));
    assert!(
        told(&read_jsonl(&audit))
            .iter()
            .all(|(_, reason)| reason == "repeated")
    );
}

#[test]
fn lines_are_those_of_a_table_of_all_lines_for_any_threads_batches_and_memory() {
    let corpus = corpus(200);
    let mut seen = HashSet::new();
    let expected: Vec<String> = texts(corpus.path())
        .iter()
        .map(|text| {
            let mut kept = Vec::new();
            for line in text.split('\n') {
                let words: Vec<_> = line
                    .split(|c: char| !c.is_alphanumeric())
                    .filter(|word| !word.is_empty())
                    .collect();
                let number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
                let words: Vec<_> = words
                    .iter()
                    .map(|word| if number(word) { "0" } else { word })
                    .collect();
                let key = words.join(" ").to_lowercase();
                if words.len() < 3 || seen.insert(key) {
                    kept.push(line);
                }
            }
            kept.join("\n")
        })
        .filter(|text| !text.trim().is_empty())
        .collect();
    for options in ways() {
        let pipeline =
            Pipeline::read(corpus.path().join("in")).dedup_lines(lines(SpanUnit::Line, 1, 3));
        let (found, _) = rows(pipeline, &options);
        let found: Vec<_> = values(&found, "text")
            .iter()
            .map(|text| text.trim_end_matches('\n').to_owned())
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|text| text.trim_end_matches('\n').to_owned())
            .collect();
        assert_eq!(found, expected);
    }
}

/// By a table of all runs of `length` bytes: what is left of each text.
fn without_repeats(texts: &[String], length: usize) -> Vec<String> {
    let mut firsts: HashMap<&[u8], usize> = HashMap::new();
    let mut base = 0;
    let mut left = Vec::new();
    for text in texts {
        let mut goes = vec![false; text.len()];
        for (at, run) in text.as_bytes().windows(length).enumerate() {
            if base + at >= *firsts.entry(run).or_insert(base + at) + length {
                goes[at..at + length].fill(true);
            }
        }
        base += text.len();
        let stays = |(at, c): (usize, char)| !goes[at..at + c.len_utf8()].iter().all(|goes| *goes);
        left.push(
            text.char_indices()
                .filter(|each| stays(*each))
                .map(|(_, c)| c)
                .collect(),
        );
    }
    left
}

#[test]
fn substrings_that_stand_earlier_go_for_any_threads_batches_and_memory() {
    let corpus = corpus(150);
    let texts = texts(corpus.path());
    for length in [20, 37] {
        let expected: Vec<_> = without_repeats(&texts, length)
            .into_iter()
            .filter(|text| !text.trim().is_empty())
            .collect();
        for options in ways() {
            let pipeline =
                Pipeline::read(corpus.path().join("in")).dedup_substrings(substrings(length));
            let (found, report) = rows(pipeline, &options);
            assert_eq!(values(&found, "text"), expected);
            assert_eq!(report.steps[1].rows_out as usize, expected.len());
        }
    }
}

#[test]
fn substrings_of_tokens_begin_and_end_with_tokens() {
    let letters: Vec<_> = ('a'..='z')
        .map(|letter| format!("{letter}\n##{letter}\n"))
        .collect();
    let vocab = format!(
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n.\n{}",
        letters.concat()
    );
    let folder = folder(&[
        ("vocab.txt", vocab.as_bytes()),
        ("in/a.jsonl", b"{\"text\":\"x abc def ghi y\"}\n{\"text\":\"z abc  def ghi y.\"}\n{\"text\":\"ab def ghx\"}\n"),
    ]);
    let settings = RepeatedSubstrings {
        tokenizer: Some(folder.path().join("vocab.txt")),
        ..substrings(5)
    };
    let (found, _) = rows(
        Pipeline::read(folder.path().join("in")).dedup_substrings(settings.clone()),
        &options(2, 2),
    );
    assert_eq!(values(&found, "text"), ["x abc def ghi y", "z .", "ab x"]);
    let none = RepeatedSubstrings {
        tokenizer: Some("none.json".into()),
        ..settings
    };
    let error = error(&Pipeline::read(folder.path().join("in")).dedup_substrings(none));
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_run_goes_on_behind_a_decision_on_parts_and_notices_damage() {
    let corpus = corpus(60);
    for (name, pipeline) in [
        (
            "lines",
            Pipeline::read(corpus.path().join("in")).dedup_lines(lines(SpanUnit::Line, 1, 3)),
        ),
        (
            "substrings",
            Pipeline::read(corpus.path().join("in")).dedup_substrings(substrings(30)),
        ),
    ] {
        let (whole, _) = rows(pipeline.clone(), &options(2, 9));
        let output = corpus.path().join(format!("{name}.jsonl"));
        let (pipeline, is_broken) = failing(pipeline);
        let (pipeline, resume) = (pipeline.write_jsonl(&output), resumed(1, 10));
        pipeline.run(&resume).unwrap_err();
        is_broken.store(false, SeqCst);
        let stage = corpus.path().join(format!(".{name}.jsonl.work/stage-0"));
        for file in ["part-00000-00000.cuts", "part-00000-00000.rows"] {
            let bytes = std::fs::read(stage.join(file)).unwrap();
            for at in [0, 9, bytes.len() / 2, bytes.len() - 1] {
                let mut changed = bytes.clone();
                changed[at] ^= 0x40;
                std::fs::write(stage.join(file), changed).unwrap();
                let error = pipeline.run(&resume).unwrap_err();
                assert_eq!(
                    error.kind(),
                    ErrorKind::Corrupt,
                    "{file}, byte {at}: {error}"
                );
            }
            std::fs::write(stage.join(file), &bytes[..bytes.len() - 1]).unwrap();
            assert_eq!(
                pipeline.run(&resume).unwrap_err().kind(),
                ErrorKind::Corrupt
            );
            std::fs::write(stage.join(file), bytes).unwrap();
        }
        // Before it was decided.
        std::fs::remove_file(stage.with_file_name("stage-0.removed")).unwrap();
        std::fs::remove_file(stage.join("cuts.done")).unwrap();
        let known = if name == "lines" {
            "part-00000-00000.counts"
        } else {
            "part-00000-00000.elements"
        };
        let bytes = std::fs::read(stage.join(known)).unwrap();
        let mut changed = bytes.clone();
        changed[2] ^= 0x40;
        std::fs::write(stage.join(known), changed).unwrap();
        assert_eq!(
            pipeline.run(&resume).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        std::fs::write(stage.join(known), bytes).unwrap();
        pipeline.run(&resume).unwrap();
        assert_eq!(read_jsonl(&output), whole);
    }
}

#[test]
fn senseless_settings_of_repeats_are_refused_before_a_file_is_read() {
    let missing = || Pipeline::read("/there/is/no/such/folder");
    for (pipeline, part) in [
        (
            missing().dedup_lines(lines(SpanUnit::Line, 0, 3)),
            "`span` is 0",
        ),
        (missing().dedup_substrings(substrings(0)), "`length` is 0"),
    ] {
        let error = error(&pipeline);
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn documents_with_a_run_of_an_evaluation_set_go_and_the_audit_names_it() {
    let folder = folder(&[
        (
            "eval/quiz.jsonl",
            br#"{"query":"What is the capital of France?","text":"It is Paris."}"#,
        ),
        (
            "eval/more/trivia.v2.txt",
            b"The tallest mountain on Earth is Everest.",
        ),
        (
            "in/a.jsonl",
            br#"{"id":"a","text":"The capital of France: it is Paris!"}
{"id":"b","text":"Say that the tallest mountain on EARTH is Everest."}
{"id":"c","text":"A clean text of some words."}
"#,
        ),
    ]);
    let audit = folder.path().join("audit.jsonl");
    let mut sets = EvaluationSets::new([
        folder.path().join("eval/*.jsonl"),
        folder.path().join("eval/more"),
    ]);
    sets.config.n_grams = 5;
    let read = || Pipeline::read(folder.path().join("in")).write_audit(&audit);
    let (found, report) = rows(read().quality(sets.clone()), &options(2, 1));
    assert_eq!(values(&found, "id"), ["c"]);
    let dropped: Vec<_> = report
        .dropped
        .iter()
        .map(|each| (&*each.step, &*each.reason))
        .collect();
    assert_eq!(
        dropped,
        [
            ("n_grams_decont", "contaminated_quiz"),
            ("n_grams_decont", "contaminated_trivia")
        ]
    );
    let audit = read_jsonl(&audit);
    assert_eq!(audit[0]["evidence"], "the capital of france it");
    assert_eq!(audit[1]["reason"], "contaminated_trivia");
    let plan = read().quality(sets).to_toml().unwrap();
    assert_eq!(Pipeline::from_toml(&plan).unwrap().to_toml().unwrap(), plan);
}

#[test]
fn an_evaluation_set_that_is_not_wholly_read_is_an_error() {
    let folder = folder(&[
        ("in/a.txt", b"text"),
        ("broken.jsonl", b"{\"text\":\"a b c\"}\n{\"text\":"),
        ("query.jsonl", b"{\"text\":\"a b c\",\"query\":3}\n"),
        ("short.txt", b"a b c"),
    ]);
    let judge = |path: &str, n| {
        let mut sets = EvaluationSets::new([folder.path().join(path)]);
        sets.config.n_grams = n;
        error(&Pipeline::read(folder.path().join("in")).quality(sets))
    };
    for (path, n, kind, part) in [
        (
            "broken.jsonl",
            2,
            ErrorKind::InvalidInput,
            "broken.jsonl:2: bad JSON",
        ),
        (
            "query.jsonl",
            2,
            ErrorKind::InvalidInput,
            "`query` and `task` of record",
        ),
        (
            "short.txt",
            12,
            ErrorKind::InvalidInput,
            "has a run of 12 words",
        ),
        ("short.txt", 0, ErrorKind::InvalidInput, "`n_grams` is 0"),
        ("none.txt", 2, ErrorKind::NotFound, "none.txt"),
    ] {
        let error = judge(path, n);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let plan = "[source]\npath = \"a\"\n[[steps]]\nop = \"n_grams_decont\"\n";
    let error = Pipeline::from_toml(plan).unwrap_err();
    assert!(
        error.to_string().contains("needs the key `paths`"),
        "{error}"
    );
}
