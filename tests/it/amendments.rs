//! Corrections and cancellations of trades, and what follows them: bars of a minute that are published again, days of New York,
//! volumes, and the bars of the history.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::get;
use crate::patience::wait_until;
use crate::rest_alpaca::{self, settle};
use crate::spawn::{START, spawn_app_at_rest};

const MINUTE_MICROS: i64 = 60_000_000;
const CHANNELS: [&str; 6] = ["trades", "corrections", "cancels", "bars.1m", "bars.1m.updated", "bars.1d.ny"];

/// The trades of one symbol as they are right after the messages so far, by `seq`; and the starts of the minutes whose first trade was
/// amended: that price may stay in their bars.
#[derive(Default)]
struct Trades(BTreeMap<u64, Value>, BTreeSet<i64>);

fn minute_of(trade: &Value) -> i64 {
    let ts = trade["ts"].as_i64().unwrap();
    ts - ts.rem_euclid(MINUTE_MICROS)
}

impl Trades {
    fn follow(&mut self, message: &Value) {
        match message["type"].as_str().unwrap() {
            "trade" => drop(self.0.insert(message["seq"].as_u64().unwrap(), message.clone())),
            "correction" => {
                let trade = self.amended(message);
                for name in ["price", "size"] {
                    trade[name] = message[name].clone();
                }
            }
            "cancel" => {
                self.amended(message);
                self.0.remove(&message["trade_seq"].as_u64().unwrap());
            }
            _ => {}
        }
    }

    fn amended(&mut self, message: &Value) -> &mut Value {
        let seq = message["trade_seq"].as_u64().unwrap();
        let before = self.0.range(..seq).next_back().map(|(_, trade)| minute_of(trade));
        let trade = self.0.get_mut(&seq).expect("a trade of before, amended once");
        if before != Some(minute_of(trade)) {
            self.1.insert(minute_of(trade));
        }
        for name in ["ts", "price", "size"] {
            assert_eq!(trade[name], message[format!("trade_{name}")], "{message}");
        }
        assert!(message["ts"].as_i64() >= trade["ts"].as_i64());
        trade
    }

    fn volume(&self) -> u64 {
        self.0.values().map(|trade| trade["size"].as_u64().unwrap()).sum()
    }

    /// Open, high, low, close, volume and trades of a minute.
    fn minute(&self, start: i64) -> Value {
        let of = |trade: &&Value| (start..start + MINUTE_MICROS).contains(&trade["ts"].as_i64().unwrap());
        let trades: Vec<_> = self.0.values().filter(of).collect();
        let prices = || trades.iter().map(|trade| trade["price"].as_f64().unwrap());
        json!({
            "open": trades[0]["price"],
            "high": prices().fold(f64::MIN, f64::max),
            "low": prices().fold(f64::MAX, f64::min),
            "close": trades[trades.len() - 1]["price"],
            "volume": trades.iter().map(|trade| trade["size"].as_u64().unwrap()).sum::<u64>(),
            "trades": trades.len(),
        })
    }
}

