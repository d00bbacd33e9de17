//! `/api/v1/bars`: the past is complete and in order from the start.

use std::io::Read;

use awc::http::Method;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::http::{get, request};
use crate::spawn::{START, TestServer, spawn_app_at_rest};

const INTERVALS: [(&str, i64); 6] = [
    ("1s", 1_000_000),
    ("1m", 60_000_000),
    ("5m", 300_000_000),
    ("15m", 900_000_000),
    ("1h", 3_600_000_000),
    ("1d", 86_400_000_000),
];
const MINUTE_MICROS: i64 = 60_000_000;
/// Two days of one-minute bars.
const MINUTES: usize = 2_880;

async fn bars(server: &TestServer, query: &str) -> Vec<Value> {
    let answer = get(server.address, &format!("/api/v1/bars?{query}")).await.json();
    answer["bars"].as_array().unwrap().clone()
}

fn ts(bar: &Value) -> i64 {
    bar["ts"].as_i64().unwrap()
}

#[actix_web::test]
async fn two_days_of_minutes_are_available_at_the_start() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 3_000);
    for symbol in ["AAPL", "MSFT", "NVDA"] {
        let bars = bars(&server, &format!("symbol={symbol}&limit=3000")).await;
        let closed: Vec<_> = bars.iter().filter(|bar| bar["final"] == true).collect();
        assert!(closed.len() >= MINUTES, "{symbol}: {}", closed.len());
        assert!(ts(closed[0]) <= START.micros() - 2 * 86_400_000_000 + MINUTE_MICROS);
        for pair in bars.windows(2) {
            // A minute without a trade has no bar.
            assert!(ts(&pair[0]) < ts(&pair[1]), "oldest first");
        }
        assert!(START.micros() - ts(bars.last().unwrap()) < 2 * MINUTE_MICROS, "and up to now");
    }
}

#[actix_web::test]
async fn bars_of_busy_symbols_are_contiguous() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 3_000);
    for (interval, micros) in &INTERVALS[1..] {
        let bars = bars(&server, &format!("symbol=NVDA&interval={interval}&limit=3000")).await;
        for pair in bars.windows(2) {
            assert_eq!(ts(&pair[1]) - ts(&pair[0]), *micros, "{interval}");
        }
    }
}

#[actix_web::test]
async fn every_interval_is_available_and_every_bar_is_valid() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 200);
    for (interval, micros) in INTERVALS {
        let answer = get(server.address, &format!("/api/v1/bars?symbol=AAPL&interval={interval}")).await.json();
        assert_eq!((&answer["symbol"], &answer["interval"]), (&json!("AAPL"), &json!(interval)));
        assert_eq!(answer["offset"], 0);
        assert!(answer["epoch"].is_string());
        let bars = answer["bars"].as_array().unwrap();
        assert!(bars.len() >= 2, "{interval}: {}", bars.len());
        for (index, bar) in bars.iter().enumerate() {
            let [open, high, low, close, vwap] =
                ["open", "high", "low", "close", "vwap"].map(|name| bar[name].as_f64().unwrap());
            assert!(low > 0.0 && low <= open.min(close) && high >= open.max(close), "{bar}");
            assert!((low..=high).contains(&vwap), "{bar}");
            assert!(bar["trades"].as_u64() > Some(0) && bar["volume"].as_u64() >= bar["trades"].as_u64(), "{bar}");
            assert_eq!(ts(bar).rem_euclid(micros), 0, "{bar}");
            assert!(bar["final"] == true || index == bars.len() - 1, "only the last one is open");
        }
    }
}

#[actix_web::test]
async fn paging_backward_with_before_gives_every_bar_once() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 500);
    let whole = bars(&server, "symbol=MSFT&interval=1m&limit=1000").await;
    let (mut pages, mut before) = (Vec::new(), String::new());
    loop {
        let page = bars(&server, &format!("symbol=MSFT&limit=77{before}")).await;
        assert!(page.len() <= 77);
        let Some(first) = page.first() else { break };
        before = format!("&before={}", ts(first));
        pages.splice(0..0, page);
    }
    assert_eq!(pages, whole);
}

