//! The fuzz target `massive`, see `targets/massive.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("massive", data));