#[actix_web::test]
async fn bars_days_volumes_and_the_history_follow_corrections_and_cancellations() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.amendments_per_million_trades = 5_000);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &CHANNELS).await;
    let snapshot = client.until("the snapshot", |message| message["type"] == "snapshot").await.pop().unwrap();
    assert_eq!(snapshot["seq"].as_object().unwrap().len(), 12);
    clock.advance_micros(12 * MINUTE_MICROS);
    let mut days_left = 12;
    let messages = client
        .until("twelve minutes", |message| {
            days_left -= i32::from(message["interval"] == "1d.ny");
            days_left == 0
        })
        .await;
    let (mut trades, mut counts, mut published) = (Trades::default(), BTreeMap::<&str, u64>::new(), BTreeMap::new());
    let mut day = None;
    for message in &messages {
        trades.follow(message);
        let kind = message["interval"].as_str().unwrap_or(message["type"].as_str().unwrap());
        *counts.entry(kind).or_default() += 1;
        let ts = message["ts"].as_i64().unwrap();
        match kind {
            "1m" | "1m.updated" => {
                let before = published.insert(ts, message.clone());
                assert_eq!(before.is_some(), kind == "1m.updated", "{message}");
                // The first bar began before the stream.
                if published.len() > 1 {
                    let minute = trades.minute(ts);
                    let may_differ = |name: &str| trades.1.contains(&ts) && ["open", "high", "low"].contains(&name);
                    for (name, value) in minute.as_object().unwrap().iter().filter(|(name, _)| !may_differ(name)) {
                        assert_eq!(&message[name], value, "{name} of {message}");
                    }
                }
            }
            "1d.ny" => {
                let hour = ts.rem_euclid(24 * 60 * MINUTE_MICROS) / (60 * MINUTE_MICROS);
                assert!([4, 5].contains(&hour) && message["final"] == false, "{message}");
                let (volume, traded) = (message["volume"].as_u64().unwrap(), trades.volume());
                if let Some((last, traded_before)) = day.replace((volume, traded)) {
                    assert_eq!(volume + traded_before, last + traded, "{message}");
                }
            }
            _ => {}
        }
    }
    for kind in ["correction", "cancel", "1m.updated"] {
        assert!(counts.contains_key(kind), "{counts:?}");
    }
    assert_eq!((counts["1m"], client.view.missing), (12, 0));
    let bars = get(server.address, "/api/v1/bars?symbol=AAPL&interval=1m&limit=20").await.json();
    for bar in bars["bars"].as_array().unwrap().iter().filter(|bar| bar["final"] == true) {
        let Some(last) = published.get(&bar["ts"].as_i64().unwrap()) else { continue };
        for name in ["open", "high", "low", "close", "volume", "trades", "vwap"] {
            assert_eq!(bar[name], last[name], "{name} of {bar}");
        }
    }
    for message in client.sync().await {
        trades.follow(&message);
    }
    let now = get(server.address, "/api/v1/snapshot?symbols=AAPL").await.json();
    let [before, now] = [&snapshot, &now["snapshots"][0]].map(|snapshot| snapshot["volume"].as_u64().unwrap());
    assert_eq!(now, before + trades.volume());
}

#[actix_web::test]
async fn a_late_trade_changes_the_bar_of_its_minute_which_is_published_again_and_is_not_the_last_price() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.amendments_per_million_trades = 0;
        settings.feed.late_per_million_trades = 20_000;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &CHANNELS).await;
    clock.advance_micros(10 * MINUTE_MICROS);
    let mut minutes = 0;
    let messages = client
        .until("ten minutes", |message| {
            minutes += i32::from(message["interval"] == "1d.ny");
            minutes == 10
        })
        .await;
    let (mut trades, mut late, mut updated, mut published) = (Trades::default(), 0, 0, BTreeMap::new());
    let mut newest = 0;
    for message in &messages {
        trades.follow(message);
        let ts = message["ts"].as_i64().unwrap();
        match message["type"].as_str().unwrap() {
            "trade" => {
                late += i32::from(ts < newest);
                newest = newest.max(ts);
            }
            "bar" if message["interval"] == "1m" => drop(published.insert(ts, message.clone())),
            "bar" if message["interval"] == "1m.updated" => {
                let before = published.insert(ts, message.clone()).expect("a bar of before");
                let more = trades.minute(ts);
                for name in ["volume", "trades"] {
                    assert!(before[name].as_u64() < message[name].as_u64(), "{before} {message}");
                }
                if published.len() > 1 {
                    assert_eq!(
                        (&message["volume"], &message["trades"]),
                        (&more["volume"], &more["trades"]),
                        "{message}"
                    );
                }
                updated += 1;
            }
            _ => {}
        }
    }
    settle(&server).await;
    assert!(late > 5 && updated > 0 && client.view.missing == 0, "{late} late trades, {updated} bars");
    for message in client.sync().await {
        trades.follow(&message);
    }
    // Also of the last minute, whose changed bar has not been published yet. The first minute began before the start.
    let bars = get(server.address, "/api/v1/bars?symbol=AAPL&interval=1m&limit=20").await.json();
    let sums = |bar: &Value| (bar["volume"].as_u64(), bar["trades"].as_u64());
    let whole: Vec<_> = published.keys().skip(1).map(|ts| sums(&trades.minute(*ts))).collect();
    let read: Vec<_> = bars["bars"].as_array().unwrap().iter().filter(|bar| bar["final"] == true).map(sums).collect();
    assert!(whole.len() > 8 && read.ends_with(&whole), "{read:?} {whole:?}");
    let now = get(server.address, "/api/v1/snapshot?symbols=AAPL").await.json();
    let last = trades.0.values().max_by_key(|trade| trade["ts"].as_i64().unwrap()).unwrap();
    assert_eq!(now["snapshots"][0]["price"], last["price"], "the price of the newest trade that was not late");
}

