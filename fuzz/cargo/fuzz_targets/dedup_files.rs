#![no_main]

#[path = "../../targets/dedup_files.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
