//! `feed.state_file`: a published market goes on after a restart of the real binary, and after a kill.

use std::net::SocketAddr;
use std::time::Duration;

use awc::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tickcast::app::Settings;
use tickcast::domain::{Clock, SystemClock, Timestamp};

use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::http::{get, send};
use crate::patience::{LOOK_INTERVAL, PATIENCE, patiently, wait_until};
use crate::publish::{publishing, settle, trade};
use crate::spawn::{START, spawn_app_at};

const MINUTE: i64 = 60_000_000;

/// The variables of a server with this file.
pub(crate) fn variables<'v>(path: &'v str, more: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let own = [
        ("TICKCAST__FEED__KIND", "publish"),
        ("TICKCAST__FEED__PUBLISH__SYMBOLS", "AA,BB"),
        ("TICKCAST__FEED__STATE_FILE", path),
    ];
    own.iter().chain(more).copied().collect()
}

pub(crate) struct File {
    pub(crate) directory: TempDir,
    pub(crate) path: String,
}

impl File {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state").to_str().unwrap().into();
        Self { directory, path }
    }

    /// Makes a market of publishers that is kept here.
    pub(crate) fn configure(&self, settings: &mut Settings) {
        publishing(settings);
        settings.feed.state_file.clone_from(&self.path);
    }
}

/// Publishes these events; returns the answer.
pub(crate) async fn post(address: SocketAddr, events: &[Value]) -> Value {
    send(address, Method::POST, "/api/v1/publish", &[], Value::from(events).to_string()).await.json()
}

pub(crate) fn now() -> i64 {
    SystemClock.now().micros()
}

pub(crate) async fn read(server: &Process, path: &str) -> Value {
    get(server.address, path).await.json()
}

/// Waits until the day of the clock is some minutes old and does not end soon: with it volumes begin at 0.
pub(crate) async fn within_a_day() {
    let day = 24 * 60 * MINUTE;
    let of_day = now().rem_euclid(day);
    let begun = if of_day > day - 3 * MINUTE { of_day - day } else { of_day };
    let wait = (5 * MINUTE - begun).max(0);
    tokio::time::sleep(Duration::from_micros(wait.unsigned_abs())).await;
}

/// Ends the server in order.
pub(crate) async fn end(server: Process) {
    server.signal("TERM").await;
    let ended = server.ended().await;
    assert!(ended.status.success(), "{ended:?}");
}

/// Returns the values of a symbol, without the numbers of the stream.
pub(crate) async fn values(server: &Process, symbol: &str) -> Value {
    let answer = read(server, &format!("/api/v1/snapshot?symbols={symbol}")).await;
    let mut snapshot = answer["snapshots"][0].clone();
    for name in ["offset", "seq"] {
        snapshot.as_object_mut().unwrap().remove(name);
    }
    snapshot
}

/// Returns the bars of a symbol, closed and open ones alike.
pub(crate) async fn bars(server: &Process, symbol: &str, interval: &str) -> Value {
    let mut answer = read(server, &format!("/api/v1/bars?symbol={symbol}&interval={interval}&limit=1000")).await;
    let bars = answer["bars"].as_array_mut().unwrap();
    for bar in bars.iter_mut() {
        // An open bar may close during the restart.
        bar.as_object_mut().unwrap().remove("final");
    }
    Value::from(bars.clone())
}

