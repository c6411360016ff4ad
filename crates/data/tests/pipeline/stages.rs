//! Steps that decide when all documents are known, quality filters, and runs that go on.

use crate::harness::{error, folder, options, read_jsonl, resumed, rows, values};
use nexus_data::{
    BadWords, ErrorKind, ExactCopies, Keep, LanguageRules, NearCopies, Output, Pipeline, Quality,
    RepeatedParts, RunOptions,
};
use nexus_text::{
    C4Quality, FtfyFormatter, GopherQuality, GopherRepetition, PiiFormatter, UnicodeFormatter,
    UrlRules,
};
use tempfile::TempDir;

/// Words that are not those of another seed.
fn words(seed: usize, count: usize) -> Vec<String> {
    (0..count)
        .map(|at| format!("w{}", (seed * 7919 + at) * 31 % 100_003))
        .collect()
}

/// Documents of which some are copies, some nearly, in three files.
pub(crate) fn corpus() -> TempDir {
    let mut lines = vec![String::new(); 3];
    let mut add = |file: usize, id: &str, text: &str| {
        let line = serde_json::json!({"id": id, "text": text, "lang": "en"});
        lines[file] += &line.to_string();
        lines[file].push('\n');
    };
    for document in 0..60 {
        let text = words(document, 80);
        let (file, next) = (document % 3, (document + 1) % 3);
        add(file, &format!("m{document:02}"), &text.join(" "));
        if document % 5 == 0 {
            // Comes later, and its id first.
            add(next, &format!("a{document:02}"), &text.join(" "));
        }
        if document % 7 == 0 {
            add(next, &format!("z{document:02}"), &text[2..].join(" "));
        }
        if document % 10 == 0 {
            add(2, &format!("s{document:02}"), &text.join("  "));
        }
    }
    let files: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(at, text)| (format!("in/{at}.jsonl"), text.as_bytes()))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    folder(&files)
}

pub(crate) fn near(keep: Keep, threshold: Option<f64>) -> NearCopies {
    NearCopies {
        keep,
        threshold,
        ..NearCopies::default()
    }
}

#[test]
fn the_first_of_near_copies_stays_for_any_number_of_threads_and_rows() {
    let corpus = corpus();
    let read = || Pipeline::read(corpus.path().join("in"));
    let mut results = Vec::new();
    for (threads, batch_rows) in [(1, 1000), (1, 1), (4, 3), (3, 7)] {
        let pipeline = read().dedup_near(near(Keep::First, Some(0.8)));
        let (rows, report) = rows(pipeline, &options(threads, batch_rows));
        assert_eq!(rows.len(), 60);
        assert_eq!(report.duplicates, 12 + 9 + 6);
        let names: Vec<_> = report.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["read", "dedup_near", "write_jsonl"]);
        assert_eq!(
            (report.steps[1].rows_in, report.steps[1].rows_out),
            (87, 60)
        );
        results.push(rows);
    }
    results.dedup();
    assert_eq!(results.len(), 1);
}

#[test]
fn who_stays_by_its_id_does_not_depend_on_the_files() {
    let corpus = corpus();
    let exact = ExactCopies {
        keep: Keep::LeastId,
        ignore_space: false,
        ..ExactCopies::default()
    };
    let pipeline = Pipeline::read(corpus.path().join("in"))
        .dedup_exact_with(exact)
        .dedup_near(near(Keep::LeastId, None));
    let (found, report) = rows(pipeline, &options(3, 5));
    let mut ids = values(&found, "id");
    ids.sort_unstable();
    let expected: Vec<_> = (0..60)
        .map(|document| match document % 5 {
            0 => format!("a{document:02}"),
            _ => format!("m{document:02}"),
        })
        .collect();
    let mut expected: Vec<_> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let counts: Vec<_> = report.steps[1..3]
        .iter()
        .map(|step| (step.name.as_str(), step.rows_in - step.rows_out))
        .collect();
    assert_eq!(counts, [("dedup_exact", 12), ("dedup_near", 15)]);
}

#[test]
fn exact_copies_are_found_on_disk_as_in_memory() {
    let corpus = corpus();
    let run = |memory_size_bytes, ignore_space| {
        let settings = ExactCopies {
            keep: Keep::First,
            ignore_space,
            ..ExactCopies::default()
        };
        let options = RunOptions {
            memory_size_bytes,
            ..options(2, 4)
        };
        let pipeline = Pipeline::read(corpus.path().join("in")).dedup_exact_with(settings);
        rows(pipeline, &options).0
    };
    for ignore_space in [false, true] {
        let found = run(Some(64 << 20), ignore_space);
        assert_eq!(found, run(None, ignore_space));
        assert_eq!(found.len(), if ignore_space { 69 } else { 75 });
    }
}

