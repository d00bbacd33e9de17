//! Encodes the other messages. There are two: a ping and an error.

use bytes::BufMut;

use crate::protocol::{Refusal, ServerMessage};

/// Returns whether the stream has the message. It has no greeting, no acknowledgement and no message for a hole or an end.
pub(super) const fn has(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::Heartbeat { .. } => true,
        ServerMessage::Refused(refusal) => text(*refusal).is_some(),
        _ => false,
    }
}

/// Appends a message that the stream has.
pub(super) fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
    match message {
        ServerMessage::Heartbeat { .. } => out.put_slice(br#"{"type":"ping"}"#),
        ServerMessage::Refused(refusal) => {
            if let Some(text) = text(*refusal) {
                out.put_slice(br#"{"msg":""#);
                out.put_slice(text.as_bytes());
                out.put_slice(br#"","type":"error"}"#);
            }
        }
        _ => {}
    }
}

/// Returns the text of a refusal, if the stream has it.
const fn text(refusal: Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::InvalidSyntax => Some("Invalid message"),
        Refusal::UnknownSymbol => Some("Invalid symbol"),
        Refusal::SymbolLimit => Some("Subscribing to too many symbols"),
        _ => None,
    }
}
