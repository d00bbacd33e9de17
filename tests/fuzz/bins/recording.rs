//! The fuzz target `recording`, see `targets/recording.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("recording", data));
