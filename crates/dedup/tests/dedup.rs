//! Deduplication as a whole: verdicts, determinism, indexes, damage, and being killed.

use nexus_dedup::{
    Clusterer, DocumentId, ErrorKind, ExactDedup, ExactIndex, Index, MinHasher, Options, Params,
    Removal, ShingleSet, Signature,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::{Command, Stdio};

/// A seeded corpus: documents of some hundred words from a small vocabulary, every third one a
/// changed copy of one before it.
fn corpus(seed: u64, count: usize) -> Vec<String> {
    let mut state = seed;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut documents: Vec<Vec<String>> = Vec::new();
    for at in 0..count {
        let document = if at % 3 == 2 {
            let mut words = documents[random(at)].clone();
            let changes = random(12);
            for _ in 0..changes {
                let place = random(words.len());
                words[place] = format!("w{}", random(5000));
            }
            words
        } else {
            let len = 60 + random(200);
            (0..len).map(|_| format!("w{}", random(5000))).collect()
        };
        documents.push(document);
    }
    documents.iter().map(|words| words.join(" ")).collect()
}

fn options(threads: usize) -> Options {
    Options {
        memory_size: 64 << 20,
        threads,
        ..Options::default()
    }
}

/// Adds the documents to shards of the given sizes, the last one first.
fn fill(clusterer: &Clusterer, params: Params, first_shard: u32, texts: &[String], size: usize) {
    let mut hasher = MinHasher::new(params).unwrap();
    let chunks: Vec<_> = (first_shard..).zip(texts.chunks(size)).collect();
    for (number, chunk) in chunks.into_iter().rev() {
        let Some(mut shard) = clusterer.shard(number).unwrap() else {
            continue;
        };
        for (row, text) in (0..).zip(chunk) {
            let (signature, set) = hasher.document(text);
            shard.add(row, &signature, Some(&set)).unwrap();
        }
        shard.commit().unwrap();
    }
}

/// The promise of `Clusterer`, by comparing all pairs.
fn twin(texts: &[String], threshold: f64) -> BTreeMap<usize, (usize, f64)> {
    let mut hasher = MinHasher::new(Params::default()).unwrap();
    let documents: Vec<(Signature, ShingleSet)> =
        texts.iter().map(|text| hasher.document(text)).collect();
    let keys: Vec<Vec<u64>> = documents
        .iter()
        .map(|(s, _)| s.band_keys().collect())
        .collect();
    let mut removed = BTreeMap::new();
    for at in 0..texts.len() {
        let original = (0..at)
            .filter(|before| !removed.contains_key(before))
            .find(|&before| {
                let shares = keys[at].iter().any(|key| keys[before].contains(key));
                shares && documents[at].1.jaccard(&documents[before].1) >= threshold
            });
        if let Some(original) = original {
            removed.insert(
                at,
                (original, documents[at].1.jaccard(&documents[original].1)),
            );
        }
    }
    removed
}

#[test]
fn verdicts_are_the_promised_ones_for_any_threads_shards_and_nodes() {
    let texts = corpus(1, 300);
    let expected = twin(&texts, 0.8);
    assert!(expected.len() > 30, "{}", expected.len());
    for (threads, size, nodes) in [(1, 300, 1), (2, 37, 3), (3, 100, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let clusterer = Clusterer::open(folder.path(), options(threads)).unwrap();
        fill(&clusterer, Params::default(), 0, &texts, size);
        for node in (1..nodes).rev() {
            clusterer.group(node, nodes).unwrap();
        }
        let found: BTreeMap<usize, (usize, f64)> = clusterer
            .finish()
            .unwrap()
            .to_vec()
            .unwrap()
            .iter()
            .map(|removal| {
                let at = |id: DocumentId| id.shard as usize * size + id.row as usize;
                (
                    at(removal.document),
                    (at(removal.duplicate_of), removal.jaccard.unwrap()),
                )
            })
            .collect();
        assert_eq!(
            found, expected,
            "{threads} threads, shards of {size}, {nodes} nodes"
        );
    }
}

#[test]
fn without_a_threshold_components_keep_their_first_document() {
    let folder = tempfile::tempdir().unwrap();
    let unverified = Options {
        threshold: None,
        ..options(1)
    };
    let clusterer = Clusterer::open(folder.path(), unverified).unwrap();
    let mut shard = clusterer.shard(5).unwrap().unwrap();
    // A chain: each document shares one band with the next; the last is on its own.
    for row in 0..4u32 {
        let mut values: Vec<u64> = (0..112).map(|at| u64::from(row) * 1000 + at).collect();
        if row < 3 {
            let shared = |link: u64| (0..8).map(move |at| 1_000_000 + link * 8 + at);
            values.splice(0..8, shared(u64::from(row.div_ceil(2))));
            values.splice(8..16, shared(10 + u64::from(row / 2)));
        }
        let signature = Signature::from_values(values, 8).unwrap();
        shard.add(row, &signature, None).unwrap();
    }
    shard.commit().unwrap();
    let found: Vec<_> = clusterer.finish().unwrap().to_vec().unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|removal| {
            (
                removal.document.row,
                removal.duplicate_of.row,
                removal.jaccard,
            )
        })
        .collect();
    assert_eq!(found, [(1, 0, None), (2, 0, None)]);
}

#[test]
fn short_documents_are_like_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let clusterer = Clusterer::open(folder.path(), options(1)).unwrap();
    let texts = ["", "a b", "a b", "a b c d", ""].map(String::from);
    fill(&clusterer, Params::default(), 0, &texts, 10);
    assert_eq!(clusterer.finish().unwrap().count(), 0);
}

