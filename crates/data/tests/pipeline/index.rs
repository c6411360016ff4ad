//! A new dump is compared with earlier ones by indexes of them.

use crate::harness::{failing, folder, names, options, read_jsonl, resumed, rows, values};
use nexus_data::{ErrorKind, ExactCopies, Keep, NearCopies, Pipeline, Report};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use tempfile::TempDir;

/// A text of its own for each number.
fn text(number: usize) -> String {
    let words: Vec<_> = (0..60)
        .map(|at| format!("w{}", (number * 7919 + at * 13) % 100_003))
        .collect();
    words.join(" ")
}

fn record(id: &str, text: &str) -> String {
    format!("{}\n", serde_json::json!({"id": id, "text": text}))
}

/// Three dumps: the second and third have copies of documents of those before, and of their own.
fn dumps() -> TempDir {
    let one: String = (0..20)
        .map(|at| record(&format!("a{at}"), &text(at)))
        .collect();
    let near = text(5).replacen(' ', " changed ", 1);
    let two = record("b0", &text(3))
        + &record("b1", &near)
        + &(20..30)
            .map(|at| record(&format!("b{at}"), &text(at)))
            .collect::<String>()
        + &record("b9", &text(21).replace(' ', "  "));
    let three = record("c0", &text(25)) + &record("c1", &text(7)) + &record("c2", &text(40));
    folder(&[
        ("1/a.jsonl", one.as_bytes()),
        ("2/a.jsonl", two.as_bytes()),
        ("3/a.jsonl", three.as_bytes()),
        ("indexes/.keep", b""),
    ])
}

/// Which step is tried.
#[derive(Clone, Copy, Debug)]
enum Copies {
    Near,
    Exact,
}

impl Copies {
    fn step(self) -> &'static str {
        match self {
            Self::Near => "dedup_near",
            Self::Exact => "dedup_exact",
        }
    }

    fn add(self, pipeline: Pipeline, index: &[PathBuf], write: Option<PathBuf>) -> Pipeline {
        match self {
            Self::Near => pipeline.dedup_near(NearCopies {
                index: index.to_vec(),
                write_index: write,
                ..NearCopies::default()
            }),
            Self::Exact => pipeline.dedup_exact_with(ExactCopies {
                index: index.to_vec(),
                write_index: write,
                ..ExactCopies::default()
            }),
        }
    }

    /// Compares dump `number` with those before, and writes its index.
    fn run(self, folder: &Path, number: usize, threads: usize) -> (Vec<String>, Report) {
        let read = Pipeline::read(folder.join(number.to_string()));
        let indexes = folder.join("indexes");
        let write = indexes.join(number.to_string());
        let pipeline = self.add(read, &[indexes], Some(write));
        let pipeline = pipeline.write_audit(folder.join("audit.jsonl"));
        let (rows, report) = rows(pipeline, &options(threads, 4));
        (
            values(&rows, "id").into_iter().map(str::to_owned).collect(),
            report,
        )
    }
}

