//! Decodes a client's message: one object with a `type`. Other keys are ignored.

use serde::Deserialize;
use serde_json::Value;

use crate::protocol::Refusal;
use crate::protocol::json::from_object;

/// A client's request. None of them is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Subscribe to the trades of this symbol.
    Subscribe(String),
    /// Unsubscribe from them.
    Unsubscribe(String),
    /// A request that is accepted and has no effect: news and press releases, which the market does not have, and the answer to a
    /// ping, which no client needs to send.
    Nothing,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    symbol: Value,
}

/// Decodes one message of a client.
///
/// # Errors
///
/// Returns [`Refusal::UnknownSymbol`] for a subscription without a symbol, and [`Refusal::InvalidSyntax`] for anything else that is not
/// a request.
pub(super) fn decode(bytes: &[u8]) -> Result<Request, Refusal> {
    let Wire { kind, symbol } = from_object(bytes).ok_or(Refusal::InvalidSyntax)?;
    match (kind.as_str(), symbol) {
        ("subscribe", Value::String(symbol)) => Ok(Request::Subscribe(symbol)),
        ("unsubscribe", Value::String(symbol)) => Ok(Request::Unsubscribe(symbol)),
        ("subscribe" | "unsubscribe", _) => Err(Refusal::UnknownSymbol),
        ("subscribe-news" | "subscribe-pr" | "unsubscribe-news" | "unsubscribe-pr" | "pong", _) => Ok(Request::Nothing),
        _ => Err(Refusal::InvalidSyntax),
    }
}
