//! A replay of files: the bars of real minutes again, the same stream at every speed, and its orders.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use awc::http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tickcast::app::Settings;
use tickcast::feed::FeedKind;
use tickcast::feed::replay::ReplayTime;
use tokio::process::Command;

use crate::client::Client;
use crate::http::{Answer, get, request};
use crate::patience::{patiently, wait_until};
use crate::publish::settle;
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};
use crate::view::is_event;

pub(crate) const MINUTE: i64 = 60_000_000;
/// Beginning of the files that the tests write: Tuesday 2026-03-03, 14:30 UTC.
pub(crate) const BEGIN: i64 = 1_772_548_200_000_000;

/// Returns the path of 1,564 minutes of SPY, from 2020-12-15 to 18.
pub(crate) fn spy() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/tape/fixtures/SPY-minutes.csv.gz");
    path.to_str().unwrap().into()
}

/// Makes the feed a paused replay of these files, as fast as possible, at their own time.
pub(crate) fn replaying(settings: &mut Settings, files: &[&str]) {
    settings.feed.kind = FeedKind::Replay;
    settings.feed.speed = 0.0;
    settings.feed.replay.files = files.iter().map(|&file| file.to_owned()).collect();
    settings.feed.replay.time = ReplayTime::Original;
    settings.feed.replay.paused = true;
    settings.feed.replay.tz = "America/New_York".into();
    settings.history.bars_max = 0;
}

/// Makes the feed a replay of SPY.
pub(crate) fn replaying_spy(settings: &mut Settings) {
    replaying(settings, &[&spy()]);
    settings.feed.replay.symbol = "SPY".into();
}

pub(crate) async fn order(server: &TestServer, order: &str) -> Answer {
    request(server.address, Method::POST, &format!("/api/v1/feed/{order}"), &[]).await
}

pub(crate) async fn status(server: &TestServer) -> Value {
    get(server.address, "/api/v1/feed").await.json()
}

