//! Runs that go on where another one failed, and their work folders.

use crate::harness::{failing, folder, names, options, resumed};
use crate::stages::{corpus, near};
use nexus_data::{
    BadWords, ErrorKind, EvaluationSets, ExactCopies, Keep, Pipeline, RepeatedSubstrings,
    RunOptions,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[test]
fn a_run_goes_on_where_another_one_failed() {
    let corpus = corpus();
    let output = corpus.path().join("out.jsonl");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let pipeline = Pipeline::read(corpus.path().join("in"))
        .map_batches("before", move |batch| {
            counted.fetch_add(usize::from(batch.num_rows() > 0), SeqCst);
            Ok(batch)
        })
        .dedup_near(near(Keep::First, Some(0.8)));
    let (pipeline, is_broken) = failing(pipeline);
    let (pipeline, resume) = (pipeline.write_jsonl(&output), resumed(2, 10));
    let error = pipeline.run(&resume).unwrap_err();
    assert!(error.to_string().contains("`after` failed"), "{error}");
    assert!(corpus.path().join(".out.jsonl.work").exists());
    assert!(!output.exists());
    let first = calls.load(SeqCst);
    assert!(first > 0);
    is_broken.store(false, SeqCst);
    let report = pipeline.run(&resume).unwrap();
    assert_eq!(calls.load(SeqCst), first, "the first stage was run again");
    assert_eq!((report.rows(), report.duplicates), (60, 27));
    assert_eq!(report.steps[0].rows_in, 87);
    assert_eq!(
        names(corpus.path()),
        ["in".as_ref(), "out.jsonl".as_ref()] as [&std::path::Path; 2]
    );
    let resumed = std::fs::read(&output).unwrap();
    pipeline.run(&options(1, 10)).unwrap();
    assert_eq!(resumed, std::fs::read(&output).unwrap());
}

#[test]
fn another_plan_or_other_files_are_not_resumed() {
    let corpus = corpus();
    let output = corpus.path().join("out.jsonl");
    let failing = |threshold| {
        Pipeline::read(corpus.path().join("in"))
            .dedup_near(near(Keep::First, Some(threshold)))
            .map_batches("after", |_| Err("no".into()))
            .write_jsonl(&output)
    };
    let resume = resumed(1, 10);
    failing(0.8).run(&resume).unwrap_err();
    let error = failing(0.7).run(&resume).unwrap_err();
    assert!(error.to_string().contains("another plan"), "{error}");
    assert_eq!(
        error.hint(),
        Some("run without resume, or in another work folder")
    );
    std::fs::write(corpus.path().join("in/3.jsonl"), "{\"text\":\"new\"}\n").unwrap();
    let error = failing(0.8).run(&resume).unwrap_err();
    assert!(error.to_string().contains("files have changed"), "{error}");
    std::fs::remove_file(corpus.path().join("in/3.jsonl")).unwrap();
    // The limit of memory may be another one.
    let limited = RunOptions {
        memory_size_bytes: Some(64 << 20),
        ..resume.clone()
    };
    let error = failing(0.8).run(&limited).unwrap_err();
    assert!(error.to_string().contains("`after` failed"), "{error}");
    // Without resume it begins anew, and leaves nothing.
    let error = failing(0.7).run(&options(1, 10)).unwrap_err();
    assert!(error.to_string().contains("`after` failed"), "{error}");
    assert!(!corpus.path().join(".out.jsonl.work").exists());
}

#[test]
fn files_that_steps_name_and_have_changed_are_not_resumed() {
    let letters: Vec<_> = ('a'..='z')
        .map(|letter| format!("{letter}\n##{letter}\n"))
        .collect();
    let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n".to_owned() + &letters.concat();
    let folder = folder(&[
        ("in/a.jsonl", b"{\"text\":\"a fine text\"}\n"),
        ("words", b"foul\n"),
        ("vocab.txt", vocab.as_bytes()),
        ("eval/quiz.txt", b"no text has all of these words"),
    ]);
    let path = |name: &str| folder.path().join(name);
    let read = || Pipeline::read(path("in"));
    let words = BadWords {
        path: path("words"),
        is_substring: false,
    };
    let mut sets = EvaluationSets::new([path("eval")]);
    sets.config.n_grams = 5;
    let substrings = RepeatedSubstrings {
        tokenizer: Some(path("vocab.txt")),
        ..RepeatedSubstrings::default()
    };
    for (pipeline, file) in [
        (read().quality(words), "words"),
        (read().quality(sets), "eval/quiz.txt"),
        (read().tokenize_file(path("vocab.txt")), "vocab.txt"),
        (read().dedup_substrings(substrings), "vocab.txt"),
    ] {
        let pipeline = pipeline
            .map_batches("after", |_| Err("no".into()))
            .write_jsonl(path("out.jsonl"));
        let resume = RunOptions {
            work: Some(path("work")),
            ..resumed(1, 10)
        };
        let run = || pipeline.run(&resume).unwrap_err().to_string();
        assert!(run().contains("`after` failed"), "{file}");
        assert!(run().contains("`after` failed"), "{file}");
        let bytes = std::fs::read(path(file)).unwrap();
        std::fs::write(path(file), [bytes.as_slice(), b"z\n"].concat()).unwrap();
        let error = run();
        assert!(error.contains("files have changed"), "{file}: {error}");
        std::fs::write(path(file), bytes).unwrap();
        assert!(run().contains("`after` failed"), "{file}");
        std::fs::remove_dir_all(path("work")).unwrap();
    }
}

#[test]
fn the_same_files_below_another_folder_are_not_resumed() {
    // Ids are places below the source.
    let folder = folder(&[("in/x/a.txt", b"a text")]);
    let resume = RunOptions {
        work: Some(folder.path().join("work")),
        ..resumed(1, 10)
    };
    let run = |source: &str| {
        let pipeline = Pipeline::read(folder.path().join(source));
        let pipeline = pipeline.map_batches("after", |_| Err("no".into()));
        pipeline.run(&resume).unwrap_err().to_string()
    };
    assert!(run("in").contains("`after` failed"));
    assert!(run("in/x").contains("another plan"));
}

#[test]
fn a_run_of_several_decisions_goes_on_with_all_of_them() {
    let corpus = corpus();
    let output = corpus.path().join("out.jsonl");
    let exact = ExactCopies {
        keep: Keep::LeastId,
        ..ExactCopies::default()
    };
    let pipeline = Pipeline::read(corpus.path().join("in"))
        .dedup_exact_with(exact)
        .min_chars(1)
        .dedup_near(near(Keep::First, Some(0.8)));
    let (pipeline, is_broken) = failing(pipeline);
    let (pipeline, resume) = (pipeline.write_jsonl(&output), resumed(17, 10));
    pipeline.run(&resume).unwrap_err();
    is_broken.store(false, SeqCst);
    let report = pipeline.run(&resume).unwrap();
    assert_eq!((report.rows(), report.duplicates), (60, 27));
}

#[test]
fn what_was_put_aside_and_has_changed_is_an_error() {
    let corpus = corpus();
    let output = corpus.path().join("out.jsonl");
    let near = Pipeline::read(corpus.path().join("in")).dedup_near(near(Keep::First, Some(0.8)));
    let (pipeline, is_broken) = failing(near);
    let (pipeline, resume) = (pipeline.write_jsonl(&output), resumed(1, 10));
    pipeline.run(&resume).unwrap_err();
    is_broken.store(false, SeqCst);
    let part = corpus
        .path()
        .join(".out.jsonl.work/stage-0/part-00000-00000.rows");
    let bytes = std::fs::read(&part).unwrap();
    for at in [0, 9, 17, 30, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        std::fs::write(&part, changed).unwrap();
        let error = pipeline.run(&resume).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at}: {error}");
    }
    std::fs::write(&part, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(
        pipeline.run(&resume).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    std::fs::write(&part, bytes).unwrap();
    assert_eq!(pipeline.run(&resume).unwrap().rows(), 60);
}

#[test]
fn a_work_folder_is_not_shared_and_not_somebody_elses() {
    let corpus = corpus();
    let work = corpus.path().join("work");
    let pipeline =
        || Pipeline::read(corpus.path().join("in")).dedup_near(near(Keep::First, Some(0.8)));
    let with_work = RunOptions {
        work: Some(work.clone()),
        ..options(1, 10)
    };
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("mine"), "mine").unwrap();
    let error = pipeline().run(&with_work).unwrap_err();
    assert!(error.to_string().contains("no work folder"), "{error}");
    assert_eq!(std::fs::read_to_string(work.join("mine")).unwrap(), "mine");
    std::fs::remove_file(work.join("mine")).unwrap();
    let (inner, options) = (pipeline(), with_work.clone());
    pipeline()
        .map_batches("another run", move |batch| {
            let error = inner.run(&options).unwrap_err();
            assert!(error.to_string().contains("another run uses"), "{error}");
            Ok(batch)
        })
        .run(&with_work)
        .unwrap();
    assert!(!work.exists());
}

#[test]
fn runs_without_an_output_may_be_under_way_side_by_side() {
    let corpus = corpus();
    let pipeline =
        Pipeline::read(corpus.path().join("in")).dedup_near(near(Keep::First, Some(0.8)));
    let mut rows = [0, 0];
    let run = |inner: &mut usize| {
        pipeline.for_each(&options(1, 100), |batch| {
            *inner += batch.num_rows();
            Ok(())
        })
    };
    let [outer, inner] = &mut rows;
    pipeline
        .for_each(&options(1, 100), |batch| {
            *outer += batch.num_rows();
            *inner = 0;
            Ok(run(inner).map(drop)?)
        })
        .unwrap();
    assert_eq!(rows, [60, 60]);
}
