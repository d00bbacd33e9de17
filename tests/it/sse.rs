//! `/api/v1/stream`: server-sent events carry the messages of a WebSocket, and continue after a reconnect.

use std::net::SocketAddr;
use std::time::Instant;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::app::Settings;
use tickcast::protocol::CloseReason;

use crate::client::{ALL_CHANNELS, Client};
use crate::event_stream::EventSource;
use crate::http::{get, request};
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::spawn::{spawn_app, spawn_app_at_rest};
use crate::view::is_event;

fn types(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["type"].as_str().unwrap()).collect()
}

/// Small buffers everywhere, so that a client jams soon.
fn narrow(settings: &mut Settings) {
    settings.feed.events_per_second = 10_000.0;
    settings.push.coalesce_ms = 0;
    settings.server.write_buffer_bytes = 4_096;
    settings.server.unsent_bytes_max = 4_096;
}

#[actix_web::test]
async fn a_stream_begins_like_a_websocket_and_continues_with_events() {
    let (server, clock) = spawn_app_at_rest(|_| {});
    let mut source = EventSource::open(server.address, "symbols=AAPL,MSFT&channels=trades,quotes").await;
    for (name, value) in [("cache-control", "no-store, no-transform"), ("x-accel-buffering", "no")] {
        assert_eq!(source.headers.get(name).unwrap(), value);
    }
    let first = source.next_event().await.unwrap();
    let messages: Vec<Value> = serde_json::from_str(&first.data.unwrap()).unwrap();
    assert_eq!(types(&messages), ["welcome", "subscribed", "snapshot", "snapshot"]);
    assert_eq!(messages[1].get("recovered"), None, "it came without a cursor");
    assert_eq!(messages[1]["subscriptions"].as_array().unwrap().len(), 2);
    assert_eq!(first.id, Some(format!("{}:0", messages[0]["epoch"].as_str().unwrap())));
    assert!((500..1_500).contains(&first.retry.unwrap()));

    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["AAPL", "MSFT"], &["trades", "quotes"]).await;
    clock.advance_micros(5_000_000);
    let mut events = source.events(20).await;
    events.retain(is_event);
    let mut pushed = witness.events(events.len()).await;
    pushed.retain(is_event);
    assert_eq!(events, pushed, "the same message objects");
    let id = format!("{}:{}", witness.welcome["epoch"].as_str().unwrap(), events.last().unwrap()["offset"]);
    assert_eq!(source.last_id, Some(id), "the id of a write is the cursor after it");
}

#[actix_web::test]
async fn a_client_of_http_1_0_gets_the_stream_without_a_transfer_coding() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::connect(server.address).await;
    let answer = client.request("GET /api/v1/stream?symbols=AAPL HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.head.contains("transfer-encoding"), "{answer:?}");
    let mut stream = Vec::new();
    while !stream.ends_with(b"\n\n") {
        stream.extend(client.next_bytes().await);
    }
    let stream = String::from_utf8(stream).unwrap();
    assert!(stream.lines().all(|line| line.is_empty() || line.contains(": ")), "{stream}");
    assert!(stream.contains(r#"data: [{"type":"welcome""#), "{stream}");
}

#[actix_web::test]
async fn a_client_that_reconnects_with_the_last_id_misses_nothing_and_gets_nothing_twice() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 3_000.0);
    let query = "symbols=*&channels=trades,quotes";
    let mut source = EventSource::open(server.address, query).await;
    let mut offsets = Vec::new();
    for round in 0..6 {
        let events = source.events(300).await;
        offsets.extend(events.iter().filter(|event| is_event(event)).map(|event| event["offset"].as_u64().unwrap()));
        let last_id = source.last_id.clone().unwrap();
        let view = source.view;
        // A browser repeats the query of its first request, whatever cursor that contained.
        let first = format!("{query}&after=0123456789abcdef:{round}");
        source = EventSource::reopen(server.address, &first, Some(&last_id)).await;
        source.view = view;
        let begin = source.until("the answer", |message| message["type"] == "subscribed").await;
        assert_eq!(begin.last().unwrap()["recovered"], true);
    }
    assert_eq!((source.view.missing, source.view.lags), (0, 0));
    assert!(offsets.is_sorted() && offsets.len() >= 1_800);
}

