//! Clients that say nothing, or too slowly, before they have shown a key: they take no place from a client with one.

use std::net::SocketAddr;

use serde_json::json;
use tickcast::app::Settings;
use tickcast::protocol::CloseReason;

use crate::json_client::{JsonClient, massive};
use crate::keyring::{KeyRing, WIDE, get_as, header_of, raw_get, secret, two_keys};
use crate::patience::{patiently, wait_until};
use crate::raw::{RawClient, TEXT, handshake};
use crate::secure::Pair;
use crate::spawn::spawn_app;

/// Streams whose clients authenticate by message.
const STREAMS: [&str; 5] = ["/v2/iex", "/v2/sip", "/v2/test", "/stocks", "/ws"];

/// Room for 20 sessions, of which 8 may be of strangers.
fn small(settings: &mut Settings) {
    settings.server.connections_max = 20;
    settings.auth.pending_max = 8;
    settings.session.auth_timeout_ms = 3_600_000;
}

/// Opens a stream and says nothing.
async fn stranger(server: SocketAddr, stream: &str) -> RawClient {
    let mut client = RawClient::connect(server).await;
    let answer = client.request(&handshake(&[]).replacen("/ws ", &format!("{stream} "), 1)).await;
    assert_eq!(answer.status, 101, "{stream}: {answer:?}");
    client
}

#[actix_web::test]
async fn silent_clients_do_not_fill_the_server() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        ring.require(settings);
        small(settings);
        settings.auth.first_message_ms = 600_000;
    });
    let mut silent = Vec::new();
    for number in 0..60 {
        silent.push(stranger(server.address, STREAMS[number % STREAMS.len()]).await);
    }
    wait_until("strangers", 8, || server.metrics.strangers.get()).await;
    assert_eq!(server.metrics.limited("pending"), 52);
    wait_until("sessions", 8, || server.sessions()).await;
    // A client with a key gets in on every transport, and one of a vendor has the time to show it.
    let mut client = JsonClient::open(server.address, "/v2/iex").await;
    client.send(&json!({"action": "auth", "key": WIDE, "secret": secret(WIDE)})).await;
    assert_eq!(client.next().await, Ok(json!([{"T": "success", "msg": "connected"}])));
    assert_eq!(client.next().await, Ok(json!([{"T": "success", "msg": "authenticated"}])));
    assert_eq!(server.metrics.strangers.get(), 7);
    let snapshot = get_as(server.address, WIDE, "/api/v1/snapshot?symbols=AAPL").await;
    assert_eq!(snapshot.status, 200, "{}", snapshot.text());
    let header = format!("Authorization: {}\r\n", header_of(WIDE));
    assert_eq!(raw_get(server.address, "/ws", &header, true).await.status, 101);
    assert_eq!(raw_get(server.address, "/api/v1/stream?symbols=AAPL", &header, false).await.status, 200);
    // The oldest ones have ended, as after the time to authenticate.
    let mut oldest = silent.remove(0);
    let (code, _) = oldest.close_frame().await.expect("a close frame");
    assert_eq!(code, CloseReason::AuthTimeout.code());
    drop((silent, oldest, client));
    wait_until("sessions", 0, || server.sessions()).await;
    assert_eq!(server.metrics.strangers.get(), 0);
}

#[actix_web::test]
async fn a_client_that_has_shown_a_key_is_no_stranger() {
    let server = spawn_app(small);
    let mut known = Vec::new();
    for _ in 0..12 {
        known.push(massive(server.address).await);
    }
    assert_eq!((server.metrics.strangers.get(), server.metrics.limited("pending"), server.sessions()), (0, 0, 12));
    // Nor one that has shown it with its request.
    let header = "APCA-API-KEY-ID: tickcast\r\nAPCA-API-SECRET-KEY: tickcast\r\n";
    assert_eq!(raw_get(server.address, "/v2/iex", header, true).await.status, 101);
    assert_eq!(raw_get(server.address, "/?token=tickcast", "", true).await.status, 101);
    assert_eq!((server.metrics.strangers.get(), server.metrics.limited("pending")), (0, 0));
}

#[actix_web::test]
async fn silent_sockets_and_heads_byte_by_byte_keep_no_client_with_a_key_out() {
    let (ring, pair) = (KeyRing::new(&two_keys()), Pair::new("strangers"));
    let server = spawn_app(|settings| {
        ring.require(settings);
        pair.configure(settings);
        settings.server.connections_max = 100;
        settings.server.connections_spare_max = 10;
        settings.server.request_timeout_ms = 600_000;
        settings.server.tls.handshake_timeout_ms = 600_000;
    });
    let tls = server.tls_address.unwrap();
    let (mut silent, mut slow) = (Vec::new(), Vec::new());
    for number in 0..150 {
        silent.push(RawClient::connect(if number % 2 == 0 { server.address } else { tls }).await);
        let mut client = RawClient::connect(server.address).await;
        client.send(b"G").await;
        slow.push(client);
    }
    let head = format!("GET /ws HTTP/1.1\r\nHost: {}\r\nX-Long: {}", server.address, "x".repeat(200));
    for byte in head.bytes().skip(1).take(40) {
        for client in &mut slow {
            client.send(&[byte]).await;
        }
        let snapshot = patiently("an answer", get_as(server.address, WIDE, "/api/v1/snapshot?symbols=AAPL")).await;
        assert_eq!(snapshot.status, 200);
    }
    let mut client = RawClient::connect_secure(tls, &pair).await;
    let header = header_of(WIDE);
    let answer = client.request(&handshake(&[("Authorization", Some(&header))])).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    client.send_frame(TEXT, br#"{"action":"ping"}"#).await;
    while !String::from_utf8(client.next_of(TEXT).await).unwrap().contains("pong") {}
    assert_eq!(server.sessions(), 1);
    drop((client, silent, slow));
    wait_until("sessions", 0, || server.sessions()).await;
    wait_until("connections", 0, || server.metrics.connections.get()).await;
}
