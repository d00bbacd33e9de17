//! The fuzz target `frames`, see `targets/frames.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("frames", data));
