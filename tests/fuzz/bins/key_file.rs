//! The fuzz target `key_file`, see `targets/key_file.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("key_file", data));
