//! Massive's REST: aggregates and trades in pages, newest values, snapshots, the reference, and the vendor's errors.

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::{domain::Timestamp, transport::AllowedHosts};

use crate::client::Client;
use crate::http::{Answer, request};
use crate::raw::RawClient;
use crate::rest_alpaca::settle;
use crate::spawn::{START, TestServer, spawn_app, spawn_app_at, spawn_app_at_rest};

/// 2026-03-03, midnight in New York.
const MIDNIGHT: Timestamp = Timestamp::from_micros(1_772_514_000_000_000);
const DAY_MS: i64 = 86_400_000;
const START_MS: i64 = START.micros() / 1_000;

async fn get(server: &TestServer, path: &str) -> Answer {
    request(server.address, Method::GET, path, &[("Authorization", "Bearer tickcast")]).await
}

async fn json(server: &TestServer, path: &str) -> Value {
    let answer = get(server, path).await.json();
    assert_eq!(answer["status"], "OK");
    assert!(answer["request_id"].is_string());
    answer
}

fn spawn_past() -> TestServer {
    spawn_app_at_rest(|settings| settings.history.bars_max = 3_000).0
}

/// A market in which some trades and quotes have happened.
async fn spawn_moved() -> (TestServer, Value) {
    let (server, clock) = spawn_app_at_rest(|settings| {
        (settings.history.bars_max, settings.feed.extra_symbols) = (3_000, 60);
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    clock.advance_micros(30_000_000);
    let last = client.events(30).await.pop().unwrap();
    let until = START.micros() + 25_000_000;
    while client.events(1).await[0]["ts"].as_i64().unwrap() < until {}
    settle(&server).await;
    (server, last)
}

/// Follows `next_url` to the end; returns all rows and the number of pages.
async fn pages(server: &TestServer, path: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut path, mut count) = (Vec::new(), path.to_owned(), 0);
    loop {
        let page = json(server, &path).await;
        count += 1;
        rows.extend(page["results"].as_array().cloned().unwrap_or_default());
        let Some(next) = page["next_url"].as_str() else { return (rows, count) };
        assert!(!next.contains("apiKey") && next.contains('?'), "the clients append the key: {next}");
        next.strip_prefix(&format!("http://{}", server.address)).expect("this server").clone_into(&mut path);
    }
}

#[actix_web::test]
async fn aggregates_have_the_vendors_fields_and_pages_joined_are_the_whole_answer() {
    let server = spawn_past();
    for (range, least) in [
        (format!("1/minute/{}/{START_MS}", START_MS - 3 * 3_600_000), 150),
        ("5/minute/2026-03-01/2026-03-02".to_owned(), 300),
        ("1/hour/2026-02-20/2026-03-02".to_owned(), 200),
        ("1/day/2025-08-01/2026-03-02".to_owned(), 200),
        ("1/week/2025-08-01/2026-03-02".to_owned(), 25),
        ("1/quarter/2025-06-01/2026-03-02".to_owned(), 3),
        ("2/year/2025-01-01/2026-03-02".to_owned(), 0),
        ("30/second/2026-03-02/2026-03-02".to_owned(), 60),
    ] {
        for sort in ["asc", "desc"] {
            let path = format!("/v2/aggs/ticker/AAPL/range/{range}?sort={sort}&apiKey=tickcast");
            let (whole, count) = pages(&server, &path).await;
            assert!(whole.len() >= least && count == 1, "{range}: {}", whole.len());
            let times: Vec<_> = whole.iter().map(|bar| bar["t"].as_i64().unwrap()).collect();
            let is_sorted = times.windows(2).all(|pair| (pair[0] < pair[1]) == (sort == "asc"));
            assert!(is_sorted, "{range} {sort}");
            for limit in [7, 50, 49_999] {
                if whole.len() / limit < 50 {
                    let (joined, _) = pages(&server, &format!("{path}&limit={limit}")).await;
                    assert!(joined == whole, "{range} {sort} in pages of {limit}");
                }
            }
        }
    }
    let answer = json(&server, "/v2/aggs/ticker/AAPL/range/1/day/2026-02-27/2026-02-27?adjusted=false").await;
    assert_eq!(
        (&answer["ticker"], &answer["adjusted"], &answer["resultsCount"]),
        (&json!("AAPL"), &json!(false), &json!(1))
    );
    let bar = answer["results"][0].as_object().unwrap();
    assert_eq!(bar.keys().map(String::as_str).collect::<String>(), "chlnotvvw");
    assert_eq!(bar["t"], 1_772_168_400_000_i64, "midnight in New York");
    let (hour_ms, from) = (3_600_000, START_MS - 3 * 3_600_000);
    let hours = json(&server, &format!("/v2/aggs/ticker/AAPL/range/1/hour/{from}/{START_MS}")).await;
    assert_eq!(hours["results"][0]["t"], from / hour_ms * hour_ms, "the aggregate in which `from` lies");
    for (same, days) in [("24/hour", 1), ("48/hour", 2), ("2880/minute", 2)] {
        let [one, other] = [same.to_owned(), format!("{days}/day")]
            .map(|range| format!("/v2/aggs/ticker/AAPL/range/{range}/2026-02-02/2026-02-27"));
        assert_eq!(json(&server, &one).await["results"], json(&server, &other).await["results"], "{same}");
    }
    let none = json(&server, "/v2/aggs/ticker/ZZZZ/range/1/day/2026-02-01/2026-02-27").await;
    assert_eq!((&none["resultsCount"], none.get("results")), (&json!(0), None));
}

#[actix_web::test]
async fn the_same_bars_are_those_of_the_other_vendors() {
    let server = spawn_past();
    let bars = json(&server, "/v2/aggs/ticker/MSFT/range/1/hour/2026-03-01/2026-03-01").await;
    let keys = [("APCA-API-KEY-ID", "tickcast"), ("APCA-API-SECRET-KEY", "tickcast")];
    let path = "/v2/stocks/MSFT/bars?timeframe=1Hour&start=2026-03-01&end=2026-03-01";
    let alpaca = request(server.address, Method::GET, path, &keys).await.json();
    let from = bars["results"][0]["t"].as_i64().unwrap() / 1_000;
    let path =
        format!("/api/v1/stock/candle?symbol=MSFT&resolution=60&from={from}&to={}&token=tickcast", from + 86_399);
    let finnhub = get(&server, &path).await.json();
    let bars = bars["results"].as_array().unwrap();
    assert_eq!(bars.len(), 24);
    for (index, (bar, other)) in bars.iter().zip(alpaca["bars"].as_array().unwrap()).enumerate() {
        for key in ["o", "h", "l", "c", "v", "vw", "n"] {
            assert_eq!(bar[key].as_f64(), other[key].as_f64(), "{key}");
        }
        for key in ["o", "h", "l", "c", "v"] {
            assert_eq!(bar[key].as_f64(), finnhub[key][index].as_f64(), "{key}");
        }
        assert_eq!(bar["t"].as_i64().unwrap(), 1_000 * finnhub["t"][index].as_i64().unwrap());
    }
}

#[actix_web::test]
async fn the_newest_values_are_those_of_the_stream() {
    let (server, last) = spawn_moved().await;
    let trade = json(&server, "/v2/last/trade/AAPL").await["results"].clone();
    assert_eq!((&trade["T"], &trade["z"]), (&json!("AAPL"), &json!(3)));
    assert!(trade["t"].as_i64().unwrap() >= 1_000 * last["ts"].as_i64().unwrap());
    assert!(trade["i"].is_string() && trade["c"].is_array() && trade["x"].is_u64());
    let quote = json(&server, "/v2/last/nbbo/AAPL").await["results"].clone();
    assert!(quote["p"].as_f64() < quote["P"].as_f64(), "{quote}");
    let one = json(&server, "/v2/snapshot/locale/us/markets/stocks/tickers/AAPL").await["ticker"].clone();
    assert_eq!((&one["lastTrade"]["p"], &one["lastTrade"]["t"]), (&trade["p"], &trade["t"]));
    assert_eq!(one["lastQuote"]["P"], quote["P"]);
    let change = one["lastTrade"]["p"].as_f64().unwrap() - one["prevDay"]["c"].as_f64().unwrap();
    assert!((one["todaysChange"].as_f64().unwrap() - change).abs() < 1e-3, "{one}");
    assert!(one["day"]["v"].as_u64() > Some(0) && one["min"]["av"] == one["day"]["v"]);
    let all = json(&server, "/v2/snapshot/locale/us/markets/stocks/tickers").await;
    assert_eq!((all["count"].as_u64(), all["tickers"].as_array().unwrap().len()), (Some(90), 90));
    let two = json(&server, "/v2/snapshot/locale/us/markets/stocks/tickers?tickers=AAPL,ZZZZ,MSFT").await;
    assert_eq!(two["tickers"].as_array().unwrap().len(), 2);
    assert_eq!(two["tickers"][0], one);
    let before = json(&server, "/v2/aggs/ticker/AAPL/prev").await["results"][0].clone();
    assert_eq!((&before["T"], &before["c"]), (&json!("AAPL"), &one["prevDay"]["c"]));
    assert_eq!(before["t"].as_i64().unwrap() / DAY_MS, START_MS / DAY_MS - 1);
}

#[actix_web::test]
async fn trades_and_quotes_come_in_pages_newest_first() {
    let (server, last) = spawn_moved().await;
    let newest = json(&server, "/v2/last/trade/AAPL").await["results"].take();
    let trades = json(&server, "/v3/trades/AAPL").await["results"].take();
    assert_eq!((&newest["i"], &newest["q"]), (&trades[0]["id"], &trades[0]["sequence_number"]));
    let ids: Vec<u64> =
        trades.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1] + 1), "no trade is missing");
    let streamed = ids.iter().position(|id| last["seq"] == *id).unwrap();
    assert_eq!(trades[streamed]["sequence_number"], last["offset"], "the `q` of the stream");
    let quote = json(&server, "/v2/last/nbbo/AAPL").await["results"].take();
    assert_eq!(quote["q"], json(&server, "/v3/quotes/AAPL?limit=1").await["results"][0]["sequence_number"]);
    for kind in ["trades", "quotes"] {
        let (whole, count) = pages(&server, &format!("/v3/{kind}/AAPL?limit=50000")).await;
        assert!(whole.len() > 29 && count == 1, "{}", whole.len());
        let number = |row: &Value| row["sequence_number"].as_u64().unwrap();
        assert!(whole.windows(2).all(|pair| number(&pair[0]) > number(&pair[1])));
        let (mut joined, count) = pages(&server, &format!("/v3/{kind}/AAPL?limit=9&order=asc")).await;
        assert_eq!(count, whole.len().div_ceil(9));
        joined.reverse();
        assert_eq!(joined, whole);
        let middle = whole[10]["sip_timestamp"].as_i64().unwrap();
        let (later, _) = pages(&server, &format!("/v3/{kind}/AAPL?timestamp.gt={middle}")).await;
        let (earlier, _) = pages(&server, &format!("/v3/{kind}/AAPL?timestamp.lte={middle}")).await;
        assert_eq!([later, earlier].concat(), whole);
        for none in
            ["timestamp.lte=2026-03-01", "timestamp.lt=-1", "timestamp.gte=2026-03-04", "timestamp.gt=2026-03-02"]
        {
            assert_eq!(pages(&server, &format!("/v3/{kind}/AAPL?{none}")).await.0, Vec::<Value>::new(), "{none}");
        }
        let (at, _) = pages(&server, &format!("/v3/{kind}/AAPL?timestamp={middle}")).await;
        assert!(at.contains(&whole[10]) && at.len() < 5);
    }
}

