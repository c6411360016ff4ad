//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/html.rs"]
mod html;
#[path = "../../../fuzz/targets/jsonl.rs"]
mod jsonl;
#[path = "../../../fuzz/targets/markdown.rs"]
mod markdown;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/plan_toml.rs"]
mod plan_toml;

#[test]
fn html_never_panics() {
    mutate::replay("html", 4000, html::run);
}

#[test]
fn markdown_never_panics() {
    mutate::replay("markdown", 4000, markdown::run);
}

#[test]
fn records_never_panic() {
    mutate::replay("jsonl", 4000, jsonl::run);
}

#[test]
fn plans_never_panic() {
    mutate::replay("plan_toml", 4000, plan_toml::run);
}
