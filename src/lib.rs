//! tickcast: a real-time stock ticker push service.
//!
//! A feed makes market events, one hub per worker thread routes them, and per-session WebSocket actors push them to
//! clients, each getting only the symbols it asked for, without polling. The modules are the floors of the building,
//! listed in the direction in which data flows; a floor names those above it in this list and none below (see
//! `docs/ARCHITECTURE.md`; `tests/tidy.rs` enforces it). The two lowest, `domain` and `protocol`, are a crate of their own.

pub use tickcast_core::{domain, protocol};

pub mod metrics;
pub mod rate;
pub mod feed;
pub mod history;
pub mod hub;
pub mod session;
pub mod transport;
pub mod app;