#[actix_web::test]
async fn the_reference_lists_tickers_in_pages() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.feed.extra_symbols = 200);
    let (all, count) = pages(&server, "/v3/reference/tickers?market=stocks&active=true").await;
    assert_eq!((all.len(), count), (230, 3));
    let names: Vec<_> = all.iter().map(|ticker| ticker["ticker"].as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"AAPL"));
    let (mut descending, _) = pages(&server, "/v3/reference/tickers?order=desc&limit=57").await;
    descending.reverse();
    assert_eq!(descending, all);
    let found = json(&server, "/v3/reference/tickers?search=apple").await["results"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1);
    for (key, value) in [("ticker", "AAPL"), ("name", "Apple Inc."), ("primary_exchange", "XNAS"), ("locale", "us")] {
        assert_eq!(found[0][key], value);
    }
    for none in ["market=crypto", "active=false", "type=ETF", "ticker=ZZZZ", "search=nothing%20at%20all"] {
        assert_eq!(json(&server, &format!("/v3/reference/tickers?{none}")).await["count"], 0, "{none}");
    }
    assert_eq!(json(&server, "/v3/reference/tickers/AAPL").await["results"]["name"], "Apple Inc.");
}

#[actix_web::test]
async fn a_bad_request_is_answered_in_the_vendors_shape() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.keys.any = tickcast::access::AnyKey::Never);
    let aggregates = "/v2/aggs/ticker/AAPL/range";
    let first = json(&server, &format!("{aggregates}/1/day/2026-01-01/2026-03-01?limit=5")).await;
    let cursor = first["next_url"].as_str().unwrap().split("cursor=").nth(1).unwrap().split('&').next().unwrap();
    for path in [
        format!("{aggregates}/0/day/2026-01-01/2026-03-01"),
        format!("{aggregates}/10001/day/2026-01-01/2026-03-01"),
        format!("{aggregates}/25/hour/2026-01-01/2026-03-01"),
        format!("{aggregates}/2881/minute/2026-01-01/2026-03-01"),
        format!("{aggregates}/x/day/2026-01-01/2026-03-01"),
        format!("{aggregates}/1/days/2026-01-01/2026-03-01"),
        format!("{aggregates}/1/day/2026-01-01/tomorrow"),
        format!("{aggregates}/1/day/2026-01-01/9223372036854775807"),
        format!("{aggregates}/1/day/2026-03-02/2026-03-01"),
        format!("{aggregates}/1/day/2026-01-01/2026-03-01?limit=0"),
        format!("{aggregates}/1/day/2026-01-01/2026-03-01?limit=50001"),
        format!("{aggregates}/1/day/2026-01-01/2026-03-01?sort=up"),
        format!("{aggregates}/1/day/2026-01-01/2026-03-02?cursor={cursor}"),
        format!("/v2/aggs/ticker/MSFT/range/1/day/2026-01-01/2026-03-01?cursor={cursor}"),
        "/v3/trades/AAPL?timestamp=noon".into(),
        "/v3/quotes/AAPL?timestamp.gte=2026-03-02&timestamp.lt=2026-03-02".into(),
        "/v3/reference/tickers?limit=1001".into(),
    ] {
        let answer = get(&server, &path).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["status"]), (400, &json!("ERROR")), "{path} {body}");
        assert!(body["error"].is_string() && body["request_id"].is_string(), "{body}");
    }
    for path in [
        "/v2/last/trade/ZZZZ",
        "/v2/snapshot/locale/us/markets/stocks/tickers/zzzz",
        "/v2/aggs/ticker/ZZZZ/prev",
        "/v3/reference/tickers/ZZZZ",
        "/v3/snapshot/options/AAPL",
        "/v2/aggs",
    ] {
        let answer = get(&server, path).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["status"]), (404, &json!("NOT_FOUND")), "{path}");
    }
    for (path, headers, message) in [
        ("/v2/last/trade/AAPL", vec![], "API Key was not provided"),
        ("/v2/last/trade/AAPL?apiKey=wrong", vec![], "Unknown API Key"),
        ("/v2/last/trade/AAPL", vec![("Authorization", "Bearer wrong")], "Unknown API Key"),
    ] {
        let answer = request(server.address, Method::GET, path, &headers).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]), (401, &json!(message)), "{path}");
    }
    assert_eq!(request(server.address, Method::GET, "/v2/last/trade/AAPL?apiKey=tickcast", &[]).await.status, 200);
}

