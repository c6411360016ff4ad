//! The fuzz targets of this crate on stable: their corpora and seeded mutations of them.

#![expect(unreachable_pub, reason = "fuzz targets are crates of their own")]
#![expect(
    clippy::duplicate_mod,
    reason = "each target brings what it shares with the others"
)]

#[path = "../../../fuzz/targets/image_shard.rs"]
mod images;
#[path = "../../../fuzz/targets/token_shard_litdata.rs"]
mod litdata;
#[path = "../../../fuzz/targets/token_shard_mds.rs"]
mod mds;
#[path = "../../../fuzz/targets/token_shard_megatron.rs"]
mod megatron;
#[path = "../../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/targets/token_shard_npy.rs"]
mod npy;
#[path = "../../../fuzz/targets/token_shard_parquet.rs"]
mod parquet;
#[path = "../../../fuzz/targets/token_shard_safetensors.rs"]
mod safetensors;
#[path = "../../../fuzz/targets/token_shard_tar.rs"]
mod tar;

/// Mutations in the ordinary tests; `NEXUS_FUZZ_COUNT` asks for more.
fn count() -> usize {
    std::env::var("NEXUS_FUZZ_COUNT").map_or(10_000, |count| count.parse().expect("a number"))
}

#[test]
fn files_of_images_never_panic() {
    mutate::replay("image_shard", count(), images::run);
}

#[test]
fn litdata_files_never_panic() {
    mutate::replay("token_shard_litdata", count(), litdata::run);
}

#[test]
fn mds_files_never_panic() {
    mutate::replay("token_shard_mds", count(), mds::run);
}

#[test]
fn megatron_files_never_panic() {
    mutate::replay("token_shard_megatron", count(), megatron::run);
}

#[test]
fn npy_files_never_panic() {
    mutate::replay("token_shard_npy", count(), npy::run);
}

#[test]
fn tables_never_panic() {
    mutate::replay("token_shard_parquet", count(), parquet::run);
}

#[test]
fn safetensors_files_never_panic() {
    mutate::replay("token_shard_safetensors", count(), safetensors::run);
}

#[test]
fn tar_files_never_panic() {
    mutate::replay("token_shard_tar", count(), tar::run);
}
