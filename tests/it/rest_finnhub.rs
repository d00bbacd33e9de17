//! Finnhub's REST: quotes, candles, symbols, the addresses that it shares with this server, and the vendor's errors.

use awc::http::Method;
use serde_json::{Value, json};

use crate::http::{get, request};
use crate::spawn::{START, TestServer, spawn_app_at_rest};

const START_S: i64 = START.micros() / 1_000_000;

fn spawn_past() -> TestServer {
    spawn_app_at_rest(|settings| settings.history.bars_max = 3_000).0
}

async fn json(server: &TestServer, path: &str) -> Value {
    let and = if path.contains('?') { '&' } else { '?' };
    get(server.address, &format!("/api/v1/{path}{and}token=tickcast")).await.json()
}

#[actix_web::test]
async fn a_quote_has_the_prices_of_the_day() {
    let server = spawn_past();
    let quote = json(&server, "quote?symbol=AAPL").await;
    assert_eq!((&quote["c"], &quote["t"]), (&json!(201.37), &json!(START_S)));
    let number = |key: &str| quote[key].as_f64().unwrap();
    assert!(number("l") <= number("c") && number("c") <= number("h") && number("l") <= number("o"), "{quote}");
    assert!((number("d") - (number("c") - number("pc"))).abs() < 1e-3, "{quote}");
    assert!((number("dp") - 100.0 * number("d") / number("pc")).abs() < 1e-2, "{quote}");
    let zeros = json!({"c": 0, "d": null, "dp": null, "h": 0, "l": 0, "o": 0, "pc": 0, "t": 0});
    assert_eq!(json(&server, "quote?symbol=ZZZZ").await, zeros);
}

#[actix_web::test]
async fn candles_are_lists_of_one_length() {
    let server = spawn_past();
    for (resolution, seconds, length) in
        [("1", 60, 60), ("5", 300, 50), ("15", 900, 40), ("30", 1_800, 40), ("60", 3_600, 100), ("D", 86_400, 200)]
    {
        let from = START_S - seconds * length;
        let path = format!("stock/candle?symbol=NVDA&resolution={resolution}&from={from}&to={START_S}");
        let candles = json(&server, &path).await;
        assert_eq!(candles["s"], "ok");
        let list = |key: &str| candles[key].as_array().unwrap().clone();
        let times: Vec<_> = list("t").iter().map(|time| time.as_i64().unwrap()).collect();
        assert!(times.len().abs_diff(usize::try_from(length).unwrap()) <= 1, "{resolution}: {}", times.len());
        assert!(times.is_sorted() && times[0] >= from);
        for key in ["o", "h", "l", "c", "v"] {
            assert_eq!(list(key).len(), times.len());
        }
        assert!(list("h").iter().zip(list("l")).all(|(high, low)| high.as_f64() >= low.as_f64()));
    }
    let path = format!("stock/candle?symbol=NVDA&resolution=W&from={}&to={START_S}", START_S - 20 * 604_800);
    let weeks = json(&server, &path).await["t"].take();
    // 1970-01-01 was a Thursday; midnight in New York is in the morning of the same day in UTC.
    let is_monday = |week: &Value| (week.as_i64().unwrap() / 86_400 + 3) % 7 == 0;
    assert!(weeks.as_array().unwrap().len() == 20 && weeks.as_array().unwrap().iter().all(is_monday), "{weeks}");
    for path in [
        "symbol=AAPL&resolution=1&from=1&to=2",
        "symbol=ZZZZ&resolution=D&from=1&to=2000000000",
        "symbol=AAPL&resolution=D&from=2000000000&to=1",
    ] {
        assert_eq!(json(&server, &format!("stock/candle?{path}")).await, json!({"s": "no_data"}));
    }
}

