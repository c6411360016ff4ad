//! What holds for every run: order, bounded memory, errors, cancelling.

use crate::harness::{check_error, error, folder, names, options, rows, tokenizer, values};
use arrow_array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use nexus_data::{Cancel, ErrorKind, Pipeline, Progressed, RunOptions};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

fn numbered(count: usize) -> Vec<u8> {
    let lines: Vec<_> = (0..count)
        .map(|n| format!("{{\"text\":\"text {} of many\"}}\n", n % (count - 10)))
        .collect();
    lines.concat().into()
}

fn text_batch(texts: &[&str]) -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    RecordBatch::try_from_iter([("text", texts)]).unwrap()
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let text: Vec<_> = (0..3000).map(|n| format!("word {n}, longer. ")).collect();
    let text = text.concat();
    let folder = folder(&[
        ("a.jsonl", &numbered(500)),
        ("b.txt", text.as_bytes()),
        ("c.jsonl", &numbered(333)),
        ("d.jsonl", b"{\"text\":1}\n"),
    ]);
    let out = tempfile::tempdir().unwrap();
    let tokenizer = Arc::new(tokenizer());
    let mut outputs = Vec::new();
    for (threads, batch_rows) in [(1, 1000), (1, 7), (2, 7), (4, 1), (16, 5)] {
        let (output, rejects) = (out.path().join("out"), out.path().join("rejects"));
        let report = Pipeline::read(folder.path())
            .clean()
            .min_chars(3)
            .dedup_exact()
            .tokenize(tokenizer.clone())
            .cut(16)
            .write_jsonl(&output)
            .write_rejects(&rejects)
            .run(&options(threads, batch_rows))
            .unwrap();
        let counts = (
            report.rows(),
            report.duplicates,
            report.rejected.count,
            report.threads,
        );
        outputs.push((
            std::fs::read(output).unwrap(),
            std::fs::read(rejects).unwrap(),
        ));
        assert_eq!(
            outputs[0],
            outputs[outputs.len() - 1],
            "{threads} threads, {batch_rows} rows"
        );
        assert_eq!((counts.1, counts.2, counts.3), (10 + 333, 1, threads));
    }
}

#[test]
fn injected_duplicates_are_gone_and_the_first_stays() {
    let lines: Vec<_> = (0..100)
        .map(|n| format!("{{\"id\":{n},\"text\":\"document {n}\"}}"))
        .collect();
    let copies: Vec<_> = (0..10)
        .map(|n| format!("{{\"id\":{},\"text\":\"  document\\n{n} \"}}", 1000 + n))
        .collect();
    let folder = folder(&[("a.jsonl", [lines, copies].concat().join("\n").as_bytes())]);
    let (found, report) = rows(Pipeline::read(folder.path()).dedup_exact(), &options(4, 3));
    let ids: Vec<_> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(values(&found, "id"), ids);
    assert_eq!(report.duplicates, 10);
}

#[test]
fn at_most_one_batch_for_each_thread_is_alive() {
    const THREADS: usize = 3;
    let alive: Arc<Mutex<Vec<Weak<dyn arrow_array::Array>>>> = Arc::default();
    let most = Arc::new(AtomicUsize::new(0));
    let source = {
        let (alive, most) = (alive.clone(), most.clone());
        (0..200).map(move |n| {
            let batch = text_batch(&[&format!("text {n}")]);
            let mut alive = alive.lock().unwrap();
            alive.push(Arc::downgrade(batch.column(0)));
            alive.retain(|batch| batch.strong_count() > 0);
            most.fetch_max(alive.len(), Ordering::Relaxed);
            batch
        })
    };
    let mut rows = 0;
    Pipeline::batches(source)
        .filter(|_| true)
        .dedup_exact()
        .for_each(&options(THREADS, 1), |batch| {
            rows += batch.num_rows();
            Ok(())
        })
        .unwrap();
    assert_eq!(rows, 200);
    // One for each thread, and the one that is just being made.
    assert!(most.load(Ordering::Relaxed) <= THREADS + 1, "{most:?}");
}

