#![no_main]

#[path = "../../targets/fasttext_model.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
