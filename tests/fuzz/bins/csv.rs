//! The fuzz target `csv`, see `targets/csv.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("csv", data));
