//! Steps that take parts out of documents, and indexes of earlier dumps, in runs that are cut anywhere and
//! go on, and in runs that several nodes share.

use crate::cut_runs::{into, node, nodes, resume, told, written};
use crate::harness::{folder_of, options, record, rows, values};
use nexus_data::{
    ErrorKind, ExactCopies, Format, NearCopies, Pipeline, RepeatedLines, RepeatedSubstrings,
    RunOptions,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A word for each number: all numbers count as equal.
fn name(number: usize) -> String {
    let letters = [number / 676, number / 26, number].map(|at| b'a' + (at % 26) as u8);
    String::from_utf8(letters.to_vec()).unwrap()
}

/// A document that has lines of others, and of which some are copies.
fn document(seed: usize) -> String {
    let line = |at: usize| match (seed * 7 + at * 5) % 4 {
        0 => format!(
            "A line that many documents have, number {} of these.",
            (seed + at) % 9
        ),
        1 => format!("{}, and no more of it.", "word ".repeat(at + seed % 5)),
        _ => (0..14)
            .map(|word| name((seed * 97 + at * 31 + word) % 5003))
            .collect::<Vec<_>>()
            .join(" "),
    };
    (0..6).map(line).collect::<Vec<_>>().join("\n")
}

/// Nine files, and one of an earlier dump.
fn corpus() -> TempDir {
    let record = |id: String, seed: usize| record(&id, &document(seed));
    let old: String = (0..10)
        .map(|at| record(format!("old-{at}"), at * 4))
        .collect();
    let next: String = (0..30)
        .map(|at| record(format!("next-{at}"), at * 3))
        .collect();
    let mut files = vec![
        ("old/0.jsonl".to_owned(), old),
        ("next/0.jsonl".to_owned(), next),
    ];
    for file in 0..9_usize {
        let lines = (0..15).map(|line| record(format!("{file}-{line}"), (file * 15 + line) % 90));
        let text = lines.collect::<String>() + "{\"text\": broken}\n";
        files.push((format!("in/{file}.jsonl"), text));
    }
    let corpus = folder_of(&files);
    let path = corpus.path();
    let pipeline = with_exact(
        Pipeline::read(path.join("old")),
        &[],
        path.join("old-exact"),
    );
    let pipeline = with_near(pipeline, &[], path.join("old-near"));
    pipeline.run(&options(1, 7)).unwrap();
    corpus
}

fn with_exact(pipeline: Pipeline, index: &[PathBuf], written: PathBuf) -> Pipeline {
    pipeline.dedup_exact_with(ExactCopies {
        index: index.to_vec(),
        write_index: Some(written),
        ..ExactCopies::default()
    })
}

fn with_near(pipeline: Pipeline, index: &[PathBuf], written: PathBuf) -> Pipeline {
    pipeline.dedup_near(NearCopies {
        index: index.to_vec(),
        write_index: Some(written),
        ..NearCopies::default()
    })
}

/// What a plan does between reading and writing.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Lines,
    Substrings,
    /// Two steps that decide at once, both with indexes.
    Copies,
    /// One after the other, with steps between them.
    All,
}

impl Plan {
    const ALL: [Self; 4] = [Self::Lines, Self::Substrings, Self::Copies, Self::All];

