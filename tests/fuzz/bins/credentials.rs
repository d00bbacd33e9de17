//! The fuzz target `credentials`, see `targets/credentials.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("credentials", data));
