//! How each dialect says what happened: values to bytes and back, and the one table of error codes and close reasons.
//!
//! Pure. Which session gets the bytes is `hub`'s business, how they reach a socket `transport`'s.

mod mode;
pub mod native;
mod publication;
mod reason;
pub mod websocket;

pub use mode::{Mode, OnLag, Rate};
pub use publication::{Dialect, Publication};
pub use reason::{CloseReason, ErrorCode, Reconnect};