#[actix_web::test]
async fn symbols_are_listed_and_found() {
    let server = spawn_past();
    let all = json(&server, "stock/symbol?exchange=US").await;
    assert_eq!(all.as_array().unwrap().len(), 30);
    let apple = all.as_array().unwrap().iter().find(|each| each["symbol"] == "AAPL").unwrap();
    for (key, value) in [
        ("description", "APPLE INC."),
        ("displaySymbol", "AAPL"),
        ("currency", "USD"),
        ("mic", "XNAS"),
        ("type", "Common Stock"),
    ] {
        assert_eq!(apple[key], value);
    }
    assert_eq!(json(&server, "stock/symbol?exchange=KO").await, json!([]));
    let found = json(&server, "search?q=apple").await;
    assert_eq!((&found["count"], &found["result"][0]["symbol"]), (&json!(1), &json!("AAPL")));
    let (many, _clock) = spawn_app_at_rest(|settings| settings.feed.extra_symbols = 101);
    let found = json(&many, "search?q=sym").await;
    assert_eq!((&found["count"], found["result"].as_array().unwrap().len()), (&json!(100), 100));
    assert_eq!(json(&server, "search?q=nothing").await, json!({"count": 0, "result": []}));
}

#[actix_web::test]
async fn a_token_decides_whose_addresses_they_are() {
    let server = spawn_past();
    let status = |path: &'static str, headers: Vec<(&'static str, &'static str)>| {
        let address = server.address;
        async move { request(address, Method::GET, path, &headers).await.status }
    };
    let header = || vec![("X-Finnhub-Token", "tickcast")];
    for (path, headers) in [
        ("/api/v1/quote?symbol=AAPL&token=tickcast", vec![]),
        ("/api/v1/quote?symbol=AAPL", header()),
        // As the vendor's Python client has it.
        ("/api/v1//quote?symbol=AAPL", header()),
        ("/finnhub/api/v1/quote?symbol=AAPL", header()),
        ("/finnhub/api/v1//quote?token=tickcast&symbol=AAPL", vec![]),
        ("/api/v1/symbols", vec![]),
    ] {
        assert_eq!(status(path, headers).await, 200, "{path}");
    }
    let own = get(server.address, "/api/v1/quote?symbol=AAPL").await;
    assert_eq!((own.status, &own.problem()["code"]), (404, &json!("not_found")), "without a token");
    let theirs = get(server.address, "/api/v1/symbols?token=tickcast").await;
    assert_eq!((theirs.status, theirs.text()), (404, r#"{"error":"no such address: /api/v1/symbols"}"#));
}

#[actix_web::test]
async fn a_bad_request_is_answered_in_the_vendors_shape() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.keys.any = tickcast::access::AnyKey::Never;
        settings.keys.requests_per_minute_max = 12;
    });
    let candle = "stock/candle?symbol=AAPL";
    for (path, status) in [
        ("quote?token=tickcast".to_owned(), 400),
        (format!("{candle}&from=1&to=2&token=tickcast"), 400),
        (format!("{candle}&resolution=7&from=1&to=2&token=tickcast"), 400),
        (format!("{candle}&resolution=D&from=now&to=2&token=tickcast"), 400),
        (format!("{candle}&resolution=D&from=1&token=tickcast"), 400),
        (format!("{candle}&resolution=D&from=1&to=9223372036854775807&token=tickcast"), 400),
        ("stock/symbol?token=tickcast".to_owned(), 400),
        ("search?token=tickcast".to_owned(), 400),
        ("news?token=tickcast".to_owned(), 404),
        ("quote?symbol=AAPL&token=wrong".to_owned(), 401),
    ] {
        let answer = get(server.address, &format!("/api/v1/{path}")).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(answer.status == status && body["error"].is_string(), "{path}: {} {body}", answer.status);
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let answer = get(server.address, "/finnhub/api/v1/quote?symbol=AAPL").await;
    assert_eq!((answer.status, answer.text()), (401, r#"{"error":"Please use an API key."}"#));
    let path = "/api/v1/quote?symbol=AAPL&token=tickcast";
    while get(server.address, path).await.status == 200 {}
    let refused = get(server.address, path).await;
    let message = r#"{"error":"API limit reached. Please try again later. Remaining Limit: 0"}"#;
    assert_eq!((refused.status, refused.text()), (429, message));
}
