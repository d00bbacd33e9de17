//! A WebSocket without a key whose client says by its first message who it is (`auth.first_message_ms`).

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::http::get;
use crate::keyring::{KeyRing, NARROW, WIDE, entry, raw_get, secret, two_keys};
use crate::patience::wait_until;
use crate::spawn::{TestServer, spawn_app};

/// Starts a server whose clients have this time for their first message.
fn waiting(ring: &KeyRing, first_message_ms: u64) -> TestServer {
    spawn_app(|settings| {
        ring.require(settings);
        settings.auth.first_message_ms = first_message_ms;
        settings.session.heartbeat_ms = 20;
        settings.session.stall_timeout_ms = 80;
    })
}

async fn sign_in(client: &mut Client, token: &str) -> Value {
    client.ask(json!({"action": "auth", "token": token})).await.pop().unwrap()
}

#[actix_web::test]
async fn a_client_says_who_it_is_and_is_welcomed_then_and_nothing_is_served_before() {
    let ring = KeyRing::new(&two_keys());
    let server = waiting(&ring, 60_000);
    let mut client = Client::connect_nameless(server.address).await;
    wait_until("it is awaited", 1, || server.metrics.strangers.get()).await;
    for request in [
        json!({"action": "subscribe", "symbols": ["AAPL"]}),
        json!({"action": "subscribe", "symbols": ["*"], "after": {"epoch": "a", "offset": 1}}),
        json!({"action": "unsubscribe", "symbols": ["AAPL"]}),
        json!({"action": "list"}),
        json!({"action": "ping"}),
    ] {
        let answers = client.ask(request.clone()).await;
        assert_eq!(answers.len(), 1, "not even a heartbeat: {answers:?}");
        assert_eq!((&answers[0]["type"], &answers[0]["code"]), (&json!("error"), &json!("unauthorized")), "{request}");
    }
    assert_eq!(sign_in(&mut client, "no such secret").await["code"], "unauthorized");
    let answer = sign_in(&mut client, &secret(NARROW)).await;
    assert_eq!((&answer["type"], &answer["name"]), (&json!("auth"), &json!(NARROW)));
    let welcome = client.next_message().await;
    assert_eq!((&welcome["type"], &welcome["auth"]["name"]), (&json!("welcome"), &json!(NARROW)));
    wait_until("nobody is awaited", 0, || server.metrics.strangers.get()).await;
    client.subscribe(&["AAPL"], &["trades"]).await;
    client.events(3).await;
    let request = json!({"action": "subscribe", "symbols": ["NVDA"]});
    assert_eq!(client.ask(request).await.pop().unwrap()["code"], "unknown_symbol");
}

#[actix_web::test]
async fn a_client_that_does_not_say_in_time_who_it_is_is_closed() {
    let ring = KeyRing::new(&two_keys());
    let server = waiting(&ring, 50);
    let mut silent = Client::connect_nameless(server.address).await;
    let mut wrong = Client::connect_nameless(server.address).await;
    wrong.send_json(&json!({"action": "auth", "token": "no such secret"})).await;
    for client in [&mut silent, &mut wrong] {
        assert_eq!(client.read_to_end().await.1.map(|(code, _)| code), Some(4408));
    }
    wait_until("no session", 0, || server.sessions()).await;
    wait_until("nobody is awaited", 0, || server.metrics.strangers.get()).await;
    assert_eq!(server.metrics.closes(CloseReason::AuthTimeout), 2);
    let mut gone = Client::connect_nameless(server.address).await;
    gone.send(Message::Close(None)).await;
    drop(gone);
    wait_until("none is awaited", 0, || server.metrics.strangers.get()).await;
}

#[actix_web::test]
async fn the_connections_of_a_key_count_from_its_first_message_on() {
    let ring = KeyRing::new(&[entry("a", "symbols = [\"*\"]\nconnections_max = 1")]);
    let server = waiting(&ring, 60_000);
    let mut first = Client::connect_nameless(server.address).await;
    assert_eq!(sign_in(&mut first, &secret("a")).await["type"], "auth");
    let mut second = Client::connect_nameless(server.address).await;
    assert_eq!(sign_in(&mut second, &secret("a")).await["code"], "limit_exceeded");
    drop(first);
    wait_until("a free place", 1, || server.sessions()).await;
    assert_eq!(sign_in(&mut second, &secret("a")).await["type"], "auth");
    second.next_message().await;
    // The session ends with its key like any other.
    ring.write(&[entry("b", "symbols = [\"*\"]")]);
    server.keys.reload();
    assert_eq!(second.read_to_end().await.1.map(|(code, _)| code), Some(4403));
}

#[actix_web::test]
async fn only_a_websocket_of_the_native_protocol_comes_in_without_a_key() {
    let ring = KeyRing::new(&two_keys());
    let server = waiting(&ring, 60_000);
    for path in ["/api/v1/symbols", "/api/v1/stream?symbols=AAPL", "/api/v1/poll?symbols=AAPL&wait_ms=0", "/ws"] {
        assert_eq!(get(server.address, path).await.status, 401, "{path}");
    }
    for path in ["/handshake/ws?capture=a", "/no/such/address"] {
        assert_eq!(raw_get(server.address, path, "", true).await.status, 401, "{path}");
    }
    let wrong = "Authorization: Bearer wrong\r\n";
    assert_eq!(raw_get(server.address, "/ws", wrong, true).await.status, 401, "a wrong key is refused at once");
    let foreign = "Origin: https://evil.example\r\n";
    assert_eq!(raw_get(server.address, "/ws", foreign, true).await.status, 403);
    let strict = waiting(&ring, 0);
    assert_eq!(raw_get(strict.address, "/ws", "", true).await.status, 401);
    let mut client = Client::connect_as(server.address, WIDE).await;
    client.sync().await;
}
