//! The fuzz target `forwarded`, see `targets/forwarded.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("forwarded", data));
