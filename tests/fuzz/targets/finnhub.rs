//! Requests of Finnhub's dialect: an accepted one is the same when it is written and read again; a refused one has an answer in JSON.

use serde_json::json;
use tickcast::protocol::finnhub::{Finnhub, Request};
use tickcast::protocol::{Dialect, Refusal, ServerMessage};

use super::parts::{self, frame};

pub(super) fn run(data: &[u8]) {
    let request = match Finnhub::decode(data) {
        Ok(request) => request,
        Err(refusal) => {
            assert!(matches!(refusal, Refusal::InvalidSyntax | Refusal::UnknownSymbol), "{refusal:?}");
            let answer = frame::<Finnhub>(&ServerMessage::Refused(refusal)).expect("the stream has it");
            return assert_eq!(parts::json(&answer)["type"], "error");
        }
    };
    let written = match &request {
        Request::Subscribe(symbol) => json!({"type": "subscribe", "symbol": symbol}),
        Request::Unsubscribe(symbol) => json!({"type": "unsubscribe", "symbol": symbol}),
        Request::Nothing => json!({"type": "pong"}),
    };
    assert_eq!(Finnhub::decode(written.to_string().as_bytes()), Ok(request), "{written}");
}
