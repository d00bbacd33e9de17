//! The stock stream of Massive: subscriptions, their acknowledgements, and the events.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::client::Client;
use crate::json_client::{JsonClient, acknowledged, massive, replay};
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// Returns so many events.
async fn events(client: &mut JsonClient, count: usize) -> Vec<Value> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(client.array().await);
    }
    events
}

fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap()
}

#[actix_web::test]
async fn each_item_of_a_request_is_acknowledged_in_one_array_before_any_event() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 2_000.0);
    let mut client = massive(server.address).await;
    let items = ["T.AAPL", "Q.MSFT", "AM.*", "A.KO", "T.NOBODY", "T.aapl", "LULD.AAPL", "NOI.*", "FMV.AAPL"];
    assert_eq!(client.ask("subscribe", &items.join(",")).await, acknowledged("subscribed to", &items));
    for event in events(&mut client, 50).await {
        let expected = match text(&event, "ev") {
            "T" => "AAPL",
            "Q" => "MSFT",
            "A" => "KO",
            "AM" => continue,
            other => panic!("not subscribed: {other}"),
        };
        assert_eq!(event["sym"], expected, "an unknown ticker is silent");
    }
}

#[actix_web::test]
async fn a_long_acknowledgement_comes_in_messages_that_the_vendors_client_accepts() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.symbols_max = 100_000);
    let mut client = massive(server.address).await;
    let items: Vec<_> = (0..40_000).map(|number| format!("T.N{number}")).collect();
    client.send(&json!({"action": "subscribe", "params": items.join(",")})).await;
    let (mut told, mut messages) = (Vec::new(), 0);
    while told.len() < items.len() {
        let message = client.array().await;
        assert!(serde_json::to_vec(&message).unwrap().len() <= 1_000_000);
        told.extend(message);
        messages += 1;
    }
    assert_eq!(told, acknowledged("subscribed to", &items.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!((3..5).contains(&messages), "{messages}");
    assert_eq!(client.ask("subscribe", "T.KO").await, acknowledged("subscribed to", &["T.KO"]), "the session lives");
}

#[actix_web::test]
async fn an_unknown_topic_is_ignored_without_an_answer() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = massive(server.address).await;
    for nothing in ["XT.BTC-USD", "t.AAPL", "AAPL", "T", "T.", "", ",", "X.AAPL,Y.*"] {
        client.send(&json!({"action": "subscribe", "params": nothing})).await;
    }
    assert_eq!(client.ask("subscribe", "XQ.BTC-USD,Q.AAPL").await, acknowledged("subscribed to", &["Q.AAPL"]));
    client.send(&json!({"action": "unsubscribe", "params": "XT.BTC-USD"})).await;
    assert_eq!(client.ask("unsubscribe", "Q.AAPL,T.KO").await, acknowledged("unsubscribed to", &["Q.AAPL", "T.KO"]));
}

#[actix_web::test]
async fn an_unsubscribed_topic_is_silent_and_others_go_on() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 2_000.0);
    let mut client = massive(server.address).await;
    client.ask("subscribe", "T.*,Q.*,T.AAPL").await;
    while !events(&mut client, 1).await.iter().any(|event| event["ev"] == "T") {}
    client.send(&json!({"action": "unsubscribe", "params": "T.*,Q.*"})).await;
    while !client.array().await.iter().any(|message| message["ev"] == "status") {}
    let mut seen = 0;
    while seen < 5 {
        for event in events(&mut client, 1).await {
            assert_eq!((text(&event, "ev"), text(&event, "sym")), ("T", "AAPL"));
            seen += 1;
        }
    }
}

#[actix_web::test]
async fn events_have_the_fields_and_types_of_the_vendor() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 2_000.0);
    let mut client = massive(server.address).await;
    client.ask("subscribe", "T.*,Q.*,A.*").await;
    let mut last = BTreeMap::<String, u64>::new();
    let mut seen = BTreeSet::new();
    for event in events(&mut client, 3_000).await {
        let kind = text(&event, "ev");
        seen.insert(kind.to_owned());
        let are_integers = |keys: &[&str]| assert!(keys.iter().all(|key| event[*key].is_u64()), "{keys:?}: {event}");
        if kind == "A" {
            are_integers(&["v", "av", "z", "s", "e"]);
            let (volume, day) = (event["v"].as_u64().unwrap(), event["av"].as_u64().unwrap());
            assert!(0 < volume && volume <= day, "{event}");
            assert_eq!(event["e"].as_u64().unwrap() - event["s"].as_u64().unwrap(), 1_000);
            assert_eq!(event["s"].as_u64().unwrap() % 1_000, 0);
            let price = |key: &str| event[key].as_f64().unwrap();
            assert!(price("l") <= price("vw") && price("vw") <= price("h"), "{event}");
            assert!(price("op") > 0.0 && price("a") > 0.0);
            continue;
        }
        are_integers(&["q", "t", "z"]);
        assert!((1..=3).contains(&event["z"].as_u64().unwrap()), "a tape");
        let q = event["q"].as_u64().unwrap();
        let before = last.insert(text(&event, "sym").to_owned(), q);
        assert!(before.is_none_or(|before| before < q), "increasing for each symbol: {event}");
        assert!(event["t"].as_u64().unwrap() > 1_700_000_000_000, "milliseconds");
        if kind == "T" {
            are_integers(&["x", "s"]);
            assert!(text(&event, "i").parse::<u64>().is_ok(), "a text: {event}");
            assert!(event["c"].as_array().unwrap().iter().all(Value::is_u64));
        } else {
            are_integers(&["bx", "bs", "ax", "as", "c"]);
            assert!(event["bp"].as_f64() < event["ap"].as_f64());
            assert!(event["i"].is_array());
        }
    }
    assert_eq!(seen, ["A", "Q", "T"].map(str::to_owned).into());
}

