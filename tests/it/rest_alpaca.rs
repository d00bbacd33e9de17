//! Alpaca's REST: bars, trades and quotes in pages, newest values, snapshots.

use std::collections::BTreeMap;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::domain::ManualClock;

use crate::client::Client;
use crate::http::{Answer, request};
use crate::patience::{patiently, wait_until};
use crate::spawn::{START, TestServer, spawn_app_at_rest};

pub(crate) const KEYS: [(&str, &str); 2] = [("APCA-API-KEY-ID", "tickcast"), ("APCA-API-SECRET-KEY", "tickcast")];

pub(crate) async fn get(server: &TestServer, path: &str) -> Answer {
    request(server.address, Method::GET, &format!("/v2/stocks/{path}"), &KEYS).await
}

pub(crate) async fn json(server: &TestServer, path: &str) -> Value {
    get(server, path).await.json()
}

/// A market at rest in which a minute and a half have passed, with some hundred trades and quotes.
pub(crate) async fn spawn_moved() -> (TestServer, std::sync::Arc<ManualClock>) {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.history.bars_max = 3_000;
        settings.feed.events_per_second = 50.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    clock.advance_micros(90_000_000);
    let until = START.micros() + 85_000_000;
    while client.events(1).await[0]["ts"].as_i64().unwrap() < until {}
    settle(&server).await;
    (server, clock)
}

/// Waits until the history has every event of a market whose clock stands still.
pub(crate) async fn settle(server: &TestServer) {
    let mut last = None;
    loop {
        // A whole step with this time of the clock: one may be at work, with the time before.
        let steps = server.metrics.feed_steps.get();
        wait_until("two more steps", true, || server.metrics.feed_steps.get() >= steps + 2).await;
        let answer = crate::http::get(server.address, "/api/v1/bars?symbol=AAPL&limit=1").await.json();
        let (offset, published) = (answer["offset"].as_u64(), server.metrics.events_published.get());
        // Twice the same: what is due may take several steps.
        if offset == Some(published) && last == offset {
            return;
        }
        last = offset;
    }
}

/// Reads all pages; returns the rows of each symbol, in the order in which they came, and the number of pages.
async fn pages(server: &TestServer, path: &str, kind: &str, limit: usize) -> (Vec<(String, Value)>, usize) {
    let (mut rows, mut token, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let page = json(server, &format!("{path}&limit={limit}{token}")).await;
        count += 1;
        let mut found = 0;
        for (symbol, list) in page[kind].as_object().unwrap() {
            let list = list.as_array().unwrap();
            assert!(!list.is_empty(), "a symbol without rows is omitted");
            found += list.len();
            rows.extend(list.iter().map(|row| (symbol.clone(), row.clone())));
        }
        assert!(found <= limit);
        match page["next_page_token"].as_str() {
            Some(next) => {
                assert_eq!(found, limit, "a page is full");
                token = format!("&page_token={next}");
            }
            None => return (rows, count),
        }
    }
}

