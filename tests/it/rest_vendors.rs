//! What the REST addresses of all vendors have in common: other methods, unknown addresses, and pages of other origins.

use awc::http::Method;
use serde_json::{Value, json};

use tickcast::app::Settings;

use crate::http::{Answer, request};
use crate::patience::{patiently, wait_until};
use crate::raw::RawClient;
use crate::spawn::{TestServer, spawn_app_at_rest};

/// An address of each vendor with its key, and one that it has not.
const ADDRESSES: [(&str, &str, (&str, &str)); 5] = [
    ("/v2/stocks/bars/latest?symbols=AAPL", "/v2/stocks/AAPL/auctions", ("Authorization", "Bearer tickcast")),
    ("/v2/last/trade/AAPL", "/v2/last/crypto/BTC", ("Authorization", "Bearer tickcast")),
    ("/v3/snapshot?ticker.any_of=AAPL", "/v3/snapshot/options/AAPL", ("Authorization", "Bearer tickcast")),
    ("/api/v1/quote?symbol=AAPL&token=tickcast", "/api/v1/news?token=tickcast", ("Accept", "application/json")),
    ("/finnhub/api/v1/quote?symbol=AAPL", "/finnhub/api/v1/news", ("X-Finnhub-Token", "tickcast")),
];

const ORIGIN: (&str, &str) = ("Origin", "https://charts.example");

async fn ask(server: &TestServer, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(server.address, method, path, headers).await
}

/// Returns the error's text, in the shape of the vendor of this address.
fn text_of(path: &str, answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), "application/json", "{path}");
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let key = match path {
        _ if path.contains("/api/v1/") => "error",
        _ if path.starts_with("/v2/stocks") => "message",
        _ if answer.status == 404 => "message",
        _ => "error",
    };
    if path.contains("/api/v1/") || path.starts_with("/v2/stocks") {
        assert_eq!(document.as_object().unwrap().len(), 1, "{path}: {document}");
    } else {
        let status = if answer.status == 404 { "NOT_FOUND" } else { "ERROR" };
        assert_eq!((&document["status"], document["request_id"].is_string()), (&json!(status), true), "{path}");
    }
    document[key].as_str().unwrap_or_else(|| panic!("{path}: {document}")).to_owned()
}

#[actix_web::test]
async fn another_method_and_an_unknown_address_are_refused_in_the_vendors_shape() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for (path, unknown, key) in ADDRESSES {
        assert_eq!(ask(&server, Method::GET, path, &[key]).await.status, 200, "{path}");
        assert_eq!(ask(&server, Method::HEAD, path, &[key]).await.status, 200, "{path}");
        for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
            let answer = ask(&server, method.clone(), path, &[key]).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method} {path}");
            assert_eq!(text_of(path, &answer), format!("method not allowed: {method}"));
        }
        for method in [Method::GET, Method::POST] {
            let answer = ask(&server, method, unknown, &[key]).await;
            assert_eq!(answer.status, 404, "{unknown}");
            assert!(text_of(unknown, &answer).contains("no such address"), "{unknown}");
        }
    }
}

#[actix_web::test]
async fn pages_of_every_origin_may_read_what_a_vendor_serves() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for (path, _, key) in ADDRESSES {
        for (method, headers, status) in [
            (Method::GET, vec![key, ORIGIN], 200),
            (Method::POST, vec![key, ORIGIN], 405),
            // No key: also a refusal can be read.
            (Method::GET, vec![ORIGIN], if path.contains("token=") { 200 } else { 401 }),
        ] {
            let answer = ask(&server, method, path, &headers).await;
            let allowed = answer.header("access-control-allow-origin");
            assert_eq!((answer.status, allowed), (status, "*"), "{path} {headers:?}");
            assert!(answer.header("access-control-expose-headers").contains("x-ratelimit-remaining"));
        }
    }
    for (path, wanted, is_permitted) in [
        (ADDRESSES[0].0, "apca-api-key-id, apca-api-secret-key", true),
        (ADDRESSES[0].0, "authorization", true),
        (ADDRESSES[1].0, "authorization", true),
        (ADDRESSES[1].0, "x-other", false),
        (ADDRESSES[4].0, "x-finnhub-token", false),
    ] {
        let method = ("Access-Control-Request-Method", "GET");
        let headers = [ORIGIN, method, ("Access-Control-Request-Headers", wanted)];
        let answer = ask(&server, Method::OPTIONS, path, &headers).await;
        assert_eq!(answer.status == 200, is_permitted, "{path} {wanted}: {}", answer.text());
        if is_permitted {
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
    }
    let own = ask(&server, Method::GET, "/api/v1/symbols", &[ORIGIN]).await;
    assert_eq!(
        (own.status, own.header("access-control-allow-origin")),
        (200, ""),
        "not of this server's own addresses"
    );
}