#[test]
fn the_smallest_rank_stays() {
    for threshold in [Some(0.8), None] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            threshold,
            ..options(1)
        };
        let clusterer = Clusterer::open(folder.path(), options).unwrap();
        let mut hasher = MinHasher::new(options.params).unwrap();
        let (signature, set) = hasher.document("one two three four five six seven");
        let mut shard = clusterer.shard(0).unwrap().unwrap();
        for (row, rank) in [(0, 3), (1, 1), (7, 1)] {
            shard.add_ranked(row, rank, &signature, Some(&set)).unwrap();
        }
        shard.commit().unwrap();
        let found = clusterer.finish().unwrap().to_vec().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|removal| (removal.document.row, removal.duplicate_of.row))
            .collect();
        assert_eq!(found, [(0, 1), (7, 1)], "{threshold:?}");
    }
}

#[test]
fn a_new_dump_is_deduplicated_against_old_ones() {
    let texts = corpus(2, 300);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let params = Params::default();
    let whole = Clusterer::open(&path("whole"), options(1)).unwrap();
    fill(&whole, params, 0, &texts, 100);
    let whole = whole.finish().unwrap().to_vec().unwrap();

    let mut indexes: Vec<Index> = Vec::new();
    let mut found: Vec<Removal> = Vec::new();
    for dump in 0..3 {
        let mut clusterer = Clusterer::open(&path(&format!("dump{dump}")), options(2)).unwrap();
        for index in &indexes {
            clusterer.mount(index).unwrap();
        }
        let part = &texts[dump * 100..][..100];
        fill(&clusterer, params, dump as u32, part, 100);
        found.extend(clusterer.finish().unwrap().to_vec().unwrap());
        indexes.push(
            clusterer
                .write_index(&path(&format!("index{dump}")))
                .unwrap(),
        );
    }
    assert_eq!(found, whole);

    // The merged index removes the last dump whole, and what it names stayed.
    let merged = Index::merge(&indexes, &path("merged")).unwrap();
    assert_eq!(merged.shards().collect::<Vec<_>>(), [0, 1, 2]);
    let mut clusterer = Clusterer::open(&path("again"), options(1)).unwrap();
    clusterer.mount(&merged).unwrap();
    fill(&clusterer, params, 9, &texts[200..], 100);
    let again = clusterer.finish().unwrap().to_vec().unwrap();
    assert_eq!(again.len(), 100);
    let removed: Vec<_> = whole.iter().map(|removal| removal.document).collect();
    assert!(
        again
            .iter()
            .all(|removal| !removed.contains(&removal.duplicate_of))
    );

    let mut clash = Clusterer::open(&path("dump0"), options(1)).unwrap();
    clash.mount(&merged).unwrap();
    let error = clash.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("shard 0 is also in an index"),
        "{error}"
    );
    let error = Index::merge(&[merged.clone(), merged], &path("twice")).unwrap_err();
    assert!(
        error.to_string().ends_with("shard 0 is in two of them"),
        "{error}"
    );
}

