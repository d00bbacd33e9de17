//! Silence: the server sends heartbeats, and ends sessions whose clients are silent.

use std::time::Duration;

use serde_json::json;
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::patience::wait_until;
use crate::raw::{FRAGMENTS, PING, PONG, RawClient, TEXT};
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// Pace of a client that drips.
const PACE: Duration = Duration::from_millis(1);

#[actix_web::test]
async fn after_a_silence_the_server_sends_a_heartbeat() {
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
async fn a_session_with_events_gets_no_heartbeat() {
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
        // On a machine that stalls a heartbeat is permitted, but only after a silence.
        assert!(message["type"] != "heartbeat" || ts - last >= HEARTBEAT_MICROS / 2, "{} after an event", ts - last);
        last = ts;
    }
}

/// Trades and quotes go on, but the subscribed channel is quiet: without new offsets the cursor would soon be too old
/// for the ring.
#[actix_web::test]
async fn a_client_that_pings_and_so_gets_no_heartbeats_gets_its_cursor_from_the_pongs() {
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
    // Long enough for the session to be closed if pongs did not count.
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
async fn a_client_that_sends_nothing_and_answers_no_ping_is_closed_with_4003() {
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
async fn a_message_that_never_ends_does_not_keep_its_session_alive() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 250;
        settings.session.idle_timeout_ms = 300;
        settings.session.close_timeout_ms = 50;
    });
    let mut client = RawClient::open(server.address).await;
    client.send_frame(FRAGMENTS[0], b"{").await;
    // Each fragment is a frame, but none of them ends the message.
    while server.metrics.closes(CloseReason::Idle) == 0 {
        client.send_frame(FRAGMENTS[1], b" ").await;
        tokio::time::sleep(PACE).await;
    }
    assert_eq!(client.close_frame().await, Some((4003, "no sign of life".into())));
}

#[actix_web::test]
async fn a_frame_that_drips_does_not_keep_its_session_alive() {
    let server = spawn_app(|settings| {
        settings.session.heartbeat_ms = 250;
        settings.session.idle_timeout_ms = 300;
        settings.session.close_timeout_ms = 50;
    });
    let mut client = RawClient::open(server.address).await;
    // A text of 60,000 bytes: the test ends before a shorter one would, and a longer one is over the limit.
    client.send(&[TEXT, 0x80 | 0x7E, 0xEA, 0x60, 1, 2, 3, 4]).await;
    while server.metrics.closes(CloseReason::Idle) == 0 {
        client.send(b" ").await;
        tokio::time::sleep(PACE).await;
    }
    assert_eq!(client.close_frame().await, Some((4003, "no sign of life".into())));
}
