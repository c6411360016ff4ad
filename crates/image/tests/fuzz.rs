//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/image.rs"]
mod image;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;

/// Mutations in the ordinary tests; `NEXUS_FUZZ_COUNT` asks for more.
fn count() -> usize {
    std::env::var("NEXUS_FUZZ_COUNT").map_or(10_000, |count| count.parse().expect("a number"))
}

#[test]
fn jpeg_files_never_panic() {
    mutate::replay("image_jpeg", count(), image::jpeg);
}

#[test]
fn png_files_never_panic() {
    mutate::replay("image_png", count(), image::png);
}

#[test]
fn webp_files_never_panic() {
    mutate::replay("image_webp", count(), image::webp);
}
