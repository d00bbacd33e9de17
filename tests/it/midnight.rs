//! Midnight UTC: the day turns for every symbol at once, for clients that are connected and for those that reconnect.

use serde_json::{Value, json};
use tickcast::domain::Timestamp;

use crate::client::{ALL_CHANNELS, Client};
use crate::event_stream::EventSource;
use crate::http::get;
use crate::patience::wait_until;
use crate::poll::{messages, poll};
use crate::spawn::{TestServer, spawn_app_at};
use crate::view::said;

/// Tuesday 2026-03-03, 00:00 UTC.
const MIDNIGHT: Timestamp = Timestamp::from_micros(1_772_496_000_000_000);
const SECOND_MICROS: i64 = 1_000_000;

async fn snapshots(server: &TestServer) -> Vec<Value> {
    get(server.address, "/api/v1/snapshot").await.json()["snapshots"].as_array().unwrap().clone()
}

/// Returns once the market has been published up to the time of the clock: bars have closed, or a day has begun.
async fn published(server: &TestServer, at_least: u64) {
    wait_until("the step", true, || server.metrics.events_published.get() >= at_least).await;
}

fn days<'a>(messages: &'a [Value], symbol: &str) -> Vec<&'a Value> {
    messages.iter().filter(|message| message["type"] == "day" && message["symbol"] == symbol).collect()
}

#[actix_web::test]
async fn every_symbol_turns_at_midnight_whether_it_trades_or_not() {
    let (server, clock) = spawn_app_at(MIDNIGHT.plus_micros(-2 * SECOND_MICROS), |settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.extra_symbols = 1_000;
        settings.feed.events_per_second = 200.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &ALL_CHANNELS).await;
    let symbols: Vec<String> =
        snapshots(&server).await.iter().map(|each| each["symbol"].as_str().unwrap().into()).collect();
    assert_eq!(symbols.len(), 1_030);
    let count = symbols.len() as u64;
    // To the last microsecond of the day, and past it.
    clock.advance_micros(2 * SECOND_MICROS - 1);
    published(&server, 100).await;
    clock.advance_micros(1);
    let mut left = symbols.len();
    let told = client
        .until("the day of every symbol", |message| {
            left -= usize::from(message["type"] == "day");
            left == 0
        })
        .await;
    for symbol in &symbols {
        let [day] = days(&told, symbol)[..] else { panic!("one day of {symbol}") };
        assert_eq!((day["ts"].as_i64(), day["seq"].as_u64()), (Some(MIDNIGHT.micros()), Some(1)));
        let traded = told.iter().rfind(|message| message["type"] == "trade" && message["symbol"] == *symbol);
        if let Some(trade) = traded {
            assert_eq!(day["prev_close"], trade["price"], "{symbol}");
        }
        let bar = told.iter().find(|bar| bar["symbol"] == *symbol && bar["interval"] == "1d").unwrap();
        assert_eq!((&bar["close"], &bar["final"]), (&day["prev_close"], &json!(true)), "{symbol}");
    }
    published(&server, client.view.offset).await;
    for snapshot in snapshots(&server).await {
        let close = &snapshot["prev_close"];
        for name in ["price", "open", "high", "low"] {
            assert_eq!(&snapshot[name], close, "{name} of {snapshot}");
        }
        assert_eq!((&snapshot["volume"], &snapshot["ts"]), (&json!(0), &json!(MIDNIGHT.micros())), "{snapshot}");
        assert_eq!(client.view.snapshot(snapshot["symbol"].as_str().unwrap()), said(&snapshot), "the client's state");
    }
    // Two seconds into the day about every second symbol has traded; a client's state is still exact.
    clock.advance_micros(2 * SECOND_MICROS);
    published(&server, client.view.offset + 200).await;
    let answer = get(server.address, "/api/v1/snapshot").await.json();
    while client.view.offset < answer["offset"].as_u64().unwrap() {
        client.next_message().await;
    }
    let mut untraded = 0;
    for snapshot in answer["snapshots"].as_array().unwrap() {
        untraded += u64::from(snapshot["volume"] == 0);
        assert_eq!(client.view.snapshot(snapshot["symbol"].as_str().unwrap()), said(snapshot));
    }
    assert!((1..count).contains(&untraded), "{untraded} of {count} have not traded yet");
    assert_eq!((client.view.missing, client.view.skipped), (0, 0));
}