#[actix_web::test]
async fn pages_of_any_length_joined_are_the_whole_answer_in_both_orders() {
    let (server, _clock) = spawn_moved().await;
    for (path, kind, lengths) in [
        ("bars?symbols=MSFT,AAPL,NVDA&timeframe=1Min&start=2026-03-02T13:00:00Z", "bars", [1, 7, 123, 9_999]),
        ("bars?symbols=AAPL,NVDA,KO&timeframe=4Hour&start=2026-02-25", "bars", [2, 3, 10, 1_000]),
        ("bars?symbols=AAPL,KO&timeframe=1Day&start=2025-07-01", "bars", [11, 100, 160, 200]),
        ("trades?symbols=AAPL,MSFT,TSLA,KO", "trades", [17, 50, 333, 10_000]),
        ("quotes?symbols=AAPL,MSFT,TSLA", "quotes", [19, 99, 500, 10_000]),
    ] {
        let mut whole = BTreeMap::new();
        for sort in ["asc", "desc"] {
            let path = format!("{path}&sort={sort}");
            let (all, count) = pages(&server, &path, kind, 10_000).await;
            assert_eq!(count, 1);
            assert!(all.len() > 40, "{path}: {}", all.len());
            for limit in lengths.into_iter().filter(|limit| all.len() / limit < 70) {
                let (joined, count) = pages(&server, &path, kind, limit).await;
                assert!(joined == all, "{path} in pages of {limit}");
                assert_eq!(count, all.len().div_ceil(limit), "{path} in pages of {limit}");
            }
            let of = |name: &str| {
                let rows = all.iter().filter(|(symbol, _)| symbol == name);
                rows.map(|(_, row)| row.clone()).collect::<Vec<_>>()
            };
            let names: Vec<_> = all.iter().map(|(symbol, _)| symbol.clone()).collect();
            assert!(names.is_sorted(), "by symbol first, then by time");
            whole.insert(sort, (of("AAPL"), all.len()));
        }
        let (mut descending, count) = whole.remove("desc").unwrap();
        descending.reverse();
        assert_eq!((descending, count), whole.remove("asc").unwrap());
    }
}

#[actix_web::test]
async fn bars_of_a_timeframe_are_those_of_minutes_merged() {
    let (server, _clock) = spawn_moved().await;
    let minutes = json(&server, "AAPL/bars?timeframe=1Min&limit=10000").await;
    assert_eq!((&minutes["symbol"], &minutes["next_page_token"]), (&json!("AAPL"), &Value::Null));
    let minutes = minutes["bars"].as_array().unwrap();
    assert!(minutes.len() > 500);
    for (timeframe, length, end) in [
        ("2Min", 2, "2026-03-02T15:00:00Z"),
        // 595 minutes after midnight one begins.
        ("7T", 7, "2026-03-02T15:02:00Z"),
        ("15Min", 15, "2026-03-02T15:00:00Z"),
        ("1Hour", 60, "2026-03-02T15:00:00Z"),
        ("5H", 300, "2026-03-02T15:00:00Z"),
    ] {
        let path = format!("bars?symbols=AAPL&timeframe={timeframe}&end=2026-03-02T14:59:59Z&limit=10000");
        let bars = json(&server, &path).await;
        let bars = bars["bars"]["AAPL"].as_array().unwrap();
        let minutes: Vec<_> = minutes.iter().filter(|part| part["t"].as_str().unwrap() < end).collect();
        let number = |bar: &Value, key: &str| bar[key].as_f64().unwrap();
        let mut last = 0;
        for (index, bar) in bars.iter().enumerate() {
            let start = bar["t"].as_str().unwrap();
            let end = bars.get(index + 1).map_or(end, |next| next["t"].as_str().unwrap());
            let parts: Vec<_> =
                minutes.iter().filter(|part| (start..end).contains(&part["t"].as_str().unwrap())).collect();
            assert!((1..=length).contains(&parts.len()), "{timeframe} {start}");
            assert_eq!(bar["o"], parts[0]["o"], "{timeframe} {start}");
            assert_eq!(bar["c"], parts.last().unwrap()["c"]);
            let sum = |key: &str| parts.iter().map(|part| part[key].as_u64().unwrap()).sum::<u64>();
            assert_eq!((bar["v"].as_u64(), bar["n"].as_u64()), (Some(sum("v")), Some(sum("n"))));
            let high = parts.iter().map(|part| number(part, "h")).fold(0.0, f64::max);
            let low = parts.iter().map(|part| number(part, "l")).fold(f64::MAX, f64::min);
            assert!((number(bar, "h") - high).abs() + (number(bar, "l") - low).abs() < 1e-9);
            last += parts.len();
        }
        assert_eq!(last, minutes.len(), "every minute is in one bar");
    }
}

