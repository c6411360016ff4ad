//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/tiktoken_ranks.rs"]
mod tiktoken_ranks;
#[path = "../../../fuzz/targets/tokenizer_json.rs"]
mod tokenizer_json;

#[test]
fn tokenizer_files_never_panic() {
    mutate::replay("tokenizer_json", 4000, tokenizer_json::run);
}

#[test]
fn rank_files_never_panic() {
    mutate::replay("tiktoken_ranks", 1000, tiktoken_ranks::run);
}
