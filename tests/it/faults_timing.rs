//! Faults that hold frames back: everything arrives, late, in order, and the server does not take the client for a slow one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::faulty_client::FaultyClient;
use crate::patience::wait_until;
use crate::spawn::{TestServer, spawn_app};

/// Events that are compared.
const EVENTS: usize = 300;

fn impatient() -> TestServer {
    spawn_app(|settings| {
        settings.session.heartbeat_ms = 40;
        settings.session.idle_timeout_ms = 100;
        settings.session.stall_timeout_ms = 100;
    })
}

/// Expects all events of a stream without a hole or a repeat.
fn expect_complete(client: &FaultyClient) {
    let offsets: Vec<_> = client.events().iter().map(|event| event["offset"].as_u64().unwrap()).collect();
    assert!(offsets.is_sorted_by(|one, next| one < next));
    let mut last = std::collections::HashMap::new();
    for event in client.events() {
        let topic = (event["symbol"].to_string(), event["type"].to_string());
        let seq = event["seq"].as_u64().unwrap();
        let before = last.insert(topic, seq);
        assert!(before.is_none_or(|before| before + 1 == seq), "{event}");
    }
    assert!(client.messages.iter().all(|message| message["type"] != "lag"));
}

fn expect_spared(server: &TestServer) {
    for reason in [CloseReason::Stalled, CloseReason::Idle, CloseReason::Lagging] {
        assert_eq!(server.metrics.closes(reason), 0, "{reason:?}");
    }
}

/// Runs a client with this rule; returns the time that the answer to its first ping took.
async fn delayed(rule: &Value) -> Duration {
    let server = impatient();
    let kind = tickcast::metrics::FAULT_KINDS.into_iter().find(|each| rule["kind"] == *each).unwrap();
    server.add_fault(rule).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    let sent = Instant::now();
    client.ping(b"").await;
    client.until("a pong", |client| !client.pongs.is_empty()).await;
    let took = sent.elapsed();
    client.until("events", |client| client.events().len() > EVENTS).await;
    expect_complete(&client);
    expect_spared(&server);
    assert_eq!(server.metrics.faults(kind), 1);
    drop(client);
    wait_until("held bytes", 0, || server.metrics.fault_held_bytes.get()).await;
    took
}

#[actix_web::test]
async fn delay_holds_every_frame_back() {
    let took = delayed(&json!({"kind": "delay", "ms": 300, "client": "bot"})).await;
    assert!(took >= Duration::from_millis(300), "{took:?}");
}

#[actix_web::test]
async fn jitter_keeps_the_order() {
    delayed(&json!({"kind": "jitter", "ms": 100, "client": "bot", "seed": 9})).await;
}

#[actix_web::test]
async fn burst_holds_frames_back_and_then_sends_them_at_once() {
    delayed(&json!({"kind": "burst", "ms": 300, "client": "bot"})).await;
}

#[actix_web::test]
async fn slow_sends_so_many_bytes_a_second_and_the_server_sends_a_lag_as_to_a_slow_client() {
    let server = spawn_app(|settings| {
        settings.session.stall_timeout_ms = 100;
        settings.push.outbox_events_max = 64;
        settings.feed.events_per_second = 2_000.0;
    });
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    let rule = server.add_fault(&json!({"kind": "slow", "bytes_per_second": 20_000, "client": "bot"})).await;
    wait_until("strikes", 1, || server.metrics.faults("slow")).await;
    client.until("a lag", |client| client.messages.iter().any(|message| message["type"] == "lag")).await;
    // What was sent at full speed before the rule has been read.
    let (bytes, since) = (client.raw.bytes_down, Instant::now());
    client.until("the bytes of two seconds", |client| client.raw.bytes_down >= bytes + 40_000).await;
    assert!(since.elapsed() >= Duration::from_secs(1), "not much faster: {:?}", since.elapsed());
    assert_eq!(server.metrics.closes(CloseReason::Stalled), 0);
    server.remove_fault(rule).await;
    let before = client.events().len();
    client.until("the stream at full speed", |client| client.events().len() > before + 1_000).await;
    assert!(client.broken.is_empty());
}

#[actix_web::test]
async fn held_frames_are_bounded_and_then_the_outbox_fills() {
    let server = spawn_app(|settings| {
        settings.fault_limits.held_bytes_max = 4_096;
        settings.push.outbox_events_max = 16;
        settings.feed.events_per_second = 2_000.0;
    });
    server.add_fault(&json!({"kind": "delay", "ms": 2_000, "client": "bot"})).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    wait_until("lags", true, || server.metrics.lags.get() > 0).await;
    let write_bytes_max = 32_768 + 4_096;
    assert!(server.metrics.fault_held_bytes.get() <= 4_096 + write_bytes_max);
    client.until("a lag", |client| client.messages.iter().any(|message| message["type"] == "lag")).await;
    assert!(client.broken.is_empty());
}

#[actix_web::test]
async fn faults_of_several_kinds_act_together() {
    let server = impatient();
    for rule in [
        json!({"kind": "delay", "ms": 30, "client": "bot"}),
        json!({"kind": "jitter", "ms": 30, "client": "bot"}),
        json!({"kind": "gap", "chance": 0.1, "client": "bot"}),
        json!({"kind": "duplicate", "chance": 0.1, "client": "bot"}),
        json!({"kind": "close", "code": 1001, "after_messages": 400, "client": "bot"}),
    ] {
        server.add_fault(&rule).await;
    }
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("the close frame", |client| client.close.is_some()).await;
    assert_eq!(client.close, Some((1001, String::new())));
    let strikes = ["delay", "jitter", "close"].map(|kind| server.metrics.faults(kind));
    assert_eq!(strikes, [1, 1, 1]);
    let [left_out, repeated] = ["gap", "duplicate"].map(|kind| usize::try_from(server.metrics.faults(kind)).unwrap());
    assert!(left_out > 10 && repeated > 10, "{left_out} {repeated}");
    assert_eq!(client.messages.len(), 400 - left_out + repeated);
}