#[actix_web::test]
async fn an_unknown_cursor_brings_snapshots_and_recovered_false() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let epoch = Client::connect(server.address).await.welcome["epoch"].as_str().unwrap().to_owned();
    for cursor in ["0123456789abcdef:5".to_owned(), format!("{epoch}:999999")] {
        for (after, header) in [(format!("&after={cursor}"), None), (String::new(), Some(cursor.as_str()))] {
            let query = format!("symbols=AAPL{after}");
            let mut source = EventSource::reopen(server.address, &query, header).await;
            let messages = source.until("the snapshot", |message| message["type"] == "snapshot").await;
            assert_eq!(types(&messages), ["welcome", "subscribed", "snapshot"], "{cursor}");
            assert_eq!(messages[1]["recovered"], false);
            assert_eq!(source.last_id, Some(format!("{epoch}:0")), "a cursor of this process from here on");
        }
    }
}

#[actix_web::test]
async fn after_a_silence_a_comment_carries_a_newer_cursor() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.session.heartbeat_ms = 50);
    let mut source = EventSource::open(server.address, "symbols=AAPL&channels=bars.1d").await;
    source.next_event().await.unwrap();
    let heartbeat = source.next_event().await.unwrap();
    assert_eq!((heartbeat.data, heartbeat.comments.as_slice()), (None, &["heartbeat".to_owned()][..]));
    assert!(heartbeat.id.unwrap().ends_with(":0"));
    clock.advance_micros(1_000_000);
    let newest = loop {
        let published = server.metrics.events_published.get();
        let id = source.next_event().await.unwrap().id.unwrap();
        if published > 0 && id.ends_with(&format!(":{published}")) {
            break published;
        }
    };
    assert!(newest > 100, "none of which was wanted");
}

#[actix_web::test]
async fn heartbeats_follow_each_other_as_soon_as_promised() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.session.heartbeat_ms = 50;
        // No other check of the session wakes it up.
        settings.session.stall_timeout_ms = 3_600_000;
    });
    let mut source = EventSource::open(server.address, "symbols=AAPL&channels=bars.1d").await;
    source.next_event().await.unwrap();
    for _ in 0..5 {
        assert_eq!(source.next_event().await.unwrap().comments, ["heartbeat"]);
    }
}

#[actix_web::test]
async fn in_mode_latest_the_newest_value_arrives_and_the_others_are_counted_also_after_a_reconnect() {
    let server = spawn_app(|settings| settings.feed.events_per_second = 5_000.0);
    let query = "symbols=*&mode=latest&max_hz=20";
    let mut source = EventSource::open(server.address, query).await;
    let mut seqs = std::collections::BTreeMap::new();
    let mut skipped = 0;
    for round in 0..40 {
        // In this mode offsets increase per topic, not over all topics.
        for message in source.next_messages().await.unwrap() {
            let symbol = message["symbol"].as_str().unwrap_or_default().to_owned();
            match message["type"].as_str().unwrap() {
                "snapshot" => drop(seqs.insert(symbol, message["seq"]["trades"].as_u64().unwrap())),
                "trade" => {
                    let (seq, merged) = (message["seq"].as_u64().unwrap(), message["skipped"].as_u64().unwrap_or(0));
                    let last = seqs.get_mut(&symbol).unwrap();
                    // An event that was held back when the stream broke is sent again, with the number that it stands
                    // for.
                    assert!(seq <= *last || seq - *last - 1 <= merged, "{message} after {last}");
                    *last = seq.max(*last);
                    skipped += merged;
                }
                _ => {}
            }
        }
        if round % 10 == 9 {
            let last_id = source.last_id.clone().unwrap();
            source = EventSource::reopen(server.address, query, Some(&last_id)).await;
        }
    }
    assert!(skipped > 0);
}