#[actix_web::test]
async fn a_restart_keeps_the_last_values_and_the_bars() {
    within_a_day().await;
    let file = File::new();
    let (begin, hour) = (now(), 60 * MINUTE);
    // A day before.
    let yesterday = begin - 24 * hour;
    let (server, _clock) = spawn_app_at(Timestamp::from_micros(yesterday), |settings| file.configure(settings));
    let events = [trade("AA", yesterday, 90.0, 5), trade("AA", yesterday, 91.0, 6)];
    assert_eq!(post(server.address, &events).await["events"], 2);
    drop(server);
    let server = spawn_binary(&[], &variables(&file.path, &[])).await;
    let opened = values(&server, "AA").await;
    assert_eq!((&opened["price"], &opened["prev_close"], &opened["volume"]), (&json!(91.0), &json!(91.0), &json!(0)));
    // Trades of the last hours count in the longer bars, those of the last minute in all.
    let mut events: Vec<_> = (1_i32..4).map(|i| trade("AA", begin - i64::from(i) * MINUTE, f64::from(i), 5)).collect();
    events.extend((0_i32..3).map(|i| trade("AA", begin, 100.0 + f64::from(i), 7)));
    events.push(json!({"type": "quote", "symbol": "AA", "bid": 1.5, "bid_size": 3, "ask": 2.5, "ask_size": 0.25}));
    events.push(trade("BB", begin, 7.0, 1));
    assert_eq!(post(server.address, &events).await["events"], events.len());
    volume_becomes(&server, "AA", json!(36)).await;
    volume_becomes(&server, "BB", json!(1)).await;
    let before = (values(&server, "AA").await, values(&server, "BB").await);
    assert_eq!((&before.0["price"], &before.0["prev_close"]), (&json!(102.0), &json!(91.0)), "{}", before.0);
    let intervals = ["1s", "1m", "5m", "15m", "1h", "1d"];
    let mut series = Vec::new();
    for interval in intervals {
        series.push(bars(&server, "AA", interval).await);
    }
    let days = series[5].as_array().unwrap();
    assert_eq!((days.len(), &days[0]["close"], &days[0]["volume"]), (2, &json!(91.0), &json!(11)), "{days:?}");
    end(server).await;
    // Twice: what was read is written again.
    for _ in 0..2 {
        let server = spawn_binary(&[], &variables(&file.path, &[])).await;
        assert_eq!((values(&server, "AA").await, values(&server, "BB").await), before);
        for (interval, bars_before) in intervals.into_iter().zip(&series) {
            assert_eq!(bars(&server, "AA", interval).await, *bars_before, "{interval}");
        }
        end(server).await;
    }
    // The market goes on: a trade counts in the volume of the day.
    let server = spawn_binary(&[], &variables(&file.path, &[])).await;
    post(server.address, &[trade("BB", now(), 8.0, 2)]).await;
    volume_becomes(&server, "BB", json!(3)).await;
}

/// Waits until the snapshot and the day of a symbol have this volume.
pub(crate) async fn volume_becomes(server: &Process, symbol: &str, volume: Value) {
    let found = async || {
        let (values, days) = (values(server, symbol).await, bars(server, symbol, "1d").await);
        days.as_array().unwrap().last().is_some_and(|day| day["volume"] == volume) && values["volume"] == volume
    };
    patiently("the volume", async {
        while !found().await {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    })
    .await;
}

#[actix_web::test]
async fn a_late_trade_after_a_restart_counts_in_the_bar_of_its_minute() {
    let file = File::new();
    let minute = START.micros() - START.micros().rem_euclid(MINUTE);
    let body = |price: f64| Value::from(vec![trade("AA", START.micros(), price, 4)]).to_string();
    let figures = |bar: &Value| ["ts", "open", "high", "close", "volume"].map(|name| bar[name].as_f64().unwrap());
    let (server, _clock) = spawn_app_at(START, |settings| file.configure(settings));
    send(server.address, Method::POST, "/api/v1/publish", &[], body(10.0)).await;
    drop(server);
    // The minute has ended meanwhile.
    let (server, clock) = spawn_app_at(START.plus_micros(MINUTE), |settings| file.configure(settings));
    let read = async |interval: &str| {
        let answer = get(server.address, &format!("/api/v1/bars?symbol=AA&interval={interval}")).await.json();
        answer["bars"].as_array().unwrap().iter().map(figures).collect::<Vec<_>>()
    };
    #[expect(clippy::cast_precision_loss, reason = "a time of today in microseconds is exact")]
    let [start, longer] = [minute, minute - minute.rem_euclid(5 * MINUTE)].map(|ts| ts as f64);
    assert_eq!(read("1m").await, [[start, 10.0, 10.0, 10.0, 4.0]]);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["bars.1s", "bars.5m", "bars.15m", "bars.1d"]).await;
    send(server.address, Method::POST, "/api/v1/publish", &[], body(11.0)).await;
    clock.advance_micros(MINUTE);
    settle(&server).await;
    assert_eq!(read("1m").await, [[start, 10.0, 11.0, 11.0, 8.0]], "once, and with the trade of before the restart");
    // An older trade begins no bar that has ended, either.
    let old = trade("AA", minute - 7 * MINUTE, 12.0, 16);
    post(server.address, &[old]).await;
    clock.advance_micros(20 * MINUTE);
    settle(&server).await;
    assert_eq!(read("5m").await, [[longer, 10.0, 11.0, 10.0, 8.0]], "once, and with the late trade");
    let ended: Vec<_> = client.sync().await.into_iter().filter(|message| message["type"] == "bar").collect();
    assert!(ended.iter().all(|bar| bar["interval"] != "1s" && bar["interval"] != "5m"), "{ended:#?}");
}

