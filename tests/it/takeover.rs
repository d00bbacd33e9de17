//! The handover of a connection from HTTP to its session: nothing of either side is lost, taken for the other, or left behind.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;

use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{CLOSE, PING, PONG, RawClient, TEXT, frame, handshake};
use crate::secure::Pair;
use crate::spawn::spawn_app;

const GET: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Starts the server with its default settings, except for a quiet feed.
async fn spawn_quiet() -> Process {
    spawn_binary(&[], &[("TICKCAST__FEED__EVENTS_PER_SECOND", "1")]).await
}

/// Returns the number of sockets of the process.
fn sockets(process: &Process) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap();
    files
        .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .filter(|to| to.starts_with("socket:"))
        .count()
}

async fn gauge(server: SocketAddr, name: &str) -> String {
    let text = get(server, "/metrics").await.text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("tickcast_{name} ")).map(str::to_owned));
    line.expect("the gauge is there")
}

/// Checks that the session works: it was welcomed, and a ping is answered.
async fn check_session(client: &mut RawClient) {
    let welcome = String::from_utf8(client.next_of(TEXT).await).unwrap();
    assert!(welcome.contains(r#""type":"welcome""#), "{welcome}");
    client.send_frame(PING, b"still there").await;
    assert_eq!(client.next_of(PONG).await, b"still there");
}

#[actix_web::test]
async fn frames_behind_the_request_reach_the_session_however_the_bytes_are_split() {
    let server = spawn_app(|_| {});
    let ping = r#"{"action":"ping","id":7}"#;
    let bytes = [handshake(&[]).into_bytes(), frame(TEXT, ping.as_bytes()), frame(PING, b"raw")].concat();
    let head = handshake(&[]).len();
    for cut in [bytes.len(), head, head - 1, head + 1, head + 9, head / 2] {
        let mut client = RawClient::connect(server.address).await;
        client.send(&bytes[..cut]).await;
        if cut >= head {
            // The rest arrives when the session has been opened.
            assert_eq!(client.answer().await.status, 101, "cut at {cut}");
            client.send(&bytes[cut..]).await;
        } else {
            // The rest, with the frames, arrives in another segment: the server answers another client in between.
            assert_eq!(get(server.address, "/healthz").await.status, 200);
            client.send(&bytes[cut..]).await;
            assert_eq!(client.answer().await.status, 101, "cut at {cut}");
        }
        let (mut texts, mut pongs) = (String::new(), 0);
        while !(texts.contains(r#""type":"pong""#) && pongs == 1) {
            let frame = client.next_frame().await.expect("the session lives");
            pongs += usize::from(frame.first_byte == PONG && frame.payload == b"raw");
            texts.push_str(&String::from_utf8_lossy(&frame.payload));
        }
        assert_eq!(texts.matches(r#""type":"welcome""#).count(), 1, "{texts}");
        assert!(texts.contains(r#""id":7"#), "{texts}");
    }
}

#[actix_web::test]
async fn many_frames_before_the_response_are_all_served() {
    let server = spawn_app(|settings| settings.session.control_frames_per_second_max = 100_000);
    let mut client = RawClient::connect(server.address).await;
    // More bytes than are held back while the request is answered.
    let pings: Vec<u8> =
        (0..400_u32).flat_map(|number| frame(PING, &[&number.to_be_bytes()[..], &[7; 96]].concat())).collect();
    client.send(&[handshake(&[]).into_bytes(), pings].concat()).await;
    assert_eq!(client.answer().await.status, 101);
    let mut last = 0;
    // Pongs may be left out, but never the last one.
    while last != 399 {
        let pong = client.next_of(PONG).await;
        let number = u32::from_be_bytes(pong[..4].try_into().unwrap());
        assert!(number > last || number == 0, "{number} after {last}");
        last = number;
    }
}

#[actix_web::test]
async fn a_later_request_of_a_connection_may_open_the_session() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::connect(server.address).await;
    assert_eq!(client.request(GET).await.status, 200);
    assert_eq!(client.request(&handshake(&[])).await.status, 101);
    check_session(&mut client).await;

    let mut pipelined = RawClient::connect(server.address).await;
    pipelined.send([GET, GET, &handshake(&[])].concat().as_bytes()).await;
    assert_eq!([pipelined.answer().await.status, pipelined.answer().await.status], [200, 200]);
    assert_eq!(pipelined.answer().await.status, 101);
    check_session(&mut pipelined).await;
}

#[actix_web::test]
async fn what_follows_a_refused_upgrade_is_neither_served_nor_taken_for_frames() {
    let server = spawn_app(|_| {});
    let accepted = |frames: &tickcast::metrics::SharedMetrics| frames.sessions_opened.get();
    for (changes, status) in [
        (vec![("Content-Length", Some("5"))], 400),
        (vec![("Transfer-Encoding", Some("chunked"))], 400),
        (vec![("Origin", Some("https://elsewhere.example"))], 403),
        (vec![("Sec-WebSocket-Version", Some("12"))], 426),
        (vec![("Sec-WebSocket-Key", Some("short"))], 400),
    ] {
        for behind in ["hello", "5\r\nhello\r\n0\r\n\r\n", GET] {
            let before = accepted(&server.metrics);
            let mut client = RawClient::connect(server.address).await;
            client.send([&handshake(&changes), behind].concat().as_bytes()).await;
            let answer = client.answer().await;
            assert_eq!(answer.status, status, "{changes:?}: {answer:?}");
            assert!(answer.head.contains("\r\ncontent-type: application/problem+json\r\n"), "{answer:?}");
            assert!(answer.body.contains(r#""code":"#), "the whole document: {answer:?}");
            assert_eq!(client.rest().await, "", "the connection ends with the response");
            assert_eq!(accepted(&server.metrics), before);
        }
    }
    wait_until("connections", 0, || server.metrics.connections.get()).await;
}

#[actix_web::test]
async fn a_plain_page_asked_for_with_an_upgrade_header_is_answered_in_full() {
    let server = spawn_app(|_| {});
    for upgrade in ["h2c", "h2c, foo/2", "websocket"] {
        let mut client = RawClient::connect(server.address).await;
        let request = format!(
            "GET /api/v1/symbols HTTP/1.1\r\nHost: localhost\r\nUpgrade: {upgrade}\r\nConnection: Upgrade\r\n\r\n"
        );
        client.send(request.as_bytes()).await;
        // The body may be in chunks: whatever its form, it is complete.
        let mut body = String::new();
        let is_complete = |body: &str| {
            let end = if body.contains("transfer-encoding: chunked") { "\r\n0\r\n\r\n" } else { "]}" };
            body.ends_with(end)
        };
        while !is_complete(&body) {
            body.push_str(&String::from_utf8(client.next_bytes().await).unwrap());
        }
        assert!(body.starts_with("HTTP/1.1 200 OK\r\n"), "{upgrade}: {body}");
        assert_eq!(body.matches(r#""symbol""#).count(), 30, "{upgrade}: {body}");
        if upgrade == "websocket" {
            // Frames could follow, so the connection cannot serve another request.
            assert_eq!(client.rest().await, "");
        } else {
            // The client offers nothing that is spoken here, so the request is an ordinary one.
            assert_eq!(client.request(GET).await.status, 200, "{upgrade}");
        }
    }
}

#[actix_web::test]
async fn two_upgrade_values_open_one_session() {
    let server = spawn_app(|_| {});
    for extra in ["Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c", "Upgrade: h2c, websocket"]
    {
        let mut client = RawClient::connect(server.address).await;
        let request = handshake(&[("Upgrade", None)]).replace("\r\n\r\n", &format!("\r\n{extra}\r\n\r\n"));
        assert_eq!(client.request(&request).await.status, 101, "{extra}");
        check_session(&mut client).await;
    }
    assert_eq!(server.metrics.sessions_opened.get(), 3);
}

#[actix_web::test]
async fn a_connection_that_dies_at_the_handover_leaves_nothing_behind() {
    let server = spawn_quiet().await;
    let before = sockets(&server);
    for round in 0..60 {
        let mut client = RawClient::connect(server.address).await;
        client.send(handshake(&[]).as_bytes()).await;
        match round % 3 {
            // Resets the connection, before or after the response.
            0 => client.stream.set_zero_linger().unwrap(),
            1 => assert_eq!(client.answer().await.status, 101),
            _ => client.finish_sending().await,
        }
    }
    // The request for the figures is a connection itself.
    for (name, expected) in [("sessions", "0"), ("connections", "1")] {
        let settled = async { while gauge(server.address, name).await != expected {} };
        patiently(name, settled).await;
    }
    wait_until("sockets", before, || sockets(&server)).await;
}

#[actix_web::test]
async fn a_socket_that_is_full_at_the_response_opens_the_session_once_it_is_read() {
    const ANSWERS: usize = 200;
    let server = spawn_app(|_| {});
    let mut client = RawClient::connect_narrow(server.address).await;
    let symbols = "GET /api/v1/symbols HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(ANSWERS);
    let request = [symbols.as_bytes(), handshake(&[]).as_bytes(), &frame(PING, b"behind")].concat();
    client.stream.write_all(&request).await.unwrap();
    let answers_bytes = || server.metrics.bytes_written.get() > 2_000;
    wait_until("the first answers are written", true, answers_bytes).await;
    assert_eq!(server.metrics.sessions_opened.get(), 0, "the socket is full before the last answer");
    let mut text = Vec::new();
    let needle = b"HTTP/1.1 101";
    while !text.windows(needle.len()).any(|window| window == needle) {
        text.extend(client.next_bytes().await);
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), ANSWERS);
    // The rest of the response, the welcome and the pong follow in order.
    let mut rest = text.split("HTTP/1.1 101").nth(1).unwrap().to_owned();
    while !(rest.contains("welcome") && rest.contains("behind")) {
        rest.push_str(&String::from_utf8_lossy(&client.next_bytes().await));
    }
    client.send_frame(CLOSE, &1000_u16.to_be_bytes()).await;
    wait_until("sessions", 0, || server.sessions()).await;
    wait_until("connections", 0, || server.metrics.connections.get()).await;
}

#[actix_web::test]
async fn frames_behind_the_request_reach_the_session_over_tls() {
    let pair = Pair::new("takeover");
    let server = spawn_app(|settings| pair.configure(settings));
    let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    client.send(&[handshake(&[]).into_bytes(), frame(PING, b"behind")].concat()).await;
    assert_eq!(client.answer().await.status, 101);
    assert_eq!(client.next_of(PONG).await, b"behind");
    client.send_frame(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.close_frame().await, Some((1000, String::new())));
    wait_until("connections", 0, || server.metrics.connections.get()).await;
}

#[actix_web::test]
async fn many_sessions_are_written_in_turns_and_all_get_every_event() {
    let server = spawn_app(|settings| {
        settings.push.turn_writes_max = 1;
        settings.server.workers = 1;
    });
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = Client::connect(server.address).await;
        client.subscribe(&["*"], &["trades", "quotes"]).await;
        clients.push(client);
    }
    for client in &mut clients {
        let mut offsets: Vec<_> = client.events(40).await.iter().filter_map(|event| event["offset"].as_u64()).collect();
        let first = offsets[0];
        offsets.dedup();
        assert!(offsets.len() > 10 && offsets.is_sorted(), "after {first}: {offsets:?}");
    }
    assert!(server.metrics.write_turns_full.get() > 0, "one write in each turn");
}

#[actix_web::test]
async fn the_close_code_of_a_client_comes_back_although_more_bytes_follow_it() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::open_narrow(server.address).await;
    client.send_frame(TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#).await;
    client.next_of(TEXT).await;
    wait_until("unread bytes", true, || server.metrics.bytes_written.get() > 10_000).await;
    client.send_frame(CLOSE, &1000_u16.to_be_bytes()).await;
    wait_until("sessions", 0, || server.sessions()).await;
    // If the server had closed its socket by now, the kernel would reset the connection, and discard the close frame.
    client.send(&frame(TEXT, &b"x".repeat(100_000))).await;
    assert_eq!(client.close_frame().await, Some((1000, String::new())));
}

#[actix_web::test]
async fn a_client_that_does_not_end_its_side_is_disconnected() {
    let server = spawn_app(|settings| settings.session.close_timeout_ms = 50);
    let mut client = RawClient::open(server.address).await;
    client.send_frame(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.close_frame().await, Some((1000, String::new())));
    wait_until("connections", 0, || server.metrics.connections.get()).await;

    let server = spawn_app(|settings| settings.session.close_timeout_ms = 60_000);
    let mut client = RawClient::open(server.address).await;
    client.send_frame(CLOSE, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.close_frame().await, Some((1000, String::new())));
    assert_eq!(server.metrics.connections.get(), 1, "it may still send");
    client.send(&b"x".repeat(1 << 20)).await;
    wait_until("connections after too many bytes", 0, || server.metrics.connections.get()).await;
}

#[actix_web::test]
async fn a_client_that_vanishes_while_its_session_closes_leaves_at_once() {
    // So long that nobody waits for it.
    let server = spawn_app(|settings| settings.session.close_timeout_ms = 60_000);
    let flood = (0..3_000).flat_map(|_| frame(PING, b"")).collect();
    for (bytes, code) in [(vec![0xFF, 0xFF], 1002), (flood, 4001)] {
        let mut client = RawClient::open(server.address).await;
        client.send(&bytes).await;
        while client.next_frame().await.is_some_and(|frame| frame.first_byte != CLOSE) {}
        client.stream.set_zero_linger().unwrap();
        drop(client);
        wait_until(&format!("connections after {code}"), 0, || server.metrics.connections.get()).await;
    }
}
