//! Copies of images that are found when all images are known: by runs that go on, and by nodes.

use crate::cut_runs::{node, nodes, told, written};
use crate::harness::{folder, names, options, read_jsonl, resumed};
use crate::images::{any, image};
use nexus_data::{
    ErrorKind, Format, ImageCopies, ImageHash, ImageRules, ImageTensors, Output, Pipeline, Report,
    RunOptions,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tempfile::TempDir;

/// Images in many files, most of them near copies of others, with texts and a broken one among them.
fn corpus() -> TempDir {
    // The hashes of the first four differ in 3 bits at most.
    let kinds = [
        "grey.png",
        "lossless.webp",
        "lossy.webp",
        "rgba.png",
        "rgb.png",
        "s420.jpg",
        "turned6.jpg",
    ];
    let mut files: Vec<_> = (0..14)
        .map(|at| (format!("{at:02}.png"), image(kinds[at * 5 % kinds.len()])))
        .collect();
    files.push(("05x.png".to_owned(), b"no image".to_vec()));
    files.push(("07x.txt".to_owned(), b"a text".to_vec()));
    files.push(("09x.txt".to_owned(), b"a text".to_vec()));
    let files = files.iter();
    let files: Vec<_> = files
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    folder(&files)
}

/// What a plan does with images.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Copies,
    Tensors,
    /// Two decisions on images, with a step between them.
    Twice,
}

impl Plan {
    const ALL: [Self; 3] = [Self::Copies, Self::Tensors, Self::Twice];

    /// Calls `hook` for each batch before the steps and after them.
    fn pipeline(
        self,
        source: &Path,
        out: &Path,
        hook: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Pipeline {
        let hook = Arc::new(hook);
        let hooked = |pipeline: Pipeline, name: &str| {
            let hook = hook.clone();
            pipeline.map_batches(name, move |batch| {
                if batch.num_rows() > 0 && hook() {
                    Err("killed".into())
                } else {
                    Ok(batch)
                }
            })
        };
        let rules = ImageRules {
            required: false,
            ..any()
        };
        let copies = |distance, hash| ImageCopies { distance, hash };
        let tensors = ImageTensors {
            width: 8,
            height: 8,
            resize: None,
            ..ImageTensors::default()
        };
        let images = hooked(Pipeline::read(source), "before").images(rules);
        let steps = match self {
            Self::Copies => images.dedup_images(copies(2, ImageHash::Phash)),
            Self::Tensors => images
                .dedup_images(ImageCopies::default())
                .image_tensors(tensors),
            Self::Twice => images
                .dedup_images(copies(0, ImageHash::Phash))
                .filter(|row| row.get("id") != Some("03.png"))
                .dedup_images(copies(4, ImageHash::Dhash))
                .image_tensors(tensors),
        };
        let output = Output::new(out.join("shards"))
            .format(Format::Parquet)
            .shard_size_bytes(2048);
        hooked(steps, "after")
            .write(output)
            .write_rejects(out.join("rejects.jsonl"))
            .write_audit(out.join("audit.jsonl"))
    }
}

/// Each batch is a group of its own.
fn resume(threads: usize) -> RunOptions {
    RunOptions {
        group_size_bytes: Some(1),
        ..resumed(threads, 2)
    }
}

/// The files, and apart from them the lines of the audit in no order.
fn without_audit(out: &Path) -> (BTreeMap<PathBuf, Vec<u8>>, Vec<String>) {
    let mut files = written(out);
    files.remove(Path::new("audit.jsonl")).unwrap();
    let lines = read_jsonl(&out.join("audit.jsonl")).into_iter();
    let mut lines: Vec<_> = lines.map(|line| line.to_string()).collect();
    lines.sort();
    (files, lines)
}

fn counts(report: &Report) -> (u64, u64, u64) {
    (report.rows(), report.duplicates, report.rejected.count)
}

#[test]
fn copies_of_images_that_are_found_late_are_those_of_one_pass() {
    let source = corpus();
    for plan in Plan::ALL {
        let run = |options: &RunOptions| {
            let out = tempfile::tempdir().unwrap();
            let pipeline = plan.pipeline(source.path(), out.path(), || false);
            let report = pipeline.run(options).unwrap();
            (without_audit(out.path()), counts(&report))
        };
        let expected = run(&options(2, 2));
        let (rows, duplicates, rejected) = expected.1;
        assert!(rows > 2 && duplicates > 4 && rejected == 1, "{plan:?}");
        for options in [resume(1), resume(3), resumed(2, 7)] {
            assert_eq!(run(&options), expected, "{plan:?}");
        }
    }
}

#[test]
fn a_run_over_images_that_fails_at_any_batch_goes_on_to_the_same_bytes() {
    let source = corpus();
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let count = move || counted.fetch_add(1, SeqCst) == usize::MAX;
        let pipeline = plan.pipeline(source.path(), whole.path(), count);
        let expected_report = pipeline.run(&resume(2)).unwrap();
        let expected = written(whole.path());
        let calls = calls.load(SeqCst);
        assert!(calls > 9, "{plan:?} {calls}");
        for at in [1, calls / 2, calls] {
            let out = tempfile::tempdir().unwrap();
            let calls = AtomicUsize::new(0);
            let fails = move || calls.fetch_add(1, SeqCst) + 1 == at;
            let pipeline = plan.pipeline(source.path(), out.path(), fails);
            let error = pipeline.run(&resume(1 + at % 3)).unwrap_err();
            assert!(error.to_string().contains("killed"), "{error}");
            let report = pipeline.run(&resume(1 + at % 2)).unwrap();
            assert_eq!(written(out.path()), expected, "{plan:?} {at}");
            assert_eq!(told(&report), told(&expected_report), "{plan:?} {at}");
            assert_eq!(names(out.path()).len(), 3);
        }
    }
}