/// Symbols of a market that takes a while to read for the first time.
const SYMBOLS: u32 = 330;

fn many(settings: &mut Settings) {
    settings.server.workers = 1;
    settings.feed.extra_symbols = SYMBOLS - 30;
}

/// Symbols of a market that takes several times as long to read as a client is waited for that may have gone.
const VERY_MANY_SYMBOLS: u32 = 1_330;

#[actix_web::test]
async fn a_read_is_abandoned_when_its_client_has_gone() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.server.workers = 1;
        settings.feed.extra_symbols = VERY_MANY_SYMBOLS - 30;
    });
    let symbols = crate::http::get(server.address, "/api/v1/symbols").await.json();
    let names: Vec<_> =
        symbols["symbols"].as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap()).collect();
    let names = names.join(",");
    let key = "Authorization: Bearer tickcast";
    for (number, path) in (1..).zip([
        format!("/v2/stocks/snapshots?symbols={names}"),
        "/v2/snapshot/locale/us/markets/stocks/tickers".to_owned(),
        // A month of hours is computed for each symbol, and no day begins so late.
        format!("/v2/stocks/bars?timeframe=1Day&start=2026-03-02T08:00:00Z&limit=10000&symbols={names}"),
    ]) {
        let mut client = RawClient::connect(server.address).await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{key}\r\n\r\n").as_bytes()).await;
        client.hang_up().await;
        wait_until("reads abandoned", number, || server.metrics.vendor_reads_abandoned.get()).await;
        // Of all symbols, the first ones only.
        let reads = server.metrics.past_bars_made.get();
        assert!(ask(&server, Method::GET, ADDRESSES[0].0, &[ADDRESSES[0].2]).await.status == 200);
        assert!(server.metrics.past_bars_made.get() <= reads + 1_000, "nothing goes on");
    }
    assert_eq!(server.metrics.waiting_bytes.get(), 0);
}

/// Returns the bytes of unread answers, once the sockets of clients that do not read accept no more.
async fn settled(server: &TestServer) -> i64 {
    let mut before = Vec::new();
    loop {
        crate::http::get(server.address, "/healthz").await;
        before.push(server.metrics.waiting_bytes.get());
        if before.iter().rev().take(10).filter(|bytes| Some(*bytes) == before.last()).count() == 10 {
            return before[before.len() - 1];
        }
    }
}

#[actix_web::test]
async fn the_values_of_all_symbols_are_counted_once_while_a_response_needs_them() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        many(settings);
        settings.push.outbox_reply_bytes_max = 400_000;
        settings.push.waiting_bytes_max = 400_000;
    });
    let path = "/v2/snapshot/locale/us/markets/stocks/tickers?apiKey=tickcast";
    assert_eq!(ask(&server, Method::GET, path, &[]).await.status, 200);
    wait_until("bytes held", 0, || server.metrics.waiting_bytes.get()).await;
    let mut hogs = Vec::new();
    let mut held = vec![0];
    // Two of one second share the values; the third one has others.
    for _ in 0..3 {
        let mut hog = RawClient::connect_narrow(server.address).await;
        hog.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
        patiently("an answer", hog.stream.readable()).await.unwrap();
        hogs.push(hog);
        held.push(settled(&server).await);
        if hogs.len() == 2 {
            clock.advance_micros(1_100_000);
        }
    }
    let more: Vec<_> = held.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let values = i64::from(200 * SYMBOLS);
    assert!(more[0] > more[1] + values && more[2] > more[1] + values, "{more:?}");
    let refused = ask(&server, Method::GET, path, &[]).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "{held:?}");
    assert!(text_of(path, &refused).contains("too many"));
    drop(hogs);
    wait_until("bytes held", 0, || server.metrics.waiting_bytes.get()).await;
    assert_eq!(ask(&server, Method::GET, path, &[]).await.status, 200);
}
