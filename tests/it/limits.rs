//! Limits of one session, and of all sessions together.

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::http::get;
use crate::patience::wait_until;
use crate::raw::{FRAGMENTS, PING, PONG, RawClient, TEXT, frame, handshake};
use crate::spawn::{spawn_app, spawn_app_at_rest};

fn subscriptions(answer: &Value) -> usize {
    answer["subscriptions"].as_array().map_or(0, Vec::len)
}

#[actix_web::test]
async fn more_symbols_than_the_limit_are_refused_and_none_of_them_is_subscribed() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.symbols_max = 3);
    let mut client = Client::connect(server.address).await;
    let refused = client.subscribe(&["AAPL", "MSFT", "NVDA", "TSLA"], &["trades"]).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("limit_exceeded")));
    assert!(refused["message"].as_str().unwrap().contains("session.symbols_max"), "{refused}");
    let list = client.ask(json!({"action": "list"})).await.pop().unwrap();
    assert_eq!(subscriptions(&list), 0);

    // The wildcard counts as one symbol; a repeated symbol does not count.
    assert_eq!(subscriptions(&client.subscribe(&["*", "AAPL", "AAPL", "MSFT"], &["trades"]).await), 3);
    assert_eq!(subscriptions(&client.subscribe(&["AAPL", "*"], &["quotes"]).await), 3);
    assert_eq!(client.subscribe(&["NVDA"], &["trades"]).await["code"], "limit_exceeded");
    client.ask(json!({"action": "unsubscribe", "symbols": ["AAPL"]})).await;
    assert_eq!(subscriptions(&client.subscribe(&["NVDA"], &["trades"]).await), 3);
}

#[actix_web::test]
async fn a_flood_of_requests_is_closed_with_4000_and_other_sessions_go_on() {
    let server = spawn_app(|settings| settings.session.requests_per_second_max = 10);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    let mut client = RawClient::open(server.address).await;
    // Ten a second for five seconds are permitted at once; these arrive faster than any refill.
    let pings = frame(TEXT, br#"{"action":"ping"}"#).repeat(5_000);
    client.send(&pings).await;
    assert_eq!(client.close_frame().await, Some((4000, "too many requests a second".into())));
    assert_eq!(server.metrics.closes(CloseReason::Flood), 1);
    witness.events(100).await;
    assert_eq!(witness.view.missing, 0);
}

#[actix_web::test]
async fn a_flood_of_control_frames_and_tiny_fragments_is_closed_with_4001_and_other_sessions_go_on() {
    let server = spawn_app(|settings| settings.session.control_frames_per_second_max = 10);
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    let empty = [frame(PING, b""), frame(PONG, b"unasked"), frame(FRAGMENTS[1], b"")];
    for (flood, frame) in (1..).zip(empty) {
        let mut client = RawClient::open(server.address).await;
        client.send_frame(FRAGMENTS[0], b"").await;
        client.send(&frame.repeat(5_000)).await;
        assert_eq!(client.close_frame().await, Some((4001, "too many control frames a second".into())));
        assert_eq!(server.metrics.closes(CloseReason::FrameFlood), flood);
    }
    witness.events(100).await;
    assert_eq!(witness.view.missing, 0);
}

#[actix_web::test]
async fn pings_that_arrive_together_are_answered_one_by_one() {
    let (server, _clock) = spawn_app_at_rest(|_| ());
    let mut client = RawClient::open(server.address).await;
    let pings: Vec<_> = (0..10).flat_map(|number| frame(PING, &[number])).collect();
    client.send(&pings).await;
    for number in 0..10 {
        assert_eq!(client.next_of(PONG).await, [number]);
    }
}

#[actix_web::test]
async fn a_burst_within_the_limit_is_served() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.session.requests_per_second_max = 10);
    let mut client = Client::connect(server.address).await;
    for id in 0..50 {
        client.send_json(&json!({"action": "ping", "id": id})).await;
    }
    client.until("fifty pongs", |message| message["id"] == 49).await;
}

#[actix_web::test]
async fn a_client_that_sends_requests_and_does_not_read_is_closed_with_4002() {
    let server = spawn_app(|settings| {
        settings.push.outbox_reply_bytes_max = 100_000;
        settings.session.requests_per_second_max = 1_000_000;
        settings.session.close_timeout_ms = 50;
    });
    let mut client = RawClient::open_narrow(server.address).await;
    while server.metrics.closes(CloseReason::UnreadReplies) == 0 {
        client.send_frame(TEXT, br#"{"action":"subscribe","symbols":["*"]}"#).await;
    }
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn a_session_over_the_limit_is_refused_with_503_and_retry_after() {
    for workers in [1, 2] {
        let server = spawn_app(|settings| {
            settings.server.workers = workers;
            settings.server.connections_max = 2;
        });
        let one = Client::connect(server.address).await;
        let _other = Client::connect(server.address).await;
        let refused = RawClient::connect(server.address).await.request(&handshake(&[])).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.head.contains("\r\nretry-after: 1\r\n"), "{refused:?}");
        assert!(refused.head.contains("content-type: application/problem+json"), "{refused:?}");
        assert!(refused.body.contains(r#""code":"unavailable""#), "{refused:?}");

        let poll = get(server.address, "/api/v1/poll?symbols=AAPL").await;
        assert_eq!((poll.status, poll.header("retry-after")), (503, "1"));
        assert_eq!(poll.problem()["code"], "unavailable");
        assert_eq!(get(server.address, "/readyz").await.status, 503);
        assert_eq!(get(server.address, "/healthz").await.status, 200, "still live");
        assert!(server.metrics.connections_refused.get() >= 2);

        drop(one);
        wait_until("sessions", 1, || server.sessions()).await;
        assert_eq!(get(server.address, "/readyz").await.status, 200);
        Client::connect(server.address).await;
    }
}