#[test]
fn a_report_counts_what_each_step_did() {
    let lines =
        b"{\"text\":\"one\"}\n{\"text\":\"two\"}\n{\"text\":\"one\"}\nbad\n{\"text\":\"\"}\n";
    let folder = folder(&[("a.jsonl", lines)]);
    let seen: Arc<Mutex<Vec<Progressed>>> = Arc::default();
    let progress = {
        let seen = seen.clone();
        move |progressed| seen.lock().unwrap().push(progressed)
    };
    let options = RunOptions {
        progress: Some(Arc::new(progress)),
        ..options(1, 2)
    };
    let pipeline = Pipeline::read(folder.path()).min_chars(1).dedup_exact();
    let report = pipeline.for_each(&options, |_| Ok(())).unwrap();
    let steps: Vec<_> = report
        .steps
        .iter()
        .map(|s| (s.name.as_str(), s.rows_in, s.rows_out))
        .collect();
    let expected = [
        ("read", 5, 4),
        ("min_chars", 4, 3),
        ("dedup_exact", 3, 2),
        ("for_each", 2, 2),
    ];
    assert_eq!(steps, expected);
    assert_eq!(report.steps[0].bytes_in, lines.len() as u64);
    assert_eq!((report.rows(), report.files, report.duplicates), (2, 1, 1));
    let last = seen.lock().unwrap().last().unwrap().clone();
    let size = lines.len() as u64;
    assert_eq!(
        (last.rows, last.bytes, last.bytes_total),
        (2, size, Some(size))
    );
}

#[test]
fn cancelling_leaves_no_file_but_the_old_one() {
    let folder = folder(&[("in/a.jsonl", &numbered(2000)), ("out/old.jsonl", b"old")]);
    let out = folder.path().join("out");
    for name in ["new.jsonl", "old.jsonl"] {
        let cancel = Cancel::new();
        let trigger = cancel.clone();
        let pipeline = Pipeline::read(folder.path().join("in"))
            .map_batches("cancels", move |batch| {
                trigger.cancel();
                Ok(batch)
            })
            .dedup_exact()
            .write_jsonl(out.join(name))
            .write_rejects(out.join("rejects.jsonl"));
        let options = RunOptions {
            cancel,
            ..options(4, 10)
        };
        assert_eq!(
            pipeline.run(&options).unwrap_err().kind(),
            ErrorKind::Cancelled
        );
        assert_eq!(names(&out), [std::path::PathBuf::from("old.jsonl")]);
        assert_eq!(std::fs::read(out.join("old.jsonl")).unwrap(), b"old");
    }
}

#[test]
fn an_error_ends_the_run_with_the_first_batch_that_has_it() {
    let folder = folder(&[("in/a.jsonl", &numbered(100)), ("out/.keep", b"")]);
    let out = folder.path().join("out");
    let pipeline = Pipeline::read(folder.path().join("in"))
        .dedup_exact()
        .map_batches("picky", |batch| {
            let row = batch
                .column(0)
                .as_any()
                .downcast_ref::<StringArray>()
                .ok_or("no ids")?;
            match row.iter().flatten().next() {
                Some(id) if id > "a.jsonl:5" => Err(format!("refused {id}").into()),
                _ => Ok(batch),
            }
        })
        .dedup_exact()
        .write_jsonl(out.join("out.jsonl"));
    for threads in [1, 4] {
        let error = pipeline.run(&options(threads, 1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Function);
        assert_eq!(error.to_string(), "step `picky` failed: refused a.jsonl:6");
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            "refused a.jsonl:6"
        );
        assert_eq!(names(&out), [std::path::PathBuf::from(".keep")]);
    }
}

