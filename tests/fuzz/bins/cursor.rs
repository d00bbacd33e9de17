//! The fuzz target `cursor`, see `targets/cursor.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("cursor", data));