#[test]
fn each_error_says_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let open = |options| Clusterer::open(path, options).map(drop).unwrap_err();
    for (options, kind, text) in [
        (
            Options {
                threads: 0,
                ..options(1)
            },
            ErrorKind::InvalidInput,
            "0 threads",
        ),
        (
            Options {
                memory_size: 1,
                ..options(1)
            },
            ErrorKind::LimitReached,
            "1 bytes",
        ),
        (
            Options {
                threshold: Some(1.5),
                ..options(1)
            },
            ErrorKind::InvalidInput,
            "1.5",
        ),
        (
            Options {
                params: Params {
                    rows: 0,
                    ..Params::default()
                },
                ..options(1)
            },
            ErrorKind::InvalidInput,
            "at least 1",
        ),
        (
            Options {
                params: Params {
                    bands: 2000,
                    ..Params::default()
                },
                ..options(1)
            },
            ErrorKind::LimitReached,
            "bands is 2000",
        ),
    ] {
        let error = open(options);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let clusterer = Clusterer::open(path, options(1)).unwrap();
    let other = Params {
        bands: 20,
        ..Params::default()
    };
    let error = open(Options {
        params: other,
        ..options(1)
    });
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("bands=14") && error.hint().is_some(),
        "{error}"
    );

    let mut shard = clusterer.shard(3).unwrap().unwrap();
    let short = Signature::from_values(vec![1; 8], 8).unwrap();
    let error = shard.add(0, &short, None).unwrap_err();
    assert!(error.to_string().contains("8 values"), "{error}");
    shard.add(4, &Signature::default(), None).unwrap();
    let error = shard.add(4, &Signature::default(), None).unwrap_err();
    assert!(error.to_string().contains("row 4 of shard 3"), "{error}");
    assert_eq!(
        Signature::from_values(vec![1; 9], 8).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        clusterer.group(2, 2).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let missing = Index::open(&path.join("none"), &Params::default()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

/// Every file below a folder and what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten() {
            // A running child removes files while they are listed.
            let Ok(path) = entry.map(|entry| entry.path()) else {
                continue;
            };
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, bytes);
            }
        }
    }
    found
}

#[test]
fn damage_anywhere_in_an_index_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let texts = corpus(3, 40);
    let first = Clusterer::open(&path("first"), options(1)).unwrap();
    fill(&first, Params::default(), 0, &texts, 100);
    first.write_index(&path("index")).unwrap();
    let dedup = |name: &str| -> Result<u64, nexus_dedup::Error> {
        let mut clusterer = Clusterer::open(&path(name), options(1))?;
        clusterer.mount(&Index::open(&path("index"), &Params::default())?)?;
        fill(&clusterer, Params::default(), 1, &texts, 100);
        clusterer.finish().map(|removals| removals.count())
    };
    assert_eq!(dedup("good").unwrap(), 40);
    let mut case = 0;
    for (name, bytes) in files(&path("index")) {
        let file = path("index").join(&name);
        for step in 0..12 {
            let mut broken = bytes.clone();
            let at = (bytes.len() - 1) * step / 11;
            if step % 4 == 3 {
                broken.truncate(at);
            } else {
                broken[at] ^= 1 << (step % 8);
            }
            std::fs::write(&file, &broken).unwrap();
            case += 1;
            let result = dedup(&format!("broken{case}"));
            let error = result.expect_err(&format!("{name}, byte {at} of {}", bytes.len()));
            let known = [ErrorKind::Corrupt, ErrorKind::Unsupported];
            assert!(known.contains(&error.kind()), "{error}");
            assert!(error.to_string().contains("index"), "{error}");
        }
        std::fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(dedup("mended").unwrap(), 40);
}

