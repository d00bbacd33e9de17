//! The fuzz target `alpaca`, see `targets/alpaca.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("alpaca", data));
