//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/files.rs"]
mod files;
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

#[test]
fn crawls_never_panic() {
    mutate::replay("warc", 1500, files::warc);
}

#[test]
fn archives_never_panic() {
    mutate::replay("tar", 1500, files::tar);
}

#[test]
fn arrow_files_never_panic() {
    mutate::replay("arrow_file", 1500, files::arrow);
}

#[test]
fn tables_of_text_never_panic() {
    mutate::replay("csv", 1500, files::csv);
}

#[test]
fn parquet_files_never_panic() {
    mutate::replay("parquet_file", 1500, files::parquet);
}
