//! Requests that never end, and connections without one: each has a deadline, and requests in time are served.

use tickcast::app::Settings;

use crate::client::Client;
use crate::command::spawn_binary;
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{RawClient, handshake};
use crate::secure::Pair;
use crate::spawn::{spawn_app, spawn_app_at_rest};

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A request has 200 ms to arrive.
fn impatient(settings: &mut Settings) {
    settings.server.request_timeout_ms = 200;
}

/// Returns a request with a head of this many bytes.
fn request_of(bytes: usize) -> String {
    let (before, after) = ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ", "\r\n\r\n");
    format!("{before}{}{after}", "x".repeat(bytes - before.len() - after.len()))
}

#[actix_web::test]
async fn a_request_that_never_ends_times_out_at_any_place_on_its_connection() {
    let server = spawn_app(impatient);
    for served in 0..3 {
        for begun in ["G", "GET /healthz HTTP/1.1\r\nHost: local", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"] {
            let mut client = RawClient::connect(server.address).await;
            for _ in 0..served {
                assert_eq!(client.request(HEALTHZ).await.status, 200);
            }
            client.send(begun.as_bytes()).await;
            let rest = client.rest().await;
            assert!(rest.starts_with("HTTP/1.1 408 "), "{served} {begun}: {rest}");
        }
    }
}

#[actix_web::test]
async fn within_tls_a_request_has_the_same_deadline() {
    let pair = Pair::new("unfinished");
    let server = spawn_app(|settings| {
        impatient(settings);
        pair.configure(settings);
    });
    for served in 0..2 {
        let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
        for _ in 0..served {
            assert_eq!(client.request(HEALTHZ).await.status, 200);
        }
        client.send(b"GET /healthz HTTP/1.1\r\n").await;
        assert!(client.rest().await.starts_with("HTTP/1.1 408 "));
    }
}

#[actix_web::test]
async fn a_body_that_never_ends_ends_its_connection() {
    let server = spawn_app(impatient);
    for (method, body, status) in [
        ("GET", "Content-Length: 10\r\n\r\n", "200"),
        ("GET", "Content-Length: 10\r\n\r\n12345", "200"),
        ("GET", "Transfer-Encoding: chunked\r\n\r\n", "200"),
        ("POST", "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "405"),
        ("POST", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "405"),
    ] {
        let mut client = RawClient::connect(server.address).await;
        client.send(format!("{method} /healthz HTTP/1.1\r\nHost: localhost\r\n{body}").as_bytes()).await;
        let rest = client.rest().await;
        assert!(rest.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {body}: {rest}");
        assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{method} {body}: {rest}");
    }
}

#[actix_web::test]
async fn after_a_request_with_a_length_of_zero_the_next_one_has_the_same_limits() {
    let server = spawn_app(impatient);
    for length in ["0", "00", "000 ", " 0"] {
        let first = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        for (second, status) in [(request_of(60_000).as_str(), 431), ("G", 408), (HEALTHZ, 200)] {
            let mut client = RawClient::connect(server.address).await;
            assert_eq!(client.request(&first).await.status, 200, "{length:?}");
            assert_eq!(client.request(second).await.status, status, "{length:?}");
        }
    }
}

#[actix_web::test]
async fn a_length_that_is_not_a_number_is_answered_with_400_and_ends_the_connection() {
    let server = spawn_app(|_| {});
    for length in ["", "+0", "-0", "0, 0", "0x0", "0\r\nContent-Length: 0", "1e0", "18446744073709551616"] {
        let mut client = RawClient::connect(server.address).await;
        let first = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
        client.send([&first, HEALTHZ].concat().as_bytes()).await;
        let rest = client.rest().await;
        assert!(rest.starts_with("HTTP/1.1 400 "), "{length:?}: {rest}");
        assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{length:?}: {rest}");
    }
}

#[actix_web::test]
async fn a_request_behind_a_body_is_not_served_and_the_connection_ends_with_the_answer() {
    // No request waits for a deadline.
    let server = spawn_app(|settings| settings.server.request_timeout_ms = 60_000);
    for body in [
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 05\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
        "Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        for (method, status) in [("POST", 405), ("GET", 200), ("CONNECT", 405)] {
            for behind in [HEALTHZ, &request_of(60_000)] {
                let request = format!("{method} /healthz HTTP/1.1\r\nHost: localhost\r\n{body}{behind}");
                let mut client = RawClient::connect(server.address).await;
                client.send(request.as_bytes()).await;
                let rest = client.rest().await;
                assert!(rest.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {body}: {rest}");
                assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{method} {body}: {rest}");
            }
        }
    }
    assert_eq!(server.metrics.request_heads_too_long.get(), 0, "they are no heads");
}

#[actix_web::test]
async fn many_unfinished_second_requests_time_out_and_a_new_client_is_served_meanwhile() {
    let server = spawn_app(impatient);
    let mut clients = Vec::new();
    for _ in 0..300 {
        let mut client = RawClient::connect(server.address).await;
        assert_eq!(client.request(HEALTHZ).await.status, 200);
        client.send(b"G").await;
        clients.push(client);
    }
    assert_eq!(get(server.address, "/readyz").await.status, 200);
    for client in &mut clients {
        assert!(client.rest().await.starts_with("HTTP/1.1 408 "));
    }
}

#[actix_web::test]
async fn two_thousand_unfinished_second_requests_time_out_and_new_clients_are_served_meanwhile() {
    const CLIENTS: usize = 2_000;
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    // Limits that permit all of them, and a timeout that lets all of them be there at once.
    let variables =
        [("TICKCAST__SERVER__CONNECTIONS_SPARE_MAX", "4000"), ("TICKCAST__SERVER__REQUEST_TIMEOUT_MS", "10000")];
    let process = spawn_binary(&[], &variables).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = RawClient::connect(process.address).await;
        assert_eq!(client.request(HEALTHZ).await.status, 200);
        clients.push(client);
    }
    for client in &mut clients {
        client.send(b"G").await;
    }
    let metrics = async || get(process.address, "/metrics").await.text().to_owned();
    assert_eq!(get(process.address, "/readyz").await.status, 200);
    let mut session = Client::connect(process.address).await;
    session.subscribe(&["*"], &["trades"]).await;
    session.events(10).await;
    let meanwhile = metrics().await;
    for expected in ["requests_timed_out_total 0", "connections_dismissed_total 0"] {
        assert!(meanwhile.contains(&format!("tickcast_{expected}\n")), "all are there still: {meanwhile}");
    }
    for client in &mut clients {
        assert!(client.rest().await.starts_with("HTTP/1.1 408 "));
    }
    let timed_out = format!("tickcast_requests_timed_out_total {CLIENTS}\n");
    // The session, and the connection of the request for the metrics.
    let gone = async { while !metrics().await.contains("tickcast_connections 2\n") {} };
    patiently("all others to be gone", gone).await;
    assert!(metrics().await.contains(&timed_out), "by the deadline");
    session.events(10).await;
}

#[actix_web::test]
async fn a_head_has_at_most_16_kib() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::connect(server.address).await;
    for bytes in [1_000, 16_000, 16_384] {
        assert_eq!(client.request(&request_of(bytes)).await.status, 200, "{bytes}");
    }
    for bytes in [16_385, 40_000, 100_000] {
        let mut client = RawClient::connect(server.address).await;
        let answer = client.request(&request_of(bytes)).await;
        assert_eq!(answer.status, 431, "{bytes}: {answer:?}");
    }
    assert_eq!(server.metrics.request_heads_too_long.get(), 3);
}