#[actix_web::test]
async fn days_begin_at_midnight_in_new_york_and_weeks_and_months_are_made_of_them() {
    let (server, _clock) = spawn_moved().await;
    let bars = |timeframe: &str| {
        let path = format!("KO/bars?timeframe={timeframe}&start=2025-06-01&limit=10000");
        let server = &server;
        async move { json(server, &path).await["bars"].as_array().unwrap().clone() }
    };
    let days = bars("1Day").await;
    assert!(days.len() > 240, "{}", days.len());
    for day in &days {
        let t = day["t"].as_str().unwrap();
        let is_summer = ("2025-03-09".."2025-11-03").contains(&&t[..10]);
        assert_eq!(&t[10..], if is_summer { "T04:00:00Z" } else { "T05:00:00Z" }, "{t}");
    }
    assert_eq!(days.last().unwrap()["t"], "2026-03-02T05:00:00Z");
    let volume = |bars: &[Value], from: &str, to: &str| {
        let within = bars.iter().filter(|bar| (from..to).contains(&bar["t"].as_str().unwrap()));
        within.map(|bar| bar["v"].as_u64().unwrap()).sum::<u64>()
    };
    let weeks = bars("1Week").await;
    let week = weeks.iter().find(|bar| bar["t"] == "2026-02-23T05:00:00Z").expect("a Monday");
    assert_eq!(week["v"].as_u64().unwrap(), volume(&days, "2026-02-23", "2026-03-02"));
    let months = bars("3Month").await;
    let quarter = months.iter().find(|bar| bar["t"] == "2025-10-01T04:00:00Z").expect("a quarter");
    assert_eq!(quarter["v"].as_u64().unwrap(), volume(&days, "2025-10", "2026-01"));
}

