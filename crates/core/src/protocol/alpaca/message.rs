//! Encodes the other messages: each is alone in its frame.

use bytes::BufMut;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::protocol::alpaca::codec::Codec;
use crate::protocol::alpaca::kind;
use crate::protocol::{NameList, Refusal, ServerMessage};

/// Returns whether the stream has the message. It has no heartbeats, no `lag` (a slow client is refused), and no answer for an
/// unknown symbol, which is acknowledged and silent.
pub(super) fn has(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::Welcome(_) | ServerMessage::Authenticated | ServerMessage::Acknowledged(_) => true,
        ServerMessage::Refused(refusal) => code(*refusal).is_some(),
        _ => false,
    }
}

/// Appends a message that the stream has.
pub(super) fn encode_message<C: Codec>(message: &ServerMessage, out: &mut impl BufMut) {
    let out = out.writer();
    match message {
        ServerMessage::Welcome(_) => C::write(&Success { kind: kind::SUCCESS, msg: kind::CONNECTED }, out),
        ServerMessage::Authenticated => C::write(&Success { kind: kind::SUCCESS, msg: kind::AUTHENTICATED }, out),
        ServerMessage::Acknowledged(lists) => C::write(&Subscription(lists), out),
        ServerMessage::Refused(refusal) => {
            if let Some((code, msg)) = code(*refusal) {
                C::write(&Failure { kind: kind::ERROR, code, msg }, out);
            }
        }
        _ => {}
    }
}

/// Returns the code and text of a refusal, if the stream has it.
pub(super) const fn code(refusal: Refusal) -> Option<(u16, &'static str)> {
    Some(match refusal {
        Refusal::InvalidSyntax => (400, "invalid syntax"),
        Refusal::NotAuthenticated => (401, "not authenticated"),
        Refusal::AuthFailed => (402, "auth failed"),
        Refusal::AlreadyAuthenticated => (403, "already authenticated"),
        Refusal::AuthTimeout => (404, "auth timeout"),
        Refusal::SymbolLimit => (405, "symbol limit exceeded"),
        Refusal::ConnectionLimit => (406, "connection limit exceeded"),
        Refusal::SlowClient => (407, "slow client"),
        Refusal::NotEntitled => (409, "insufficient subscription"),
        Refusal::UnsupportedChannel => (410, "invalid subscribe action for this feed"),
        Refusal::Internal => (500, "internal error"),
        Refusal::UnknownSymbol => return None,
    })
}

#[derive(serde::Serialize)]
struct Success<'a> {
    #[serde(rename = "T")]
    kind: &'a str,
    msg: &'a str,
}

#[derive(serde::Serialize)]
struct Failure<'a> {
    #[serde(rename = "T")]
    kind: &'a str,
    code: u16,
    msg: &'a str,
}

/// The symbols of each channel, after the key `T`.
struct Subscription<'a>(&'a [NameList]);

impl Serialize for Subscription<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.0.len()))?;
        map.serialize_entry("T", kind::SUBSCRIPTION)?;
        for NameList { heading, names } in self.0 {
            map.serialize_entry(heading, names)?;
        }
        map.end()
    }
}
