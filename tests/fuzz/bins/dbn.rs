//! The fuzz target `dbn`, see `targets/dbn.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("dbn", data));