#[actix_web::test]
async fn a_client_with_any_channel_of_a_symbol_gets_its_day_once() {
    let (server, clock) = spawn_app_at(MIDNIGHT.plus_micros(-SECOND_MICROS), |_| {});
    let mut clients = Vec::new();
    for request in [
        json!({"symbols": ["AAPL"], "channels": ["quotes"], "mode": "latest", "max_hz": 0.001}),
        json!({"symbols": ["AAPL"], "channels": ["bars.1h"]}),
        json!({"symbols": ["*", "AAPL"], "channels": ALL_CHANNELS}),
        json!({"symbols": ["*"], "mode": "latest"}),
        json!({"symbols": ["MSFT"], "channels": ALL_CHANNELS}),
    ] {
        let mut client = Client::connect(server.address).await;
        let mut subscribe = json!({"action": "subscribe"});
        subscribe.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        client.ask(subscribe).await;
        clients.push(client);
    }
    // The client has unsubscribed from one channel and keeps another, or has unsubscribed from all.
    for channels in [&["trades"][..], &["trades", "quotes"]] {
        let mut client = Client::connect(server.address).await;
        client.subscribe(&["AAPL"], &["trades", "quotes"]).await;
        client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL"], "channels": channels})).await;
        client.subscribe(&["MSFT"], &["trades"]).await;
        clients.push(client);
    }
    clock.advance_micros(3 * SECOND_MICROS);
    published(&server, 1_000).await;
    let mut told = Vec::new();
    for client in &mut clients {
        let mut messages = client.until("a day", |message| message["type"] == "day").await;
        messages.extend(client.sync().await);
        told.push(days(&messages, "AAPL").len());
        let subscribed = client.ask(json!({"action": "list"})).await.pop().unwrap().to_string();
        assert!(!subscribed.contains("\"day\""), "no subscription to days: {subscribed}");
    }
    assert_eq!(told, [1, 1, 1, 1, 0, 1, 0]);
}

#[actix_web::test]
async fn the_day_is_recovered_from_a_cursor_on_every_transport() {
    let (server, clock) = spawn_app_at(MIDNIGHT.plus_micros(-SECOND_MICROS), |_| {});
    let first = poll(&server, "symbols=AAPL&channels=quotes&wait_ms=0").await;
    let cursor = first["cursor"].as_str().unwrap();
    clock.advance_micros(2 * SECOND_MICROS);
    published(&server, 1_000).await;
    // Until both hubs have reached the offset.
    for _ in 0..2 {
        let published = server.metrics.events_published.get();
        while get(server.address, "/api/v1/snapshot?symbols=AAPL").await.json()["offset"].as_u64() < Some(published) {}
    }

    for query in ["symbols=AAPL&channels=quotes", "symbols=*&channels=bars.1d", "symbols=AAPL&mode=latest"] {
        let answer = poll(&server, &format!("{query}&wait_ms=0&after={cursor}")).await;
        assert_eq!(answer["recovered"], true);
        let polled = messages(&answer);
        let [day] = days(polled, "AAPL")[..] else { panic!("{query}: {answer}") };
        assert_eq!(day["ts"], MIDNIGHT.micros());
        let cursor_after = answer["cursor"].as_str().unwrap();
        let again = poll(&server, &format!("{query}&wait_ms=0&after={cursor_after}")).await;
        assert!(days(messages(&again), "AAPL").is_empty(), "once");

        let mut stream = EventSource::reopen(server.address, query, Some(cursor)).await;
        stream.until("the day over server-sent events", |message| message == day).await;
    }
    let (epoch, offset) = cursor.split_once(':').unwrap();
    let mut client = Client::connect(server.address).await;
    let after = json!({"epoch": epoch, "offset": offset.parse::<u64>().unwrap()});
    let request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": ["quotes"], "after": after});
    assert_eq!(client.ask(request).await.pop().unwrap()["recovered"], true);
    let recovered = client.until("the day", |message| message["type"] == "day").await;
    assert!(recovered.iter().all(|message| message["symbol"] == "AAPL" || message["type"] == "subscribed"));
}
