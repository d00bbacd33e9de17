//! The fuzz target `query`, see `targets/query.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("query", data));
