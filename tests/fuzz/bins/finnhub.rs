//! The fuzz target `finnhub`, see `targets/finnhub.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("finnhub", data));