#[test]
fn copies_found_as_they_pass_and_those_found_late_are_all_counted() {
    let corpus = corpus();
    let pipeline = Pipeline::read(corpus.path().join("in"))
        .dedup_exact()
        .dedup_near(near(Keep::First, Some(0.8)));
    let (found, report) = rows(pipeline, &options(2, 5));
    assert_eq!((found.len(), report.duplicates), (60, 27));
    let removed: Vec<_> = report.steps[1..3]
        .iter()
        .map(|step| step.rows_in - step.rows_out)
        .collect();
    assert_eq!(removed, [18, 9]);
}

#[test]
fn a_work_folder_is_made_in_a_folder_that_is_there() {
    let corpus = corpus();
    let pipeline = Pipeline::read(corpus.path().join("in")).dedup_near(NearCopies::default());
    let missing = corpus.path().join("missing/out.jsonl");
    let error = error(&pipeline.clone().write_jsonl(&missing));
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!corpus.path().join("missing").exists());
    let error = pipeline.run(&resumed(1, 10)).unwrap_err();
    assert_eq!(error.hint(), Some("give the work folder a path"));
}

#[test]
fn the_audit_says_why_and_for_whom() {
    let corpus = corpus();
    let output = corpus.path().join("out.jsonl");
    let audit = corpus.path().join("audit.jsonl");
    let few = GopherQuality {
        min_doc_words: Some(80),
        min_stop_words: None,
        min_avg_word_length: None,
        max_non_alpha_words_ratio: None,
        ..GopherQuality::default()
    };
    let exact = ExactCopies {
        keep: Keep::LeastId,
        ..ExactCopies::default()
    };
    let report = Pipeline::read(corpus.path().join("in"))
        .quality(few)
        .dedup_exact_with(exact)
        .dedup_near(near(Keep::First, Some(0.8)))
        .filter(|row| row.get("id") != Some("m01"))
        .write_jsonl(&output)
        .write_audit(&audit)
        .run(&options(2, 3))
        .unwrap();
    let audit = read_jsonl(&audit);
    assert_eq!(audit.len() as u64 + report.rows(), 87);
    let line = |id: &str| audit.iter().find(|line| line["id"] == id).unwrap().clone();
    let short = line("z07");
    assert_eq!(short["step"], "gopher_quality");
    assert_eq!(short["reason"], "gopher_short_doc");
    assert_eq!(short["line"].as_u64(), Some(4));
    assert!(short["source"].as_str().unwrap().ends_with("2.jsonl"));
    let copy = line("m05");
    assert_eq!(
        (&copy["step"], &copy["duplicate_of"]),
        (&"dedup_exact".into(), &"a05".into())
    );
    assert_eq!(line("m01")["reason"], "function");
    assert_eq!(report.dropped.len(), 1);
    assert_eq!(report.dropped[0].reason, "gopher_short_doc");
    assert_eq!(report.dropped[0].count, 9);
}

#[test]
fn filters_share_a_profile_and_hand_their_text_on() {
    let text = "The first line of the text has words, and to spare.\nno end\n\
                The second line of the text has words, and to spare.[1]\n";
    let folder = folder(&[
        ("in/a.txt", text.as_bytes()),
        ("in/b.txt", b"Lorem ipsum dolor."),
    ]);
    let lines = C4Quality {
        min_num_sentences: Some(1),
        ..C4Quality::default()
    };
    let short = GopherQuality {
        min_doc_words: Some(25),
        ..GopherQuality::default()
    };
    let pipeline = || Pipeline::read(folder.path().join("in"));
    let (found, report) = rows(pipeline().quality(lines), &options(1, 9));
    let expected = "The first line of the text has words, and to spare.\n\
                    The second line of the text has words, and to spare.";
    assert_eq!(values(&found, "text"), [expected]);
    assert_eq!(report.dropped[0].reason, "lorem_ipsum");
    // Without the line that the first filter took, the text is too short for the second.
    let both = pipeline()
        .quality(lines)
        .quality(GopherRepetition::default())
        .quality(short);
    let (found, report) = rows(both, &options(1, 9));
    assert!(found.is_empty());
    let steps: Vec<_> = report.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        steps,
        [
            "read",
            "c4_quality",
            "gopher_repetition",
            "gopher_quality",
            "write_jsonl"
        ]
    );
}