#[actix_web::test]
async fn the_movers_are_those_of_the_snapshots_of_all_tickers() {
    let (server, _) = spawn_moved().await;
    let path = "/v2/snapshot/locale/us/markets/stocks";
    let all = json(&server, &format!("{path}/tickers")).await["tickers"].take();
    let change = |ticker: &Value| ticker["todaysChangePerc"].as_f64().unwrap();
    for (direction, sign) in [("gainers", 1.0), ("losers", -1.0)] {
        let mut expected: Vec<_> =
            all.as_array().unwrap().iter().filter(|ticker| sign * change(ticker) > 0.0).collect();
        expected.sort_by(|one, other| (sign * change(other)).total_cmp(&(sign * change(one))));
        assert!(expected.len() > 20, "more than are listed");
        expected.truncate(20);
        let movers = json(&server, &format!("{path}/{direction}")).await;
        assert_eq!(movers["count"], expected.len());
        assert!(movers["tickers"].as_array().unwrap().iter().eq(expected), "{direction}");
    }
    assert_eq!(get(&server, &format!("{path}/winners")).await.status, 404);
}

#[actix_web::test]
async fn snapshots_of_all_tickers_are_read_again_after_a_second() {
    // The workers read apart.
    let (server, clock) = spawn_app_at_rest(|settings| settings.server.workers = 1);
    let path = "/v2/snapshot/locale/us/markets/stocks/tickers";
    let first = json(&server, path).await["tickers"].take();
    let one = json(&server, &format!("{path}/AAPL")).await["ticker"].take();
    clock.advance_micros(600_000);
    settle(&server).await;
    let again = json(&server, path).await["tickers"].take();
    assert!(again.as_array().unwrap().len() == 30 && again == first, "less than a second old");
    assert!(first.as_array().unwrap().contains(&one));
    clock.advance_micros(600_000);
    settle(&server).await;
    assert_ne!(json(&server, path).await["tickers"], first);
}