    /// `hook` is asked at each batch of each stage whether it fails.
    fn steps(
        self,
        corpus: &Path,
        out: &Path,
        hook: &Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Pipeline {
        let hooked = |pipeline: Pipeline| {
            let hook = hook.clone();
            pipeline.map_batches("hook", move |batch| {
                if batch.num_rows() > 0 && hook() {
                    Err("killed".into())
                } else {
                    Ok(batch)
                }
            })
        };
        let lines = RepeatedLines {
            min_doc_words: Some(5),
            min_num_sentences: None,
            ..RepeatedLines::default()
        };
        let substrings = RepeatedSubstrings {
            length: 60,
            min_doc_words: Some(5),
            ..RepeatedSubstrings::default()
        };
        let (old_exact, old_near) = ([corpus.join("old-exact")], [corpus.join("old-near")]);
        let exact = |pipeline| with_exact(pipeline, &old_exact, out.join("exact"));
        let near = |pipeline| with_near(pipeline, &old_near, out.join("near"));
        let read = hooked(Pipeline::read(corpus.join("in")));
        match self {
            Self::Lines => hooked(read.dedup_lines(lines)),
            Self::Substrings => read.dedup_substrings(substrings),
            Self::Copies => hooked(near(exact(read))),
            Self::All => {
                let exact = hooked(exact(read)).dedup_lines(lines);
                hooked(near(hooked(exact)).min_chars(3)).dedup_substrings(substrings)
            }
        }
    }

    fn writes_index(self) -> bool {
        matches!(self, Self::Copies | Self::All)
    }
}

fn never() -> Arc<dyn Fn() -> bool + Send + Sync> {
    Arc::new(|| false)
}

fn pipeline(plan: Plan, corpus: &TempDir, out: &Path) -> Pipeline {
    let steps = plan.steps(corpus.path(), out, &never());
    into(steps, out, Format::Jsonl)
}

/// The documents of a new dump that stay beside those of what was written here.
fn next(corpus: &TempDir, out: &Path) -> Vec<String> {
    let unused = tempfile::tempdir().unwrap();
    let read = Pipeline::read(corpus.path().join("next"));
    let exact = with_exact(read, &[out.join("exact")], unused.path().join("exact"));
    let near = with_near(exact, &[out.join("near")], unused.path().join("near"));
    let (rows, _) = rows(near, &options(2, 7));
    values(&rows, "id").into_iter().map(str::to_owned).collect()
}

/// All files but those of indexes.
fn without_indexes(mut files: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, Vec<u8>> {
    files.retain(|name, _| !name.starts_with("exact") && !name.starts_with("near"));
    files
}

#[test]
fn groups_of_files_change_no_byte_and_what_an_index_says_is_the_same() {
    let corpus = corpus();
    for plan in Plan::ALL {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let expected = pipeline(plan, &corpus, whole.path())
            .run(&options(2, 7))
            .unwrap();
        let report = pipeline(plan, &corpus, parts.path())
            .run(&resume(3))
            .unwrap();
        assert_eq!(told(&report), told(&expected), "{plan:?}");
        assert!(
            report.rows() > 20 && report.rows() < 135,
            "{plan:?} {}",
            report.rows()
        );
        let (whole, parts) = (whole.path(), parts.path());
        assert_eq!(
            without_indexes(written(whole)),
            without_indexes(written(parts)),
            "{plan:?}"
        );
        if plan.writes_index() {
            let found = next(&corpus, whole);
            assert!(!found.is_empty() && found.len() < 15, "{found:?}");
            assert_eq!(found, next(&corpus, parts), "{plan:?}");
        }
    }
}

#[test]
fn a_run_that_fails_at_any_stage_goes_on_to_the_same_bytes() {
    let corpus = corpus();
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        let expected_report = pipeline(plan, &corpus, whole.path())
            .run(&resume(2))
            .unwrap();
        let expected = written(whole.path());
        for (at, every) in [2, 9, 23].into_iter().enumerate() {
            let out = tempfile::tempdir().unwrap();
            let (calls, left) = (AtomicUsize::new(0), AtomicUsize::new(4));
            let hook = move || {
                (calls.fetch_add(1, SeqCst) + 1).is_multiple_of(every)
                    && left
                        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                        .is_ok()
            };
            let hook: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(hook);
            let steps = plan.steps(corpus.path(), out.path(), &hook);
            let pipeline = into(steps, out.path(), Format::Jsonl);
            let mut runs = 0;
            let report = loop {
                runs += 1;
                match pipeline.run(&resume(1 + (at + runs) % 3)) {
                    Ok(report) => break report,
                    Err(error) => assert!(error.to_string().contains("killed"), "{error}"),
                }
                // Nothing is there before all of it is.
                assert!(
                    written(out.path())
                        .keys()
                        .all(|name| name.starts_with(".shards.work"))
                );
            };
            assert!(runs <= 5, "{plan:?} {every} {runs}");
            assert_eq!(written(out.path()), expected, "{plan:?} {every}");
            assert_eq!(told(&report), told(&expected_report), "{plan:?} {every}");
        }
    }
}

#[test]
fn what_a_killed_run_has_left_of_a_group_is_written_anew() {
    let corpus = corpus();
    for plan in [Plan::Lines, Plan::Substrings, Plan::Copies] {
        let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        pipeline(plan, &corpus, whole.path())
            .run(&resume(2))
            .unwrap();
        let work = out.path().join("work");
        let options = RunOptions {
            work: Some(work.clone()),
            ..resume(1)
        };
        // A note is the last that is written of a group: without it all else may be there, or half of it.
        let notes = work.join("notes-0");
        let (calls, last) = (AtomicUsize::new(0), notes.clone());
        let hook = move || calls.fetch_add(1, SeqCst) == 0 || last.join("3.json").exists();
        let hook: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(hook);
        let steps = plan.steps(corpus.path(), out.path(), &hook);
        let failing = into(steps, out.path(), Format::Jsonl);
        failing.run(&options).unwrap_err();
        failing.run(&options).unwrap_err();
        std::fs::remove_file(notes.join("2.json")).unwrap();
        let stage = work.join("stage-0");
        for (name, bytes) in written(&stage) {
            if name.to_string_lossy().contains("part-00002-")
                && !name.ends_with("part-00002-00000.rows")
            {
                std::fs::write(stage.join(name), &bytes[..bytes.len() / 2]).unwrap();
            }
        }
        pipeline(plan, &corpus, out.path()).run(&options).unwrap();
        let mut found = written(out.path());
        found.retain(|name, _| !name.starts_with("work"));
        assert_eq!(found, written(whole.path()), "{plan:?}");
    }
}

#[test]
fn nodes_write_the_bytes_and_the_indexes_of_one_process() {
    let corpus = corpus();
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        let expected_report = pipeline(plan, &corpus, whole.path())
            .run(&resume(2))
            .unwrap();
        let expected = written(whole.path());
        for count in [1, 2, 5] {
            let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let pipeline = pipeline(plan, &corpus, out.path());
            for report in nodes(count, &pipeline, work.path()) {
                assert_eq!(told(&report), told(&expected_report), "{plan:?} {count}");
            }
            assert_eq!(written(out.path()), expected, "{plan:?} {count}");
            let report = pipeline.run(&node(count - 1, count, work.path())).unwrap();
            assert_eq!(told(&report), told(&expected_report));
        }
    }
}

