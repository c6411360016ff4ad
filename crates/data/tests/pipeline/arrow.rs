//! Tables of Arrow as sources, and estimates.

use crate::harness::{error, folder, options, rows, values};
use arrow_array::builder::{LargeListBuilder, UInt32Builder};
use arrow_array::cast::AsArray;
use arrow_array::{
    ArrayRef, LargeStringArray, RecordBatch, RecordBatchIterator, StringArray, StringViewArray,
    UInt32Array,
};
use arrow_schema::{ArrowError, SchemaRef};
use nexus_data::{
    ArrowTable, ErrorKind, NearCopies, Node, Pipeline, Progressed, RepeatedLines, RunOptions,
    SAMPLE_SIZE,
};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

fn table(batches: Vec<Result<RecordBatch, &'static str>>, schema: SchemaRef) -> ArrowTable {
    ArrowTable::new(move || {
        let batches = batches.clone().into_iter();
        let batches =
            batches.map(|batch| batch.map_err(|text| ArrowError::CDataInterface(text.to_owned())));
        Ok(Box::new(RecordBatchIterator::new(batches, schema.clone())))
    })
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn each_type_of_text_is_read_and_cut_into_batches() {
    let texts = || (0..50).map(|number| (number % 7 != 3).then(|| format!("text {number}")));
    let forms: [ArrayRef; 3] = [
        Arc::new(texts().collect::<StringArray>()),
        Arc::new(texts().collect::<LargeStringArray>()),
        Arc::new(texts().collect::<StringViewArray>()),
    ];
    for form in forms {
        let stars: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..50));
        let whole = batch(vec![("text", form), ("stars", stars)]);
        let parts = vec![
            Ok(whole.slice(5, 30)),
            Ok(whole.slice(35, 0)),
            Ok(whole.slice(35, 15)),
        ];
        let pipeline = Pipeline::from_arrow(table(parts, whole.schema()));
        for batch_rows in [1, 7, 1000] {
            let (rows, report) = rows(pipeline.clone(), &options(3, batch_rows));
            let kept: Vec<_> = (5..50).filter(|number| number % 7 != 3).collect();
            let expected: Vec<_> = kept.iter().map(|number| format!("text {number}")).collect();
            assert_eq!(values(&rows, "text"), expected);
            assert_eq!(rows[0]["id"], "arrow:1");
            assert_eq!(rows[0]["fields"], serde_json::json!({"stars": 5}));
            assert_eq!(report.rejected.count, 45 - kept.len() as u64);
            assert_eq!(
                report.rejected.samples[0].to_string(),
                "arrow:6: `text` is null"
            );
            // Slices count for their own bytes alone.
            assert!(
                report.steps.iter().all(|step| step.bytes_in < 20_000),
                "{report}"
            );
        }
    }
}

#[test]
fn an_error_of_a_table_ends_the_run_behind_what_came_before() {
    let one = batch(vec![(
        "text",
        Arc::new(StringArray::from(vec!["one"])) as _,
    )]);
    let broken = table(
        vec![Ok(one.clone()), Err("the well is dry"), Ok(one.clone())],
        one.schema(),
    );
    let mut seen = 0;
    let failed = Pipeline::from_arrow(broken)
        .for_each(&options(1, 10), |batch| {
            seen += batch.num_rows();
            Ok(())
        })
        .unwrap_err();
    assert_eq!((failed.kind(), seen), (ErrorKind::Function, 1));
    let message = failed.to_string();
    assert!(
        message.contains("from row 2 on: C Data interface error: the well is dry"),
        "{message}"
    );
    let closed = ArrowTable::new(|| Err("the door is shut".into()));
    let message = error(&Pipeline::from_arrow(closed)).to_string();
    assert_eq!(message, "cannot open the Arrow table: the door is shut");
    let other = batch(vec![("text", Arc::new(UInt32Array::from(vec![1])) as _)]);
    let lies = table(vec![Ok(other)], one.schema());
    assert_eq!(
        error(&Pipeline::from_arrow(lies)).kind(),
        ErrorKind::InvalidInput
    );
    let resumed = RunOptions {
        resume: true,
        work: Some("work".into()),
        ..RunOptions::default()
    };
    let pipeline = Pipeline::from_arrow(table(vec![Ok(one.clone())], one.schema()));
    let pipeline = pipeline.dedup_near(NearCopies::default());
    let shared = RunOptions {
        resume: false,
        node: Some(Node::new(1, 2).unwrap()),
        ..resumed.clone()
    };
    for options in [resumed, shared] {
        let error = pipeline.run(&options).unwrap_err().to_string();
        assert!(error.contains("cannot be resumed or shared"), "{error}");
    }
    assert_eq!(pipeline.run(&RunOptions::default()).unwrap().rows(), 1);
    let estimate = pipeline
        .estimate(&RunOptions::default(), SAMPLE_SIZE)
        .unwrap_err();
    assert_eq!(estimate.kind(), ErrorKind::Unsupported);
}

