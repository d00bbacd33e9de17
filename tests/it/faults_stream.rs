//! Faults of server-sent events: those that have a meaning there.

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::event_stream::EventSource;
use crate::patience::wait_until;
use crate::spawn::{TestServer, spawn_app};
use crate::view::is_event;

const QUERY: &str = "symbols=*&channels=trades,quotes&client=bot";

/// Starts a server with this rule for streams of the client.
fn spawn_with(rule: &Value) -> TestServer {
    let mut rule = rule.clone();
    rule["client"] = json!("bot");
    spawn_app(|settings| {
        settings.session.heartbeat_ms = 40;
        settings.session.stall_timeout_ms = 100;
        settings.faults = vec![serde_json::from_value(rule).unwrap()];
    })
}

/// Returns the next so many messages that are events.
async fn events(stream: &mut EventSource, count: usize) -> Vec<Value> {
    let mut events = Vec::new();
    while events.len() < count {
        let messages = stream.next_messages().await.expect("the stream goes on");
        events.extend(messages.into_iter().filter(is_event));
    }
    events
}

#[actix_web::test]
async fn drop_ends_a_stream_without_its_end() {
    let server = spawn_with(&json!({"kind": "drop", "after_messages": 100}));
    let mut stream = EventSource::open(server.address, QUERY).await;
    let mut messages = 0;
    while let Some(more) = stream.next_messages().await {
        assert!(more.iter().all(|message| message["type"] != "goodbye"));
        messages += more.len();
    }
    assert_eq!((messages, server.metrics.faults("drop")), (100, 1));
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn mute_and_half_open_send_no_data_and_the_stream_stays() {
    for (kind, has_heartbeats) in [("mute", true), ("half_open", false)] {
        let server = spawn_with(&json!({"kind": kind, "after_messages": 50}));
        let mut stream = EventSource::open(server.address, QUERY).await;
        let mut messages = 0;
        while messages < 50 {
            messages += stream.next_messages().await.unwrap().len();
        }
        assert_eq!(messages, 50);
        wait_until("strikes", 1, || server.metrics.faults(if has_heartbeats { "mute" } else { "half_open" })).await;
        let published = server.metrics.events_published.get();
        let mut others = EventSource::open(server.address, "symbols=*&channels=trades,quotes").await;
        events(&mut others, 300).await;
        assert!(server.metrics.events_published.get() > published);
        assert_eq!((others.view.missing, server.sessions()), (0, 2));
        assert_eq!(server.metrics.closes(CloseReason::Stalled), 0);
    }
}

#[actix_web::test]
async fn mute_ends_after_its_time() {
    let server = spawn_with(&json!({"kind": "mute", "after_messages": 50, "for_ms": 200}));
    let mut stream = EventSource::open(server.address, QUERY).await;
    let events = events(&mut stream, 300).await;
    let offset = |event: &Value| event["offset"].as_u64().unwrap();
    assert!(events.windows(2).any(|pair| offset(&pair[1]) > offset(&pair[0]) + 10), "the events meanwhile are lost");
}

#[actix_web::test]
async fn gap_duplicate_and_reorder_work_as_on_a_websocket() {
    for kind in ["gap", "duplicate", "reorder"] {
        let server = spawn_with(&json!({"kind": kind, "chance": 0.2, "times": 20}));
        let mut stream = EventSource::open(server.address, QUERY).await;
        let events = events(&mut stream, 600).await;
        let offsets: Vec<_> = events.iter().map(|event| event["offset"].as_u64().unwrap()).collect();
        let kind = tickcast::metrics::FAULT_KINDS.into_iter().find(|each| *each == kind).unwrap();
        assert_eq!(server.metrics.faults(kind), 20);
        let repeats = offsets.windows(2).filter(|pair| pair[1] == pair[0]).count();
        let descents = offsets.windows(2).filter(|pair| pair[1] < pair[0]).count();
        match kind {
            "gap" => assert_eq!((repeats, descents), (0, 0)),
            "duplicate" => assert_eq!((repeats, descents), (20, 0)),
            _ => assert!(repeats == 0 && descents > 10, "{descents}"),
        }
    }
}

#[actix_web::test]
async fn delay_jitter_burst_and_slow_hold_the_stream_back_and_nothing_is_lost() {
    for rule in [
        json!({"kind": "delay", "ms": 150}),
        json!({"kind": "jitter", "ms": 50}),
        json!({"kind": "burst", "ms": 150}),
        json!({"kind": "slow", "bytes_per_second": 200_000}),
    ] {
        let server = spawn_with(&rule);
        let mut stream = EventSource::open(server.address, QUERY).await;
        stream.events(200).await;
        assert_eq!((stream.view.missing, stream.view.lags), (0, 0), "{rule}");
        assert_eq!(server.metrics.closes(CloseReason::Stalled), 0);
        assert!(stream.last_id.is_some());
    }
}

#[actix_web::test]
async fn faults_without_a_meaning_on_a_stream_do_not_strike() {
    for rule in [json!({"kind": "stall"}), json!({"kind": "close"}), json!({"kind": "garbage"})] {
        let server = spawn_with(&rule);
        let mut stream = EventSource::open(server.address, QUERY).await;
        stream.events(100).await;
        assert_eq!(stream.view.missing, 0);
        let strikes: u64 = ["stall", "close", "garbage"].map(|kind| server.metrics.faults(kind)).iter().sum();
        assert_eq!(strikes, 0);
    }
}
