//! Tests of requests: what clients are known to send, and anything else.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::protocol::massive::{Item, Massive, Request, Topic};
use crate::protocol::{Dialect, Refusal};

fn read(message: &Value) -> Result<Request, Refusal> {
    Massive::decode(message.to_string().as_bytes())
}

fn items(params: &str) -> Vec<Item> {
    let Ok(Request::Subscribe(items)) = read(&json!({"action": "subscribe", "params": params})) else {
        panic!("{params}")
    };
    items
}

fn names(params: &str) -> Vec<String> {
    items(params).iter().map(Item::name).collect()
}

#[test]
fn requests_are_read_as_the_client_libraries_send_them() {
    assert_eq!(read(&json!({"action": "auth", "params": "KEY"})), Ok(Request::Auth("KEY".into())));
    let item = |topic, ticker: &str| Item { topic, ticker: ticker.into() };
    let expected = vec![item(Topic::Trades, "AAPL"), item(Topic::Quotes, "BRK.B"), item(Topic::MinuteBars, "*")];
    let request = |action: &str| json!({"params": "T.AAPL, Q.BRK.B ,AM.*", "action": action, "id": 1});
    assert_eq!(read(&request("subscribe")), Ok(Request::Subscribe(expected.clone())));
    assert_eq!(read(&request("unsubscribe")), Ok(Request::Unsubscribe(expected)));
    assert_eq!(names("A.AAPL,LULD.AAPL,NOI.*,FMV.AAPL"), ["A.AAPL", "LULD.AAPL", "NOI.*", "FMV.AAPL"]);
}

#[test]
fn an_item_of_an_unknown_topic_is_left_out_and_a_repeated_one_counts_once() {
    assert_eq!(names("XT.BTC-USD,t.AAPL,T,T.,.AAPL,,AAPL,TT.AAPL"), [""; 0]);
    assert_eq!(names("T.MSFT,T.AAPL,T.MSFT,Q.MSFT"), ["T.MSFT", "T.AAPL", "Q.MSFT"]);
    assert_eq!(names("T.aapl,T.\u{1f980}"), ["T.aapl", "T.\u{1f980}"], "whatever the ticker is");
}

#[test]
fn anything_else_is_invalid_syntax() {
    for message in [
        json!(null),
        json!("auth"),
        json!([{"action": "subscribe", "params": "T.AAPL"}]),
        json!({}),
        json!({"action": "subscribe"}),
        json!({"action": "subscribe", "params": null}),
        json!({"action": "subscribe", "params": ["T.AAPL"]}),
        json!({"action": "listen", "params": "T.AAPL"}),
        json!({"action": 1, "params": "T.AAPL"}),
        json!({"params": "T.AAPL"}),
        json!(["subscribe", "T.AAPL"]),
    ] {
        assert_eq!(read(&message), Err(Refusal::InvalidSyntax), "{message}");
    }
    for text in
        ["", "{", "{}{}", r#"{"action":"auth","params":"K"} x"#, r#"{"action":"auth","action":"auth","params":"K"}"#]
    {
        assert_eq!(Massive::decode(text.as_bytes()), Err(Refusal::InvalidSyntax), "{text}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic_and_any_items_are_named_as_they_came(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        params in ".{0,40}",
        tickers in prop::collection::btree_set("[A-Z.*]{1,6}", 0..5),
    ) {
        let _ = Massive::decode(&bytes);
        let _ = items(&params);
        let sent: Vec<_> = tickers.iter().map(|ticker| format!("AM.{ticker}")).collect();
        prop_assert_eq!(names(&sent.join(",")), sent);
    }
}
