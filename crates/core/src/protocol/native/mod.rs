//! The native dialect, `tickcast.v1`: JSON text, described in `docs/PROTOCOL.md`.
//!
//! `encode` writes what the server says, `decode` reads what a client says. A server frame is `[`, messages joined by
//! commas, `]`; the joining is done by whoever collects the messages.

mod decode;
mod encode;
mod subscribe;

pub use decode::{ClientMessage, DecodeError, Request, RequestId, decode};
pub use encode::{
    Limits, SubscriptionItem, Times, encode_bar_object, encode_error, encode_event, encode_goodbye, encode_heartbeat,
    encode_lag, encode_pong, encode_snapshot, encode_subscribed, encode_welcome,
};

pub use subscribe::{Cursor, Selector, Subscribe, parse_mode, parse_on_lag};

/// The name of the protocol, in `welcome`.
pub const PROTOCOL: &str = "tickcast.v1";
/// The name for `Sec-WebSocket-Protocol` (RFC 6455 section 1.9).
pub const SUBPROTOCOL: &str = "tickcast.v1.json";
/// The name that stands for every symbol.
pub const WILDCARD: &str = "*";