#[test]
fn columns_that_steps_know_get_their_types_back_from_functions() {
    let folder = folder(&[("a.txt", b"some text"), ("b.txt", b"more of it")]);
    let mut ids = LargeListBuilder::new(UInt32Builder::new());
    for list in [[Some(1), Some(2)], [Some(3), Some(4)]] {
        ids.append_value(list);
    }
    let ids: ArrayRef = Arc::new(ids.finish());
    let pipeline = Pipeline::read(folder.path()).map_batches("foreign", move |batch| {
        let texts: StringViewArray = batch["text"].as_string::<i32>().iter().collect();
        let names: LargeStringArray = batch["id"].as_string::<i32>().iter().collect();
        let ids = ids.slice(0, batch.num_rows());
        Ok(RecordBatch::try_from_iter([
            ("text", Arc::new(texts) as ArrayRef),
            ("id", Arc::new(names) as ArrayRef),
            ("ids", ids),
        ])?)
    });
    let output = folder.path().join("ids.bin");
    pipeline
        .clone()
        .min_chars(1)
        .dedup_exact()
        .write(&output)
        .run(&options(1, 10))
        .unwrap();
    assert_eq!(std::fs::metadata(&output).unwrap().len(), 16);
    let schema = pipeline.schema().unwrap().unwrap();
    assert_eq!(
        schema
            .field_with_name("text")
            .unwrap()
            .data_type()
            .to_string(),
        "Utf8"
    );
}

