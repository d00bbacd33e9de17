//! Invalid query strings: every URL answers every mistake with its status and code in a problem document.

use serde_json::json;

use crate::http::get;
use crate::spawn::{TestServer, spawn_app};

/// Expects every path to be answered with this status and code.
async fn refuses(status: u16, code: &str, paths: &[&str]) {
    let server = spawn_app(|_| {});
    for path in paths {
        let answer = get(server.address, path).await;
        let problem = answer.problem();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{path:.100}: {problem}");
        assert!(answer.text().len() < 1_000, "only the beginning of the text is quoted");
    }
    lives_on(&server).await;
}

async fn lives_on(server: &TestServer) {
    let answer = get(server.address, "/api/v1/snapshot?symbols=AAPL").await.json();
    assert_eq!(answer["snapshots"][0]["symbol"], "AAPL");
    crate::patience::wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn a_missing_parameter_is_answered_with_400() {
    let paths = [
        "/api/v1/bars",
        "/api/v1/bars?",
        "/api/v1/bars?interval=1m",
        "/api/v1/poll",
        "/api/v1/poll?wait_ms=0",
        "/api/v1/poll?channels=trades",
    ];
    refuses(400, "bad_request", &paths).await;
}

#[actix_web::test]
async fn an_unknown_parameter_is_answered_with_400() {
    let long = format!("/api/v1/symbols?{}=1", "x".repeat(5_000));
    let paths = [
        "/api/v1/symbols?symbols=AAPL",
        "/api/v1/symbols?a",
        "/api/v1/snapshot?symbol=AAPL",
        "/api/v1/snapshot?symbols=AAPL&extra=1",
        "/api/v1/snapshot?SYMBOLS=AAPL",
        "/api/v1/bars?symbol=AAPL&channels=trades",
        "/api/v1/poll?symbols=AAPL&wait=0",
        "/api/v1/poll?symbols=AAPL&mode=latest&max_hz=4",
        "/api/v1/poll?symbols=AAPL&on_lag=close",
        "/api/v1/stream?symbols=AAPL&wait_ms=0",
        &long,
    ];
    refuses(400, "bad_request", &paths).await;
}

#[actix_web::test]
async fn a_repeated_parameter_is_answered_with_400() {
    let paths = [
        "/api/v1/symbols?from=1&from=1",
        "/api/v1/snapshot?symbols=AAPL&symbols=MSFT",
        "/api/v1/bars?symbol=AAPL&symbol=AAPL",
        "/api/v1/bars?symbol=AAPL&limit=5&limit=6",
        "/api/v1/bars?symbol=AAPL&interval=1m&interval=1h",
        "/api/v1/bars?symbol=AAPL&before=1&before=2",
        "/api/v1/poll?symbols=AAPL&wait_ms=0&wait_ms=0",
        "/api/v1/poll?symbols=AAPL&symbols=AAPL&wait_ms=0",
        "/api/v1/poll?symbols=AAPL&channels=trades&channels=quotes",
        "/api/v1/poll?symbols=AAPL&after=a:1&after=a:1",
    ];
    refuses(400, "bad_request", &paths).await;
}

#[actix_web::test]
async fn an_invalid_number_is_answered_with_400() {
    let paths = [
        "/api/v1/symbols?from=-1",
        "/api/v1/symbols?from=4294967296",
        "/api/v1/bars?symbol=AAPL&limit=0",
        "/api/v1/bars?symbol=AAPL&limit=-1",
        "/api/v1/bars?symbol=AAPL&limit=10001",
        "/api/v1/bars?symbol=AAPL&limit=many",
        "/api/v1/bars?symbol=AAPL&limit=1.5",
        "/api/v1/bars?symbol=AAPL&limit=",
        "/api/v1/bars?symbol=AAPL&limit=99999999999999999999999",
        "/api/v1/poll?symbols=AAPL&wait_ms=-1",
        "/api/v1/poll?symbols=AAPL&wait_ms=60001",
        "/api/v1/poll?symbols=AAPL&wait_ms=soon",
        "/api/v1/poll?symbols=AAPL&wait_ms=",
        "/api/v1/poll?symbols=AAPL&wait_ms=1e3",
    ];
    refuses(400, "bad_request", &paths).await;
}

#[actix_web::test]
async fn a_malformed_interval_time_or_cursor_is_answered_with_400() {
    let paths = [
        "/api/v1/bars?symbol=AAPL&interval=2m",
        "/api/v1/bars?symbol=AAPL&interval=",
        "/api/v1/bars?symbol=AAPL&interval=1M",
        "/api/v1/bars?symbol=AAPL&before=",
        "/api/v1/bars?symbol=AAPL&before=yesterday",
        "/api/v1/bars?symbol=AAPL&before=2026-13-01T00:00:00Z",
        "/api/v1/bars?symbol=AAPL&before=2026-03-02",
        "/api/v1/bars?symbol=AAPL&before=99999999999999999999",
        "/api/v1/bars?symbol=AAPL&before=1772461800000000000",
        "/api/v1/bars?symbol=AAPL&before=1772461",
        "/api/v1/bars?symbol=AAPL&before=0",
        "/api/v1/bars?symbol=AAPL&before=-1772461800",
        "/api/v1/poll?symbols=AAPL&after=",
        "/api/v1/poll?symbols=AAPL&after=48211",
        "/api/v1/poll?symbols=AAPL&after=9c1f",
        "/api/v1/poll?symbols=AAPL&after=9c1f:",
        "/api/v1/poll?symbols=AAPL&after=:48211",
        "/api/v1/poll?symbols=AAPL&after=9c1f:-1",
        "/api/v1/poll?symbols=AAPL&after=9c1f:99999999999999999999",
        "/api/v1/poll?symbols=AAPL&after=9c1f:1:2:x",
    ];
    refuses(400, "bad_request", &paths).await;
}

#[actix_web::test]
async fn a_malformed_list_is_answered_with_400() {
    let paths = [
        "/api/v1/snapshot?symbols=",
        "/api/v1/snapshot?symbols=,",
        "/api/v1/snapshot?symbols=AAPL,",
        "/api/v1/snapshot?symbols=AAPL,,MSFT",
        "/api/v1/poll?symbols=&wait_ms=0",
        "/api/v1/poll?symbols=,AAPL&wait_ms=0",
    ];
    refuses(400, "bad_request", &paths).await;
}

#[actix_web::test]
async fn an_unknown_channel_is_answered_with_400() {
    let paths = [
        "/api/v1/poll?symbols=AAPL&channels=bars",
        "/api/v1/poll?symbols=AAPL&channels=trades,news",
        "/api/v1/poll?symbols=AAPL&channels=",
        "/api/v1/poll?symbols=AAPL&channels=Trades",
        "/api/v1/poll?symbols=AAPL&channels=*",
    ];
    refuses(400, "unknown_channel", &paths).await;
}

#[actix_web::test]
async fn an_unknown_symbol_is_answered_with_404_and_named() {
    let paths = [
        "/api/v1/snapshot?symbols=XYZ",
        "/api/v1/snapshot?symbols=AAPL,XYZ",
        "/api/v1/snapshot?symbols=aap%20l",
        "/api/v1/bars?symbol=XYZ",
        "/api/v1/bars?symbol=",
        "/api/v1/bars?symbol=*",
        "/api/v1/bars?symbol=AAPL,MSFT",
        "/api/v1/poll?symbols=XYZ&wait_ms=0",
        "/api/v1/poll?symbols=*,XYZ",
        "/api/v1/snapshot?symbols=%00",
        "/api/v1/snapshot?symbols=%C3%84",
    ];
    refuses(404, "unknown_symbol", &paths).await;
    let server = spawn_app(|_| {});
    for path in ["/api/v1/snapshot?symbols=AAPL,XYZ,NOPE", "/api/v1/poll?symbols=XYZ,AAPL,NOPE"] {
        let problem = get(server.address, path).await.problem();
        assert_eq!(problem["symbols"], json!(["XYZ", "NOPE"]), "{path}");
        assert_eq!((&problem["title"], &problem["type"]), (&json!("Not Found"), &json!("about:blank")));
    }
}

#[actix_web::test]
async fn more_symbols_than_the_limit_are_answered_with_400() {
    let server = spawn_app(|settings| settings.session.symbols_max = 2);
    for path in ["/api/v1/poll?symbols=AAPL,MSFT,NVDA", "/api/v1/snapshot?symbols=AAPL,MSFT,NVDA"] {
        let answer = get(server.address, path).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (400, &json!("limit_exceeded")), "{path}");
    }
    assert_eq!(get(server.address, "/api/v1/snapshot").await.status, 200, "all of them are one subscription");
    lives_on(&server).await;
}

#[actix_web::test]
async fn bytes_that_are_not_utf8_are_answered_and_the_server_goes_on() {
    let server = spawn_app(|_| {});
    for path in
        ["/api/v1/snapshot?symbols=%FF", "/api/v1/poll?symbols=%FF%FE", "/api/v1/bars?symbol=%", "/api/v1/poll?%FF=1"]
    {
        let answer = get(server.address, path).await;
        assert!([400, 404].contains(&answer.status), "{path}");
        answer.problem();
    }
    lives_on(&server).await;
}