#[actix_web::test]
async fn a_minute_whose_first_trade_was_late_is_still_there_after_a_restart() {
    // In the minute of the start, in the next one, and later.
    for pause in [1, MINUTE, 9 * MINUTE] {
        let file = File::new();
        let (server, _clock) = spawn_app_at(START, |settings| file.configure(settings));
        post(server.address, &[trade("AA", START.micros() - MINUTE, 10.0, 4)]).await;
        drop(server);
        let (server, _clock) = spawn_app_at(START.plus_micros(pause), |settings| file.configure(settings));
        let answer = get(server.address, "/api/v1/bars?symbol=AA&interval=1m").await.json();
        let bars = answer["bars"].as_array().unwrap();
        assert_eq!(bars.iter().map(|bar| &bar["volume"]).collect::<Vec<_>>(), [&json!(4)], "{pause}");
    }
}

/// Returns the length of a file, 0 without one.
fn length(path: &str) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

#[actix_web::test]
async fn a_kill_while_the_file_is_written_leaves_the_old_one() {
    let file = File::new();
    let often = [("TICKCAST__FEED__STATE_INTERVAL_MS", "100")];
    let beside = format!("{}.new", file.path);
    let (mut interrupted, mut kept) = (0, 0.0);
    for round in 1..=10_u32 {
        let server = spawn_binary(&[], &variables(&file.path, &often)).await;
        if round == 1 {
            // So many symbols that the file takes a while.
            let all: Vec<_> = (0..8_000).map(|number| trade(&format!("S{number}"), now(), 0.5, 1)).collect();
            assert_eq!(post(server.address, &all).await["events"], 8_000);
        } else {
            let price = values(&server, "AA").await["price"].as_f64().unwrap();
            assert!(price >= kept, "{price} after {kept}");
            assert_eq!(values(&server, "S7999").await["price"], 0.5, "the last line");
        }
        post(server.address, &[trade("AA", now(), f64::from(round), 1)]).await;
        let wanted = format!("[{},1000000]", round * 10_000);
        let written = || std::fs::read_to_string(&file.path).is_ok_and(|text| text.contains(&wanted));
        wait_until("the file", true, written).await;
        kept = f64::from(round);
        // Another file, in the middle of which the process is killed.
        let whole = length(&file.path);
        post(server.address, &[trade("AA", now(), kept + 0.5, 1)]).await;
        let deadline = std::time::Instant::now() + PATIENCE;
        while !(1..whole).contains(&length(&beside)) {
            assert!(std::time::Instant::now() < deadline, "no file is written beside the old one");
        }
        server.kill().await;
        interrupted += u32::from((1..whole).contains(&length(&beside)));
        assert!(length(&file.path) >= whole, "the old file, or a new one that is whole");
    }
    assert!(interrupted > 0, "no kill was in the middle");
}

#[actix_web::test]
async fn a_disk_that_fails_is_counted_and_the_stream_goes_on() {
    let file = File::new();
    let (server, _clock) = spawn_app_at(START, |settings| {
        file.configure(settings);
        settings.feed.state_interval_ms = 100;
    });
    let one = |price: f64| [trade("AA", START.micros(), price, 1)];
    std::fs::remove_dir_all(file.directory.path()).unwrap();
    assert_eq!(post(server.address, &one(1.0)).await["events"], 1);
    wait_until("a file that is not written", true, || server.metrics.state_failures.get() > 0).await;
    assert_eq!(server.metrics.state_files.get(), 0);
    assert_eq!(post(server.address, &one(2.0)).await["last"], 2);
    std::fs::create_dir_all(file.directory.path()).unwrap();
    wait_until("the file", true, || server.metrics.state_files.get() > 0).await;
    assert!(std::fs::read_to_string(&file.path).unwrap().contains("[20000,1000000]"));
}