#[test]
fn progress_tells_stages_steps_and_what_is_left() {
    let lines: String = (0..400)
        .map(|number| {
            format!(
                "{{\"text\": \"one two three four five document {}\"}}\n",
                number % 300
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let folder = folder(&[("a.jsonl", lines.as_bytes())]);
    let seen: Arc<Mutex<Vec<Progressed>>> = Arc::default();
    let keep = seen.clone();
    let options = RunOptions {
        progress: Some(Arc::new(move |now| keep.lock().unwrap().push(now))),
        ..options(2, 10)
    };
    let pipeline = Pipeline::read(folder.path())
        .clean()
        .dedup_near(NearCopies::default());
    let report = pipeline.min_chars(3).run(&options).unwrap();
    assert_eq!(report.rows(), 300);
    let seen = seen.lock().unwrap();
    let last = |stage| seen.iter().rfind(|now| now.stage == stage).unwrap();
    let (first, second) = (last(1), last(2));
    assert_eq!(
        (first.stages, first.rows_read, first.rows_total),
        (2, 400, None)
    );
    assert_eq!(
        (first.stage_bytes, first.bytes_total),
        (lines.len() as u64, Some(lines.len() as u64))
    );
    assert_eq!(
        (second.stages, second.rows_read, second.rows_total),
        (2, 300, Some(300))
    );
    assert_eq!((second.stage_bytes, second.fraction()), (0, Some(1.0)));
    assert_eq!(second.seconds_left(), Some(0.0));
    let names = |now: &Progressed| {
        now.steps
            .iter()
            .map(|step| step.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(first), ["read", "clean"]);
    assert_eq!(names(second), ["read", "min_chars"]);
    let text = report.to_string();
    assert!(text.starts_with("step "), "{text}");
    assert!(
        text.contains("300 rows, 100 duplicates, 0 rejected, 0 files skipped, "),
        "{text}"
    );
}

#[test]
fn progress_adds_up_over_groups_and_leaves_out_what_was_done_before() {
    let files: Vec<_> = (0..8)
        .map(|file| {
            let line = |row| format!("{{\"text\": \"number {file} of {}\"}}\n", row % 5);
            (
                format!("{file}.jsonl"),
                (0..10).map(line).collect::<String>(),
            )
        })
        .collect();
    let total: u64 = files.iter().map(|(_, text)| text.len() as u64).sum();
    let files: Vec<_> = (files.iter())
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    let folder = folder(&files);
    let work = tempfile::tempdir().unwrap();
    let seen: Arc<Mutex<Vec<Progressed>>> = Arc::default();
    let keep = seen.clone();
    let options = RunOptions {
        progress: Some(Arc::new(move |now| keep.lock().unwrap().push(now))),
        resume: true,
        work: Some(work.path().join("work")),
        group_size_bytes: Some(10_000),
        ..options(1, 10)
    };
    // The sixth batch and those behind it fail once, which are of the second group.
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let pipeline = Pipeline::read(folder.path())
        .map_batches("hook", move |batch| {
            let fails = batch.num_rows() > 0 && count.fetch_add(1, Relaxed) == 5;
            if fails {
                Err("killed".into())
            } else {
                Ok(batch)
            }
        })
        .dedup_exact()
        .clean();
    pipeline.run(&options).unwrap_err();
    let killed = seen.lock().unwrap().pop().unwrap();
    assert_eq!((killed.stage, killed.stages), (1, 3));
    seen.lock().unwrap().clear();
    let report = pipeline.run(&options).unwrap();
    assert_eq!(report.rows(), 40);
    let seen = seen.lock().unwrap();
    let last = |stage| seen.iter().rfind(|now| now.stage == stage).unwrap();
    let (first, second, third) = (last(1), last(2), last(3));
    assert_eq!((first.bytes, first.bytes_total), (total, Some(total)));
    assert_eq!(first.fraction(), Some(1.0));
    // The group that was through it is not read again.
    assert!((1..80).contains(&first.rows_read), "{first:?}");
    assert!((1..total).contains(&first.stage_bytes), "{first:?}");
    assert_eq!(first.steps[0].rows_out, first.rows_read);
    assert_eq!(first.seconds_left(), Some(0.0));
    assert_eq!((second.rows_read, second.rows_total), (40, Some(40)));
    assert_eq!(second.steps[1].rows_in, 40);
    assert_eq!((third.rows_read, third.rows_total), (40, Some(40)));
    assert!(seen.iter().all(|now| now.bytes <= total && now.stages == 3));
}

#[test]
fn an_estimate_knows_the_steps_that_decide() {
    let folder = folder(&[
        ("a.txt", b"One line.\nTwo."),
        ("b.txt", b"One line.\nThree."),
    ]);
    let all = RepeatedLines {
        min_doc_words: None,
        min_num_sentences: None,
        min_words: 1,
        ..RepeatedLines::default()
    };
    let pipeline = Pipeline::read(folder.path()).dedup_lines(all).min_chars(3);
    let names = |options: &RunOptions| {
        let estimate = pipeline.estimate(options, SAMPLE_SIZE).unwrap();
        assert_eq!(estimate.kept.value, 2.0);
        assert!(estimate.work_bytes.value > 0.0);
        let steps = estimate.steps.into_iter();
        steps
            .map(|step| (step.stage, step.name))
            .collect::<Vec<_>>()
    };
    let expected = |names: &[(usize, &str)]| {
        let names = names.iter();
        names
            .map(|&(stage, name)| (stage, name.to_owned()))
            .collect::<Vec<_>>()
    };
    let one = [
        (1, "read"),
        (1, "dedup_lines"),
        (2, "read again"),
        (2, "dedup_lines"),
        (2, "min_chars"),
    ];
    assert_eq!(names(&RunOptions::default()), expected(&one));
    let resume = RunOptions {
        resume: true,
        ..RunOptions::default()
    };
    let more = [(2, "put aside"), (3, "read again")];
    assert_eq!(names(&resume), expected(&[&one[..], &more].concat()));
}

#[test]
fn an_estimate_of_many_small_files_is_near() {
    let files: Vec<_> = (0..300)
        .map(|number| (format!("{number:03}.txt"), "word ".repeat(number % 40 + 1)))
        .collect();
    let files: Vec<_> = (files.iter())
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    let folder = folder(&files);
    let pipeline = Pipeline::read(folder.path())
        .min_chars(100)
        .write("none/out.jsonl");
    let estimate = pipeline.estimate(&RunOptions::default(), 1 << 16).unwrap();
    assert_eq!(
        (estimate.documents.value, estimate.kept.value),
        (300.0, 148.0)
    );
    assert!(estimate.is_whole);
    assert_eq!(
        estimate
            .steps
            .iter()
            .map(|step| step.name.as_str())
            .collect::<Vec<_>>(),
        ["read", "min_chars", "write_jsonl"]
    );
    assert_eq!(estimate.output_bytes.margin, Some(0.0));
    let empty = Pipeline::read(folder.path().join("000.txt"));
    std::fs::write(folder.path().join("000.txt"), "").unwrap();
    let estimate = empty.estimate(&RunOptions::default(), SAMPLE_SIZE).unwrap();
    assert_eq!((estimate.documents.value, estimate.bytes), (1.0, 0));
}
