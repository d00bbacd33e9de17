//! Encodes the other messages: objects with `"ev":"status"`. Those of one request share an array.

use bytes::BufMut;
use serde::Serialize;

use crate::protocol::{Refusal, ServerMessage};

/// Heading of an acknowledgement of new subscriptions.
pub const SUBSCRIBED: &str = "subscribed to";
/// Heading of an acknowledgement of subscriptions that have ended.
pub const UNSUBSCRIBED: &str = "unsubscribed to";

/// The value of `ev` of these messages.
pub(super) const STATUS: &str = "status";
/// The values of `status` that are no refusals.
pub(super) const CONNECTED: &str = "connected";
pub(super) const AUTHENTICATED: &str = "auth_success";
pub(super) const SUCCESS: &str = "success";
/// The status before the server ends the connection.
const DISCONNECT: &str = "force_disconnect";

/// Returns whether the stream has the message. It has no heartbeats and no `lag`: a slow client is refused.
pub(super) const fn has(message: &ServerMessage) -> bool {
    match message {
        ServerMessage::Welcome(_)
        | ServerMessage::Authenticated
        | ServerMessage::Acknowledged(_)
        | ServerMessage::Goodbye { .. } => true,
        ServerMessage::Refused(refusal) => status(*refusal).is_some(),
        _ => false,
    }
}

/// Appends a message that the stream has.
pub(super) fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
    match message {
        ServerMessage::Welcome(_) => write(CONNECTED, "Connected Successfully", out),
        ServerMessage::Authenticated => write(AUTHENTICATED, "authenticated", out),
        ServerMessage::Acknowledged(lists) => {
            let names = lists.iter().flat_map(|list| list.names.iter().map(|name| (list.heading, name)));
            for (place, (heading, name)) in names.enumerate() {
                if place > 0 {
                    out.put_u8(b',');
                }
                write(SUCCESS, &format!("{heading}: {name}"), out);
            }
        }
        ServerMessage::Goodbye { .. } => write(DISCONNECT, "The server is shutting down.", out),
        ServerMessage::Refused(refusal) => {
            if let Some((status, text)) = status(*refusal) {
                write(status, text, out);
            }
        }
        _ => {}
    }
}

fn write(status: &str, message: &str, out: &mut impl BufMut) {
    let wire = Wire { ev: STATUS, status, message };
    // Strings always serialise, and a buffer in memory does not fail.
    let _ = serde_json::to_writer(out.writer(), &wire);
}

#[derive(Serialize)]
struct Wire<'a> {
    ev: &'a str,
    status: &'a str,
    message: &'a str,
}

/// Returns the status and text of a refusal, if the stream has it.
pub(super) const fn status(refusal: Refusal) -> Option<(&'static str, &'static str)> {
    Some(match refusal {
        Refusal::InvalidSyntax => ("error", "invalid message"),
        Refusal::NotAuthenticated => ("auth_required", "authentication required"),
        Refusal::AuthFailed => ("auth_failed", "authentication failed"),
        Refusal::NotEntitled => ("auth_failed", "Your plan doesn't include websocket access."),
        Refusal::AuthTimeout => ("auth_timeout", "authentication timed out"),
        Refusal::SymbolLimit => ("error", "too many tickers"),
        Refusal::ConnectionLimit => ("max_connections", "Maximum number of connections exceeded."),
        Refusal::SlowClient => ("slow_consumer", "The client reads too slowly."),
        Refusal::Internal => (DISCONNECT, "The server is overloaded."),
        Refusal::AlreadyAuthenticated | Refusal::UnsupportedChannel | Refusal::UnknownSymbol => return None,
    })
}