#[test]
fn a_dump_is_compared_with_all_earlier_ones() {
    for (copies, second) in [(Copies::Near, 10), (Copies::Exact, 11)] {
        let dumps = dumps();
        let path = dumps.path();
        let (ids, report) = copies.run(path, 1, 2);
        assert_eq!((ids.len(), report.duplicates), (20, 0));
        let (ids, report) = copies.run(path, 2, 3);
        assert_eq!(ids.len(), second, "{copies:?}: {ids:?}");
        assert_eq!(report.duplicates, 13 - second as u64);
        let audit = read_jsonl(&path.join("audit.jsonl"));
        let old = &audit[0];
        assert_eq!(
            (&old["id"], &old["duplicate_of"]),
            (&"b0".into(), &"a3".into())
        );
        assert_eq!(old["step"], copies.step());
        assert!(
            old["index"].as_str().unwrap().ends_with("indexes/1"),
            "{old}"
        );
        let own = audit.last().unwrap();
        assert_eq!(
            (&own["id"], &own["duplicate_of"]),
            (&"b9".into(), &"b21".into())
        );
        assert!(own.get("index").is_none());
        // Both indexes have a part 0.
        let (ids, _) = copies.run(path, 3, 1);
        assert_eq!(ids, ["c2"]);
        let audit = read_jsonl(&path.join("audit.jsonl"));
        assert_eq!(
            (&audit[0]["duplicate_of"], &audit[1]["duplicate_of"]),
            (&"b25".into(), &"a7".into())
        );
        assert!(audit[0]["index"].as_str().unwrap().ends_with("indexes/2"));
        // What is run again does not find itself, and writes the same.
        let index = |number: &str| {
            let folder = path.join("indexes").join(number);
            let files = names(&folder).into_iter();
            files
                .map(|name| std::fs::read(folder.join(name)).unwrap())
                .collect::<Vec<_>>()
        };
        let before = index("3");
        assert_eq!(copies.run(path, 3, 3).0, ["c2"]);
        assert_eq!(index("3"), before);
        assert_eq!(
            names(&path.join("indexes")),
            [".keep", "1", "2", "3"].map(PathBuf::from)
        );
    }
}

#[test]
fn an_index_appears_with_the_output_and_a_run_goes_on_to_it() {
    for copies in [Copies::Near, Copies::Exact] {
        let dumps = dumps();
        let path = dumps.path();
        copies.run(path, 1, 1);
        let index = path.join("indexes/2");
        let read = Pipeline::read(path.join("2"));
        let indexed = copies.add(read, &[path.join("indexes")], Some(index.clone()));
        let (pipeline, is_broken) = failing(indexed);
        let pipeline = pipeline.write_jsonl(path.join("out.jsonl"));
        let resume = resumed(2, 3);
        pipeline.run(&resume).unwrap_err();
        assert_eq!(
            names(&path.join("indexes")),
            [".keep", "1"].map(PathBuf::from)
        );
        // Another old dump is another plan.
        let other = path.join("indexes/0");
        copies
            .add(Pipeline::read(path.join("3")), &[], Some(other.clone()))
            .run(&options(1, 3))
            .unwrap();
        let error = pipeline.run(&resume).unwrap_err();
        assert!(error.to_string().contains("another plan"), "{error}");
        std::fs::remove_dir_all(other).unwrap();
        is_broken.store(false, SeqCst);
        pipeline.run(&resume).unwrap();
        let files = |index: &Path| -> Vec<_> {
            names(index)
                .into_iter()
                .map(|name| std::fs::read(index.join(name)).unwrap())
                .collect()
        };
        let resumed = files(&index);
        copies.run(path, 2, 1);
        assert_eq!(files(&index), resumed);
    }
}

#[test]
fn damage_anywhere_in_an_index_is_an_error() {
    for copies in [Copies::Near, Copies::Exact] {
        let dumps = dumps();
        let path = dumps.path();
        copies.run(path, 1, 1);
        let index = path.join("indexes/1");
        for name in names(&index) {
            let file = index.join(&name);
            let bytes = std::fs::read(&file).unwrap();
            let mut changed = bytes.clone();
            let at = bytes.len() - 3;
            changed[at] ^= 0x10;
            for broken in [&changed, &bytes[..bytes.len() / 2].to_vec()] {
                std::fs::write(&file, broken).unwrap();
                let read = Pipeline::read(path.join("2"));
                let pipeline = copies.add(read, std::slice::from_ref(&index), None);
                let result = pipeline
                    .write_audit(path.join("audit.jsonl"))
                    .run(&options(1, 9));
                // What stood behind a set that is not asked for may be anything.
                if let Err(error) = result {
                    assert!(
                        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
                        "{}: {error}",
                        name.display()
                    );
                } else {
                    assert_eq!(name.extension().unwrap(), "sets");
                }
            }
            std::fs::write(&file, bytes).unwrap();
        }
    }
}

