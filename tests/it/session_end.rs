//! The end of a session from the client's side, with or without a closing handshake.

use serde_json::json;
use tickcast::protocol::CloseReason;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::client::Client;
use crate::patience::wait_until;
use crate::raw::{CLOSE, PING, RawClient, TEXT};
use crate::spawn::spawn_app;

#[actix_web::test]
async fn a_close_frame_is_answered_with_a_close_frame() {
    let server = spawn_app(|_| {});
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let close = CloseFrame { code: 1000.into(), reason: "bye".into() };
    client.send(Message::Close(Some(close))).await;
    let (_, close) = client.read_to_end().await;
    assert_eq!(close.map(|(code, _)| code), Some(1000));
    wait_until("sessions", 0, || server.sessions()).await;
    assert_eq!(server.metrics.closes(CloseReason::ClientClosed), 1);
}

#[actix_web::test]
async fn the_close_code_of_a_client_is_echoed() {
    let server = spawn_app(|_| {});
    for code in [1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999_u16] {
        let mut client = RawClient::open(server.address).await;
        client.send_frame(CLOSE, &[&code.to_be_bytes(), b"bye".as_slice()].concat()).await;
        assert_eq!(client.close_frame().await, Some((code, String::new())));
    }
    let mut client = RawClient::open(server.address).await;
    client.send_frame(CLOSE, b"").await;
    assert_eq!(client.next_of(CLOSE).await, b"", "a close without a code is answered with none");
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn requests_after_the_close_frame_are_ignored() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::open(server.address).await;
    let close = crate::raw::frame(CLOSE, &1000_u16.to_be_bytes());
    let ping = crate::raw::frame(TEXT, br#"{"action":"ping"}"#);
    client.send(&[close, ping].concat()).await;
    assert_eq!(client.close_frame().await, Some((1000, String::new())));
    assert_eq!(server.metrics.requests.get(), 0);
}

#[actix_web::test]
async fn a_connection_that_ends_without_a_close_is_forgotten() {
    let server = spawn_app(|_| {});
    for subscribe in [false, true] {
        let mut client = RawClient::open(server.address).await;
        if subscribe {
            let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ["trades", "quotes"]});
            client.send_frame(TEXT, request.to_string().as_bytes()).await;
        }
        client.next_of(TEXT).await;
        wait_until("sessions", 1, || server.sessions()).await;
        client.hang_up().await;
        wait_until("sessions", 0, || server.sessions()).await;
    }
    wait_until("closes", 2, || server.metrics.closes(CloseReason::Disconnected)).await;
}

#[actix_web::test]
async fn a_connection_that_ends_within_a_frame_is_forgotten() {
    let server = spawn_app(|_| {});
    let whole = crate::raw::frame(TEXT, br#"{"action":"subscribe","symbols":["*"]}"#);
    for length in [1, 2, 5, 6, whole.len() - 1] {
        let mut client = RawClient::open(server.address).await;
        client.send(&whole[..length]).await;
        client.hang_up().await;
        wait_until("sessions", 0, || server.sessions()).await;
    }
    assert_eq!(server.metrics.requests.get(), 0);
}

#[actix_web::test]
async fn a_ping_frame_is_answered_with_its_payload() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::open(server.address).await;
    for payload in [b"".as_slice(), b"are you there", &[0xFF; 125]] {
        client.send_frame(PING, payload).await;
        assert_eq!(client.next_of(crate::raw::PONG).await, payload);
    }
}

#[actix_web::test]
async fn sessions_leave_nothing_behind() {
    let server = spawn_app(|_| {});
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades", "quotes"]).await;
    for round in 0..30 {
        let mut client = Client::connect(server.address).await;
        client.subscribe(&["AAPL", "*", "MSFT"], &["trades", "quotes"]).await;
        client.events(5).await;
        if round % 2 == 0 {
            client.send(Message::Close(None)).await;
        }
    }
    wait_until("sessions", 1, || server.sessions()).await;
    witness.events(100).await;
    assert_eq!(witness.view.missing, 0);
}
