//! The fuzz target `ticket`, see `targets/ticket.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tickcast_fuzz::run("ticket", data));
