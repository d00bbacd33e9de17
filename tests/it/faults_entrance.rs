//! Faults at the entrance: a session is refused before it begins.

use awc::http::Method;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::client::Client;
use crate::faulty_client::{FaultyClient, named_handshake};
use crate::http::{get, request};
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::spawn::spawn_app;

#[actix_web::test]
async fn refuse_answers_the_handshake_with_its_status_so_often() {
    let server = spawn_app(|_| {});
    let rule = json!({"kind": "refuse", "status": 429, "retry_after_s": 7, "times": 2, "client": "bot"});
    server.add_fault(&rule).await;
    for _ in 0..2 {
        let answer = RawClient::connect(server.address).await.request(&named_handshake("bot")).await;
        assert_eq!(answer.status, 429);
        assert!(answer.head.contains("retry-after: 7"), "{}", answer.head);
        // Others are served meanwhile.
        Client::connect(server.address).await;
    }
    let mut client = FaultyClient::open(server.address, "bot").await;
    client.until("welcome", |client| !client.messages.is_empty()).await;
    assert_eq!(server.metrics.faults("refuse"), 2);
    assert_eq!(server.metrics.connections_refused.get(), 0);
}

#[actix_web::test]
async fn refuse_chooses_the_transport() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "refuse", "status": 503, "transport": "websocket"})).await;
    let answer = RawClient::connect(server.address).await.request(&named_handshake("bot")).await;
    assert_eq!((answer.status, answer.head.contains("retry-after")), (503, false));
    let poll = "/api/v1/poll?symbols=AAPL&wait_ms=0";
    assert_eq!(get(server.address, poll).await.status, 200);
    let stream = "/api/v1/stream?symbols=AAPL";
    assert_eq!(request(server.address, Method::HEAD, stream, &[]).await.status, 200);
    for transport in ["poll", "stream"] {
        server.add_fault(&json!({"kind": "refuse", "status": 418, "transport": transport})).await;
    }
    assert_eq!(get(server.address, poll).await.status, 418);
    assert_eq!(request(server.address, Method::HEAD, stream, &[]).await.status, 418);
    assert_eq!(server.metrics.faults("refuse"), 3);
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn drop_resets_the_connection_of_a_poll_and_half_open_leaves_it_without_an_answer() {
    let server = spawn_app(|_| {});
    let poll = "GET /api/v1/poll?symbols=AAPL&wait_ms=0&client=bot HTTP/1.1\r\nHost: localhost\r\n\r\n";
    server.add_fault(&json!({"kind": "drop", "client": "bot", "times": 1})).await;
    let mut client = RawClient::connect(server.address).await;
    client.send(poll.as_bytes()).await;
    let err = client.stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(err.kind(), std::io::ErrorKind::ConnectionReset);
    server.add_fault(&json!({"kind": "half_open", "client": "bot", "times": 1})).await;
    let mut client = RawClient::connect(server.address).await;
    client.send(poll.as_bytes()).await;
    wait_until("strikes", 1, || server.metrics.faults("half_open")).await;
    assert_eq!(get(server.address, "/api/v1/poll?symbols=AAPL&wait_ms=0&client=bot").await.status, 200, "others");
    let connections = server.metrics.connections.get();
    client.hang_up().await;
    wait_until("the end of the connection", true, || server.metrics.connections.get() < connections).await;
}

#[actix_web::test]
async fn an_auth_error_strikes_no_session_of_the_native_protocol_which_has_no_authentication() {
    let server = spawn_app(|_| {});
    server.add_fault(&json!({"kind": "auth_error", "code": 406})).await;
    let mut client = FaultyClient::subscribed(server.address, "bot").await;
    client.until("events", |client| client.events().len() > 10).await;
    assert_eq!(server.metrics.faults("auth_error"), 0);
}
