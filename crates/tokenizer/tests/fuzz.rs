//! The fuzz target of this crate on stable: its corpus and seeded mutations of it.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/tokenizer_json.rs"]
mod tokenizer_json;

#[test]
fn tokenizer_files_never_panic() {
    mutate::replay("tokenizer_json", 4000, tokenizer_json::run);
}
