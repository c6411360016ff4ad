//! Any bytes as a shingle set and as the manifest of an index of `nexus-dedup`.

use nexus_dedup::{Index, ShingleSet};

/// Reads `data` as both.
///
/// # Panics
/// When a set is not what it was after having been written and read.
pub fn run(data: &[u8]) {
    if let Ok(set) = ShingleSet::from_bytes(data) {
        let again = ShingleSet::from_bytes(&set.to_bytes()).expect("what is written can be read");
        assert_eq!(set, again);
        assert!(set.is_empty() || set.jaccard(&again) == 1.0);
    }
    let _ = Index::check_manifest(data);
}
