//! Runs that are cut anywhere and go on, and runs that several nodes share.

use crate::cut_runs::{into, node, nodes, resume, told, written};
use crate::harness::{folder_of, options, read_jsonl, record};
use nexus_data::{
    Cancel, ErrorKind, ExactCopies, Format, Keep, NearCopies, Pipeline, Progressed, RunOptions,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tempfile::TempDir;

/// Nine files of lines with copies of each other and broken ones, and twelve that are one document.
fn corpus() -> TempDir {
    let mut files = Vec::new();
    for file in 0..9_usize {
        let mut lines = String::new();
        for line in 0..20 {
            let seed = (file * 20 + line) % 120;
            let skip = usize::from(line % 4 == 0);
            let text: Vec<_> = (skip..60)
                .map(|at| format!("w{}", (seed * 97 + at) % 5003))
                .collect();
            lines += &record(&format!("{file}-{line}"), &text.join(" "));
        }
        lines += "{\"text\": broken}\n";
        files.push((format!("in/{file}.jsonl"), lines));
    }
    for file in 0..12 {
        files.push((
            format!("in/x/{file}.txt"),
            format!("a short text, number {}", file % 8),
        ));
    }
    folder_of(&files)
}

/// What a plan does between reading and writing.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// Nothing that needs other documents.
    Plain,
    Exact,
    NearLast,
    /// Two decisions, with steps around them.
    Both,
}

impl Plan {
    const ALL: [Self; 4] = [Self::Plain, Self::Exact, Self::NearLast, Self::Both];

    fn steps(self, read: Pipeline, hook: impl Fn() -> bool + Send + Sync + 'static) -> Pipeline {
        let near = NearCopies::default();
        let least = ExactCopies {
            keep: Keep::LeastId,
            ..ExactCopies::default()
        };
        let hooked = read.map_batches("hook", move |batch| {
            if batch.num_rows() > 0 && hook() {
                Err("killed".into())
            } else {
                Ok(batch)
            }
        });
        match self {
            Self::Plain => hooked.min_chars(24),
            Self::Exact => hooked.dedup_exact().min_chars(24),
            Self::NearLast => hooked.min_chars(24).dedup_near(near),
            Self::Both => hooked
                .dedup_exact_with(least)
                .filter(|row| row.get("id") != Some("3-3"))
                .dedup_near(near)
                .clean(),
        }
    }
}

#[test]
fn a_run_that_fails_at_any_batch_goes_on_to_the_same_bytes() {
    let corpus = corpus();
    let read = || Pipeline::read(corpus.path().join("in"));
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        let pipeline = into(plan.steps(read(), || false), whole.path(), Format::JsonlGz);
        let expected_report = pipeline.run(&resume(2)).unwrap();
        let expected = written(whole.path());
        assert!(expected.len() > 5, "{:?}", expected.keys());
        // Batches after which the run fails; it is done anew from there, with other threads.
        for (at, every) in [1, 3, 8].into_iter().enumerate() {
            let out = tempfile::tempdir().unwrap();
            let calls = Arc::new(AtomicUsize::new(0));
            let counted = calls.clone();
            let fails = move || (counted.fetch_add(1, SeqCst) + 1).is_multiple_of(every);
            let left = AtomicUsize::new(4);
            let fails = move || {
                fails()
                    && left
                        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                        .is_ok()
            };
            let pipeline = into(plan.steps(read(), fails), out.path(), Format::JsonlGz);
            let mut runs = 0;
            let report = loop {
                runs += 1;
                match pipeline.run(&resume(1 + (at + runs) % 3)) {
                    Ok(report) => break report,
                    Err(error) => assert!(error.to_string().contains("killed"), "{error}"),
                }
                let _ = std::fs::remove_file(out.path().join("rejects.jsonl"));
            };
            assert!(runs > 1 && runs <= 5, "{plan:?} {every} {runs}");
            assert_eq!(written(out.path()), expected, "{plan:?} {every}");
            assert_eq!(told(&report), told(&expected_report), "{plan:?} {every}");
            // Groups that were complete were not done again.
            let again = calls.load(SeqCst) as u64;
            assert!(again <= 29 + 4 * 9, "{plan:?} {every} {again}");
        }
    }
}

#[test]
fn a_folder_that_was_being_removed_is_begun_anew() {
    let corpus = corpus();
    let read = || Pipeline::read(corpus.path().join("in"));
    let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = into(
        Plan::Both.steps(read(), || false),
        whole.path(),
        Format::Jsonl,
    );
    pipeline.run(&resume(2)).unwrap();
    let calls = AtomicUsize::new(0);
    let last = move || calls.fetch_add(1, SeqCst) + 1 == 20;
    let pipeline = into(Plan::Both.steps(read(), last), out.path(), Format::Jsonl);
    pipeline.run(&resume(2)).unwrap_err();
    // A run that is over empties the mark, and then removes one thing after the other.
    let work = out.path().join(".shards.work");
    std::fs::write(work.join("work.json"), "").unwrap();
    std::fs::remove_dir_all(work.join("stage-0")).unwrap();
    pipeline.run(&resume(2)).unwrap();
    assert_eq!(written(out.path()), written(whole.path()));
}