#[actix_web::test]
async fn a_connection_without_a_request_is_closed_without_an_answer() {
    let server = spawn_app(|settings| {
        impatient(settings);
        settings.server.keep_alive_ms = 300;
    });
    assert_eq!(RawClient::connect(server.address).await.rest().await, "");
    let mut client = RawClient::connect(server.address).await;
    for _ in 0..3 {
        assert_eq!(client.request(HEALTHZ).await.status, 200);
    }
    assert_eq!(client.rest().await, "");
    assert_eq!(server.metrics.requests_timed_out.get(), 1, "the one that never sent any");
    wait_until("connections", 0, || server.metrics.connections.get()).await;
}

#[actix_web::test]
async fn answers_that_take_longer_than_the_request_timeout_are_not_cut_off() {
    let (server, clock) = spawn_app_at_rest(impatient);
    let cursor = get(server.address, "/api/v1/poll?symbols=AAPL").await.json()["cursor"].as_str().unwrap().to_owned();
    let mut socket = RawClient::open(server.address).await;
    let mut stream = RawClient::connect(server.address).await;
    stream.request("GET /api/v1/stream?symbols=AAPL HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // A part of the next request waits behind the poll; its time begins with the end of the answer.
    let mut poll = RawClient::connect(server.address).await;
    let path = format!("/api/v1/poll?symbols=AAPL&wait_ms=1000&after={cursor}");
    let answer = poll.request(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(poll.request("lthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.body, "alive\n");
    socket.send_frame(crate::raw::PING, b"still?").await;
    assert_eq!(socket.next_of(crate::raw::PONG).await, b"still?");
    clock.advance_micros(60_000_000);
    while !String::from_utf8(stream.next_chunk().await).unwrap().contains("\"trade\"") {}
}

#[actix_web::test]
async fn requests_are_accepted_however_they_are_cut() {
    let server = spawn_app(|_| {});
    let requests = HEALTHZ.repeat(3) + "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for piece in [1, 2, 7, 40, 100, 1_000] {
        let mut client = RawClient::connect(server.address).await;
        for piece in requests.as_bytes().chunks(piece) {
            client.send(piece).await;
        }
        let rest = client.rest().await;
        assert_eq!((rest.matches("alive\n").count(), rest.matches("ready\n").count()), (3, 1), "{piece}: {rest}");
    }
    // The first frame may arrive with the handshake.
    let mut client = RawClient::connect(server.address).await;
    let list = crate::raw::frame(crate::raw::TEXT, br#"{"action":"list","id":1}"#);
    client.send(&[handshake(&[]).as_bytes(), &list].concat()).await;
    assert_eq!(client.answer().await.status, 101);
    while !String::from_utf8(client.next_of(crate::raw::TEXT).await).unwrap().contains("\"id\":1") {}
}

#[actix_web::test]
async fn invalid_http_is_answered_with_400_at_once_and_counted() {
    let server = spawn_app(|_| {});
    for nonsense in ["hello there!\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}", "GET /healthz HTTP/1.1\r\n\r\n"] {
        let mut client = RawClient::connect(server.address).await;
        client.send(nonsense.as_bytes()).await;
        let rest = client.rest().await;
        assert!(rest.starts_with("HTTP/1.1 400 "), "{nonsense:?}: {rest}");
        // The HTTP library answers a request without Host.
        assert!(rest.contains(r#""code":"bad_request""#) || nonsense.starts_with("GET"), "{nonsense:?}: {rest}");
    }
    wait_until("malformed requests", 3, || server.metrics.requests_malformed.get()).await;
}