#[actix_web::test]
async fn the_bars_of_a_day_are_those_of_each_ticker() {
    let (server, _) = spawn_moved().await;
    for date in ["2026-03-02", "2026-03-01", "2026-02-12"] {
        let answer = json(&server, &format!("/v2/aggs/grouped/locale/us/market/stocks/{date}?adjusted=false")).await;
        assert_eq!((&answer["resultsCount"], &answer["adjusted"]), (&json!(90), &json!(false)), "{date}");
        for bar in answer["results"].as_array().unwrap().iter().step_by(7) {
            let ticker = bar["T"].as_str().unwrap();
            let own = json(&server, &format!("/v2/aggs/ticker/{ticker}/range/1/day/{date}/{date}")).await["results"][0]
                .take();
            for name in ["v", "o", "c", "h", "l", "t", "n"] {
                assert_eq!(own[name], bar[name], "{name} of {ticker} on {date}");
            }
            // One is made of the trades of the day, the other one of the rounded averages of its minutes.
            let [one, other] = [&own, bar].map(|bar| bar["vw"].as_f64().unwrap());
            assert!((one - other).abs() < 2e-4, "{ticker} on {date}: {one} {other}");
        }
    }
    let tomorrow = json(&server, "/v2/aggs/grouped/locale/us/market/stocks/2026-03-03").await;
    assert_eq!((&tomorrow["resultsCount"], &tomorrow["results"]), (&json!(0), &json!([])));
    for date in ["yesterday", "2026-02-30", "1772463845123"] {
        let answer = get(&server, &format!("/v2/aggs/grouped/locale/us/market/stocks/{date}")).await;
        assert_eq!(answer.status, 400, "{date}");
    }
}