#[test]
fn indexes_that_do_not_fit_are_refused_before_a_file_is_read() {
    let dumps = dumps();
    let path = dumps.path();
    let (near, exact) = (path.join("near"), path.join("exact"));
    let read = || Pipeline::read(path.join("1"));
    Copies::Near
        .add(read(), &[], Some(near.clone()))
        .run(&options(1, 9))
        .unwrap();
    Copies::Exact
        .add(read(), &[], Some(exact.clone()))
        .run(&options(1, 9))
        .unwrap();
    let missing = || Pipeline::read("/there/is/no/such/folder");
    let with_near = |settings: NearCopies| missing().dedup_near(settings);
    let with_exact = |settings: ExactCopies| missing().dedup_exact_with(settings);
    for (pipeline, kind, part) in [
        (
            with_near(NearCopies {
                index: vec![near.clone()],
                bands: 15,
                ..NearCopies::default()
            }),
            ErrorKind::Unsupported,
            "bands",
        ),
        (
            with_exact(ExactCopies {
                index: vec![exact.clone()],
                ignore_space: false,
                ..ExactCopies::default()
            }),
            ErrorKind::Unsupported,
            "ignore_space = true, not",
        ),
        (
            with_exact(ExactCopies {
                index: vec![near.clone()],
                ..ExactCopies::default()
            }),
            ErrorKind::Unsupported,
            "is one of `dedup_near`",
        ),
        (
            with_near(NearCopies {
                index: vec![path.join("1")],
                ..NearCopies::default()
            }),
            ErrorKind::NotFound,
            "is no index",
        ),
        (
            with_near(NearCopies {
                index: vec![path.join("none")],
                ..NearCopies::default()
            }),
            ErrorKind::NotFound,
            "none",
        ),
        (
            with_near(NearCopies {
                write_index: Some(path.join("1")),
                ..NearCopies::default()
            }),
            ErrorKind::InvalidInput,
            "holds other files",
        ),
        (
            with_near(NearCopies {
                write_index: Some(path.join("none/x")),
                ..NearCopies::default()
            }),
            ErrorKind::NotFound,
            "cannot write an index",
        ),
        (
            with_exact(ExactCopies {
                write_index: Some(exact),
                keep: Keep::LeastId,
                ..ExactCopies::default()
            }),
            ErrorKind::InvalidInput,
            "the first document stays",
        ),
        (
            with_near(NearCopies {
                index: vec![near],
                keep: Keep::LeastId,
                threshold: None,
                ..NearCopies::default()
            }),
            ErrorKind::InvalidInput,
            "the first document stays",
        ),
    ] {
        let error = pipeline.run(&options(1, 9)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn both_steps_may_have_indexes_of_their_own() {
    let dumps = dumps();
    let path = dumps.path();
    let (near, exact) = (path.join("near"), path.join("exact"));
    let run = |number: &str, index: bool| {
        let read = |at: &Path| {
            if index {
                vec![at.to_owned()]
            } else {
                Vec::new()
            }
        };
        let pipeline = Pipeline::read(path.join(number))
            .dedup_exact_with(ExactCopies {
                index: read(&exact),
                write_index: (!index).then(|| exact.clone()),
                ..ExactCopies::default()
            })
            .dedup_near(NearCopies {
                index: read(&near),
                write_index: (!index).then(|| near.clone()),
                ..NearCopies::default()
            })
            .write_audit(path.join("audit.jsonl"));
        rows(pipeline, &options(2, 5)).1
    };
    run("1", false);
    let report = run("2", true);
    assert_eq!(report.rows(), 10);
    let audit = read_jsonl(&path.join("audit.jsonl"));
    let told: Vec<_> = audit
        .iter()
        .map(|line| {
            (
                line["id"].as_str().unwrap(),
                line["step"].as_str().unwrap(),
                line["duplicate_of"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("b0", "dedup_exact", "a3"),
            ("b1", "dedup_near", "a5"),
            ("b9", "dedup_exact", "b21")
        ]
    );
    assert!(audit[0]["index"].as_str().unwrap().ends_with("exact"));
    assert!(audit[1]["index"].as_str().unwrap().ends_with("near"));
}