#[test]
fn nodes_find_the_copies_of_images_of_one_process() {
    let source = corpus();
    for plan in Plan::ALL {
        let whole = tempfile::tempdir().unwrap();
        let pipeline = |out: &Path| plan.pipeline(source.path(), out, || false);
        let alone = pipeline(whole.path()).run(&RunOptions {
            resume: true,
            node: None,
            ..node(0, 3, &whole.path().join("work"))
        });
        let alone = told(&alone.unwrap());
        let (out, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for report in nodes(3, &pipeline(out.path()), work.path()) {
            assert_eq!(told(&report), alone, "{plan:?}");
        }
        assert_eq!(written(out.path()), written(whole.path()), "{plan:?}");
    }
}

#[test]
fn a_run_tells_that_images_are_hashed_and_their_copies_found_later() {
    let source = folder(&[("a.png", &image("rgb.png")), ("b.png", &image("rgb.png"))]);
    let pipeline = Pipeline::read(source.path())
        .images(any())
        .dedup_images(ImageCopies::default());
    let lines = pipeline.explain(&resumed(1, 10)).unwrap();
    assert_eq!(lines[1], "stage 1: images, hash_images");
    assert!(lines[2].starts_with("all documents: dedup_images, "));
    let out = tempfile::tempdir().unwrap();
    let pipeline = pipeline.write(out.path().join("out.parquet"));
    let report = pipeline.run(&resumed(1, 10)).unwrap();
    let steps = report.steps.iter();
    let steps: Vec<_> = steps
        .map(|step| (&*step.name, step.rows_in, step.rows_out))
        .collect();
    let expected = [
        ("images", 2, 2),
        ("hash_images", 2, 2),
        ("dedup_images", 2, 1),
    ];
    assert_eq!(steps[1..4], expected);
    let far = ImageCopies {
        distance: 20,
        ..ImageCopies::default()
    };
    let far = Pipeline::read(source.path())
        .images(any())
        .dedup_images(far);
    let error = far.run(&resumed(1, 10)).unwrap_err();
    assert!(error.to_string().contains("DISTANCE_MAX"), "{error}");
}

#[test]
fn hashes_of_images_that_have_changed_are_an_error() {
    let source = folder(&[
        ("a.png", &image("rgb.png")),
        ("b.png", &image("s420.jpg")),
        ("c.png", &image("rgb.png")),
        ("d.png", &image("rgb.png")),
    ]);
    for (change, kind) in [
        (0, ErrorKind::Corrupt),
        (1, ErrorKind::Corrupt),
        (2, ErrorKind::Corrupt),
        (3, ErrorKind::NotFound),
    ] {
        let out = tempfile::tempdir().unwrap();
        let work = out.path().join("work");
        let calls = AtomicUsize::new(0);
        // The first group is put aside when the second is read.
        let second = move || calls.fetch_add(1, SeqCst) == 1;
        let pipeline = Plan::Copies.pipeline(source.path(), out.path(), second);
        let options = RunOptions {
            work: Some(work.clone()),
            ..resume(1)
        };
        assert_eq!(
            pipeline.run(&options).unwrap_err().kind(),
            ErrorKind::Function
        );
        let path = work.join("stage-0/part-00000-00000.images");
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!((bytes.len(), bytes[0]), (2 * 9 + 8, 1));
        match change {
            0 => bytes[5] ^= 1,
            1 => bytes[0] = 0,
            2 => bytes.truncate(12),
            _ => std::fs::remove_file(&path).unwrap(),
        }
        if change < 3 {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = pipeline.run(&options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(".images"), "{error}");
    }
}
