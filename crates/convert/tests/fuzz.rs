//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/gguf.rs"]
mod gguf;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/npz.rs"]
mod npz;
#[path = "../../../fuzz/targets/torch_pickle.rs"]
mod torch_pickle;

/// Mutations in the ordinary tests; `NEXUS_FUZZ_COUNT` asks for more.
fn count() -> usize {
    std::env::var("NEXUS_FUZZ_COUNT").map_or(10_000, |count| count.parse().expect("a number"))
}

#[test]
fn npz_files_never_panic() {
    mutate::replay("npz", count(), npz::run);
}

#[test]
fn pickles_never_panic() {
    mutate::replay("torch_pickle", count(), torch_pickle::run);
}

#[test]
fn gguf_files_never_panic() {
    mutate::replay("gguf", count(), gguf::run);
}
