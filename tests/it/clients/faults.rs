//! The client libraries against a server that misbehaves on request (`docs/FAULTS.md`).

use serde_json::{Value, json};

use super::program::{Language, Program};
use crate::http::get;
use crate::patience::patiently;
use crate::spawn::{TestServer, spawn_app};

/// A server whose silence is noticed soon.
fn server() -> TestServer {
    spawn_app(|settings| {
        settings.feed.events_per_second = 1_000.0;
        settings.session.heartbeat_ms = 500;
    })
}

/// Starts a program that gives up a connection after a second of silence, and lets it read some events.
async fn program(language: Language, server: &TestServer, transport: &str) -> Program {
    let options = json!({ "transports": [transport], "connect_timeout_ms": 3_000, "ping_ms": 200 });
    let mut program = Program::start(language, server.address, &options);
    program.until_state("live", transport).await;
    program.read(100).await;
    program
}

/// Waits until the only rule has struck so often.
async fn until_struck(server: &TestServer, times: u64) {
    patiently("the fault to strike", async {
        while get(server.address, "/faults").await.json()["faults"][0]["struck"].as_u64().unwrap() < times {}
    })
    .await;
}

/// Lets a rule strike a program in each language, and checks that the application gets every event once and in order; returns
/// the causes why connections ended.
async fn survive(transport: &str, rule: Value, strikes: u64) -> Vec<Vec<String>> {
    let mut causes = Vec::new();
    for language in Language::ALL {
        let server = server();
        let mut program = program(language, &server, transport).await;
        server.add_fault(&rule).await;
        until_struck(&server, strikes).await;
        program.read(500).await;
        causes.push(program.causes.clone());
        let (end, ledger) = program.close().await;
        let lost = (ledger.count("reset"), ledger.count("hole"), ledger.count("snapshot"));
        assert_eq!(lost, (0, 0, 6), "{language:?} {rule}: {causes:?}");
        assert_eq!(end["failure"], Value::Null, "{language:?} {rule}");
    }
    causes
}

#[actix_web::test]
async fn connections_that_are_reset_closed_or_dead_are_resumed() {
    for (rule, cause) in [
        (json!({ "kind": "drop", "times": 2, "after_ms": 100 }), "closed"),
        (json!({ "kind": "close", "code": 1011, "times": 2 }), "closed"),
        (json!({ "kind": "close", "code": 1013, "times": 1 }), "closed"),
        (json!({ "kind": "close", "code": 4002, "times": 1 }), "closed"),
        (json!({ "kind": "close", "code": 4004, "times": 1 }), "closed"),
        (json!({ "kind": "half_open", "times": 1 }), "silent"),
        (json!({ "kind": "mute", "times": 1 }), "silent"),
    ] {
        let times = rule["times"].as_u64().unwrap();
        for causes in survive("websocket", rule.clone(), times).await {
            assert!(causes.iter().any(|each| each == cause), "{rule}: {causes:?}");
        }
    }
}

#[actix_web::test]
async fn events_that_are_left_out_repeated_reordered_or_garbled_reach_the_application_once_and_in_order() {
    for (rule, cause) in [
        (json!({ "kind": "gap", "chance": 0.05, "times": 3 }), Some("hole")),
        (json!({ "kind": "mute", "for_ms": 700, "times": 1 }), Some("hole")),
        (json!({ "kind": "duplicate", "chance": 0.2, "times": 20 }), None),
        (json!({ "kind": "reorder", "chance": 0.05, "times": 3 }), Some("hole")),
        (json!({ "kind": "garbage", "chance": 0.05, "times": 3 }), Some("garbage")),
    ] {
        for causes in survive("websocket", rule.clone(), rule["times"].as_u64().unwrap()).await {
            assert_eq!(causes.first().map(String::as_str), cause, "{rule}: {causes:?}");
        }
    }
}

#[actix_web::test]
async fn events_that_come_late_or_with_strange_values_are_passed_on() {
    for rule in [
        json!({ "kind": "delay", "ms": 300 }),
        json!({ "kind": "jitter", "ms": 200 }),
        json!({ "kind": "burst", "ms": 300 }),
        json!({ "kind": "slow", "bytes_per_second": 100_000 }),
        json!({ "kind": "bad_price", "price": "zero", "chance": 0.2 }),
        json!({ "kind": "time_skew", "ms": -3_600_000, "chance": 0.2 }),
    ] {
        survive("websocket", rule, 1).await;
    }
}

#[actix_web::test]
async fn a_server_that_reads_nothing_is_given_up() {
    for causes in survive("websocket", json!({ "kind": "stall", "times": 1 }), 1).await {
        assert!(causes.is_empty() || causes == ["late"], "{causes:?}");
    }
}

#[actix_web::test]
async fn faults_of_streams_are_survived_too() {
    for rule in [
        json!({ "kind": "drop", "times": 2, "after_ms": 300 }),
        json!({ "kind": "half_open", "times": 1, "after_ms": 300 }),
        json!({ "kind": "gap", "chance": 0.05, "times": 3 }),
        json!({ "kind": "duplicate", "chance": 0.2, "times": 20 }),
        json!({ "kind": "reorder", "chance": 0.05, "times": 3 }),
    ] {
        for language in Language::ALL {
            let server = server();
            server.add_fault(&rule).await;
            let mut program = program(language, &server, "sse").await;
            until_struck(&server, rule["times"].as_u64().unwrap()).await;
            program.read(500).await;
            let (_, ledger) = program.close().await;
            assert_eq!((ledger.count("reset"), ledger.count("hole")), (0, 0), "{language:?} {rule}");
        }
    }
}

#[actix_web::test]
async fn a_close_code_after_which_reconnecting_is_of_no_use_ends_the_client() {
    for language in Language::ALL {
        let server = server();
        let mut program = program(language, &server, "websocket").await;
        server.add_fault(&json!({ "kind": "close", "code": 4500, "reason": "no" })).await;
        while program.status["state"] != "closed" {
            program.next().await;
        }
        let (end, _) = program.close().await;
        assert_eq!((&end["failure"]["code"], &end["failure"]["reason"]), (&json!(4500), &json!("no")), "{language:?}");
    }
}

#[actix_web::test]
async fn a_refused_handshake_is_tried_again() {
    for language in Language::ALL {
        let server = server();
        server.add_fault(&json!({ "kind": "refuse", "status": 503, "retry_after_s": 1, "times": 2 })).await;
        let program = program(language, &server, "websocket").await;
        let (_, ledger) = program.close().await;
        assert_eq!((ledger.count("open"), ledger.count("snapshot")), (1, 6), "{language:?}");
    }
}
