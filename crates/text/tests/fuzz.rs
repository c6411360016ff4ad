//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/fasttext_model.rs"]
mod fasttext_model;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/text_filters.rs"]
mod text_filters;
#[path = "../../../fuzz/targets/text_operators.rs"]
mod text_operators;

#[test]
fn filters_never_panic_and_words_are_the_text() {
    mutate::replay("text_filters", 4000, text_filters::run);
}

#[test]
fn operators_never_panic() {
    mutate::replay("text_operators", 2000, text_operators::run);
}

#[test]
fn any_bytes_are_a_model_or_an_error() {
    mutate::replay("fasttext_model", 20_000, fasttext_model::run);
}
