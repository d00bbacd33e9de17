//! Captures: an observer of a socket is shown exactly the bytes that were sent, and nothing that it may not see.

use std::net::SocketAddr;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::transport::AllowedOrigins;

use crate::http::{get, request};
use crate::observer::Observer;
use crate::patience::wait_until;
use crate::raw::{CLOSE, PING, PONG, RawClient, TEXT, frame, handshake};
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// Returns a captured head as lines in lower case, sorted.
fn head_lines(head: &Value) -> Vec<String> {
    let headers = head["headers"].as_array().unwrap().iter();
    let line = |pair: &Value| format!("{}: {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap_or("hidden"));
    sorted(headers.map(line).chain([head["line"].as_str().unwrap().to_owned()]))
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.filter(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    lines.sort();
    lines
}

#[actix_web::test]
async fn the_heads_of_the_handshake_are_shown_as_they_were_sent() {
    let server = spawn_app(|_| {});
    let mut observer = Observer::start(server.address).await;
    let more = [
        ("Sec-WebSocket-Protocol", Some("soap, tickcast.v1.json")),
        ("User-Agent", Some("a browser")),
        ("Accept-Language", Some("ko")),
        ("Cookie", Some("secret=1")),
        ("Authorization", Some("secret=1")),
        ("X-Forwarded-Access-Token", Some("secret=1")),
    ];
    let (_client, answer) = observer.open(server.address, &more).await;
    let sent = handshake(&more).replace("/ws", &format!("/handshake/ws?capture={}", observer.name));
    let sent = sorted(sent.lines().map(|line| line.replace("secret=1", "hidden")));
    assert_eq!(head_lines(&observer.until("request").await), sent);
    let response = observer.until("response").await;
    assert_eq!(head_lines(&response), sorted(answer.head.split("\r\n").map(str::to_owned)));
    assert!(head_lines(&response).contains(&"sec-websocket-protocol: tickcast.v1.json".into()), "{response}");
    assert_eq!(response["line"], "HTTP/1.1 101 Switching Protocols");
}

#[actix_web::test]
async fn every_byte_of_both_directions_is_shown_up_to_the_end() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let mut observer = Observer::start(server.address).await;
    let (mut client, _) = observer.open(server.address, &[]).await;
    let list = frame(TEXT, br#"{"action":"list","id":1}"#);
    let sent = [list, frame(PING, b"are you there"), frame(CLOSE, b"\x0f\xa0bye")].concat();
    client.send(&sent).await;
    let mut received = Vec::new();
    while let Some(frame) = client.next_frame().await {
        let header = match frame.payload.len() {
            len @ ..126 => vec![frame.first_byte, u8::try_from(len).unwrap()],
            len => [&[frame.first_byte, 126][..], &u16::try_from(len).unwrap().to_be_bytes()].concat(),
        };
        received.extend_from_slice(&header);
        received.extend_from_slice(&frame.payload);
    }
    observer.until("end").await;
    assert_eq!(observer.bytes[0], sent);
    assert_eq!(observer.bytes[1], received);
    assert!(received.windows(15).any(|window| window == b"\x8a\x0dare you there"), "the pong is among them");
    assert!(observer.next().await.is_none(), "nothing follows");
}

#[actix_web::test]
async fn a_captured_socket_is_pinged_at_the_interval_of_the_page() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.handshake.heartbeat_ms = 20);
    let mut observer = Observer::start(server.address).await;
    let (mut client, _) = observer.open(server.address, &[]).await;
    observer.until_server_sent(&[PING, 0]).await;
    assert_eq!(client.next_of(PING).await, b"");
    client.send_frame(PONG, b"").await;
    while observer.bytes[0].is_empty() {
        observer.until("bytes").await;
    }
    assert_eq!(observer.bytes[0], frame(PONG, b""));
}