#[test]
fn a_first_node_that_starts_again_writes_its_indexes_anew() {
    let corpus = corpus();
    for plan in [Plan::Copies, Plan::All] {
        let whole = tempfile::tempdir().unwrap();
        pipeline(plan, &corpus, whole.path())
            .run(&resume(2))
            .unwrap();
        let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let pipeline = pipeline(plan, &corpus, out.path());
        // Each decides, or waits for who decides, and goes on a stage further.
        let waits = |index| RunOptions {
            node_timeout: Some(Duration::from_millis(1)),
            ..node(index, 2, work.path())
        };
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(turns < 30);
            for index in [1, 0] {
                match pipeline.run(&waits(index)) {
                    Ok(_) => {}
                    Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
                }
            }
            if out.path().join("shards").exists() {
                break;
            }
            assert!(!out.path().join("exact").exists());
        }
        assert!(turns > 1);
        pipeline.run(&waits(1)).unwrap();
        assert_eq!(written(out.path()), written(whole.path()), "{plan:?}");
    }
}

#[test]
fn what_a_killed_run_has_left_that_nobody_was_to_resume_is_begun_anew() {
    let corpus = corpus();
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        pipeline(plan, &corpus, whole.path())
            .run(&resume(2))
            .unwrap();
        let out = tempfile::tempdir().unwrap();
        let work = out.path().join("work");
        // What lies there at each batch, as a kill would leave it.
        let left = Arc::new(Mutex::new(Vec::new()));
        let (seen, place) = (left.clone(), work.clone());
        let hook = move || {
            seen.lock().unwrap().push(written(&place));
            false
        };
        let hook: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(hook);
        let steps = plan.steps(corpus.path(), out.path(), &hook);
        let alone = RunOptions {
            resume: false,
            work: Some(work.clone()),
            ..resume(1)
        };
        into(steps, out.path(), Format::Jsonl).run(&alone).unwrap();
        let left = std::mem::take(&mut *left.lock().unwrap());
        for at in [left.len() / 2, left.len() - 1] {
            let out = tempfile::tempdir().unwrap();
            let work = out.path().join("work");
            for (name, bytes) in &left[at] {
                let path = work.join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            let options = RunOptions {
                work: Some(work),
                ..resume(2)
            };
            pipeline(plan, &corpus, out.path()).run(&options).unwrap();
            assert_eq!(written(out.path()), written(whole.path()), "{plan:?} {at}");
        }
    }
}
