//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]

#[path = "../../../fuzz/targets/image_jpeg.rs"]
mod jpeg;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/image_png.rs"]
mod png;
#[path = "../../../fuzz/targets/image_webp.rs"]
mod webp;

/// Mutations in the ordinary tests; `NEXUS_FUZZ_COUNT` asks for more.
fn count() -> usize {
    std::env::var("NEXUS_FUZZ_COUNT").map_or(10_000, |count| count.parse().expect("a number"))
}

#[test]
fn jpeg_files_never_panic() {
    mutate::replay("image_jpeg", count(), jpeg::run);
}

#[test]
fn png_files_never_panic() {
    mutate::replay("image_png", count(), png::run);
}

#[test]
fn webp_files_never_panic() {
    mutate::replay("image_webp", count(), webp::run);
}
