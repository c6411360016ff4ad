#![no_main]

#[path = "../../targets/token_shard_parquet.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
