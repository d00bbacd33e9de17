//! The fuzz target `publish`, see `targets/publish.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("publish", data));
