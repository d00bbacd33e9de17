//! tickcast: a real-time stock ticker push service.
//!
//! A feed produces market events, one hub per worker thread routes them, and sessions push them to clients over WebSocket
//! or server-sent events, or answer polls: each client gets only the symbols that it subscribed to. The modules are the
//! floors of the architecture, listed in the direction of the data; a floor may name those earlier in this list, and none
//! later (see `docs/ARCHITECTURE.md`; `tests/tidy.rs` checks it). The first two, `domain` and `protocol`, are a crate of
//! their own.

// The fuzz targets name the crate from outside.
#[cfg(test)]
extern crate self as tickcast;
#[cfg(test)]
#[path = "../tests/fuzz/short.rs"]
mod fuzz_short;

pub use tickcast_core::{domain, protocol};

pub mod metrics;
pub mod rate;
pub mod audit;
pub mod access;
pub mod faults;
pub mod feed;
pub mod history;
pub mod record;
pub mod hub;
pub mod session;
pub mod transport;
pub mod app;
