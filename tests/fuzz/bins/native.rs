//! The fuzz target `native`, see `targets/native.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("native", data));