#[test]
fn words_that_must_not_be_come_from_a_file() {
    let folder = folder(&[
        ("in/a.txt", b"a fine text"),
        ("in/b.txt", b"a foul text"),
        ("w", b"foul\n"),
    ]);
    let words = BadWords {
        path: folder.path().join("w"),
        is_substring: false,
    };
    let pipeline = Pipeline::read(folder.path().join("in"));
    let (found, _) = rows(pipeline.clone().quality(words), &options(1, 9));
    assert_eq!(values(&found, "text"), ["a fine text"]);
    let missing = BadWords {
        path: folder.path().join("none"),
        is_substring: false,
    };
    let error = error(&pipeline.quality(Quality::C4BadWords(missing)));
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn texts_are_given_another_form() {
    let text = "sch\u{c3}\u{b6}n e\u{301} ada@web.de\nsame line\nSame line!\n";
    let folder = folder(&[("in/a.txt", text.as_bytes())]);
    let read = || Pipeline::read(folder.path().join("in"));
    let format = |pipeline: Pipeline| {
        let (rows, _) = rows(pipeline, &options(1, 9));
        rows[0]["text"].as_str().unwrap().to_owned()
    };
    assert!(format(read().format(FtfyFormatter::default())).starts_with("schön "));
    assert!(format(read().format(UnicodeFormatter::default())).contains(" é "));
    assert!(format(read().format(PiiFormatter::default())).contains("email@example.com"));
    let once = format(read().format(RepeatedParts::default()));
    assert!(
        once.contains("same line") && !once.contains("Same line!"),
        "{once}"
    );
}

#[test]
fn documents_are_judged_by_their_url_and_language() {
    let lines = [
        r#"{"id":"a","text":"This is a text in the English language.","url":"https://good.example/"}"#,
        r#"{"id":"b","text":"Dies ist ein Text in deutscher Sprache.","url":"https://bad.com/"}"#,
        r#"{"id":"c","text":"Dies ist ein Text in deutscher Sprache.","url":"https://good.example/"}"#,
    ];
    let folder = folder(&[("in/a.jsonl", lines.join("\n").as_bytes())]);
    let read = Pipeline::read(folder.path().join("in"));
    let rules = UrlRules {
        extra_domains: vec!["bad.com".to_owned()],
        ..UrlRules::default()
    };
    let (found, report) = rows(read.clone().quality(rules), &options(1, 9));
    assert_eq!(values(&found, "id"), ["a", "c"]);
    assert_eq!(report.dropped[0].step, "url");
    let german = LanguageRules {
        languages: Some(vec!["de".to_owned()]),
        language_threshold: 0.0,
        model: None,
    };
    let (found, _) = rows(read.clone().quality(german), &options(1, 9));
    assert_eq!(values(&found, "id"), ["b", "c"]);
    let missing = LanguageRules {
        model: Some(folder.path().join("none.ftz")),
        ..LanguageRules::default()
    };
    assert_eq!(error(&read.quality(missing)).kind(), ErrorKind::NotFound);
}

#[test]
fn records_are_written_as_they_were_read() {
    let line = "{\"id\":\"x\",\"text\":\"a \\\"b\\\"\",\"source\":\"web\",\"n\":1e400}\n";
    let folder = folder(&[("in/a.jsonl", line.as_bytes())]);
    let output = folder.path().join("out.jsonl");
    let pipeline = Pipeline::read(folder.path().join("in"));
    pipeline
        .clone()
        .write(Output::new(&output).records())
        .run(&options(1, 9))
        .unwrap();
    assert_eq!(std::fs::read_to_string(&output).unwrap(), line);
    let table = pipeline.write(Output::new(folder.path().join("out.parquet")).records());
    assert!(error(&table).to_string().contains("not as `parquet`"));
}

#[test]
fn too_little_memory_is_refused() {
    let little = RunOptions {
        memory_size_bytes: Some(1),
        ..options(1, 1)
    };
    let corpus = corpus();
    let pipeline = Pipeline::read(corpus.path().join("in")).dedup_exact();
    let error = pipeline.run(&little).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    assert!(
        error.to_string().contains("memory_size_bytes is 1"),
        "{error}"
    );
}

#[test]
fn settings_that_make_no_sense_are_refused_before_a_file_is_read() {
    let missing = || Pipeline::read("/there/is/no/such/folder");
    for (settings, part) in [
        (near(Keep::LeastId, Some(0.8)), "among whole clusters"),
        (
            NearCopies {
                bands: 0,
                ..NearCopies::default()
            },
            "at least 1",
        ),
        (near(Keep::First, Some(1.5)), "threshold 1.5"),
    ] {
        let error = error(&missing().dedup_near(settings));
        assert!(error.to_string().contains(part), "{error}");
        assert_ne!(error.kind(), ErrorKind::NotFound);
    }
}
