//! The fuzz target `key_set`, see `targets/key_set.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("key_set", data));
