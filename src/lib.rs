//! tickcast: a real-time stock ticker push service.
//!
//! A feed produces market events, one hub per worker thread routes them, and WebSocket sessions push them to clients:
//! each client gets only the symbols that it subscribed to, without polling. The modules are the floors of the
//! architecture, listed in the direction of the data; a floor may use those above it in this list, and none below (see
//! `docs/ARCHITECTURE.md`; `tests/tidy.rs` checks it). The two lowest, `domain` and `protocol`, are a crate of their
//! own.

pub use tickcast_core::{domain, protocol};

pub mod metrics;
pub mod rate;
pub mod feed;
pub mod history;
pub mod hub;
pub mod session;
pub mod transport;
pub mod app;