#[actix_web::test]
async fn after_a_restart_a_quote_that_is_older_than_the_last_one_is_dropped() {
    let file = File::new();
    let at = START.micros();
    let quote = |ts: i64, bid: f64| json!({"type": "quote", "symbol": "AA", "ts": ts, "bid": bid, "bid_size": 1, "ask": 9, "ask_size": 1});
    let (server, _clock) = spawn_app_at(START, |settings| file.configure(settings));
    post(server.address, &[quote(at, 2.0), trade("AA", at + 3, 5.0, 1)]).await;
    drop(server);
    let (server, _clock) = spawn_app_at(START.plus_micros(MINUTE), |settings| file.configure(settings));
    // A trade after the quote does not matter, nor that BB has none.
    let other =
        json!({"type": "quote", "symbol": "BB", "ts": at - 1, "bid": 1, "bid_size": 1, "ask": 1, "ask_size": 1});
    let answer = post(server.address, &[quote(at - 1, 1.0), quote(at, 3.0), other]).await;
    assert_eq!((&answer["events"], &answer["late_dropped"]), (&json!(2), &json!(1)));
    settle(&server).await;
    let snapshot = get(server.address, "/api/v1/snapshot?symbols=AA").await.json();
    assert_eq!(snapshot["snapshots"][0]["bid"], 3.0);
}

#[actix_web::test]
async fn a_trade_of_the_time_between_two_runs_is_the_last_one_of_its_day() {
    let file = File::new();
    let (server, _clock) = spawn_app_at(START, |settings| file.configure(settings));
    post(server.address, &[trade("AA", START.micros(), 10.0, 4)]).await;
    drop(server);
    let (server, clock) = spawn_app_at(START.plus_micros(10 * MINUTE), |settings| file.configure(settings));
    // It is older than the restart, and newer than the last trade; another one is older than that.
    post(server.address, &[trade("AA", START.micros() + MINUTE, 20.0, 4), trade("AA", START.micros() - 1, 30.0, 4)])
        .await;
    settle(&server).await;
    let read = async || get(server.address, "/api/v1/snapshot?symbols=AA").await.json()["snapshots"][0].clone();
    let today = read().await;
    assert_eq!((&today["price"], &today["volume"]), (&json!(20.0), &json!(12)));
    clock.advance_micros(24 * 60 * MINUTE);
    settle(&server).await;
    let next = read().await;
    assert_eq!((&next["price"], &next["prev_close"], &next["volume"]), (&json!(20.0), &json!(20.0), &json!(0)));
}

#[actix_web::test]
async fn a_client_that_comes_back_gets_the_last_values_and_a_new_epoch() {
    let file = File::new();
    let (server, _clock) = spawn_app_at(START, |settings| file.configure(settings));
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["trades"]).await;
    post(server.address, &[trade("AA", START.micros(), 10.0, 4), trade("AA", START.micros(), 11.0, 5)]).await;
    client.events(2).await;
    let cursor = json!({"epoch": client.welcome["epoch"], "offset": 2});
    drop(client);
    drop(server);
    let (server, _clock) = spawn_app_at(START.plus_micros(MINUTE), |settings| file.configure(settings));
    let mut client = Client::connect(server.address).await;
    let request = json!({"action": "subscribe", "symbols": ["AA"], "channels": ["trades"], "after": cursor});
    let answer = client.ask(request).await.pop().unwrap();
    assert_eq!(answer["recovered"], false, "{answer}");
    let snapshot = client.next_message().await;
    let figures = ["type", "price", "size", "volume", "open", "offset"].map(|name| snapshot[name].clone());
    assert_eq!(Value::from(figures.to_vec()), json!(["snapshot", 11.0, 5, 9, 10.0, 0]), "{snapshot}");
    assert!(client.welcome["epoch"].is_string() && client.welcome["epoch"] != cursor["epoch"], "{}", client.welcome);
    let published = post(server.address, &[trade("AA", START.micros() + MINUTE, 12.0, 1)]).await;
    let next = client.events(1).await.pop().unwrap();
    assert_eq!(
        (&next["price"], &next["seq"], &next["offset"]),
        (&json!(12.0), &json!(1), &published["first"]),
        "{next}"
    );
}
