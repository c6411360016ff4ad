#![no_main]

#[path = "../../targets/files.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::warc(data));
