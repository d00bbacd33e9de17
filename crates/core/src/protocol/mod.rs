//! The messages between clients and server, as values; the dialects, which turn values into bytes and back; error codes and close
//! reasons.
//!
//! Pure: `hub` decides which session is sent a message, `transport` writes the bytes to a socket.

pub mod alpaca;
mod cursor;
mod dialect;
mod fields;
pub mod finnhub;
pub mod identity;
mod json;
pub mod massive;
mod message;
mod mode;
pub mod native;
mod publication;
mod reason;
mod refusal;
mod request;
mod rfc3339;
mod vendor;
pub mod websocket;

pub use cursor::Cursor;
pub use dialect::{Dialect, Group};
pub use message::{
    Authenticated, Limits, NameList, Pong, Renewed, ServerMessage, Status, Subscribed, SubscriptionItem, Times, Welcome,
};
pub use mode::{Mode, OnLag, Rate};
pub use publication::Publication;
pub use reason::{CloseReason, ErrorCode, Reconnect};
pub use refusal::Refusal;
pub use request::{
    ClientMessage, DecodeError, Mistake, ReplayOrder, Request, RequestId, Selector, Subscribe, Token, WILDCARD,
};
pub use rfc3339::write_rfc3339;
pub use vendor::{LeftOut, Unreadable, VendorBody, VendorCancel, VendorCorrection, VendorEvent, VendorMessage};