#[actix_web::test]
async fn the_bars_of_a_day_are_all_there_before_every_ticker_has_traded_on_the_next() {
    let (server, clock) = spawn_app_at(MIDNIGHT.plus_micros(-1_000_000), |settings| {
        settings.feed.events_per_second = 3.0;
        settings.feed.quotes_per_trade = 0.0;
    });
    clock.advance_micros(3_000_000);
    settle(&server).await;
    let count = async |date| {
        let answer = json(&server, &format!("/v2/aggs/grouped/locale/us/market/stocks/{date}")).await;
        answer["resultsCount"].as_u64().unwrap()
    };
    assert!((1..20).contains(&count("2026-03-03").await), "most have not traded today");
    for date in ["2026-03-02", "2026-03-01", "2026-02-28"] {
        assert_eq!(count(date).await, 30, "{date}");
    }
}

#[actix_web::test]
async fn universal_snapshots_have_the_values_of_the_others_in_pages() {
    let (server, _) = spawn_moved().await;
    let answer = json(&server, "/v3/snapshot?ticker.any_of=MSFT,NONE,AAPL,AAPL").await;
    let rows = answer["results"].as_array().unwrap();
    let tickers: Vec<_> = rows.iter().map(|row| row["ticker"].as_str().unwrap()).collect();
    assert_eq!(tickers, ["AAPL", "MSFT", "NONE"]);
    assert_eq!((&rows[2]["error"], rows[2].get("session")), (&json!("NOT_FOUND"), None));
    let other = json(&server, "/v2/snapshot/locale/us/markets/stocks/tickers/AAPL").await["ticker"].take();
    let own = &rows[0];
    for (path, value) in [
        ("/session/price", &other["lastTrade"]["p"]),
        ("/session/change", &other["todaysChange"]),
        ("/session/change_percent", &other["todaysChangePerc"]),
        ("/session/previous_close", &other["prevDay"]["c"]),
        ("/session/open", &other["day"]["o"]),
        ("/session/volume", &other["day"]["v"]),
        ("/last_trade/price", &other["lastTrade"]["p"]),
        ("/last_trade/exchange", &other["lastTrade"]["x"]),
        ("/last_trade/sip_timestamp", &other["lastTrade"]["t"]),
        ("/last_quote/bid", &other["lastQuote"]["p"]),
        ("/last_quote/ask_size", &other["lastQuote"]["S"]),
        ("/last_minute/close", &other["min"]["c"]),
        ("/last_minute/transactions", &other["min"]["n"]),
        ("/last_updated", &other["updated"]),
    ] {
        assert!(!value.is_null() && own.pointer(path) == Some(value), "{path}: {own} {other}");
    }
    let (rows, count) = pages(&server, "/v3/snapshot?type=stocks&limit=8&ticker.gte=B").await;
    assert!(rows.iter().is_sorted_by_key(|row| row["ticker"].as_str().unwrap()) && rows.len() > 16);
    assert_eq!(count, rows.len().div_ceil(8));
    assert_eq!(json(&server, "/v3/snapshot?type=options").await["results"], json!([]));
    assert_eq!(json(&server, "/v3/snapshot").await["results"].as_array().unwrap().len(), 10);
    let named = |count: usize| format!("ticker.any_of={}", vec!["AAPL"; count].join(","));
    assert_eq!(json(&server, &format!("/v3/snapshot?{}", named(250))).await["results"].as_array().unwrap().len(), 1);
    for path in ["limit=251", "limit=0", "order=up", "cursor=none", &named(251)] {
        assert_eq!(get(&server, &format!("/v3/snapshot?{path}")).await.status, 400, "{path}");
    }
}

#[actix_web::test]
async fn the_address_of_the_next_page_is_valid_whatever_the_host_of_the_request() {
    let server = spawn_app(|settings| settings.server.hosts = AllowedHosts::parse(&["*"]).unwrap());
    for (host, expected) in
        [("example.com:8443", "http://example.com:8443/"), ("a\"b", "http://127.0.0.1:"), ("a/b", "http://127.0.0.1:")]
    {
        let request = format!("GET /v3/reference/tickers?limit=1&apiKey=tickcast HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = RawClient::connect(server.address).await.request(&request).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(body["next_url"].as_str().unwrap().starts_with(expected), "{host}: {body}");
    }
}
