//! The fuzz target of this crate on stable: its corpus and seeded mutations of it.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/text_filters.rs"]
mod text_filters;

#[test]
fn filters_never_panic_and_words_are_the_text() {
    mutate::replay("text_filters", 4000, text_filters::run);
}
