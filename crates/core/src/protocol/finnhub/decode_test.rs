//! Tests of requests: those of the documentation, and anything else.

use proptest::prelude::*;
use serde_json::json;

use crate::protocol::finnhub::{Finnhub, Request};
use crate::protocol::{Dialect, Refusal};

fn read(message: &serde_json::Value) -> Result<Request, Refusal> {
    Finnhub::decode(message.to_string().as_bytes())
}

#[test]
fn requests_are_read_as_documented() {
    let symbol = || "BINANCE:BTCUSDT".to_owned();
    assert_eq!(read(&json!({"type": "subscribe", "symbol": symbol()})), Ok(Request::Subscribe(symbol())));
    assert_eq!(
        read(&json!({"symbol": symbol(), "type": "unsubscribe", "more": []})),
        Ok(Request::Unsubscribe(symbol()))
    );
    for kind in ["subscribe-news", "subscribe-pr", "unsubscribe-news", "unsubscribe-pr"] {
        assert_eq!(read(&json!({"type": kind, "symbol": "AAPL"})), Ok(Request::Nothing));
    }
    assert_eq!(read(&json!({"type": "pong"})), Ok(Request::Nothing));
}

#[test]
fn a_subscription_needs_a_symbol_and_anything_else_is_no_message() {
    for symbol in [json!(null), json!(1), json!(["AAPL"]), json!({})] {
        for kind in ["subscribe", "unsubscribe"] {
            assert_eq!(read(&json!({"type": kind, "symbol": symbol})), Err(Refusal::UnknownSymbol), "{symbol}");
        }
    }
    assert_eq!(read(&json!({"type": "subscribe"})), Err(Refusal::UnknownSymbol));
    for message in [
        json!(null),
        json!([{"type": "subscribe"}]),
        json!(["subscribe", "AAPL"]),
        json!({}),
        json!({"type": 1}),
        json!({"type": "listen"}),
    ] {
        assert_eq!(read(&message), Err(Refusal::InvalidSyntax), "{message}");
    }
    for text in ["", "{", "{}{}", "AAPL", r#"{"type":"subscribe","type":"subscribe","symbol":"AAPL"}"#] {
        assert_eq!(Finnhub::decode(text.as_bytes()), Err(Refusal::InvalidSyntax), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        kind in "(subscribe|unsubscribe|pong|[a-z-]{0,9})",
        value in ".{0,20}",
    ) {
        let _ = Finnhub::decode(&bytes);
        let known = matches!(kind.as_str(), "subscribe" | "unsubscribe");
        let read = read(&json!({"type": kind, "symbol": value}));
        prop_assert_eq!(matches!(read, Ok(Request::Subscribe(_) | Request::Unsubscribe(_))), known);
    }
}