#[actix_web::test]
async fn before_accepts_times_of_rfc_3339() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 500);
    let micros = bars(&server, "symbol=MSFT&limit=5&before=1772461800000000").await;
    assert_eq!(ts(micros.last().unwrap()), 1_772_461_800_000_000 - MINUTE_MICROS);
    for text in [
        "2026-03-02T14:30:00Z",
        "2026-03-02T14:30:00.000%2B00:00",
        "2026-03-02T15:30:00%2B01:00",
        "2026-03-02T14:30:00+00:00",
        "2026-03-02%2015:30:00+01:00",
        "2026-03-02T09:30:00-05:00",
    ] {
        assert_eq!(bars(&server, &format!("symbol=MSFT&limit=5&before={text}")).await, micros, "{text}");
    }
}

#[actix_web::test]
async fn before_accepts_milliseconds_and_seconds() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 500);
    let micros = bars(&server, "symbol=MSFT&limit=5&before=1772461800000000").await;
    assert_eq!(micros.len(), 5);
    for text in ["1772461800000", "1772461800"] {
        assert_eq!(bars(&server, &format!("symbol=MSFT&limit=5&before={text}")).await, micros, "{text}");
    }
}

#[actix_web::test]
async fn limit_counts_the_open_bar_and_defaults_to_500() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 3_000);
    assert_eq!(bars(&server, "symbol=NVDA").await.len(), 500);
    clock.advance_micros(2_000_000);
    let open = loop {
        let newest = bars(&server, "symbol=NVDA&limit=1").await;
        assert_eq!(newest.len(), 1);
        if newest[0]["final"] == false {
            break newest;
        }
    };
    assert_eq!(ts(&open[0]), START.micros() - START.micros().rem_euclid(MINUTE_MICROS));
}

#[actix_web::test]
async fn no_more_bars_are_kept_than_the_limit_while_the_market_goes_on() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.history.bars_max = 20;
        settings.feed.events_per_second = 20.0;
    });
    let before = bars(&server, "symbol=NVDA&limit=100").await;
    clock.advance_micros(30 * MINUTE_MICROS);
    let after = loop {
        let after = bars(&server, "symbol=NVDA&limit=100").await;
        assert!(after.len() <= 21, "twenty closed and one open");
        if ts(after.last().unwrap()) >= START.micros() + 29 * MINUTE_MICROS {
            break after;
        }
    };
    assert!(ts(&after[0]) > ts(before.last().unwrap()), "the old ones are forgotten");
}

#[actix_web::test]
async fn bars_are_compressed_for_clients_that_accept_it() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.history.bars_max = 3_000);
    let path = "/api/v1/bars?symbol=AAPL&limit=600";
    let plain = get(server.address, path).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.header("vary").starts_with("Accept-Encoding"), "{}", plain.header("vary"));
    for accept in ["gzip", "gzip, deflate, br, zstd", "br;q=1, gzip;q=0.5"] {
        let answer = request(server.address, Method::GET, path, &[("accept-encoding", accept)]).await;
        assert_eq!(answer.header("content-encoding"), "gzip", "{accept}");
        assert!(answer.header("vary").starts_with("Accept-Encoding"), "{}", answer.header("vary"));
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert!(answer.body.len() * 4 < plain.body.len(), "{} of {} bytes", answer.body.len(), plain.body.len());
        let mut text = String::new();
        GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain.text(), "{accept}");
    }
    // A short one, a long one that is encoded while it is sent, and clients that want none.
    for (path, accept) in [
        ("/api/v1/bars?symbol=AAPL&limit=5", "gzip"),
        ("/api/v1/bars?symbol=AAPL&limit=2000", "gzip"),
        (path, "gzip;q=0"),
        (path, "br"),
        (path, "nonsense;;"),
    ] {
        let answer = request(server.address, Method::GET, path, &[("accept-encoding", accept)]).await;
        assert_eq!(answer.header("content-encoding"), "", "{path} {accept}");
        assert!(answer.json()["bars"].as_array().unwrap().len() >= 5, "{path} {accept}");
    }
}