#[test]
fn putting_rows_aside_changes_no_byte_of_any_format() {
    let corpus = corpus();
    for format in [
        Format::Jsonl,
        Format::JsonlGz,
        Format::JsonlZst,
        Format::Parquet,
        Format::Arrow,
        Format::Mds,
        Format::WebDataset,
    ] {
        for plan in [Plan::Plain, Plan::Both] {
            let run = |options: &RunOptions| {
                let out = tempfile::tempdir().unwrap();
                let pipeline = plan.steps(Pipeline::read(corpus.path().join("in")), || false);
                let pipeline = into(pipeline, out.path(), format);
                pipeline.run(options).unwrap();
                let mut files = written(out.path());
                // Copies that are found as they pass are told of in another order.
                let audit = files.remove(Path::new("audit.jsonl")).unwrap();
                (files, audit.split(|&byte| byte == b'\n').count())
            };
            assert_eq!(run(&options(2, 7)), run(&resume(2)), "{plan:?} {format:?}");
        }
    }
}

#[test]
fn an_output_without_rows_has_its_columns() {
    let corpus = corpus();
    let run = |options: &RunOptions| {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("none.parquet");
        let pipeline = Pipeline::read(corpus.path().join("in"))
            .map_batches("same", Ok)
            .filter(|_| false);
        pipeline.write(&path).run(options).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(run(&options(2, 7)), run(&resume(2)));
}

#[test]
fn nodes_write_the_bytes_of_one_process() {
    let corpus = corpus();
    let read = || Pipeline::read(corpus.path().join("in"));
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        let pipeline = into(plan.steps(read(), || false), whole.path(), Format::JsonlZst);
        let expected_report = pipeline.run(&resume(2)).unwrap();
        let expected = written(whole.path());
        for count in [1, 3, 16] {
            let out = tempfile::tempdir().unwrap();
            let work = tempfile::tempdir().unwrap();
            let pipeline = into(plan.steps(read(), || false), out.path(), Format::JsonlZst);
            for report in nodes(count, &pipeline, work.path()) {
                assert_eq!(told(&report), told(&expected_report), "{plan:?} {count}");
            }
            assert_eq!(written(out.path()), expected, "{plan:?} {count}");
            // Started again it is over at once, and what is left takes no room.
            let report = pipeline.run(&node(0, count, work.path())).unwrap();
            assert_eq!(told(&report), told(&expected_report));
            assert!(
                written(work.path())
                    .keys()
                    .all(|name| !name.to_string_lossy().contains("part-"))
            );
        }
    }
}

#[test]
fn a_node_that_fails_is_started_again() {
    let corpus = corpus();
    let read = || Pipeline::read(corpus.path().join("in"));
    let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = tempfile::tempdir().unwrap();
    into(
        Plan::Both.steps(read(), || false),
        whole.path(),
        Format::Jsonl,
    )
    .run(&resume(2))
    .unwrap();
    let calls = AtomicUsize::new(0);
    let second = move || calls.fetch_add(1, SeqCst) + 1 == 12;
    let (failing, other) = (
        into(Plan::Both.steps(read(), second), out.path(), Format::Jsonl),
        into(
            Plan::Both.steps(read(), || false),
            out.path(),
            Format::Jsonl,
        ),
    );
    std::thread::scope(|scope| {
        let other = scope.spawn(|| other.run(&node(0, 2, work.path())).unwrap());
        let error = failing.run(&node(1, 2, work.path())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Function);
        failing.run(&node(1, 2, work.path())).unwrap();
        other.join().unwrap();
    });
    assert_eq!(written(out.path()), written(whole.path()));
}

