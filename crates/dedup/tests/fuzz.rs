//! The fuzz target of this crate on stable: its corpus and seeded mutations of it.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/dedup_files.rs"]
mod dedup_files;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;

#[test]
fn sets_and_manifests_never_panic() {
    mutate::replay("dedup_files", 20_000, dedup_files::run);
}
