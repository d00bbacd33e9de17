//! The native dialect, `tickcast.v1`: JSON text, described in `docs/PROTOCOL.md`.
//!
//! `decode` turns a client's JSON into requests; `encode` turns events and snapshots into JSON, `message` the other messages.
//! A server frame is `[`, messages joined by commas, `]`.

mod decode;
mod encode;
mod message;

pub use decode::{decode, parse_mode, parse_on_lag};
pub use encode::{encode_bar_object, encode_event, encode_snapshot};
pub use message::{encode_goodbye, encode_lag, encode_message};

pub use crate::protocol::{Cursor, Selector, Subscribe};

/// The name of the protocol, in `welcome`.
pub const PROTOCOL: &str = "tickcast.v1";
/// The name for `Sec-WebSocket-Protocol` (RFC 6455 section 1.9).
pub const SUBPROTOCOL: &str = "tickcast.v1.json";
