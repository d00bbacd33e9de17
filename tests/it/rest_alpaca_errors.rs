//! Alpaca's REST: bad requests, unknown symbols, keys and their limits, in the vendor's words.

use awc::http::Method;
use serde_json::{Value, json};

use crate::http::request;
use crate::rest_alpaca::{KEYS, get, json, spawn_moved};
use crate::spawn::{START, spawn_app, spawn_app_at_rest};

const MINUTE_MICROS: i64 = 60_000_000;

#[actix_web::test]
async fn a_bad_request_is_answered_in_the_vendors_shape() {
    let (server, _clock) = spawn_moved().await;
    let first = json(&server, "bars?symbols=AAPL,MSFT&timeframe=1Min&limit=5").await;
    let token = first["next_page_token"].as_str().unwrap();
    let trades = json(&server, "trades?symbols=AAPL&limit=1").await;
    let tick = trades["next_page_token"].as_str().unwrap();
    for (path, message) in [
        ("bars?symbols=AAPL", "timeframe is required"),
        ("bars?symbols=AAPL&timeframe=", "timeframe is required"),
        ("bars?symbols=AAPL&timeframe=2Day", "invalid timeframe"),
        ("bars?symbols=AAPL&timeframe=60Min", "invalid timeframe"),
        ("bars?timeframe=1Min", "symbols is required"),
        ("bars?symbols=&timeframe=1Min", "symbols is required"),
        ("bars?symbols=aapl&timeframe=1Min", "invalid symbol: aapl"),
        ("bars?symbols=AAPL,,MSFT&timeframe=1Min", "invalid symbol: "),
        ("bars?symbols=TAOP:NASDAQ&timeframe=1Min", "invalid symbol: TAOP:NASDAQ"),
        ("*/bars?timeframe=1Min", "invalid symbol: *"),
        ("trades?symbols=AAPL&limit=0", "invalid limit: must be between 1 and 10000"),
        ("trades?symbols=AAPL&limit=10001", "invalid limit: must be between 1 and 10000"),
        ("quotes?symbols=AAPL&limit=-1", "invalid limit: must be between 1 and 10000"),
        ("quotes?symbols=AAPL&limit=many", "invalid limit: must be between 1 and 10000"),
        ("trades?symbols=AAPL&sort=up", "invalid sort"),
        ("bars?symbols=AAPL&timeframe=1Min&adjustment=half", "invalid adjustment"),
        ("trades?symbols=AAPL&feed=delayed_sip", "invalid feed"),
        ("trades/latest?symbols=AAPL&feed=none", "invalid feed"),
        ("trades?symbols=AAPL&start=2026-03-02&end=2026-03-01", "end should not be before start"),
        ("trades?symbols=AAPL&start=2030-01-01", "end should not be before start"),
        ("trades?symbols=AAPL&page_token=none", "invalid page_token"),
        (&format!("trades?symbols=AAPL,MSFT&page_token={token}"), "invalid page_token"),
        (&format!("bars?symbols=AAPL&timeframe=1Min&page_token={token}"), "invalid page_token"),
        (&format!("bars?symbols=AAPL,MSFT&timeframe=5Min&page_token={token}"), "invalid page_token"),
        (&format!("bars?symbols=AAPL,MSFT&timeframe=1Min&sort=desc&page_token={token}"), "invalid page_token"),
        (&format!("bars?symbols=AAPL,MSFT&timeframe=1Min&start=2026-03-01&page_token={token}"), "invalid page_token"),
        (&format!("quotes?symbols=AAPL&page_token={tick}"), "invalid page_token"),
        (&format!("AAPL/trades?page_token={tick}"), "invalid page_token"),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json!({"message": message}), "{path}");
        assert_eq!(answer.header("x-ratelimit-limit"), "10000");
    }
    for path in ["trades?symbols=AAPL&start=noon", "bars?symbols=AAPL&timeframe=1Min&end=2026-02-30"] {
        let answer = get(&server, path).await;
        assert!(answer.status == 400 && answer.text().contains(r#"{"message":"invalid "#), "{path} {}", answer.text());
    }
    let again = json(&server, &format!("bars?limit=3&timeframe=1Min&symbols=MSFT,AAPL&page_token={token}")).await;
    assert_eq!(again["bars"]["AAPL"].as_array().unwrap().len(), 3, "another limit, and another order of symbols");
    let (other, _clock) = spawn_app_at_rest(|_| {});
    let of_bars = format!("bars?symbols=AAPL,MSFT&timeframe=1Min&page_token={token}");
    assert_eq!(get(&other, &of_bars).await.status, 200, "the past is the same in every run");
    let of_trades = format!("trades?symbols=AAPL&limit=1&page_token={tick}");
    assert_eq!([get(&server, &of_trades).await.status, get(&other, &of_trades).await.status], [200, 400]);
}

#[actix_web::test]
async fn an_unknown_symbol_has_no_rows() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let empty = json!({"bars": {}, "next_page_token": null});
    assert_eq!(json(&server, "bars?symbols=ZZZZ&timeframe=1Min").await, empty);
    let only = json(&server, "ZZZZ/quotes").await;
    assert_eq!(only, json!({"quotes": [], "symbol": "ZZZZ", "next_page_token": null}));
    assert_eq!(json(&server, "trades/latest?symbols=ZZZZ").await, json!({"trades": {}}));
    assert_eq!(json(&server, "snapshots?symbols=ZZZZ").await, json!({}));
    for (path, message) in [
        ("ZZZZ/trades/latest", "no trade found for ZZZZ"),
        ("ZZZZ/bars/latest", "no bar found for ZZZZ"),
        ("ZZZZ/snapshot", "no snapshot found for ZZZZ"),
        ("ZZZZ", "no such address: /v2/stocks/ZZZZ"),
    ] {
        let answer = get(&server, path).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, body), (404, json!({"message": message})), "{path}");
    }
}