#[actix_web::test]
async fn start_and_end_are_inclusive_and_may_be_written_in_several_ways() {
    let (server, _clock) = spawn_moved().await;
    let times = |query: String| {
        let server = &server;
        async move {
            let bars = json(server, &format!("bars?symbols=NVDA&timeframe=1Min&{query}")).await;
            let bars = bars["bars"]["NVDA"].as_array().cloned().unwrap_or_default();
            bars.iter().map(|bar| bar["t"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    let expected = ["2026-03-02T14:30:00Z", "2026-03-02T14:31:00Z", "2026-03-02T14:32:00Z"];
    for (start, end) in [
        ("2026-03-02T14:30:00Z", "2026-03-02T14:32:00Z"),
        ("2026-03-02T14:30:00%2B00:00", "2026-03-02T14:32:59.999999999Z"),
        ("2026-03-02T14:30:00+00:00", "2026-03-02T09:32:00-05:00"),
        ("2026-03-02T14:29:00.000000001Z", "2026-03-02T15:32:30+01:00"),
    ] {
        let found = times(format!("start={start}&end={end}")).await;
        let found: Vec<_> = found.into_iter().filter(|time| !time.contains("14:29")).collect();
        assert_eq!(found, expected, "{start} {end}");
    }
    let today = times("limit=10000".into()).await;
    assert_eq!(today[0], "2026-03-02T05:00:00Z", "from midnight in New York");
    assert_eq!(today.last().unwrap(), "2026-03-02T15:04:00Z", "up to the last minute that has closed");
    let day = times("start=2026-03-01&end=2026-03-01&limit=10000".into()).await;
    assert_eq!((day[0].as_str(), day.last().unwrap().as_str()), ("2026-03-01T05:00:00Z", "2026-03-02T04:59:00Z"));
    assert_eq!(times("start=2027-01-01&end=2027-02-01".into()).await, [""; 0]);
}

#[actix_web::test]
async fn trades_and_quotes_are_the_events_of_the_stream() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades", "quotes"]).await;
    clock.advance_micros(20_000_000);
    let events = client.events(100).await;
    let mut seen = 0;
    for (kind, name) in [("trades", "trade"), ("quotes", "quote")] {
        let rows = json(&server, &format!("{kind}?symbols=AAPL&limit=10000")).await;
        let rows = rows[kind]["AAPL"].as_array().unwrap();
        let streamed = events.iter().filter(|event| event["type"] == name);
        for (event, row) in streamed.zip(rows) {
            seen += 1;
            let micros = chrono_micros(row["t"].as_str().unwrap());
            assert_eq!(event["ts"].as_i64(), Some(micros), "{event} {row}");
            if name == "trade" {
                assert_eq!((&row["p"], &row["s"]), (&event["price"], &event["size"]));
                assert_eq!(row["i"], event["seq"]);
                assert!(row["c"][0] == "@" && row["x"].is_string() && row["z"] == "C", "{row}");
            } else {
                let sides = [("bp", "bid"), ("bs", "bid_size"), ("ap", "ask"), ("as", "ask_size")];
                assert!(sides.iter().all(|(key, name)| row[*key] == event[*name]), "{event} {row}");
                assert!(row["bx"].is_string() && row["ax"].is_string() && row["c"] == json!(["R"]), "{row}");
            }
        }
    }
    assert_eq!(seen, 100);
    let trades = json(&server, "AAPL/trades?limit=10000").await;
    let last = trades["trades"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(json(&server, "AAPL/trades/latest").await, json!({"symbol": "AAPL", "trade": last}));
    assert_eq!(json(&server, "trades/latest?symbols=AAPL").await, json!({"trades": {"AAPL": last}}));
    let t = last["t"].as_str().unwrap();
    let one = json(&server, &format!("AAPL/trades?start={t}&end={t}")).await;
    assert!(one["trades"].as_array().unwrap().contains(&last));
}

fn chrono_micros(text: &str) -> i64 {
    let (date, rest) = text.split_once('T').unwrap();
    assert_eq!(date, "2026-03-02");
    let mut parts = rest.trim_end_matches('Z').split(':');
    let [hours, minutes] = [parts.next(), parts.next()].map(|part| part.unwrap().parse::<i64>().unwrap());
    let (seconds, fraction) = parts.next().map(|part| part.split_once('.').unwrap_or((part, "0"))).unwrap();
    let day = START.micros() - START.micros().rem_euclid(86_400_000_000);
    let seconds: i64 = seconds.parse().unwrap();
    day + ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().unwrap()
}

#[actix_web::test]
async fn the_newest_values_and_snapshots_agree_with_the_lists() {
    let (server, _clock) = spawn_moved().await;
    let names = "AAPL,MSFT,NVDA";
    let snapshots = json(&server, &format!("snapshots?symbols={names},ZZZZ")).await;
    assert_eq!(snapshots.as_object().unwrap().keys().collect::<Vec<_>>(), ["AAPL", "MSFT", "NVDA"]);
    let latest = |kind: &str| {
        let (path, server) = (format!("{kind}/latest?symbols={names}&feed=iex"), &server);
        async move { json(server, &path).await }
    };
    let (trades, quotes, bars) = (latest("trades").await, latest("quotes").await, latest("bars").await);
    for name in names.split(',') {
        let snapshot = &snapshots[name];
        assert_eq!(snapshot["latestTrade"], trades["trades"][name]);
        assert_eq!(snapshot["latestQuote"], quotes["quotes"][name]);
        assert_eq!(snapshot["minuteBar"], bars["bars"][name]);
        assert_eq!(snapshot["minuteBar"]["t"], "2026-03-02T15:04:00Z");
        assert_eq!(snapshot["dailyBar"]["t"], "2026-03-02T05:00:00Z");
        assert_eq!(snapshot["prevDailyBar"]["t"], "2026-03-01T05:00:00Z");
        assert_eq!(snapshot["dailyBar"]["c"], snapshot["latestTrade"]["p"], "the day is open");
        let mut alone = json(&server, &format!("{name}/snapshot")).await;
        assert_eq!(alone.as_object_mut().unwrap().remove("symbol"), Some(json!(name)));
        assert_eq!(&alone, snapshot);
        let days = json(&server, &format!("{name}/bars?timeframe=1Day&start=2026-03-01")).await;
        assert_eq!(days["bars"], json!([snapshot["prevDailyBar"], snapshot["dailyBar"]]));
    }
}

#[actix_web::test]
async fn before_the_first_event_the_newest_values_are_those_of_the_start() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let snapshot = json(&server, "AAPL/snapshot").await;
    assert_eq!(snapshot["latestTrade"]["p"], 201.37);
    assert!(snapshot["latestQuote"]["bp"].as_f64() < snapshot["latestQuote"]["ap"].as_f64());
    assert_eq!(json(&server, "trades?symbols=AAPL").await, json!({"trades": {}, "next_page_token": null}));
    assert_eq!(json(&server, "AAPL/trades").await, json!({"trades": [], "symbol": "AAPL", "next_page_token": null}));
}

#[actix_web::test]
async fn codes_of_exchanges_and_conditions_have_names() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let exchanges = json(&server, "meta/exchanges").await;
    assert_eq!(exchanges["V"], "IEX");
    let trades = json(&server, "meta/conditions/trade?tape=C").await;
    assert!(trades["@"].is_string() && trades["I"].is_string());
    assert!(json(&server, "meta/conditions/quote?tape=A").await["R"].is_string());
    for path in ["meta/conditions/trade", "meta/conditions/trade?tape=X", "meta/conditions/bar?tape=A"] {
        assert_eq!(get(&server, path).await.status, 400, "{path}");
    }
}

#[actix_web::test]
async fn a_currency_is_named_to_those_who_ask_for_one() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for path in [
        "bars?symbols=AAPL&timeframe=1Day&start=2026-02-01&limit=2&",
        "AAPL/bars?timeframe=1Hour&limit=2&",
        "trades?symbols=AAPL&",
        "quotes?symbols=ZZZZ&",
        "trades/latest?symbols=AAPL,MSFT&",
        "bars/latest?symbols=ZZZZ&",
        "AAPL/quotes/latest?",
        "AAPL/snapshot?",
    ] {
        assert_eq!(json(&server, path).await.get("currency"), None, "{path}");
        assert_eq!(json(&server, &format!("{path}currency=USD")).await["currency"], "USD", "{path}");
        assert_eq!(
            json(&server, &format!("{path}currency=EUR")).await["currency"],
            "USD",
            "that of the prices: {path}"
        );
    }
    let snapshots = json(&server, "snapshots?symbols=AAPL&currency=USD").await;
    assert_eq!(snapshots.as_object().unwrap().keys().collect::<Vec<_>>(), ["AAPL"], "only symbols");
}

#[actix_web::test]
async fn the_newest_trade_says_what_has_become_of_it() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.feed.events_per_second = 20.0;
        settings.feed.amendments_per_million_trades = 100_000;
    });
    let listed = crate::http::get(server.address, "/api/v1/symbols").await.json();
    let names: Vec<_> =
        listed["symbols"].as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap()).collect();
    let names = names.join(",");
    let amended = async {
        loop {
            clock.advance_micros(10_000_000);
            settle(&server).await;
            let latest = json(&server, &format!("trades/latest?symbols={names}")).await;
            if latest["trades"].as_object().unwrap().values().any(|trade| !trade["u"].is_null()) {
                break latest;
            }
        }
    };
    let latest = patiently("a newest trade that was amended", amended).await;
    let all = json(&server, &format!("trades?symbols={names}&limit=10000")).await;
    let snapshots = json(&server, &format!("snapshots?symbols={names}")).await;
    assert_eq!(all["next_page_token"], Value::Null);
    for (symbol, trade) in latest["trades"].as_object().unwrap() {
        // Before the first one of the run, the trade with which the market was opened is not in the list.
        let is_listed = trade["i"] == 0 || all["trades"][symbol].as_array().unwrap().contains(trade);
        assert!(is_listed, "{symbol} {trade}: {}", all["trades"][symbol].as_array().unwrap().last().unwrap());
        assert_eq!(snapshots[symbol]["latestTrade"], *trade, "{symbol}");
    }
}
