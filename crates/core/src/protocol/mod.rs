//! How each dialect says what happened: values to bytes and back, and the one table of error codes and close reasons.
//!
//! Pure. Which session gets the bytes is `hub`'s business, how they reach a socket `transport`'s.

mod cursor;
mod message;
mod mode;
pub mod native;
mod publication;
mod reason;
mod request;
pub mod websocket;

pub use cursor::Cursor;
pub use message::{Limits, Pong, ServerMessage, Subscribed, SubscriptionItem, Times, Welcome};
pub use mode::{Mode, OnLag, Rate};
pub use publication::{Dialect, Publication};
pub use reason::{CloseReason, ErrorCode, Reconnect};
pub use request::{ClientMessage, DecodeError, Mistake, Request, RequestId, Selector, Subscribe, WILDCARD};