#[test]
fn exact_duplicates_name_their_first() {
    let folder = tempfile::tempdir().unwrap();
    let exact = ExactDedup::open(folder.path(), 32 << 20, 2).unwrap();
    let mut firsts: HashMap<u64, (u32, u32)> = HashMap::new();
    let mut expected = Vec::new();
    for number in [1u32, 4] {
        let mut shard = exact.shard(number).unwrap().unwrap();
        for row in 0..2000u32 {
            // One hot value, and few others.
            let value = u64::from(row * 7919 % 900).saturating_sub(300);
            shard.add(row * 2, &value.to_le_bytes()).unwrap();
            let first = *firsts.entry(value).or_insert((number, row * 2));
            if first != (number, row * 2) {
                expected.push(((number, row * 2), first));
            }
        }
        assert_eq!(
            shard.add(0, b"").unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        shard.commit().unwrap();
        assert!(exact.shard(number).unwrap().is_none());
    }
    let found: Vec<_> = exact.finish().unwrap().to_vec().unwrap();
    let pair = |id: DocumentId| (id.shard, id.row);
    let found: Vec<_> = found
        .iter()
        .map(|removal| (pair(removal.document), pair(removal.duplicate_of)))
        .collect();
    assert_eq!(found, expected);
}

/// A deduplication of these texts as shard 0, after what the indexes hold.
fn exact(folder: &Path, indexes: &[&ExactIndex], texts: &[&str]) -> ExactDedup {
    let mut exact = ExactDedup::open(folder, 32 << 20, 2).unwrap();
    let mut first = 100;
    for index in indexes {
        first = exact.mount(index, first).unwrap();
    }
    let mut shard = exact.shard(0).unwrap().unwrap();
    for (row, text) in (0..).zip(texts) {
        shard.add(row, text.as_bytes()).unwrap();
    }
    shard.commit().unwrap();
    exact
}

#[test]
fn a_new_dump_is_compared_exactly_with_old_ones_whatever_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let one = exact(&path("1"), &[], &["a", "b", "a"]);
    let one = one.write_index(&path("index1"), "texts").unwrap();
    // Not compared with the first: both hold "b".
    let two = exact(&path("2"), &[], &["c", "b"]);
    let two = two.write_index(&path("index2"), "texts").unwrap();
    let new = exact(&path("3"), &[&one, &two], &["d", "b", "c", "d"]);
    let found: Vec<_> = new
        .finish()
        .unwrap()
        .to_vec()
        .unwrap()
        .iter()
        .map(|removal| {
            (
                removal.document.to_string(),
                removal.duplicate_of.to_string(),
            )
        })
        .collect();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        found,
        [
            pair("0:1", "100:1"),
            pair("0:2", "101:0"),
            pair("0:3", "0:0")
        ]
    );
    // Its own index has what stayed of it alone.
    let three = new.write_index(&path("index3"), "texts").unwrap();
    let again = exact(&path("4"), &[&three], &["a", "d", "c"]);
    assert_eq!(again.finish().unwrap().count(), 1);

    let error = ExactIndex::open(&path("index1"), "other").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("it has texts, not other"),
        "{error}"
    );
    let error = new.write_index(&path("index1"), "texts").unwrap_err();
    assert!(error.to_string().contains("holds one"), "{error}");
    let mut clash = ExactDedup::open(&path("1"), 32 << 20, 1).unwrap();
    clash.mount(&one, 0).unwrap();
    assert_eq!(clash.finish().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(
        clash.mount(&one, u32::MAX).unwrap_err().kind(),
        ErrorKind::LimitReached
    );
    for (name, bytes) in files(&path("index1")) {
        let file = path("index1").join(&name);
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        for broken in [&changed, &bytes[..bytes.len() - 1].to_vec()] {
            std::fs::write(&file, broken).unwrap();
            let error = ExactIndex::open(&path("index1"), "texts").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error}");
        }
        std::fs::write(&file, bytes).unwrap();
    }
}

