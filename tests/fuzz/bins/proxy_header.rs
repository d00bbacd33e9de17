//! The fuzz target `proxy_header`, see `targets/proxy_header.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("proxy_header", data));
