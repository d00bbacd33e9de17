//! The fuzz target `token`, see `targets/token.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("token", data));
