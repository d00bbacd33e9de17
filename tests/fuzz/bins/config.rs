//! The fuzz target `config`, see `targets/config.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("config", data));
