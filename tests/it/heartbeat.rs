//! Silence: the server says that it lives, and ends sessions of which nothing is heard.

use std::time::Duration;

use serde_json::json;
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::patience::wait_until;
use crate::raw::{FRAGMENTS, PING, PONG, RawClient, TEXT};
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// How slowly a client drips that does.
const PACE: Duration = Duration::from_millis(1);

#[actix_web::test]
async fn after_a_silence_the_server_says_heartbeat() {
    let server = spawn_app(|settings| settings.session.heartbeat_ms = 50);
    let mut client = Client::connect(server.address).await;
    let [first, second] = [client.next_message().await, client.next_message().await];
    for heartbeat in [&first, &second] {
        assert_eq!(heartbeat["type"], "heartbeat");
        assert!(heartbeat["ts"].as_i64() > Some(1_700_000_000_000_000), "microseconds: {heartbeat}");
    }
    assert!(second["ts"].as_i64() > first["ts"].as_i64());
    assert!(second["offset"].as_u64() >= first["offset"].as_u64());
    assert!(first["offset"].as_u64() >= client.welcome["offset"].as_u64());
}

#[actix_web::test]
async fn a_session_that_hears_events_gets_no_heartbeat() {
    const HEARTBEAT_MICROS: i64 = 200_000;
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 200;
        settings.feed.events_per_second = 2_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let first = client.events(1).await.pop().unwrap()["ts"].as_i64().unwrap();
    let mut last = first;
    let is_over = |message: &serde_json::Value| message["ts"].as_i64() > Some(first + 10 * HEARTBEAT_MICROS);
    for message in client.until("ten times as long", is_over).await {
        let ts = message["ts"].as_i64().unwrap();
        // On a machine that stalls there may be one, but only after a silence.
        assert!(message["type"] != "heartbeat" || ts - last >= HEARTBEAT_MICROS / 2, "{} after an event", ts - last);
        last = ts;
    }
}

/// Trades and quotes go on, what is subscribed is quiet: a cursor that ages is soon older than what the server remembers.
#[actix_web::test]
async fn the_cursor_of_a_client_that_pings_and_so_hears_no_heartbeat_comes_with_its_pongs() {
    let (server, clock) = spawn_app_at_rest(|settings| settings.history.events_max = 1_000);
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["AAPL"], &["bars.1d"]).await;
    clock.advance_micros(10_000_000);
    wait_until("enough events", true, || server.metrics.events_published.get() > 4_000).await;
    let pong = loop {
        let pong = client.ask(json!({"action": "ping"})).await.pop().unwrap();
        assert_eq!(pong["type"], "pong");
        if pong["offset"] == server.metrics.events_published.get() {
            break pong;
        }
        tokio::time::sleep(PACE * 10).await;
    };
    let after = json!({"epoch": client.welcome["epoch"], "offset": pong["offset"]});
    let mut again = Client::connect(server.address).await;
    let request = json!({"action": "subscribe", "symbols": ["AAPL"], "channels": ["bars.1d"], "after": after});
    assert_eq!(again.ask(request).await[0]["recovered"], true);
}

#[actix_web::test]
async fn the_server_pings_a_silent_client_and_its_pongs_keep_it_alive() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.session.heartbeat_ms = 250;
        settings.session.idle_timeout_ms = 3_000;
    });
    let mut client = RawClient::open(server.address).await;
    // Long enough for it to be closed if pongs did not count.
    for _ in 0..16 {
        let payload = client.next_of(PING).await;
        client.send_frame(PONG, &payload).await;
    }
    client.send_frame(TEXT, br#"{"action":"ping","id":"still here"}"#).await;
    loop {
        let text = String::from_utf8(client.next_of(TEXT).await).unwrap();
        if text.contains(r#""id":"still here""#) {
            break;
        }
    }
    assert_eq!(server.metrics.closes(CloseReason::Idle), 0);
}

#[actix_web::test]
async fn a_client_that_says_nothing_and_answers_no_ping_is_closed_with_4003() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 50;
        settings.session.idle_timeout_ms = 300;
        settings.session.close_timeout_ms = 50;
    });
    let mut client = RawClient::open(server.address).await;
    let request = json!({"action": "subscribe", "symbols": ["*"]}).to_string();
    client.send_frame(TEXT, request.as_bytes()).await;
    assert_eq!(client.close_frame().await, Some((4003, "no sign of life".into())));
    assert_eq!(server.metrics.closes(CloseReason::Idle), 1);
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn a_message_that_never_ends_is_no_sign_of_life() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 250;
        settings.session.idle_timeout_ms = 300;
        settings.session.close_timeout_ms = 50;
    });
    let mut client = RawClient::open(server.address).await;
    client.send_frame(FRAGMENTS[0], b"{").await;
    // Each fragment is a frame, but the message does not end with any of them.
    while server.metrics.closes(CloseReason::Idle) == 0 {
        client.send_frame(FRAGMENTS[1], b" ").await;
        tokio::time::sleep(PACE).await;
    }
    assert_eq!(client.close_frame().await, Some((4003, "no sign of life".into())));
}

#[actix_web::test]
async fn a_frame_that_drips_is_no_sign_of_life() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 250;
        settings.session.idle_timeout_ms = 300;
        settings.session.close_timeout_ms = 50;
    });
    let mut client = RawClient::open(server.address).await;
    // A text of 60,000 bytes: less would do, more than is allowed would be refused.
    client.send(&[TEXT, 0x80 | 0x7E, 0xEA, 0x60, 1, 2, 3, 4]).await;
    while server.metrics.closes(CloseReason::Idle) == 0 {
        client.send(b" ").await;
        tokio::time::sleep(PACE).await;
    }
    assert_eq!(client.close_frame().await, Some((4003, "no sign of life".into())));
}