#[test]
fn an_error_of_the_sink_ends_the_run() {
    let folder = folder(&[("a.jsonl", &numbered(100))]);
    // Many times: it is a race whether others wait at the sink when it fails.
    for _ in 0..200 {
        let mut calls = 0;
        let error = Pipeline::read(folder.path())
            .for_each(&options(4, 1), |_| {
                calls += 1;
                if calls == 3 {
                    Err("full".into())
                } else {
                    Ok(())
                }
            })
            .unwrap_err();
        assert_eq!((error.kind(), calls), (ErrorKind::Function, 3));
    }

    // A column that cannot be written is found out when the first rows are written.
    let out = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::read(folder.path())
        .map_batches("binary", |batch| {
            let blobs = BinaryArray::from_iter_values((0..batch.num_rows()).map(|_| b"x"));
            Ok(RecordBatch::try_from_iter([(
                "blob",
                Arc::new(blobs) as ArrayRef,
            )])?)
        })
        .write_jsonl(out.path().join("out.jsonl"));
    assert_eq!(
        crate::harness::error(&pipeline).kind(),
        ErrorKind::Unsupported
    );
    assert!(names(out.path()).is_empty());
}

#[test]
fn a_panic_of_a_function_reaches_the_caller() {
    let folder = folder(&[("a.jsonl", &numbered(100))]);
    let pipeline = Pipeline::read(folder.path()).dedup_exact().map(|row| {
        if row.line() == Some(7) {
            panic!("seven")
        } else {
            row.text().to_owned()
        }
    });
    let run = std::panic::AssertUnwindSafe(|| pipeline.run(&options(4, 1)));
    let panic = std::panic::catch_unwind(run).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"seven"));
}

#[test]
fn steps_that_do_not_fit_are_refused_before_anything_is_read() {
    let folder = folder(&[("a.txt", b"text")]);
    let read = || Pipeline::read(folder.path());
    let missing = folder.path().join("none.json");
    for (pipeline, kind, message, hint) in [
        (
            read().cut(256),
            ErrorKind::InvalidInput,
            "`cut` needs the column `ids`",
            "tokenize",
        ),
        (
            read().tokenize(tokenizer()).cut(2),
            ErrorKind::InvalidInput,
            "must be from 3",
            "",
        ),
        (
            read().tokenize(tokenizer()).cut(9).clean(),
            ErrorKind::InvalidInput,
            "`text`",
            "before `cut`",
        ),
        (
            read().tokenize_file(missing),
            ErrorKind::NotFound,
            "none.json",
            "",
        ),
        (
            read().tokenize_file(folder.path().join("a.txt")),
            ErrorKind::Corrupt,
            "[UNK]",
            "",
        ),
        (
            read().write_jsonl(folder.path()),
            ErrorKind::InvalidInput,
            "is a folder",
            "",
        ),
        (
            read().write_jsonl(folder.path().join("no/x")),
            ErrorKind::NotFound,
            "create a file",
            "",
        ),
    ] {
        check_error(&pipeline, kind, message, hint);
    }
    for options in [
        RunOptions {
            threads: 100_000,
            ..RunOptions::default()
        },
        RunOptions {
            batch_rows: 0,
            ..RunOptions::default()
        },
        RunOptions {
            batch_size_bytes: usize::MAX,
            ..RunOptions::default()
        },
    ] {
        assert!(read().run(&options).is_err(), "{options:?}");
    }
}

#[test]
fn batches_are_a_source_for_one_run() {
    let pipeline = Pipeline::batches(vec![text_batch(&["a", "b"]), text_batch(&["a", ""])])
        .dedup_exact()
        .filter(|row| !row.text().is_empty())
        .map(|row| row.text().to_uppercase());
    let (found, _) = rows(pipeline.clone(), &options(2, 1));
    assert_eq!(values(&found, "text"), ["A", "B"]);
    assert_eq!(error(&pipeline).kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_schema_is_known_before_anything_is_read() {
    let pipeline = Pipeline::read("nowhere")
        .dedup_exact()
        .tokenize(tokenizer())
        .cut(9);
    let pipeline = pipeline.map_batches("keep", |batch| Ok(batch.project(&[0, 4, 5])?));
    let schema = pipeline.schema().unwrap().unwrap();
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["id", "part", "passage"]);
    assert!(Pipeline::read("nowhere").cut(9).schema().is_err());
    assert!(Pipeline::batches([]).schema().unwrap().is_none());
}
