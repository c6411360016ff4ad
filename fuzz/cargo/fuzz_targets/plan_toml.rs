#![no_main]

#[path = "../../targets/plan_toml.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
