//! Connections that stay open and bring nothing: the client libraries notice by the missing heartbeats, or by the numbers of snapshots,
//! reconnect with the cursor, and change the transport if it happens again.

use serde_json::{Value, json};

use super::program::{Language, Program};
use super::with_each;
use crate::spawn::{TestServer, spawn_app};

/// A server with these rules whose heartbeats follow each other soon.
fn server(events_per_second: f64, rules: &Value) -> TestServer {
    spawn_app(|settings| {
        settings.feed.events_per_second = events_per_second;
        settings.session.heartbeat_ms = 50;
        settings.faults = serde_json::from_value(rules.clone()).unwrap();
    })
}

/// Options of a client that takes a second without a heartbeat for silence.
fn options(transports: &[&str]) -> Value {
    json!({ "transports": transports, "silence_heartbeats": 20, "connect_timeout_ms": 3_000, "ping_ms": 200 })
}

/// Two streams: one of many events, one of few.
fn two_groups() -> Value {
    json!([["AAPL", { "channels": ["quotes"] }], [["KO", "PG"], { "channels": ["trades"] }]])
}

#[actix_web::test]
async fn one_silent_stream_of_several_is_noticed_and_resumed() {
    // With few events the silent stream has heartbeats: only the numbers show that it has lost some.
    let each = [3_000.0, 150.0].into_iter().flat_map(|rate| Language::ALL.map(|language| (rate, language)));
    with_each(each, async |(events_per_second, language)| {
        let rules = json!([{ "kind": "mute", "transport": "stream", "times": 1, "seed": 5, "after_ms": 300 }]);
        let server = server(events_per_second, &rules);
        let mut program = Program::start_with(language, server.address, &options(&["sse"]), &two_groups());
        while program.causes.is_empty() {
            program.next().await;
        }
        program.until_state("live", "sse").await;
        program.read(100).await;
        assert!(program.causes.iter().all(|cause| cause == "silent"), "{language:?}: {:?}", program.causes);
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("reset"), ledger.count("hole"), ledger.count("snapshot")), (0, 0, 3), "{language:?}");
    })
    .await;
}

#[actix_web::test]
async fn a_transport_that_is_silent_again_and_again_is_left_for_the_next_one() {
    let each = [(&["websocket", "sse", "poll"][..], "websocket"), (&["sse", "poll"], "stream")];
    let each = each.into_iter().flat_map(|each| Language::ALL.map(|language| (each, language)));
    with_each(each, async |((transports, mute), language)| {
        let rules = json!([{ "kind": "mute", "transport": mute, "after_messages": 60 }]);
        let server = server(600.0, &rules);
        let mut program = Program::start_with(language, server.address, &options(transports), &two_groups());
        program.until_state("live", transports[0]).await;
        program.until_state("live", transports[1]).await;
        program.read(100).await;
        assert_eq!(program.causes, ["silent", "silent"], "{language:?} {mute}");
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("reset"), ledger.count("hole"), ledger.count("snapshot")), (0, 0, 3), "{language:?}");
    })
    .await;
}
