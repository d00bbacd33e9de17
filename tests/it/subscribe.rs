//! Subscribing: the answer, the order of messages, and the events after it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::Client;
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::is_event;

fn kinds(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn the_first_message_is_a_welcome_with_the_limits() {
    let server = spawn_app(|settings| {
        settings.session.symbols_max = 7;
        settings.session.message_bytes_max = 4_096;
        settings.session.heartbeat_ms = 30_000;
    });
    let [one, other] = [Client::connect(server.address).await, Client::connect(server.address).await];
    let keys: BTreeSet<_> = one.welcome.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["type", "protocol", "session", "epoch", "offset", "heartbeat_ms", "limits"];
    let of_time = ["server_ts", "market_ts", "speed"];
    assert_eq!(keys, expected.into_iter().chain(of_time).collect(), "{}", one.welcome);
    assert_eq!(one.welcome["protocol"], "tickcast.v1");
    assert_eq!(one.welcome["heartbeat_ms"], 30_000);
    assert_eq!(one.welcome["limits"], json!({"symbols": 7, "message_bytes": 4_096}));
    assert!(one.welcome["offset"].is_u64());
    assert_eq!(one.welcome["epoch"], other.welcome["epoch"], "one stream for the whole process");
    assert_ne!(one.welcome["session"], other.welcome["session"]);
}

#[actix_web::test]
async fn every_message_begins_with_its_type() {
    let server = spawn_app(|_| {});
    let mut client = crate::raw::RawClient::open(server.address).await;
    client
        .send_frame(crate::raw::TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#)
        .await;
    client.send_frame(crate::raw::TEXT, br#"{"action":"dance"}"#).await;
    for _ in 0..20 {
        let text = String::from_utf8(client.next_of(crate::raw::TEXT).await).unwrap();
        let messages: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&text).unwrap();
        for message in messages {
            assert!(message.get().starts_with(r#"{"type":""#), "{message}");
        }
    }
}

#[actix_web::test]
async fn a_subscribe_is_answered_with_subscribed_then_snapshots_then_events() {
    let server = spawn_app(|_| {});
    for id in [json!(1), json!(-7), json!(u64::MAX), json!("first request"), json!("")] {
        let mut client = Client::connect(server.address).await;
        let request =
            json!({"action": "subscribe", "id": id, "symbols": ["MSFT", "AAPL"], "channels": ["trades", "quotes"]});
        client.send_json(&request).await;
        let messages = client.events(3).await;
        assert_eq!(kinds(&messages[..3]), ["subscribed", "snapshot", "snapshot"]);
        assert!(messages[3..].iter().all(is_event), "{messages:#?}");
        assert_eq!(messages[0]["id"], id, "echoed as it came");
        let mut subscriptions = messages[0]["subscriptions"].as_array().unwrap().clone();
        subscriptions.sort_by_key(|item| item["symbol"].to_string());
        let item = |symbol| json!({"symbol": symbol, "channels": ["trades", "quotes"], "mode": "all"});
        assert_eq!(subscriptions, [item("AAPL"), item("MSFT")]);
        let symbols: BTreeSet<_> = messages[1..3].iter().map(|snapshot| snapshot["symbol"].as_str().unwrap()).collect();
        assert_eq!(symbols, BTreeSet::from(["AAPL", "MSFT"]));
    }
}

#[actix_web::test]
async fn a_request_without_id_is_answered_without_one() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    for request in [json!({"action": "list"}), json!({"action": "ping"}), json!({"action": "dance"})] {
        client.send_json(&request).await;
        let answer = client.next_message().await;
        assert!(answer.get("id").is_none(), "{answer}");
    }
}

#[actix_web::test]
async fn only_events_of_the_subscribed_symbols_and_channels_arrive() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.subscribe(&["MSFT", "NVDA"], &["quotes"]).await;
    let messages = client.events(500).await;
    let got: BTreeSet<_> = messages.iter().filter_map(crate::view::key_of).collect();
    let wanted = [("AAPL", "trades"), ("MSFT", "quotes"), ("NVDA", "quotes")];
    assert_eq!(got, wanted.map(|(symbol, channel)| (symbol.to_owned(), channel.to_owned())).into());
}

#[actix_web::test]
async fn a_subscribe_without_channels_is_for_trades() {
    let server = spawn_app(|_| {});
    let mut client = Client::connect(server.address).await;
    let answer = client.ask(json!({"action": "subscribe", "symbols": ["*"], "mode": "all"})).await.pop().unwrap();
    assert_eq!(answer["subscriptions"], json!([{"symbol": "*", "channels": ["trades"], "mode": "all"}]));
    let events = client.events(100).await;
    assert!(events.iter().filter(|message| is_event(message)).all(|event| event["type"] == "trade"));
}

#[actix_web::test]
async fn the_wildcard_gives_every_event_once_even_if_its_symbol_is_also_named() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.subscribe(&["*", "AAPL", "MSFT", "AAPL"], &["trades", "quotes"]).await;
    // The view refuses a repeated event.
    let messages = client.events(3_000).await;
    let snapshots = messages.iter().filter(|message| message["type"] == "snapshot");
    let mut symbols: Vec<_> = snapshots.map(|snapshot| snapshot["symbol"].as_str().unwrap().to_owned()).collect();
    let count = symbols.len();
    symbols.sort();
    symbols.dedup();
    assert_eq!((symbols.len(), count), (30, 30), "one snapshot of each");
    let traded: BTreeSet<_> = messages.iter().filter_map(crate::view::key_of).map(|(symbol, _)| symbol).collect();
    assert_eq!(traded.len(), 30);
    assert_eq!(client.view.missing, 0);
}

#[actix_web::test]
async fn a_second_subscribe_adds_to_the_first_and_list_returns_all() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.sync().await;
    client.subscribe(&["AAPL"], &["bars.1m", "quotes"]).await;
    client.subscribe(&["*"], &["bars.1d"]).await;
    let list = client.ask(json!({"action": "list"})).await.pop().unwrap();
    let mut subscriptions = list["subscriptions"].as_array().unwrap().clone();
    subscriptions.sort_by_key(|item| item["symbol"].to_string());
    let expected = [
        json!({"symbol": "*", "channels": ["bars.1d"], "mode": "all"}),
        json!({"symbol": "AAPL", "channels": ["trades", "quotes", "bars.1m"], "mode": "all"}),
    ];
    assert_eq!(subscriptions, expected);
}

#[actix_web::test]
async fn a_ping_is_answered_with_its_own_time_and_the_servers() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    clock.advance_micros(1);
    client.send_json(&json!({"action": "ping", "id": 6, "ts": 1_772_463_845_123_456_i64})).await;
    let now = crate::spawn::START.micros() + 1;
    let ts = 1_772_463_845_123_456_i64;
    let expected = json!({"type": "pong", "id": 6, "ts": ts, "server_ts": now, "market_ts": now, "offset": 0});
    assert_eq!(client.next_message().await, expected);
}

#[actix_web::test]
async fn the_subprotocol_is_negotiated_when_it_is_offered() {
    let server = spawn_app(|_| {});
    for (offered, chosen) in [
        (Some("tickcast.v1.json"), Some("tickcast.v1.json")),
        (Some("soap, tickcast.v1.json, wamp"), Some("tickcast.v1.json")),
        (None, None),
    ] {
        let client = Client::connect_offering(server.address, offered).await;
        assert_eq!(client.protocol.as_deref(), chosen, "{offered:?}");
    }
}
