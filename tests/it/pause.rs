//! A process that is stopped for a while, like a frozen container or a paused virtual machine: every client that was
//! connected before is connected afterwards.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::patiently;
use crate::raw::{CLOSE, PING, PONG, RawClient, TEXT, frame, handshake};
use crate::secure::Pair;

/// Longer than every timeout of the server.
const PAUSE: Duration = Duration::from_secs(6);
const SHORT: [(&str, &str); 8] = [
    ("TICKCAST__SERVER__REQUEST_TIMEOUT_MS", "5000"),
    ("TICKCAST__SERVER__KEEP_ALIVE_MS", "5000"),
    ("TICKCAST__SESSION__HEARTBEAT_MS", "1000"),
    ("TICKCAST__SESSION__IDLE_TIMEOUT_MS", "5000"),
    ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "5000"),
    ("TICKCAST__SERVER__TLS__HANDSHAKE_TIMEOUT_MS", "5000"),
    ("TICKCAST__SERVER__WORKERS", "2"),
    ("TICKCAST__FEED__EVENTS_PER_SECOND", "100"),
];
/// Once the client has received nothing for this long, the kernel has no more data of the stopped process.
const QUIET: Duration = Duration::from_millis(100);
const SUBSCRIBE_ALL: &[u8] = br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#;
const STREAM_ALL: &str = "GET /api/v1/stream?symbols=*&channels=trades,quotes HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Returns how many sessions were ended for this reason.
async fn closes(server: &Process, reason: &str) -> u64 {
    let line = format!("tickcast_closes_total{{reason=\"{reason}\"}} ");
    let metrics = get(server.address, "/metrics").await;
    metrics.text().lines().find_map(|each| each.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

/// Stops the process, awaits `meanwhile`, and continues the process.
async fn pause(server: &Process, meanwhile: impl Future<Output = ()>) {
    server.signal("STOP").await;
    meanwhile.await;
    tokio::time::sleep(PAUSE).await;
    server.signal("CONT").await;
}

#[actix_web::test]
async fn no_client_whose_frames_wait_in_the_socket_is_closed_after_a_pause() {
    let server = spawn_binary(&[], &SHORT).await;
    let mut sockets = Vec::new();
    for _ in 0..60 {
        let mut client = RawClient::open(server.address).await;
        client.send_frame(TEXT, SUBSCRIBE_ALL).await;
        sockets.push(client);
    }
    let mut stream = RawClient::connect(server.address).await;
    assert_eq!(stream.request(STREAM_ALL).await.status, 200);
    pause(&server, async {
        for client in &mut sockets {
            client.send_frame(PING, b"while away").await;
        }
    })
    .await;
    for client in &mut sockets {
        client.send_frame(TEXT, br#"{"action":"list","id":"after"}"#).await;
    }
    for client in &mut sockets {
        let (mut is_ponged, mut is_answered) = (false, false);
        while !(is_ponged && is_answered) {
            let frame = client.next_frame().await.expect("the connection lives");
            let text = String::from_utf8_lossy(&frame.payload);
            assert_ne!(frame.first_byte, CLOSE, "{text}");
            is_ponged |= frame.first_byte == PONG && text == "while away";
            is_answered |= frame.first_byte == TEXT && text.contains(r#""id":"after""#);
        }
    }
    for _ in 0..10 {
        stream.next_chunk().await;
    }
    assert_eq!((closes(&server, "idle").await, closes(&server, "stalled").await), (0, 0));
}

/// Messages that a client sends while the process is stopped: within the budget of that time, but more than the burst.
const SENT_MEANWHILE: usize = 1_200;

#[actix_web::test]
async fn messages_sent_while_the_process_was_stopped_are_no_flood() {
    let server = spawn_binary(&[], &SHORT).await;
    let ping = |id: usize| frame(TEXT, format!(r#"{{"action":"ping","id":{id}}}"#).as_bytes());
    let requests: Vec<u8> = (1..=SENT_MEANWHILE).flat_map(ping).collect();
    let frames = [frame(PONG, b"unasked").repeat(SENT_MEANWHILE), frame(PING, b"last")].concat();
    let mut clients = [RawClient::open(server.address).await, RawClient::open(server.address).await];
    pause(&server, async {
        clients[0].send(&requests).await;
        clients[1].send(&frames).await;
    })
    .await;
    let last = format!(r#""id":{SENT_MEANWHILE},"#);
    while !String::from_utf8_lossy(&clients[0].next_of(TEXT).await).contains(&last) {}
    while clients[1].next_of(PONG).await != b"last" {}
    // The budget of that time is spent: the same number again is a flood, as before.
    let again = [requests, frames].map(|sent| sent.repeat(5));
    for ((client, again), (reason, code)) in
        clients.iter_mut().zip(&again).zip([("flood", 4000), ("frame_flood", 4001)])
    {
        client.send(again).await;
        assert_eq!(client.close_frame().await.map(|(code, _)| code), Some(code), "{reason}");
        assert_eq!(closes(&server, reason).await, 1, "{reason}");
    }
}

#[actix_web::test]
async fn a_tls_handshake_that_waits_in_the_socket_continues_after_a_pause() {
    let pair = Pair::new("pause");
    let variables = pair.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).chain(SHORT).collect();
    let server = spawn_binary(&[], &variables).await;
    let stream = tokio::net::TcpStream::connect(server.tls_address.unwrap()).await.unwrap();
    // Another client is served meanwhile: the connection has been accepted, and its deadline runs.
    get(server.address, "/healthz").await;
    let handshake = pair.try_connect(stream, rustls::ALL_VERSIONS, &[]);
    let (shaken, ()) = tokio::join!(patiently("the handshake", handshake), pause(&server, async {}));
    shaken.expect("the handshake has not timed out");
}

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[actix_web::test]
async fn a_request_that_was_sent_while_the_process_was_stopped_is_answered() {
    let server = spawn_binary(&[], &SHORT).await;
    let handshake = handshake(&[]);
    let (begun, rest) = HEALTHZ.split_at(HEALTHZ.len() / 2);
    // Whether there was a request before, the bytes sent before and during the pause, and the status of the answer.
    let kinds = [
        ("an incomplete head", false, begun, rest, 200),
        ("a fresh connection", false, "", HEALTHZ, 200),
        ("a fresh connection for a WebSocket", false, "", &handshake, 101),
        ("a connection that is kept", true, "", HEALTHZ, 200),
        ("an incomplete head on a connection that is kept", true, begun, rest, 200),
    ];
    let mut clients = Vec::new();
    for kind in kinds.repeat(60) {
        let mut client = RawClient::connect(server.address).await;
        let (_, is_kept, before, ..) = kind;
        if is_kept {
            assert_eq!(client.request(HEALTHZ).await.status, 200);
        }
        client.send(before.as_bytes()).await;
        clients.push((client, kind));
    }
    // All connections have been accepted, and the server has read their bytes.
    for _ in 0..10 {
        get(server.address, "/healthz").await;
    }
    pause(&server, async {
        for (client, (.., during, _)) in &mut clients {
            client.send(during.as_bytes()).await;
        }
    })
    .await;
    let mut unanswered = BTreeMap::<_, usize>::new();
    for (client, (kind, .., status)) in &mut clients {
        let answer = client.next_bytes_or_end().await;
        if !answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) {
            let first_line = String::from_utf8_lossy(&answer).lines().next().map(str::to_owned);
            *unanswered.entry((*kind, first_line)).or_default() += 1;
        }
    }
    assert!(unanswered.is_empty(), "of {}: {unanswered:?}", clients.len());
}

#[actix_web::test]
async fn a_client_that_read_while_the_process_was_stopped_gets_the_rest() {
    let variables = [("TICKCAST__HISTORY__BARS_MAX", "10000"), ("TICKCAST__SESSION__STALL_TIMEOUT_MS", "2000")];
    let variables: Vec<_> = SHORT.into_iter().chain(variables).collect();
    let server = spawn_binary(&[], &variables).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = RawClient::connect_narrow(server.address).await;
        client
            .send(b"GET /api/v1/bars?symbol=AAPL&limit=10000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await;
        patiently("an answer", client.stream.readable()).await.unwrap();
        clients.push((client, Vec::new()));
    }
    pause(&server, async {
        for (client, read) in &mut clients {
            // Everything that the kernel has.
            while let Ok(bytes) = timeout(QUIET, client.next_bytes()).await {
                read.extend(bytes);
            }
        }
    })
    .await;
    for (mut client, mut read) in clients {
        read.extend(client.rest().await.into_bytes());
        let end = String::from_utf8_lossy(&read[read.len().saturating_sub(20)..]).into_owned();
        assert!(end.ends_with("]}") || end.ends_with("0\r\n\r\n"), "{} bytes, then {end:?}", read.len());
    }
}
