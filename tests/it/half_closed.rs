//! Clients that shut down their sending side after the request (half-close): they are answered, and forgotten once they
//! have gone.

use crate::http::get;
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::secure::Pair;
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// Sends a request and shuts down the sending side.
async fn ask(server: std::net::SocketAddr, path: &str) -> RawClient {
    let mut client = RawClient::connect(server).await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
    client.finish_sending().await;
    client
}

#[actix_web::test]
async fn a_half_closed_client_is_answered() {
    let server = spawn_app(|_| {});
    for path in [
        "/api/v1/bars?symbol=AAPL&limit=10",
        "/handshake/attempt?case=accepted",
        "/api/v1/snapshot",
        "/api/v1/symbols",
        "/api/v1/poll?symbols=AAPL&wait_ms=0",
        "/metrics",
        "/",
        "/static/js/app.js",
        "/v3/snapshot?ticker.any_of=AAPL,MSFT&apiKey=tickcast",
        "/v2/snapshot/locale/us/markets/stocks/tickers?apiKey=tickcast",
    ] {
        for _ in 0..30 {
            let rest = ask(server.address, path).await.rest().await;
            assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {rest}");
            let (head, body) = rest.split_once("\r\n\r\n").unwrap();
            let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
            assert_eq!(length.map(|length| length.parse().unwrap()), Some(body.len()), "{path}");
        }
    }
}

#[actix_web::test]
async fn a_half_closed_client_of_tls_is_answered() {
    let pair = Pair::new("half-closed");
    let server = spawn_app(|settings| pair.configure(settings));
    for path in ["/api/v1/bars?symbol=AAPL&limit=10", "/handshake/attempt?case=accepted"] {
        for _ in 0..10 {
            let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
            client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
            client.finish_sending().await;
            let rest = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with('}'), "{path}: {rest}");
        }
    }
}

#[actix_web::test]
async fn a_waiting_poll_of_a_half_closed_client_is_answered_at_once_and_of_a_gone_client_forgotten() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let cursor = get(server.address, "/api/v1/poll?symbols=AAPL").await.json()["cursor"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/poll?symbols=AAPL&wait_ms=60000&after={cursor}");
    let rest = ask(server.address, &path).await.rest().await;
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest}");
    assert!(rest.ends_with(&format!("\"cursor\":\"{cursor}\",\"recovered\":true,\"messages\":[]}}")), "{rest}");
    for _ in 0..10 {
        drop(ask(server.address, &path).await);
    }
    wait_until("polls waiting", 0, || server.metrics.polls_waiting.get()).await;
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn a_stream_continues_for_a_half_closed_client_and_ends_for_a_gone_one() {
    let (server, clock) = spawn_app_at_rest(|settings| {
        settings.session.heartbeat_ms = 300_000;
        settings.session.idle_timeout_ms = 600_000;
    });
    let path = "/api/v1/stream?symbols=AAPL";
    let mut client = RawClient::connect(server.address).await;
    assert_eq!(client.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await.status, 200);
    client.finish_sending().await;
    while !String::from_utf8(client.next_chunk().await).unwrap().contains("\"snapshot\"") {}
    for _ in 0..10 {
        drop(ask(server.address, path).await);
    }
    wait_until("sessions", 1, || server.sessions()).await;
    clock.advance_micros(60_000_000);
    while !String::from_utf8(client.next_chunk().await).unwrap().contains("\"trade\"") {}
}
