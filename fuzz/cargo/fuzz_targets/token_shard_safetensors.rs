#![no_main]

#[path = "../../targets/token_shard_safetensors.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