#[actix_web::test]
async fn mistakes_are_answered_with_a_problem_document_before_the_stream_begins() {
    let server = spawn_app(|settings| settings.session.symbols_max = 2);
    for (query, status, code) in [
        ("", 400, "bad_request"),
        ("channels=trades", 400, "bad_request"),
        ("symbols=AAPL&wait_ms=0", 400, "bad_request"),
        ("symbols=AAPL&mode=newest", 400, "bad_request"),
        ("symbols=AAPL&mode=latest&channels=bars.1m", 400, "bad_request"),
        ("symbols=AAPL&max_hz=4", 400, "bad_request"),
        ("symbols=AAPL&mode=latest&max_hz=0", 400, "bad_request"),
        ("symbols=AAPL&mode=latest&max_hz=NaN", 400, "bad_request"),
        ("symbols=AAPL&on_lag=explode", 400, "bad_request"),
        ("symbols=AAPL&channels=news", 400, "unknown_channel"),
        ("symbols=AAPL,XYZ", 404, "unknown_symbol"),
        ("symbols=AAPL,MSFT,NVDA", 400, "limit_exceeded"),
    ] {
        let answer = get(server.address, &format!("/api/v1/stream?{query}")).await;
        assert_eq!((answer.status, &answer.problem()["code"]), (status, &json!(code)), "{query}");
    }
    for method in [Method::POST, Method::DELETE] {
        let answer = request(server.address, method, "/api/v1/stream?symbols=AAPL", &[]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
    }
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn head_is_answered_at_once_and_opens_no_session() {
    let server = spawn_app(|_| {});
    let answer = request(server.address, Method::HEAD, "/api/v1/stream?symbols=AAPL", &[]).await;
    assert_eq!((answer.status, answer.header("content-type"), answer.body.len()), (200, "text/event-stream", 0));
    let cursor = get(server.address, "/api/v1/poll?symbols=AAPL&channels=bars.1d").await.json()["cursor"].clone();
    let path = format!("/api/v1/poll?symbols=AAPL&channels=bars.1d&after={}", cursor.as_str().unwrap());
    assert_eq!(request(server.address, Method::HEAD, &path, &[]).await.status, 200, "a poll does not wait either");
    wait_until("sessions", 0, || server.sessions()).await;
}

/// Reads a refused stream, which has one event. Returns its `goodbye` and its `retry`.
async fn refused(server: SocketAddr, last_id: &str) -> (Value, u64) {
    let mut source = EventSource::reopen(server, "symbols=AAPL", Some(last_id)).await;
    let event = source.next_event().await.unwrap();
    assert_eq!(event.id.as_deref(), Some(last_id), "the cursor stays good");
    let messages: Vec<Value> = serde_json::from_str(&event.data.unwrap()).unwrap();
    assert_eq!(source.next_event().await, None, "the stream ends");
    assert_eq!((messages.len(), &messages[0]["type"]), (1, &json!("goodbye")));
    assert_eq!(messages[0]["retry_after_ms"].as_u64(), event.retry);
    (messages[0].clone(), event.retry.unwrap())
}

#[actix_web::test]
async fn a_stream_over_the_limit_ends_at_once_with_goodbye_and_retry() {
    let server = spawn_app(|settings| settings.server.connections_max = 1);
    let source = EventSource::open(server.address, "symbols=AAPL").await;
    let (goodbye, retry_ms) = refused(server.address, "9c1f:5").await;
    assert_eq!((&goodbye["reason"], (500..1_500).contains(&retry_ms)), (&json!("full"), true), "{goodbye}");
    assert_eq!(server.metrics.connections_refused.get(), 1);
    drop(source);
    wait_until("sessions", 0, || server.sessions()).await;
    assert_eq!(server.metrics.closes(CloseReason::Disconnected), 1);
    EventSource::open(server.address, "symbols=AAPL").await;
}

#[actix_web::test]
async fn during_a_shutdown_every_retry_ends_after_the_drain() {
    const DRAIN_MS: u64 = 60_000;
    let mut server = spawn_app(|settings| {
        settings.server.drain_ms = DRAIN_MS;
        settings.server.shutdown_grace_ms = 2 * DRAIN_MS;
    });
    let mut sources = Vec::new();
    for _ in 0..20 {
        sources.push(EventSource::open(server.address, "symbols=AAPL").await);
    }
    let began = Instant::now();
    server.shut_down();
    let mut last = Value::Null;
    // The first group of each worker is ended at once.
    while let Some(message) = sources[0].next_message().await {
        last = message;
    }
    assert_eq!(last["reason"], "shutdown");
    let told_ms = last["retry_after_ms"].as_u64().unwrap();
    assert_eq!(sources[0].retry, Some(told_ms), "an EventSource goes by its retry");
    let (goodbye, retry_ms) = refused(server.address, "9c1f:5").await;
    assert_eq!(goodbye["reason"], "shutdown");
    let poll = get(server.address, "/api/v1/poll?symbols=AAPL&wait_ms=0").await;
    let retry_after_s: u64 = poll.header("retry-after").parse().unwrap();
    let passed_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
    for told_ms in [told_ms, retry_ms, retry_after_s * 1_000] {
        assert!(told_ms + passed_ms >= DRAIN_MS && told_ms <= DRAIN_MS + 2_000, "{told_ms} after {passed_ms}");
    }
    assert_eq!(poll.status, 503);
}

#[actix_web::test]
async fn a_malformed_cursor_brings_snapshots_because_an_event_source_does_not_survive_an_error() {
    let server = spawn_app(|_| {});
    for id in ["48211", "9c1f:", "9c1f:-1", "-", "9c1f:99999999999999999999"] {
        for (query, last_id) in [("symbols=AAPL".to_owned(), Some(id)), (format!("symbols=AAPL&after={id}"), None)] {
            let mut source = EventSource::reopen(server.address, &query, last_id).await;
            let messages = source.until("the snapshot", |message| message["type"] == "snapshot").await;
            let subscribed = messages.iter().find(|message| message["type"] == "subscribed").unwrap();
            assert_eq!(subscribed["recovered"], false, "{id}");
        }
    }
}

#[actix_web::test]
async fn an_unread_stream_is_ended_and_other_sessions_go_on() {
    let server = spawn_app(|settings| {
        narrow(settings);
        settings.session.stall_timeout_ms = 500;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut jammed = RawClient::connect_narrow(server.address).await;
    jammed.send(b"GET /api/v1/stream?symbols=*&channels=trades,quotes HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    wait_until("sessions", 2, || server.sessions()).await;
    while server.sessions() > 1 {
        witness.next_message().await;
    }
    assert_eq!(server.metrics.closes(CloseReason::Stalled), 1);
    witness.events(1_000).await;
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0));
    drop(jammed);
}

#[actix_web::test]
async fn an_unread_stream_with_on_lag_close_gets_goodbye_with_the_reason() {
    let (server, clock) = spawn_app_at_rest(narrow);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut jammed = RawClient::connect_narrow(server.address).await;
    let path = "/api/v1/stream?symbols=*&channels=trades,quotes&on_lag=close";
    jammed.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
    wait_until("sessions", 2, || server.sessions()).await;
    while server.metrics.closes(CloseReason::Lagging) == 0 {
        clock.advance_micros(10_000);
        witness.events(50).await;
    }
    let mut stream = Vec::new();
    while !stream.ends_with(b"0\r\n\r\n") {
        stream.extend(jammed.next_bytes().await);
    }
    let stream = String::from_utf8(stream).unwrap();
    let last = &stream[stream.rfind("data: ").unwrap()..];
    assert!(last.contains(r#"{"type":"goodbye","reason":"lagging""#), "{last}");
    wait_until("sessions", 1, || server.sessions()).await;
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0));
}

#[actix_web::test]
async fn a_stream_that_is_read_gets_a_burst_larger_than_its_outbox() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        narrow(settings);
        settings.push.outbox_events_max = 50;
    });
    let mut source = EventSource::open(server.address, "symbols=*&channels=trades,quotes&on_lag=close").await;
    clock.advance_micros(1_000_000);
    source.events(9_000).await;
    assert_eq!((source.view.missing, source.view.lags, server.sessions()), (0, 0, 1));
}

#[actix_web::test]
async fn on_shutdown_streams_get_goodbye_and_end() {
    let mut server = spawn_app(|_| {});
    let mut sources = Vec::new();
    for _ in 0..3 {
        let mut source = EventSource::open(server.address, "symbols=*").await;
        source.events(5).await;
        sources.push(source);
    }
    server.shut_down();
    for source in &mut sources {
        let mut last = Value::Null;
        while let Some(message) = source.next_message().await {
            last = message;
        }
        assert_eq!((&last["type"], &last["reason"]), (&json!("goodbye"), &json!("shutdown")));
        assert!(last["retry_after_ms"].as_u64() > Some(0));
    }
    assert_eq!(server.metrics.closes(CloseReason::Shutdown), 3);
    wait_until("sessions", 0, || server.sessions()).await;
}
