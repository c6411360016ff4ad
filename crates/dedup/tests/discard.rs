//! Shards that are added anew.

use nexus_dedup::{Clusterer, ExactDedup, MinHasher, Options, Removal};
use std::path::Path;

const TEXTS: [&str; 3] = [
    "one two three four five six",
    "seven eight nine ten eleven twelve",
    "one two three four five six",
];

/// What goes when shards 7 and 65543 hold these texts; shard 7 is first added with others, in part or whole.
fn removals(folder: &Path, texts: [&str; 3], before: Option<bool>) -> [Vec<Removal>; 2] {
    let exact = ExactDedup::open(&folder.join("exact"), 64 << 20, 1).unwrap();
    let near = Clusterer::open(&folder.join("near"), Options::default()).unwrap();
    let mut hasher = MinHasher::new(Options::default().params).unwrap();
    let mut add = |shard: u32, texts: [&str; 3], is_whole: bool| {
        let mut hashes = exact.shard(shard).unwrap().unwrap();
        let mut signatures = near.shard(shard).unwrap().unwrap();
        for (row, text) in (0..).zip(texts) {
            hashes.add(row, text.as_bytes()).unwrap();
            let (signature, set) = hasher.document(text);
            signatures.add(row, &signature, Some(&set)).unwrap();
        }
        hashes.commit().unwrap();
        if is_whole {
            signatures.commit().unwrap();
        }
    };
    add(65_543, texts, true);
    if let Some(is_whole) = before {
        add(7, [texts[1]; 3], is_whole);
        assert!(exact.shard(7).unwrap().is_none());
        exact.discard(0..=65_535).unwrap();
        near.discard(0..=65_535).unwrap();
    }
    add(7, texts, true);
    let found = [exact.finish().unwrap(), near.finish().unwrap()];
    found.map(|found| found.to_vec().unwrap())
}

#[test]
fn a_shard_that_was_discarded_can_be_added_anew() {
    let folder = |name: &str| tempfile::Builder::new().prefix(name).tempdir().unwrap();
    let expected = removals(folder("plain").path(), TEXTS, None);
    assert_eq!(expected.each_ref().map(Vec::len), [4, 4]);
    for is_whole in [false, true] {
        let found = removals(folder("anew").path(), TEXTS, Some(is_whole));
        assert_eq!(found, expected, "{is_whole}");
    }
}