#[test]
fn indexes_whose_shards_have_the_same_numbers_are_told_apart() {
    let texts = corpus(2, 40);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let params = Params::default();
    let index = |name: &str, texts: &[String]| {
        let clusterer = Clusterer::open(&path(name), options(1)).unwrap();
        fill(&clusterer, params, 0, texts, 100);
        clusterer
            .write_index(&path(&format!("{name}-index")))
            .unwrap()
    };
    let (one, two) = (index("1", &texts[..1]), index("2", &texts[1..2]));
    let mut clusterer = Clusterer::open(&path("3"), options(2)).unwrap();
    let next = clusterer.mount_as(&one, 7).unwrap();
    assert_eq!(clusterer.mount_as(&two, next).unwrap(), 9);
    fill(&clusterer, params, 0, &texts[..2], 100);
    let found = clusterer.finish().unwrap().to_vec().unwrap();
    let originals: Vec<_> = found
        .iter()
        .map(|removal| removal.duplicate_of.shard)
        .collect();
    assert_eq!(found.len(), 2);
    assert!(originals[0] == 7 && (originals[1] == 8 || originals[1] == 7));
    assert_eq!(
        clusterer.mount_as(&one, u32::MAX).unwrap_err().kind(),
        ErrorKind::LimitReached
    );
}

const CHILD_FOLDER: &str = "NEXUS_DEDUP_TEST_FOLDER";

/// What the test below runs as a process of its own and kills.
#[test]
#[ignore = "run by the test that kills it"]
fn child() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    run(Path::new(&folder));
}

fn run(folder: &Path) {
    let texts = corpus(4, 240);
    let exact = ExactDedup::open(&folder.join("exact"), 32 << 20, 2).unwrap();
    for (number, chunk) in (0..).zip(texts.chunks(60)) {
        let Some(mut shard) = exact.shard(number).unwrap() else {
            continue;
        };
        for (row, text) in (0..).zip(chunk) {
            shard.add(row, text.as_bytes()).unwrap();
        }
        shard.commit().unwrap();
    }
    exact.finish().unwrap();
    let clusterer = Clusterer::open(&folder.join("near"), options(2)).unwrap();
    fill(&clusterer, Params::default(), 0, &texts, 60);
    clusterer.finish().unwrap();
}

#[test]
fn a_killed_run_is_run_again_and_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder.path().join("whole"));
    let expected = files(&folder.path().join("whole"));
    let count = expected.len();
    for (at, kill_at) in [1, 2, 5, 9, 14, 17, 19, 30, 90, 200, count - 1]
        .into_iter()
        .enumerate()
    {
        let path = folder.path().join(format!("killed{at}"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored"])
            .env(CHILD_FOLDER, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Killed when it has made so many files, done and undone.
        while child.try_wait().unwrap().is_none() && files(&path).len() < kill_at {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        run(&path);
        let found = files(&path);
        assert!(
            found.keys().eq(expected.keys()),
            "killed at {kill_at}: {:?}",
            found.keys()
        );
        assert!(found == expected, "killed at {kill_at} files");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn equal_texts_are_exact_and_near_duplicates_alike(seed in 0u64..1000) {
        let mut texts = corpus(seed, 12);
        texts.extend(corpus(seed, 12));
        let folder = tempfile::tempdir().unwrap();
        let options = Options { threshold: Some(1.0), ..options(1) };
        let clusterer = Clusterer::open(folder.path(), options).unwrap();
        fill(&clusterer, Params::default(), 0, &texts, 5);
        prop_assert!(clusterer.finish().unwrap().count() >= 12);
    }
}