#[actix_web::test]
async fn an_event_of_overlapping_subscriptions_comes_once() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 1_000.0);
    let mut client = massive(server.address).await;
    client.ask("subscribe", "T.*,T.AAPL,T.MSFT").await;
    client.send(&json!({"action": "subscribe", "params": "T.*,T.AAPL"})).await;
    while !client.array().await.iter().any(|message| message["ev"] == "status") {}
    let mut seen = BTreeSet::new();
    for event in events(&mut client, 1_000).await {
        assert!(seen.insert(event["q"].as_u64().unwrap()), "twice: {event}");
    }
}

#[actix_web::test]
async fn a_bar_is_that_of_the_trades_of_its_second_and_a_second_without_a_trade_has_none() {
    let server = spawn_app(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.events_per_second = 30.0;
        settings.feed.speed = 10.0;
    });
    let mut client = massive(server.address).await;
    client.ask("subscribe", "T.*,A.*").await;
    let mut trades = BTreeMap::<(String, u64), Vec<Value>>::new();
    let (mut first, mut compared) = (None, 0);
    while compared < 100 {
        for event in client.array().await {
            let symbol = text(&event, "sym").to_owned();
            if event["ev"] == "T" {
                let second = event["t"].as_u64().unwrap() / 1_000;
                first.get_or_insert(second);
                trades.entry((symbol, second)).or_default().push(event);
                continue;
            }
            let second = event["s"].as_u64().unwrap() / 1_000;
            let seen = trades.remove(&(symbol, second));
            // The client subscribed in the middle of a second.
            if first.is_none_or(|first| second <= first) {
                continue;
            }
            let seen = seen.expect("no bar without a trade");
            let volume: u64 = seen.iter().map(|trade| trade["s"].as_u64().unwrap()).sum();
            assert_eq!(event["v"], volume, "{event}");
            assert_eq!(event["z"], volume / seen.len() as u64, "the average size: {event}");
            assert_eq!((&event["o"], &event["c"]), (&seen[0]["p"], &seen[seen.len() - 1]["p"]), "{event}");
            compared += 1;
        }
    }
}

#[actix_web::test]
async fn a_bar_of_a_minute_is_that_of_the_native_protocol() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 40.0;
        settings.feed.speed = 60.0;
        // The hub of another worker may be behind, and have a bar for one client that was before the subscription of the other.
        settings.server.workers = 1;
    });
    let mut client = massive(server.address).await;
    let mut native = Client::connect(server.address).await;
    client.ask("subscribe", "AM.*").await;
    native.subscribe(&["*"], &["bars.1m"]).await;
    let is_bar = |message: &Value| message["type"] == "bar";
    let expected = native.until("a bar", is_bar).await.pop().unwrap();
    let bar = loop {
        let is_same = |bar: &&Value| {
            let (begin, wanted) = (bar["s"].as_u64().unwrap(), expected["ts"].as_u64().unwrap() / 1_000);
            assert!(bar["sym"] != expected["symbol"] || begin <= wanted, "a bar is missing: {bar} {expected}");
            bar["sym"] == expected["symbol"] && begin == wanted
        };
        if let Some(bar) = client.array().await.iter().find(is_same) {
            break bar.clone();
        }
    };
    assert_eq!(bar["ev"], "AM");
    assert_eq!(bar["e"].as_u64().unwrap() - bar["s"].as_u64().unwrap(), 60_000);
    for (short, long) in [("o", "open"), ("h", "high"), ("l", "low"), ("c", "close"), ("vw", "vwap"), ("v", "volume")] {
        assert_eq!(bar[short].as_f64(), expected[long].as_f64(), "{short}: {bar} {expected}");
    }
}

#[actix_web::test]
async fn a_whole_session_is_that_of_the_transcript() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = JsonClient::open(server.address, "/stocks").await;
    replay(&mut client, include_str!("../fixtures/massive/session.txt")).await;
}
