//! The fuzz target `head`, see `targets/head.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("head", data));
