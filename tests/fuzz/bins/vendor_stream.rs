//! The fuzz target `vendor_stream`, see `targets/vendor_stream.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("vendor_stream", data));