/// Waits until the feed is in this state.
pub(crate) async fn until_state(server: &TestServer, wanted: &str) -> Value {
    patiently(wanted, async {
        loop {
            let status = status(server).await;
            if status["state"] == wanted {
                return status;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// A file of two symbols that trade and are quoted, removed when it is dropped.
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickcast-replay-{}-{name}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(crate) fn ticks(name: &str, count: i64, step: i64) -> Self {
        Self::new(name, &Self::ticks_text(count, step))
    }

    /// Returns trades and quotes, one every `step` microseconds.
    pub(crate) fn ticks_text(count: i64, step: i64) -> String {
        let head = "type,symbol,timestamp,price,size,bid,bid_size,ask,ask_size,interval,open,high,low,close,volume,trades,vwap";
        let mut text = format!("{head}\n");
        for number in 0..count {
            let (ts, symbol) = (BEGIN + number * step, ["AA", "BB"][usize::from(number % 5 == 1)]);
            let cents = 10_000 + (number * number) % 173;
            let (dollars, rest) = (cents / 100, cents % 100);
            match number % 3 {
                0 => writeln!(text, "quote,{symbol},{ts},,,{dollars}.{rest:02},100,{dollars}.{rest:02}5,200.5,,,,,,,,"),
                _ => writeln!(text, "trade,{symbol},{ts},{dollars}.{rest:02},{},,,,,,,,,,,,", number % 400 + 1),
            }
            .unwrap();
        }
        text
    }

    pub(crate) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[actix_web::test]
async fn the_bars_of_1564_real_minutes_are_those_of_the_file() {
    let server = spawn_app(|settings| {
        replaying_spy(settings);
        settings.feed.replay.lossless = true;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["SPY"], &["bars.1m", "bars.5m", "bars.1h"]).await;
    assert_eq!(order(&server, "resume").await.json()["state"], "running");
    let mut bars = Vec::new();
    client
        .until("1,564 bars", |message| {
            bars.extend((message["type"] == "bar").then(|| message.clone()));
            bars.iter().filter(|bar| bar["interval"] == "1m").count() == 1_564
        })
        .await;
    until_state(&server, "ended").await;
    for (interval, length) in [("1m", "1min"), ("5m", "5min"), ("1h", "1h")] {
        let made: Vec<_> = bars.iter().filter(|bar| bar["interval"] == interval).map(figures).collect();
        let expected = resampled(length).await;
        assert_eq!(made.len(), expected.iter().filter(|(ts, _)| made.last().unwrap().0 >= *ts).count(), "{interval}");
        assert!(made.len() + 1 >= expected.len(), "{interval}: only the last one may still be open");
        for (made, expected) in made.iter().zip(&expected) {
            assert_eq!(made, expected, "{interval}");
        }
    }
    assert_eq!((client.view.missing, client.view.lags), (0, 0));
    let read = get(server.address, "/api/v1/bars?symbol=SPY&interval=1m&limit=2000").await.json();
    assert_eq!(read["bars"].as_array().unwrap().len(), 1_564);
}

/// Returns the time and the values of a row of the file.
pub(crate) fn row(line: &str) -> (i64, [f64; 5]) {
    let cells: Vec<_> = line.split(',').collect();
    let time = chrono::NaiveDateTime::parse_from_str(cells[1], "%Y-%m-%d %H:%M:%S").unwrap();
    // New York in December.
    let ts = time.and_utc().timestamp_micros() + 5 * 60 * MINUTE;
    (ts, [2, 3, 4, 5, 6].map(|cell: usize| cells[cell].parse().unwrap()))
}

pub(crate) fn figures(bar: &Value) -> (i64, [f64; 5]) {
    (bar["ts"].as_i64().unwrap(), ["open", "high", "low", "close", "volume"].map(|key| bar[key].as_f64().unwrap()))
}

/// Returns the bars of the file at this length, as pandas resamples its minutes.
async fn resampled(length: &str) -> Vec<(i64, [f64; 5])> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(root.join("target/clients/tape/bin/python"));
    python.args(["-B", "tests/sdk/tape/read.py", "resample", &spy(), length]).current_dir(root);
    let output = python.output().await.expect("`make sdk-deps` installs it");
    assert!(output.status.success(), "{output:?}");
    let cells = |line: &str| line.split(' ').map(|cell| cell.parse().unwrap()).collect::<Vec<f64>>();
    let text = String::from_utf8(output.stdout).unwrap();
    let bar = |line: &str| (line.split(' ').next().unwrap().parse().unwrap(), cells(line)[1..].try_into().unwrap());
    text.lines().map(bar).collect()
}

/// Returns the digest of all events in these messages, and how many there are.
fn digest(messages: &[Value]) -> (String, usize) {
    let has_place = |each: &&Value| each["offset"].is_u64() && each["type"] != "snapshot" && each["type"] != "status";
    let events: Vec<_> = messages.iter().filter(has_place).collect();
    let text: String = events.iter().map(ToString::to_string).collect();
    (format!("{:x}", Sha256::digest(text)), events.len())
}

#[actix_web::test]
async fn the_stream_is_the_same_at_every_speed_and_with_any_number_of_workers() {
    let file = File::ticks("speeds", 3_000, 40_007);
    let end = BEGIN + 2 * MINUTE;
    let mut digests = BTreeSet::new();
    for (speed, workers) in [(0.0, 1), (0.0, 2), (1_000.0, 2), (100.0, 1), (10.0, 2), (1.0, 1)] {
        let (server, clock) = spawn_app_at_rest(|settings| {
            replaying(settings, &[file.name()]);
            settings.feed.speed = speed;
            settings.server.workers = workers;
        });
        let mut client = Client::connect(server.address).await;
        let channels = ["trades", "quotes", "bars.1s", "bars.1m", "bars.1m.updated", "bars.1d.ny"];
        client.subscribe(&["*"], &channels).await;
        assert_eq!(order(&server, "resume").await.status, 200);
        // In steps of different lengths, so that the batches are not the same.
        let mut left = if speed == 0.0 { 0.0 } else { 150e6 / speed };
        let mut messages = Vec::new();
        for step in (1_i64..).map(|step| step * 79_190 % 500_000 + 1) {
            clock.advance_micros(step);
            left -= f64::from(i32::try_from(step).unwrap());
            messages.extend(client.sync().await);
            if left < 0.0 {
                break;
            }
        }
        wait_until("the end", true, || server.metrics.feed_steps.get() > 0).await;
        while status(&server).await["market_ts"].as_i64().unwrap() < end {
            clock.advance_micros(1_000); // The time in which the file was being read is lost.
        }
        settle(&server).await;
        messages.extend(client.sync().await);
        assert_eq!((client.view.missing, client.view.lags), (0, 0), "speed {speed}");
        digests.insert(digest(&messages));
    }
    assert_eq!(digests.len(), 1, "{digests:?}");
}

#[actix_web::test]
async fn a_replay_begins_now_and_a_long_silence_is_shortened() {
    // Two bars of a minute, with a night between them.
    let text = format!(
        "symbol,timestamp,open,high,low,close,volume\nAA,{BEGIN},10,11,9,10.5,400\nAA,{},10.5,12,10,11,800\n",
        BEGIN + 20 * 60 * MINUTE
    );
    let file = File::new("night_1m", &text);
    let (server, clock) = spawn_app_at_rest(|settings| {
        replaying(settings, &[file.name()]);
        settings.feed.speed = 1.0;
        settings.feed.replay.time = ReplayTime::Now;
        settings.feed.replay.paused = false;
        settings.feed.replay.gap_max_ms = 90_000;
    });
    let begun = status(&server).await;
    let behind = crate::spawn::START.micros() - begun["market_ts"].as_i64().unwrap();
    assert!((0..MINUTE).contains(&behind), "moved by whole minutes: {behind}");
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AA"], &["trades", "bars.1m"]).await;
    let mut bars = Vec::new();
    let mut seconds = 0;
    while bars.len() < 2 && seconds < 1_000 {
        clock.advance_micros(1_000_000);
        seconds += 1;
        bars.extend(client.sync().await.into_iter().filter(|message| message["type"] == "bar"));
    }
    assert!(seconds < 600, "the night was shortened: {seconds}");
    let starts: Vec<_> = bars.iter().map(|bar| bar["ts"].as_i64().unwrap()).collect();
    assert_eq!(starts[1] - starts[0], 20 * 60 * MINUTE, "the market's time has the night");
    assert_eq!(bars[1]["volume"], 800);
    assert!(until_state(&server, "ended").await["position"].as_f64().unwrap() > 0.99);
}

#[actix_web::test]
async fn what_comes_before_the_start_fills_the_history() {
    let server = spawn_app(|settings| {
        replaying_spy(settings);
        settings.feed.replay.start = "2020-12-17T10:00".into();
        settings.feed.replay.end = "2020-12-17T10:05".into();
    });
    let bars = get(server.address, "/api/v1/bars?symbol=SPY&interval=1m&limit=2000").await.json();
    assert_eq!(bars["bars"].as_array().unwrap().len(), 2 * 391 + 30);
    let days = get(server.address, "/api/v1/bars?symbol=SPY&interval=1d&limit=10").await.json();
    assert_eq!(days["bars"].as_array().unwrap().len(), 3, "two days, and the open one");
    let snapshot = &get(server.address, "/api/v1/snapshot?symbols=SPY").await.json()["snapshots"][0];
    assert_eq!((&snapshot["price"], snapshot.get("bid")), (&json!(371.71), None), "there are no quotes");
    assert_eq!(snapshot["prev_close"], 370.06, "{snapshot}");
    order(&server, "resume").await;
    let ended = until_state(&server, "ended").await;
    assert_eq!(ended["to"].as_i64().unwrap() - ended["from"].as_i64().unwrap(), 5 * MINUTE - 1);
}

#[actix_web::test]
async fn a_loop_goes_on_in_time() {
    let file = File::ticks("loop", 30, 1_000_000);
    let (server, clock) = spawn_app_at_rest(|settings| {
        replaying(settings, &[file.name()]);
        settings.feed.speed = 1_000.0;
        settings.feed.replay.time = ReplayTime::Now;
        settings.feed.replay.paused = false;
        settings.feed.replay.is_loop = true;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut last = 0;
    let mut rounds = 0;
    while rounds < 3 {
        clock.advance_micros(1_000);
        for message in client.sync().await.into_iter().filter(is_event) {
            let ts = message["ts"].as_i64().unwrap();
            assert!(ts >= last, "{message}");
            rounds += i64::from(ts - last >= MINUTE / 2 && last > 0);
            last = ts;
        }
    }
    assert_eq!(status(&server).await["loop"], true);
}

#[actix_web::test]
async fn orders_that_cannot_be_obeyed_are_refused() {
    let file = File::ticks("orders", 30, 1_000_000);
    let server = spawn_app(|settings| replaying(settings, &[file.name()]));
    for (wrong, status) in [
        ("step?events=0", 400),
        ("step?events=x", 400),
        ("step?event=1", 400),
        ("speed", 400),
        ("speed?x=0.001", 400),
        ("speed?x=1001", 400),
        ("speed?x=NaN", 400),
        ("seek?ts=1", 400),
        ("seek?ts=now", 400),
        ("rewind", 404),
    ] {
        let answer = order(&server, wrong).await;
        assert_eq!(answer.status, status, "{wrong}");
        answer.problem();
    }
    assert_eq!(order(&server, "speed?x=max").await.json()["speed"], 0.0);
    assert_eq!(order(&server, "speed?x=2.5").await.json()["speed"], 2.5);
    order(&server, "resume").await;
    assert_eq!(order(&server, "step").await.status, 409, "it is not paused");
    assert_eq!(get(server.address, "/api/v1/feed/pause").await.status, 405);
    let foreign = [("origin", "http://pages.example")];
    assert_eq!(request(server.address, Method::POST, "/api/v1/feed/pause", &foreign).await.status, 403);
    let proxied = [("x-forwarded-for", "203.0.113.7")];
    assert_eq!(request(server.address, Method::POST, "/api/v1/feed/pause", &proxied).await.status, 404);
    assert_eq!(status(&server).await["operator"], true);
    let seen = request(server.address, Method::GET, "/api/v1/feed", &proxied).await.json();
    assert_eq!((&seen["kind"], &seen["operator"]), (&json!("replay"), &json!(false)));

    let simulated = spawn_app(|_| {});
    assert_eq!(order(&simulated, "pause").await.status, 409);
    let told = status(&simulated).await;
    assert_eq!((&told["kind"], told.get("position")), (&json!("simulated"), None));
}