#[test]
fn a_node_that_never_comes_is_named() {
    let corpus = corpus();
    let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Plan::Exact.steps(Pipeline::read(corpus.path().join("in")), || false);
    let pipeline = into(pipeline, out.path(), Format::Jsonl);
    let waited = Arc::new(AtomicUsize::new(0));
    let seen = waited.clone();
    let progress = move |now: Progressed| {
        if let Some(waiting) = now.waiting {
            seen.store(1000 * waiting.node + waiting.groups as usize, SeqCst);
        }
    };
    let options = RunOptions {
        node_timeout: Some(Duration::from_millis(1)),
        progress: Some(Arc::new(progress)),
        ..node(0, 3, work.path())
    };
    let error = pipeline.run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let message = error.to_string();
    assert!(message.contains("of the nodes 1, 2"), "{message}");
    assert!(waited.load(SeqCst) > 1000);
    assert_eq!(written(out.path()), BTreeMap::new());
    let cancel = Cancel::new();
    cancel.cancel();
    let cancelled = RunOptions {
        cancel,
        ..node(0, 3, work.path())
    };
    assert_eq!(
        pipeline.run(&cancelled).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
    // The others come late.
    let late = nodes(3, &pipeline, work.path());
    assert_eq!(told(&late[0]), told(&late[2]));
}

#[test]
fn nodes_that_do_not_belong_together_are_refused() {
    let corpus = corpus();
    let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let read = || Pipeline::read(corpus.path().join("in"));
    let pipeline = into(
        Plan::Exact.steps(read(), || false),
        out.path(),
        Format::Jsonl,
    );
    let once = RunOptions {
        node_timeout: Some(Duration::ZERO),
        ..node(0, 2, work.path())
    };
    pipeline.run(&once).unwrap_err();
    let check = |pipeline: &Pipeline, options: &RunOptions, part: &str| {
        let error = pipeline.run(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.hint().is_some());
    };
    check(
        &pipeline,
        &node(0, 3, work.path()),
        "it is of a run of 2 nodes, not of 3 nodes",
    );
    let alone = RunOptions {
        node: None,
        resume: true,
        ..node(0, 2, work.path())
    };
    check(
        &pipeline,
        &alone,
        "it is of a run of 2 nodes, not of one process",
    );
    check(
        &pipeline.clone().min_chars(3),
        &node(1, 2, work.path()),
        "another plan",
    );
    let elsewhere = pipeline.clone().write(out.path().join("other.jsonl"));
    check(&elsewhere, &node(1, 2, work.path()), "another plan");
    let mark = work.path().join("work.json");
    let text = std::fs::read_to_string(&mark).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    std::fs::write(&mark, text.replace(&format!("\"{version}\""), "\"0.0.7\"")).unwrap();
    check(
        &pipeline,
        &node(1, 2, work.path()),
        "of version 0.0.7 of nexus-data",
    );
    std::fs::write(&mark, text).unwrap();
    let without = RunOptions {
        work: None,
        ..node(0, 2, work.path())
    };
    check(&pipeline, &without, "no work folder that they share");
    let error = pipeline
        .for_each(&node(0, 2, work.path()), |_| Ok(()))
        .unwrap_err();
    assert!(error.to_string().contains("handed out"), "{error}");
    // The same number twice.
    let (inner, twin) = (pipeline.clone(), node(1, 2, work.path()));
    let other = tempfile::tempdir().unwrap();
    let fresh = Plan::Exact.steps(read(), move || {
        let options = RunOptions {
            work: Some(twin.work.clone().unwrap()),
            ..twin.clone()
        };
        let error = inner.run(&options).unwrap_err();
        assert!(error.to_string().contains("node 1/2 is running"), "{error}");
        false
    });
    let fresh = into(fresh, out.path(), Format::Jsonl);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| pipeline.run(&node(0, 2, work.path())).unwrap());
        fresh.run(&node(1, 2, work.path())).unwrap();
        first.join().unwrap();
    });
    // Another run does not take the folder away, and other files are refused.
    let fresh = into(
        Plan::Exact.steps(read(), || false),
        other.path(),
        Format::Jsonl,
    );
    std::fs::write(corpus.path().join("in/z.txt"), "new").unwrap();
    check(
        &fresh,
        &node(0, 2, work.path()),
        "another plan, or the files have changed",
    );
}

#[test]
fn what_a_group_has_put_aside_and_has_changed_is_an_error() {
    let corpus = corpus();
    let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Plan::Both.steps(Pipeline::read(corpus.path().join("in")), || false);
    let pipeline = into(pipeline, out.path(), Format::Jsonl);
    let cut = RunOptions {
        node_timeout: Some(Duration::ZERO),
        ..node(1, 2, work.path())
    };
    pipeline.run(&cut).unwrap_err();
    // Node 0 decides twice; what it has published is broken in between.
    let first = node(0, 2, work.path());
    let cut = RunOptions {
        node_timeout: Some(Duration::from_millis(1)),
        ..first.clone()
    };
    pipeline.run(&cut).unwrap_err();
    let path = work.path().join("stage-0.removed");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(
        pipeline.run(&node(1, 2, work.path())).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    std::fs::write(&path, bytes).unwrap();
    nodes(2, &pipeline, work.path());
    assert_eq!(read_jsonl(&out.path().join("rejects.jsonl")).len(), 9);
}
