//! The bar channels: a bar is published when its interval has ended, and aggregates its trades.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::Client;
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::is_event;

const MINUTE_MICROS: i64 = 60_000_000;

/// Returns the bar message for these trades, without `vwap`.
fn bar_of(trades: &[Value]) -> Value {
    let prices = || trades.iter().map(|trade| trade["price"].as_f64().unwrap());
    let volume: u64 = trades.iter().map(|trade| trade["size"].as_u64().unwrap()).sum();
    json!({
        "open": trades[0]["price"],
        "high": prices().fold(f64::MIN, f64::max),
        "low": prices().fold(f64::MAX, f64::min),
        "close": trades[trades.len() - 1]["price"],
        "volume": volume,
        "trades": trades.len(),
    })
}

/// Returns the volume-weighted average price of these trades.
fn vwap_of(trades: &[Value]) -> f64 {
    let number = |value: &Value| value.as_f64().unwrap();
    let notional: f64 = trades.iter().map(|trade| number(&trade["price"]) * number(&trade["size"])).sum();
    notional / trades.iter().map(|trade| number(&trade["size"])).sum::<f64>()
}

#[actix_web::test]
async fn a_bar_aggregates_the_trades_of_its_interval() {
    let server = spawn_app(|settings| {
        settings.feed.events_per_second = 40.0;
        settings.feed.speed = 60.0;
        settings.feed.amendments_per_million_trades = 0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL", "MSFT"], &["trades", "bars.1m"]).await;
    let mut bars_left = 6;
    let messages = client
        .until("six bars of one minute", |message| {
            bars_left -= i32::from(message["type"] == "bar");
            bars_left == 0
        })
        .await;
    let mut trades: BTreeMap<(String, i64), Vec<Value>> = BTreeMap::new();
    let mut complete = 0;
    let mut closed: BTreeMap<String, i64> = BTreeMap::new();
    for message in messages.iter().filter(|message| is_event(message)) {
        let (symbol, ts) = (message["symbol"].as_str().unwrap().to_owned(), message["ts"].as_i64().unwrap());
        if message["type"] == "trade" {
            let minute = ts - ts.rem_euclid(MINUTE_MICROS);
            assert!(closed.get(&symbol).is_none_or(|last| *last < minute), "a trade after its bar: {message}");
            trades.entry((symbol, minute)).or_default().push(message.clone());
            continue;
        }
        assert_eq!((&message["interval"], &message["final"]), (&json!("1m"), &json!(true)), "{message}");
        assert_eq!(ts.rem_euclid(MINUTE_MICROS), 0, "a bar has the time of its beginning");
        let first = closed.insert(symbol.clone(), ts).is_none();
        let seen = trades.remove(&(symbol, ts));
        // The client subscribed in the middle of the first bar.
        if first {
            continue;
        }
        let seen = seen.expect("there is no bar without trades");
        for (name, value) in bar_of(&seen).as_object().unwrap() {
            assert_eq!(&message[name], value, "{name} of {message}");
        }
        assert!((message["vwap"].as_f64().unwrap() - vwap_of(&seen)).abs() < 0.000_051, "{message}");
        complete += 1;
    }
    assert!(complete >= 1, "{messages:#?}");
    assert_eq!(client.view.missing, 0);
}

#[actix_web::test]
async fn every_interval_closes_at_its_end() {
    const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.events_per_second = 1.0);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["NVDA"], &["bars.1s", "bars.1m", "bars.5m", "bars.15m", "bars.1h", "bars.1d"]).await;
    // The clock starts at four minutes past three o'clock: a day ends nine hours later.
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..9 {
        clock.advance_micros(HOUR_MICROS);
        let read = client.until("the bar of an hour", |message| message["interval"] == "1h").await;
        for bar in read.iter().filter(|message| message["type"] == "bar") {
            *counts.entry(bar["interval"].as_str().unwrap().into()).or_default() += 1;
            let [open, high, low, close] = ["open", "high", "low", "close"].map(|name| bar[name].as_f64().unwrap());
            assert!(low <= open.min(close) && high >= open.max(close), "{bar}");
            let vwap = bar["vwap"].as_f64().unwrap();
            assert!((low..=high).contains(&vwap), "{bar}");
        }
    }
    client.until("the bar of the day", |message| message["interval"] == "1d").await;
    assert_eq!(counts["1h"], 9);
    assert!(counts["15m"] > counts["1h"] && counts["5m"] > counts["15m"], "{counts:?}");
    assert!(counts["1m"] > counts["5m"] && counts["1s"] > counts["1m"], "{counts:?}");
    assert_eq!(client.view.missing, 0);
}
