//! Bars from before the start: the same at every start, for very many symbols too, and cheap to read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tickcast::domain::{Clock, ManualClock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command::spawn_binary;
use crate::http::get;
use crate::patience::patiently;
use crate::spawn::{START, TestServer, spawn};

const SECOND_MICROS: i64 = 1_000_000;
const HOUR_MICROS: i64 = 3_600 * SECOND_MICROS;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;
const INTERVALS: [(&str, i64); 5] = [
    ("1m", 60 * SECOND_MICROS),
    ("5m", 300 * SECOND_MICROS),
    ("15m", 900 * SECOND_MICROS),
    ("1h", HOUR_MICROS),
    ("1d", DAY_MICROS),
];
/// The time at which prices begin to move towards those of the start, for a server that starts at [`START`]: six hours
/// before a full hour.
const LEAD: i64 = START.micros() - START.micros() % HOUR_MICROS - 6 * HOUR_MICROS;

/// Starts a server this many microseconds after [`START`].
fn spawn_later(micros: i64) -> TestServer {
    let clock = Arc::new(ManualClock::new(START.plus_micros(micros)));
    spawn(clock, None, |settings| settings.history.bars_max = 3_000)
}

/// Returns the closed bars as they were sent, by their start.
async fn closed_bars(server: SocketAddr, symbol: &str, interval: &str) -> BTreeMap<i64, Value> {
    let path = format!("/api/v1/bars?symbol={symbol}&interval={interval}&limit=10000");
    let answer = get(server, &path).await.json();
    let bars = answer["bars"].as_array().unwrap().iter().filter(|bar| bar["final"] == true);
    bars.map(|bar| (bar["ts"].as_i64().unwrap(), bar.clone())).collect()
}

async fn snapshot(server: SocketAddr, symbol: &str) -> Value {
    get(server, &format!("/api/v1/snapshot?symbols={symbol}")).await.json()["snapshots"][0].clone()
}

/// Expects both servers to agree about every bar that ended by `until` and that both have; returns the number of these
/// bars.
fn agreed(one: &BTreeMap<i64, Value>, other: &BTreeMap<i64, Value>, interval_micros: i64, until: i64) -> usize {
    let from = *one.first_key_value().unwrap().0.max(other.first_key_value().unwrap().0);
    let common = |bars: &BTreeMap<i64, Value>| -> Vec<Value> {
        bars.range(from..=until - interval_micros).map(|(_, bar)| bar.clone()).collect()
    };
    let (one, other) = (common(one), common(other));
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
    one.len()
}

#[actix_web::test]
async fn servers_that_start_seconds_hours_or_a_midnight_apart_agree_about_the_days_before() {
    let servers = [0, 7 * SECOND_MICROS, 5 * HOUR_MICROS, 9 * HOUR_MICROS, 33 * HOUR_MICROS].map(spawn_later);
    for symbol in ["AAPL", "BRK.B"] {
        for (interval, micros) in INTERVALS {
            let first = closed_bars(servers[0].address, symbol, interval).await;
            for later in &servers[1..] {
                let later = closed_bars(later.address, symbol, interval).await;
                let count = agreed(&first, &later, micros, LEAD);
                assert!(count >= 1, "{symbol} {interval}: {count}");
            }
        }
        let prev_close = &snapshot(servers[0].address, symbol).await["prev_close"];
        for same_day in &servers[1..3] {
            assert_eq!(&snapshot(same_day.address, symbol).await["prev_close"], prev_close, "{symbol}");
        }
        let days = closed_bars(servers[0].address, symbol, "1d").await;
        assert_eq!(&days.last_key_value().unwrap().1["close"], prev_close);
    }
}

#[actix_web::test]
async fn servers_that_start_apart_agree_about_the_present_day_up_to_some_hours_before() {
    let (one, other) = (spawn_later(0), spawn_later(90 * SECOND_MICROS));
    for (interval, micros) in &INTERVALS[..4] {
        let one = closed_bars(one.address, "AAPL", interval).await;
        let other = closed_bars(other.address, "AAPL", interval).await;
        assert!(agreed(&one, &other, *micros, LEAD) >= 9);
    }
}

#[actix_web::test]
async fn two_processes_agree_about_yesterday() {
    // Before the servers start, because midnight may pass meanwhile.
    let until = SystemClock.now().micros() / DAY_MICROS * DAY_MICROS;
    let one = spawn_binary(&[], &[]).await;
    let other = spawn_binary(&[], &[("TICKCAST__HISTORY__BARS_MAX", "500")]).await;
    for (interval, micros) in [("15m", 900 * SECOND_MICROS), ("1h", HOUR_MICROS), ("1d", DAY_MICROS)] {
        let bars =
            [closed_bars(one.address, "AAPL", interval).await, closed_bars(other.address, "AAPL", interval).await];
        assert!(agreed(&bars[0], &bars[1], micros, until) >= 90, "{interval}");
        assert!(bars.iter().all(|bars| bars.contains_key(&(until - micros))), "{interval}: the last one of yesterday");
    }
}

