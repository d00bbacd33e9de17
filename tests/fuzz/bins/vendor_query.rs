//! The fuzz target `vendor_query`, see `targets/vendor_query.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("vendor_query", data));
