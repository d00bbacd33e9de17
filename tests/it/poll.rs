//! A single `/api/v1/poll`: form and time of the answer.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::spawn::{TestServer, spawn_app_at_rest};
use crate::view::is_event;

/// Polls; returns the answer, after checking that its cursor equals its parts.
pub(crate) async fn poll(server: &TestServer, query: &str) -> Value {
    let answer = get(server.address, &format!("/api/v1/poll?{query}")).await.json();
    let cursor = format!("{}:{}", answer["epoch"].as_str().unwrap(), answer["offset"]);
    assert_eq!(answer["cursor"], cursor.as_str());
    answer
}

/// Returns the messages of an answer.
pub(crate) fn messages(answer: &Value) -> &[Value] {
    answer["messages"].as_array().unwrap()
}

#[actix_web::test]
async fn the_first_poll_is_answered_at_once_with_snapshots() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let answer = poll(&server, "symbols=MSFT,AAPL&wait_ms=60000").await;
    let keys: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 5, "{keys:?}");
    assert_eq!(answer["recovered"], false);
    let snapshots = get(server.address, "/api/v1/snapshot?symbols=MSFT,AAPL").await.json();
    assert_eq!((&answer["messages"], &answer["offset"]), (&snapshots["snapshots"], &snapshots["offset"]));
    assert_eq!(messages(&poll(&server, "symbols=*").await).len(), 30);
}

#[actix_web::test]
async fn a_short_poll_without_new_events_is_answered_at_once_and_empty() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let first = poll(&server, "symbols=AAPL&wait_ms=0").await;
    let cursor = first["cursor"].as_str().unwrap();
    let second = poll(&server, &format!("symbols=AAPL&wait_ms=0&after={cursor}")).await;
    let expected = json!({
        "epoch": first["epoch"], "offset": first["offset"], "cursor": cursor, "recovered": true, "messages": [],
    });
    assert_eq!(second, expected);
}

#[actix_web::test]
async fn a_poll_with_new_events_is_answered_at_once_with_those_subscribed_to() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["AAPL"], &["quotes"]).await;
    let cursor = poll(&server, "symbols=AAPL").await["cursor"].as_str().unwrap().to_owned();
    clock.advance_micros(3_000_000);
    let seen = witness.events(5).await;
    let answer = poll(&server, &format!("symbols=AAPL&channels=quotes&wait_ms=60000&after={cursor}")).await;
    assert_eq!(answer["recovered"], true);
    assert!(messages(&answer).iter().all(|message| message["type"] == "quote" && message["symbol"] == "AAPL"));
    let events: Vec<_> = seen.into_iter().filter(is_event).collect();
    assert_eq!(messages(&answer)[..5], events[..5], "the same message objects");
}

#[actix_web::test]
async fn a_poll_without_channels_is_for_trades() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let cursor = poll(&server, "symbols=*").await["cursor"].as_str().unwrap().to_owned();
    clock.advance_micros(1_000_000);
    let answer = poll(&server, &format!("symbols=*&after={cursor}")).await;
    assert!(!messages(&answer).is_empty());
    assert!(messages(&answer).iter().all(|message| message["type"] == "trade"));
}
