#![no_main]

#[path = "../../targets/safetensors_index_json.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