#[actix_web::test]
async fn keys_are_accepted_in_three_forms_and_others_refused() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.keys.any = tickcast::access::AnyKey::Never);
    let path = "/v2/stocks/bars/latest?symbols=AAPL";
    let status = |headers: Vec<(&'static str, &'static str)>| {
        let address = server.address;
        async move {
            let answer = request(address, Method::GET, path, &headers).await;
            (answer.status, answer.text().to_owned())
        }
    };
    for headers in [
        KEYS.to_vec(),
        vec![("Apca-Api-Key-Id", "tickcast"), ("Apca-Api-Secret-Key", "tickcast")],
        vec![("Authorization", "Basic dGlja2Nhc3Q6dGlja2Nhc3Q=")],
        vec![("Authorization", "Bearer tickcast")],
    ] {
        assert_eq!(status(headers.clone()).await.0, 200, "{headers:?}");
    }
    assert_eq!(status(vec![]).await, (401, r#"{"message":"unauthorized."}"#.into()));
    for headers in [
        vec![("APCA-API-KEY-ID", "tickcast")],
        vec![("APCA-API-KEY-ID", "tickcast"), ("APCA-API-SECRET-KEY", "wrong")],
        vec![("Authorization", "Bearer wrong")],
        vec![("Authorization", "Basic !")],
    ] {
        assert_eq!(status(headers.clone()).await, (403, r#"{"message":"forbidden."}"#.into()), "{headers:?}");
    }
}

#[actix_web::test]
async fn each_key_has_a_number_of_requests_per_minute() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.keys.requests_per_minute_max = 3);
    let path = "bars/latest?symbols=AAPL";
    let reset = (START.micros() - START.micros().rem_euclid(MINUTE_MICROS) + MINUTE_MICROS) / 1_000_000;
    for remaining in ["2", "1", "0"] {
        let answer = get(&server, path).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, remaining));
        assert_eq!(
            (answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-reset")),
            ("3", &*reset.to_string())
        );
    }
    let refused = get(&server, path).await;
    assert_eq!((refused.status, refused.text()), (429, r#"{"message":"too many requests."}"#));
    assert_eq!((refused.header("x-ratelimit-remaining"), refused.header("retry-after")), ("0", "55"));
    assert_eq!(server.metrics.vendor_requests_refused.get(), 1);
    clock.advance_micros(MINUTE_MICROS);
    assert_eq!(get(&server, path).await.status, 200);
}

#[actix_web::test]
async fn more_reads_than_permitted_are_refused_with_503() {
    let server = spawn_app(|settings| {
        settings.server.bars_reads_max = 1;
        settings.server.workers = 1;
        settings.history.bars_max = 3_000;
    });
    let path = "bars?symbols=AAPL,MSFT,NVDA,KO,TSLA,AMZN,META,DIS,HD,JPM&timeframe=1Day&start=2025-07-01";
    let answers = futures_util::future::join_all((0..8).map(|_| get(&server, path))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < 8, "{}", refused.len());
    for answer in refused {
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert_eq!(answer.text(), r#"{"message":"too many requests are in progress"}"#);
    }
}
