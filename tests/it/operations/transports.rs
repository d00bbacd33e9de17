//! All transports through a proxy, against a server whose market stands still: an event that the proxy holds back is never seen.

use tickcast::domain::ManualClock;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::patience::wait_until;
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::TestServer;

/// Checks WebSocket, server-sent events and long polls through a proxy to which `connect` connects, with the host of the proxy.
pub(super) async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    server: &TestServer,
    clock: &ManualClock,
    host: &str,
    origin: &str,
    connect: impl AsyncFn() -> RawClient<S>,
) {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");

    let mut socket = connect().await;
    let answer = socket.request(&handshake(&[("Host", Some(host)), ("Origin", Some(origin))])).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    let text = async |socket: &mut RawClient<S>| String::from_utf8(socket.next_of(TEXT).await).unwrap();
    assert!(text(&mut socket).await.contains("\"welcome\""));
    let subscribe = br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#;
    socket.send_frame(TEXT, subscribe).await;
    while !text(&mut socket).await.contains("\"subscribed\"") {}

    let mut stream = connect().await;
    let answer = stream.request(&get("/api/v1/stream?symbols=*&channels=trades,quotes")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut first = stream.next_bytes().await;
    while !String::from_utf8_lossy(&first).contains("\"snapshot\"") {
        first.extend(stream.next_bytes().await);
    }

    let poll = "/api/v1/poll?symbols=*&channels=trades,quotes";
    let answer = connect().await.request(&get(&format!("{poll}&wait_ms=0"))).await;
    let cursor = answer.body.split("\"cursor\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut waiting = connect().await;
    waiting.send(get(&format!("{poll}&wait_ms=60000&after={cursor}")).as_bytes()).await;
    wait_until("polls waiting", 1, || server.metrics.polls_waiting.get()).await;

    // Each event at once, and not with later ones: there are none.
    clock.advance_micros(20_000);
    let is_event = |text: &str| text.contains("\"type\":\"trade\"") || text.contains("\"type\":\"quote\"");
    let answer = waiting.answer().await;
    assert!(answer.status == 200 && is_event(&answer.body), "{answer:?}");
    while !is_event(&text(&mut socket).await) {}
    while !is_event(&String::from_utf8_lossy(&stream.next_bytes().await)) {}

    let foreign = handshake(&[("Host", Some(host)), ("Origin", Some("https://elsewhere.example"))]);
    assert_eq!(connect().await.request(&foreign).await.status, 403);
    let answer = connect().await.request("GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n").await;
    assert!(answer.status == 421 || answer.body.is_empty(), "a name that is not the server's: {answer:?}");
    for path in ["/metrics", "//metrics", "/%6detrics", "/faults", "/%66aults", "/faults/1", "/admin"] {
        let answer = connect().await.request(&get(path)).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(!answer.head.contains("problem+json"), "{path} has reached the server: {answer:?}");
    }
    // Other answers of the server pass unchanged, its headers included.
    let answer = connect().await.request(&get("/healthz")).await;
    assert!(answer.status == 200 && answer.head.contains("x-content-type-options: nosniff"), "{answer:?}");
}
