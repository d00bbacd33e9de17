//! The fuzz target `revoked_file`, see `targets/revoked_file.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("revoked_file", data));