#[actix_web::test]
async fn a_client_of_trades_quotes_and_bars_gets_nothing_new() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.amendments_per_million_trades = 50_000);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &crate::client::ALL_CHANNELS).await;
    clock.advance_micros(2 * MINUTE_MICROS);
    let mut bars = 0;
    let is_last = |message: &Value| {
        bars += i32::from(message["interval"] == "1m");
        bars > 30
    };
    for message in client.until("the bars of two minutes", is_last).await {
        let kind = message["type"].as_str().unwrap();
        assert!(["snapshot", "trade", "quote", "bar"].contains(&kind), "{message}");
        if kind == "snapshot" {
            assert_eq!(message["seq"].as_object().unwrap().len(), 8, "{message}");
        }
        assert!(message["interval"].as_str().is_none_or(|interval| !interval.contains('.')), "{message}");
    }
}

#[actix_web::test]
async fn the_mode_latest_is_for_days_of_new_york_and_not_for_amendments() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    for (channel, is_permitted) in
        [("bars.1d.ny", true), ("bars.1m.updated", false), ("corrections", false), ("cancels", false)]
    {
        let request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": [channel], "mode": "latest"});
        let answer = client.ask(request).await.pop().unwrap();
        assert_eq!(answer["type"] == "subscribed", is_permitted, "{answer}");
    }
}

/// The ids of corrected trades begin here.
const CORRECTED_IDS: u64 = 1 << 52;

#[actix_web::test]
async fn trades_over_http_say_what_has_become_of_them_and_corrected_ones_follow() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.feed.amendments_per_million_trades = 50_000);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades", "corrections", "cancels"]).await;
    clock.advance_micros(3 * MINUTE_MICROS);
    let end = START.micros() + 3 * MINUTE_MICROS - 5_000_000;
    let mut messages = client.until("three minutes", |message| message["ts"].as_i64() > Some(end)).await;
    settle(&server).await;
    let are_routed = || server.metrics.hub_offsets().iter().all(|offset| *offset == server.metrics.feed_offset());
    wait_until("the hubs to have every event", true, are_routed).await;
    messages.extend(client.sync().await);
    let (mut expected, mut kinds) = (BTreeMap::new(), BTreeSet::new());
    for message in messages {
        let (kind, seq) = (message["type"].as_str().unwrap(), message["seq"].as_u64().unwrap_or_default());
        match kind {
            "trade" => drop(expected.insert(seq, (message["price"].clone(), message["size"].clone(), Value::Null))),
            "correction" => {
                expected.get_mut(&message["trade_seq"].as_u64().unwrap()).unwrap().2 = json!("incorrect");
                let right = (message["price"].clone(), message["size"].clone(), json!("corrected"));
                expected.insert(CORRECTED_IDS + seq, right);
            }
            "cancel" => expected.get_mut(&message["trade_seq"].as_u64().unwrap()).unwrap().2 = json!("canceled"),
            _ => continue,
        }
        kinds.insert(kind.to_owned());
    }
    assert_eq!(kinds.len(), 3);
    let mut pages = Vec::new();
    for (limit, sort) in [(10_000, "asc"), (500, "asc"), (500, "desc")] {
        let (mut rows, mut token) = (Vec::new(), String::new());
        loop {
            let page = rest_alpaca::json(&server, &format!("AAPL/trades?limit={limit}&sort={sort}{token}")).await;
            rows.extend(page["trades"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_page_token"].as_str() else { break };
            token = format!("&page_token={next}");
        }
        pages.push(rows);
    }
    pages[2].reverse();
    assert!(pages[0] == pages[1] && pages[1] == pages[2]);
    let of = |row: &Value| (row["p"].clone(), row["s"].clone(), row["u"].clone());
    let found: BTreeMap<_, _> = pages[0].iter().map(|row| (row["i"].as_u64().unwrap(), of(row))).collect();
    assert_eq!((pages[0].len(), found), (expected.len(), expected));
    // The newest trade is amended soon, and says so.
    let last = pages[0].iter().rfind(|row| row["u"].is_null()).unwrap();
    let latest = rest_alpaca::json(&server, "AAPL/trades/latest").await["trade"].take();
    assert!(latest["t"].as_str() >= last["t"].as_str() && pages[0].contains(&latest), "{latest} {last}");
}
