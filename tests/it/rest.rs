//! REST: symbols, snapshots, probes and metrics.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::http::{get, request};
use crate::spawn::{spawn_app, spawn_app_at_rest};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["symbol"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn symbols_are_listed_with_name_and_sector() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.feed.extra_symbols = 2);
    let answer = get(server.address, "/api/v1/symbols").await.json();
    let symbols = names(&answer["symbols"]);
    assert_eq!(symbols.len(), 32);
    assert_eq!(symbols.iter().collect::<BTreeSet<_>>().len(), 32);
    assert!(symbols.contains(&"AAPL") && symbols.contains(&"SYM000") && symbols.contains(&"SYM001"));
    assert_eq!(
        answer["symbols"][0],
        json!({"symbol": "AAPL", "name": "Apple Inc.", "sector": "Information Technology"})
    );
}

#[actix_web::test]
async fn a_snapshot_without_symbols_is_of_all_and_else_of_those_named_in_their_order() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let all = get(server.address, "/api/v1/snapshot").await.json();
    assert_eq!(names(&all["snapshots"]).len(), 30);
    let wildcard = get(server.address, "/api/v1/snapshot?symbols=*").await.json();
    assert_eq!(all, wildcard);
    let two = get(server.address, "/api/v1/snapshot?symbols=MSFT,AAPL").await.json();
    assert_eq!(names(&two["snapshots"]), ["MSFT", "AAPL"]);
    let once = get(server.address, "/api/v1/snapshot?symbols=AAPL,AAPL").await.json();
    assert_eq!(names(&once["snapshots"]), ["AAPL"]);
    let escaped = get(server.address, "/api/v1/snapshot?symbols=MSFT%2CAAPL").await.json();
    assert_eq!(two, escaped);
}

#[actix_web::test]
async fn a_snapshot_is_the_same_message_as_on_the_websocket() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    clock.advance_micros(1_000_000);
    client.events(20).await;
    let over_http = loop {
        let answer = get(server.address, "/api/v1/snapshot?symbols=AAPL").await.json();
        if answer["offset"].as_u64() == Some(server.metrics.events_published.get()) {
            break answer;
        }
    };
    assert_eq!(over_http["epoch"], client.welcome["epoch"]);
    assert_eq!(over_http["offset"], over_http["snapshots"][0]["offset"]);
    let mut late = Client::connect(server.address).await;
    while late.welcome["offset"] != over_http["offset"] {
        late = Client::connect(server.address).await;
    }
    late.subscribe(&["AAPL"], &["trades"]).await;
    assert_eq!(late.next_message().await, over_http["snapshots"][0]);
}

#[actix_web::test]
async fn a_snapshot_is_consistent() {
    let server = spawn_app(|_| {});
    let answer = get(server.address, "/api/v1/snapshot").await.json();
    for snapshot in answer["snapshots"].as_array().unwrap() {
        let number = |name: &str| snapshot[name].as_f64().unwrap_or_else(|| panic!("{name}: {snapshot}"));
        assert!(number("bid") < number("ask"), "{snapshot}");
        assert!(number("low") <= number("price") && number("price") <= number("high"), "{snapshot}");
        assert!(number("low") <= number("open") && number("open") <= number("high"), "{snapshot}");
        assert!(number("prev_close") > 0.0 && number("size") > 0.0 && number("volume") > 0.0, "{snapshot}");
    }
}

#[actix_web::test]
async fn answers_with_prices_are_not_cacheable() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for path in ["/api/v1/snapshot", "/api/v1/bars?symbol=AAPL", "/api/v1/poll?symbols=AAPL&wait_ms=0"] {
        let answer = get(server.address, path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{path}");
    }
}

#[actix_web::test]
async fn probes_metrics_and_errors_are_not_cacheable() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    for path in ["/healthz", "/readyz", "/metrics", "/nothing", "/api/v1/snapshot?symbols=NONE", "/ws"] {
        let answer = get(server.address, path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    assert_eq!(get(server.address, "/api/v1/symbols").await.header("cache-control"), "no-cache");
}

#[actix_web::test]
async fn an_unknown_address_is_answered_with_404() {
    let server = spawn_app(|_| {});
    for path in ["/nothing", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/symbols", "/ws/more", "/static", "/%00"]
    {
        let answer = get(server.address, path).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (404, &json!("not_found")), "{path}");
    }
}

#[actix_web::test]
async fn another_method_is_answered_with_405() {
    let server = spawn_app(|_| {});
    for path in ["/", "/api/v1/symbols", "/api/v1/snapshot", "/api/v1/bars", "/api/v1/poll", "/healthz", "/metrics"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = request(server.address, method.clone(), path, &[]).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method} {path}");
            assert_eq!(answer.problem()["code"], "method_not_allowed");
        }
    }
}

#[actix_web::test]
async fn a_running_server_is_live_and_ready() {
    let server = spawn_app(|_| {});
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(server.address, path).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn metrics_count_sessions_and_events() {
    let server = spawn_app(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades"]).await;
    client.send_text("nonsense").await;
    client.events(10).await;
    let answer = get(server.address, "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let value = |name: &str| {
        let line = answer.text().lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is missing: {}", answer.text())).parse::<f64>().unwrap()
    };
    for (name, least) in [
        ("tickcast_sessions", 1.0),
        ("tickcast_requests_total", 2.0),
        ("tickcast_events_published_total", 10.0),
        ("tickcast_events_delivered_total", 10.0),
        ("tickcast_writes_total", 3.0),
        ("tickcast_bytes_written_total", 1_000.0),
        ("tickcast_errors_total{code=\"bad_json\"}", 1.0),
    ] {
        assert!(value(name) >= least, "{name} {}", value(name));
    }
    for name in ["tickcast_polls_waiting", "tickcast_lags_total", "tickcast_events_skipped_total"] {
        assert!(value(name).abs() < f64::EPSILON, "{name} {}", value(name));
    }
    for line in [
        "# HELP tickcast_requests_total ",
        "# TYPE tickcast_requests_total counter\n",
        "# TYPE tickcast_sessions gauge\n",
    ] {
        assert!(answer.text().contains(line), "{line}: {}", answer.text());
    }
    assert!(!answer.text().contains("# EOF"));
}

#[actix_web::test]
async fn metrics_are_in_open_metrics_format_on_request() {
    let server = spawn_app(|_| {});
    for accept in [
        "application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4",
        "text/html, application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
    ] {
        let answer = request(server.address, Method::GET, "/metrics", &[("Accept", accept)]).await;
        assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(answer.text().contains("# TYPE tickcast_requests counter\n"), "{}", answer.text());
        assert!(answer.text().ends_with("# EOF\n"));
    }
    for accept in [
        "*/*",
        "",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.1, text/plain",
        "application/openmetrics-text;q=0.1, text/*;q=0.2",
        "application/openmetrics-text; version=1.0.0; q=0.5, */*",
    ] {
        let answer = request(server.address, Method::GET, "/metrics", &[("Accept", accept)]).await;
        assert!(answer.header("content-type").starts_with("text/plain"), "{accept:?}");
    }
}

#[actix_web::test]
async fn head_is_answered_like_get_without_a_body() {
    let server = spawn_app(|_| {});
    for path in ["/", "/healthz", "/api/v1/symbols", "/static/favicon.svg"] {
        let answer = request(server.address, Method::HEAD, path, &[]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        let got = get(server.address, path).await;
        assert_eq!(answer.header("content-type"), got.header("content-type"), "{path}");
    }
}