#[actix_web::test]
async fn a_capture_has_one_socket_and_a_socket_needs_a_capture() {
    let server = spawn_app(|_| {});
    let observer = Observer::start(server.address).await;
    let (_client, first) = observer.open(server.address, &[]).await;
    assert_eq!(first.status, 101);
    let (_, second) = observer.open(server.address, &[]).await;
    assert_eq!(second.status, 404, "{second:?}");
    for path in ["/handshake/ws", "/handshake/ws?capture=", "/handshake/ws?capture=0123456789abcdef"] {
        let answer = RawClient::connect(server.address).await.request(&handshake(&[]).replace("/ws", path)).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(answer.body.contains(r#""code":"not_found""#), "{answer:?}");
    }
    assert_eq!(get(server.address, "/handshake/capture?x=1").await.problem()["code"], "bad_request");
    assert_eq!(request(server.address, Method::POST, "/handshake/capture", &[]).await.status, 405);
}

#[actix_web::test]
async fn a_refused_handshake_is_reported_and_ends_the_capture() {
    let server = spawn_app(|_| {});
    let secret = [("Cookie", Some("secret=1")), ("X-Token", Some("secret")), ("User-Agent", Some("secret"))];
    for (change, status) in [
        (("Sec-WebSocket-Version", Some("12")), 426),
        (("Connection", None), 426),
        (("Sec-WebSocket-Key", None), 400),
        (("Origin", Some("https://evil.example")), 403),
    ] {
        let mut observer = Observer::start(server.address).await;
        let (_, answer) = observer.open(server.address, &[secret.as_slice(), &[change]].concat()).await;
        assert_eq!(answer.status, status);
        // The first event: no part of the request is shown.
        let (event, refused) = observer.next().await.unwrap();
        assert_eq!((event.as_str(), &refused["status"]), ("refused", &json!(status)));
        let origin = (change.0 == "Origin").then_some("https://evil.example");
        assert_eq!(refused["origin"], json!(origin));
        assert!(!refused.to_string().contains("secret"), "{refused}");
        assert_eq!(observer.next().await.unwrap().0, "end");
        assert!(observer.next().await.is_none());
    }
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn a_page_of_a_listed_origin_may_open_sessions_but_no_capture() {
    let server = spawn_app(|settings| {
        settings.server.allowed_origins = AllowedOrigins::parse(&["https://charts.example"]).unwrap();
    });
    let host = server.address.to_string();
    let own = format!("http://{host}");
    for (origin, status) in [("https://charts.example", 403), (&own, 101)] {
        let observer = Observer::start(server.address).await;
        let (_client, answer) = observer.open(server.address, &[("Host", Some(&host)), ("Origin", Some(origin))]).await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
    assert_eq!(server.metrics.origins_refused.get(), 1);
    // A proxy has changed the host: the cookie proves that the page itself asked for the capture.
    let [mine, other] = [Observer::start(server.address).await, Observer::start(server.address).await];
    for (cookie, status) in [(&other.cookie, 403), (&mine.cookie, 101)] {
        let observer = if status == 101 { &mine } else { &Observer::start(server.address).await };
        let cookies = format!("a=b; {cookie}");
        let changes = [("Origin", Some("https://charts.example")), ("Cookie", Some(cookies.as_str()))];
        assert_eq!(observer.open(server.address, &changes).await.1.status, status);
    }
}

#[actix_web::test]
async fn a_capture_whose_socket_is_not_opened_ends_and_gives_its_place_back() {
    let server = spawn_app(|settings| {
        settings.handshake.captures_max = 1;
        settings.handshake.capture_wait_ms = 50;
    });
    for _ in 0..2 {
        let mut observer = Observer::start(server.address).await;
        assert!(observer.next().await.is_none());
        let (_client, answer) = observer.open(server.address, &[]).await;
        assert_eq!(answer.status, 404, "it has gone with its observer");
    }
}

/// Expects that a capture is refused in a way that an `EventSource` survives: it reconnects only after the end of a
/// stream, not after an error status.
async fn refuses(server: SocketAddr, reason: &str) {
    let refused = get(server, "/handshake/capture").await;
    assert_eq!((refused.status, refused.header("content-type")), (200, "text/event-stream"), "{}", refused.text());
    let (event, retry) = refused.text().split_once("\nretry: ").unwrap();
    let (name, data) = event.split_once("\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let retry_ms: u64 = retry.strip_suffix("\n\n").unwrap().parse().unwrap();
    assert_eq!((name, data), ("event: goodbye", json!({"reason": reason, "retry_after_ms": retry_ms})));
    assert!((500..62_000).contains(&retry_ms), "{retry_ms}");
}

#[actix_web::test]
async fn a_server_that_is_full_or_shuts_down_refuses_captures_like_streams() {
    let mut server = spawn_app(|settings| {
        // One session of a worker is ended at once, the next one after half of the drain.
        settings.server.workers = 1;
        settings.server.connections_max = 2;
        settings.server.drain_ms = 60_000;
        settings.server.shutdown_grace_ms = 120_000;
    });
    let sessions = [RawClient::open(server.address).await, RawClient::open(server.address).await];
    refuses(server.address, "full").await;
    server.shut_down();
    wait_until("sessions", 1, || server.sessions()).await;
    refuses(server.address, "shutdown").await;
    drop(sessions);
}

#[actix_web::test]
async fn captures_are_limited_in_number_and_last_as_long_as_their_observers() {
    let server = spawn_app(|settings| settings.handshake.captures_max = 1);
    let observer = Observer::start(server.address).await;
    refuses(server.address, "full").await;
    assert_eq!(server.metrics.captures_refused.get(), 1);
    let left = handshake(&[]).replace("/ws", &format!("/handshake/ws?capture={}", observer.name));
    drop(observer);
    // The server detects the end of the observer only when it writes.
    let again = loop {
        let answer = RawClient::connect(server.address)
            .await
            .request("GET /handshake/capture HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert_eq!(answer.status, 200);
        if answer.head.contains("set-cookie: capture-") {
            break answer;
        }
    };
    assert!(again.head.contains("text/event-stream"), "{again:?}");
    let answer = RawClient::connect(server.address).await.request(&left).await;
    assert_eq!(answer.status, 404, "the first capture has gone with its observer");
}

/// A `ping` message with an id of up to 128 bytes, which the server echoes.
fn ping_of(id: &str) -> String {
    json!({"action": "ping", "id": id}).to_string()
}

#[actix_web::test]
async fn an_observer_that_reads_is_shown_every_byte_however_long_the_capture() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.handshake.capture_pending_bytes_max = 8_192);
    let mut observer = Observer::start(server.address).await;
    let (mut client, _) = observer.open(server.address, &[]).await;
    let mut sent = Vec::new();
    for number in 0..400 {
        let id = format!("{number:0120}");
        sent.extend_from_slice(&frame(TEXT, ping_of(&id).as_bytes()));
        client.send_frame(TEXT, ping_of(&id).as_bytes()).await;
        observer.until_server_sent(id.as_bytes()).await;
        client.next_of(TEXT).await;
        observer.bytes[1].clear();
    }
    let close = frame(CLOSE, b"\x0f\xa0bye");
    client.send(&close).await;
    observer.until("end").await;
    assert!(sent.len() > 60_000);
    assert_eq!(observer.bytes[0], [sent, close].concat());
    assert!(observer.bytes[1].ends_with(b"\x88\x02\x0f\xa0"), "the answer to the close is the last");
    assert_eq!(server.metrics.capture_frames_skipped.get(), 0);
}

#[actix_web::test]
async fn a_frame_over_the_limit_is_left_out_and_reported_and_later_frames_are_shown() {
    let (server, _clock) = spawn_app_at_rest(|settings| settings.handshake.capture_pending_bytes_max = 1_024);
    let mut observer = Observer::start(server.address).await;
    let (mut client, _) = observer.open(server.address, &[]).await;
    // While the heads of the handshake are unread, the first frame may be over the limit, too.
    let is_first =
        |(event, data): (String, Value)| event == "skipped" || (event == "bytes" && data["sender"] == "server");
    while !is_first(observer.next().await.unwrap()) {}
    let before = server.metrics.capture_frames_skipped.get();
    let long = json!({"action": "list", "id": 1, "more": "x".repeat(900)}).to_string();
    client.send_frame(TEXT, long.as_bytes()).await;
    // In hexadecimal the frame is twice as long.
    let skipped = observer.until("skipped").await;
    assert_eq!(skipped, json!({"sender": "client", "frames": 1, "bytes": frame(TEXT, long.as_bytes()).len()}));
    observer.until_server_sent(b"\"id\":1").await;
    // The observer has read everything. The snapshots of thirty symbols are over the limit, too.
    client.send_frame(TEXT, br#"{"action":"subscribe","id":2,"symbols":["*"],"channels":["trades"]}"#).await;
    let skipped = observer.until("skipped").await;
    assert_eq!((&skipped["sender"], &skipped["frames"]), (&json!("server"), &json!(1)));
    assert_eq!(server.metrics.capture_frames_skipped.get(), before + 2);
    observer.bytes = Default::default();
    let close = frame(CLOSE, b"\x0f\xa0bye");
    client.send(&[frame(PING, b"still?"), close.clone()].concat()).await;
    observer.until("end").await;
    assert_eq!(observer.bytes[0], [frame(PING, b"still?"), close].concat());
    assert!(observer.bytes[1].ends_with(b"\x8a\x06still?\x88\x02\x0f\xa0"), "{:?}", observer.bytes[1]);
}

#[actix_web::test]
async fn a_proxy_is_told_not_to_buffer_the_events() {
    let server = spawn_app(|_| {});
    let request = "GET /handshake/capture HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = RawClient::connect(server.address).await.request(request).await;
    for header in ["x-accel-buffering: no", "cache-control: no-store, no-transform"] {
        assert!(answer.head.contains(&format!("\r\n{header}\r\n")), "{answer:?}");
    }
}

#[actix_web::test]
async fn an_observer_without_a_socket_does_not_delay_the_shutdown() {
    let mut server = spawn_app(|settings| settings.server.shutdown_grace_ms = 600_000);
    let mut observer = Observer::start(server.address).await;
    server.shut_down();
    assert!(observer.next().await.is_none());
}

#[actix_web::test]
async fn head_is_answered_and_captures_nothing() {
    let server = spawn_app(|_| {});
    let answer = request(server.address, Method::HEAD, "/handshake/capture", &[]).await;
    assert_eq!(
        (answer.status, answer.header("content-type"), answer.header("set-cookie")),
        (200, "text/event-stream", "")
    );
}

#[actix_web::test]
async fn the_key_of_a_captured_socket_is_not_shown() {
    let server = spawn_app(|_| {});
    let mut observer = Observer::start(server.address).await;
    let offers = "tickcast.v1.json, tickcast.basic.c2VjcmV0OnNlY3JldA, Tickcast.BEARER.c2VjcmV0";
    let changes = [("Sec-WebSocket-Protocol", Some(offers)), ("Authorization", Some("Basic c2VjcmV0OnNlY3JldA=="))];
    let cookie = observer.cookie.clone();
    let with_cookie = [changes[0], changes[1], ("Cookie", Some(&*cookie))];
    let (_client, answer) = observer.open(server.address, &with_cookie).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    let request = observer.until("request").await.to_string();
    assert!(!request.contains("c2VjcmV0"), "{request}");
    assert!(request.contains("tickcast.v1.json, tickcast.basic.***, tickcast.bearer.***"), "{request}");
}