/// Returns the resident memory of the process, in KiB.
fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[actix_web::test]
async fn ten_thousand_symbols_use_at_most_400_megabytes_and_have_the_same_past_as_a_few() {
    let process = spawn_binary(&[], &[("TICKCAST__FEED__EXTRA_SYMBOLS", "10000")]).await;
    assert!(process.start_line.contains("symbols=10030"), "{}", process.start_line);
    assert_eq!(snapshot(process.address, "SYM9999").await["symbol"], "SYM9999");
    assert_eq!(counter(process.address, "past_bars_made").await, 0, "the past is computed on request");
    let resident = resident_kib(process.id());
    assert!(resident * 1_024 <= 400_000_000, "{resident} KiB");
    for symbol in ["AAPL", "SYM000", "SYM9999"] {
        assert_eq!(closed_bars(process.address, symbol, "1d").await.len(), 250, "{symbol}");
    }
}

/// Returns the value of a counter of the process.
async fn counter(server: SocketAddr, name: &str) -> u64 {
    let text = get(server, "/metrics").await.text().to_string();
    let line = text.lines().find(|line| line.starts_with(&format!("tickcast_{name}_total ")));
    line.unwrap_or_else(|| panic!("{name} is there")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn three_thousand_readers_of_bars_delay_nothing() {
    // As many answers may be queued as are read: that is the most work.
    let settings = [("TICKCAST__FEED__EVENTS_PER_SECOND", "5000"), ("TICKCAST__PUSH__WAITING_BYTES_MAX", "1073741824")];
    let process = spawn_binary(&[], &settings).await;
    let mut sockets = Vec::new();
    for _ in 0..3_000 {
        sockets.push(patiently("a connection", TcpStream::connect(process.address)).await.unwrap());
    }
    let request = b"GET /api/v1/bars?symbol=AAPL&interval=1m HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    for socket in &mut sockets {
        patiently("a request to go out", socket.write_all(request)).await.unwrap();
    }
    // All answers are read side by side, because unread answers over the limit are refused.
    let answers = sockets.into_iter().map(async |mut socket| {
        let mut answer = Vec::new();
        patiently("an answer", socket.read_to_end(&mut answer)).await.unwrap();
        let head = String::from_utf8_lossy(&answer[..answer.len().min(2_000)]).to_lowercase();
        let is_served = head.starts_with("http/1.1 200 ");
        if is_served {
            assert!(answer.ends_with(b"]}"), "a whole answer");
        } else {
            assert!(head.starts_with("http/1.1 503 ") && head.contains("retry-after: "), "{head}");
        }
        is_served
    });
    let answers = join_all(answers).await;
    let served = answers.iter().filter(|is_served| **is_served).count();
    let refused = (answers.len() - served) as u64;
    assert!(served >= 1_000, "{served}");
    for name in ["history_mailbox_full", "hub_mailbox_full", "hub_holes"] {
        assert_eq!(counter(process.address, name).await, 0, "{name}");
    }
    assert!(counter(process.address, "answers_delayed").await > 0, "the stream went on meanwhile");
    assert_eq!(counter(process.address, "bars_reads_refused").await, refused);
}

#[actix_web::test]
async fn one_reader_of_bars_too_many_is_told_to_retry() {
    let process = spawn_binary(
        &[],
        &[
            ("TICKCAST__SERVER__BARS_READS_MAX", "1"),
            ("TICKCAST__SERVER__WORKERS", "1"),
            ("TICKCAST__FEED__EXTRA_SYMBOLS", "300"),
        ],
    )
    .await;
    // Each reads the days of another symbol, which have to be computed first.
    let path = |number: usize| format!("/api/v1/bars?symbol=SYM{number:03}&interval=1d");
    let paths: Vec<_> = (0..300).map(path).collect();
    let answers = futures_util::future::join_all(paths.iter().map(|path| get(process.address, path))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < 300);
    assert_eq!((refused[0].status, refused[0].header("retry-after")), (503, "1"));
    assert_eq!(refused[0].problem()["code"], "unavailable");
    assert_eq!(counter(process.address, "bars_reads_refused").await, refused.len() as u64);
    assert_eq!(get(process.address, &paths[0]).await.json()["bars"].as_array().unwrap().len(), 251);
}
