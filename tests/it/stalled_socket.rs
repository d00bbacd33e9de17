//! Clients whose socket accepts no data, over TCP and over TLS: the session ends in time, and the kernel's connection,
//! too.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::rt::spawn;
use tickcast::app::Settings;
use tickcast::protocol::CloseReason;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::interval;

use crate::client::{ALL_CHANNELS, Client};
use crate::patience::{patiently, wait_until};
use crate::raw::{PONG, RawClient, TEXT, frame};
use crate::secure::Pair;
use crate::spawn::{TestServer, spawn_app};

const SUBSCRIBE_ALL: &[u8] = br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#;

const STREAM_ALL: &[u8] = b"GET /api/v1/stream?symbols=*&channels=trades,quotes HTTP/1.1\r\nHost: localhost\r\n\r\n";

const LAG: &[u8] = br#""type":"lag""#;

/// Small buffers everywhere, so that a client jams soon, and a stall timeout of half a second.
fn narrow(settings: &mut Settings) {
    settings.feed.events_per_second = 10_000.0;
    settings.push.coalesce_ms = 0;
    settings.server.write_buffer_bytes = 4_096;
    settings.server.unsent_bytes_max = 4_096;
    settings.session.stall_timeout_ms = 500;
}

/// Returns the server's end of this connection from `/proc/net/tcp`; `None` if the kernel has it no more. Addresses
/// there are hexadecimal, each four bytes in reverse order.
fn kernel_entry(server: SocketAddr, client: SocketAddr) -> Option<Vec<String>> {
    let hex = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { panic!("tests run over IPv4") };
        format!("{:08X}:{:04X}", u32::from_le_bytes(address.ip().octets()), address.port())
    };
    let ends = [server, client].map(hex);
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut entries = table.lines().map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>());
    entries.find(|columns| columns[..2] == ends)
}

/// Returns whether the kernel still has the server's end of this connection.
fn is_held(server: SocketAddr, client: SocketAddr) -> bool {
    kernel_entry(server, client).is_some()
}

/// Waits until the jammed session and its connection are gone, and asserts that the witness has lost nothing.
async fn is_ended(server: &TestServer, witness: &mut Client, listener: SocketAddr, jammed: SocketAddr) {
    let ended = async {
        while server.sessions() > 1 {
            witness.next_message().await;
        }
    };
    patiently("the stalled session to be ended", ended).await;
    assert_eq!(server.metrics.closes(CloseReason::Stalled), 1);
    let gone = async {
        while is_held(listener, jammed) {
            witness.next_message().await;
        }
    };
    patiently("the kernel to end the connection", gone).await;
    witness.events(100).await;
    assert_eq!((witness.view.missing, witness.view.lags), (0, 0));
}

/// Connects a client with so few events that the kernel's buffers hold them however slow this test is.
async fn witness(server: &TestServer) -> Client {
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["AAPL"], &ALL_CHANNELS).await;
    witness
}

#[actix_web::test]
async fn a_stalled_reader_over_tcp_is_ended_in_time() {
    let server = spawn_app(narrow);
    let mut witness = witness(&server).await;
    let mut jammed = RawClient::open_narrow(server.address).await;
    let address = jammed.stream.local_addr().unwrap();
    assert!(is_held(server.address, address));
    jammed.send_frame(TEXT, SUBSCRIBE_ALL).await;
    wait_until("sessions", 2, || server.sessions()).await;
    is_ended(&server, &mut witness, server.address, address).await;
    drop(jammed);
}

/// Reads this many bytes twenty times a second, until the connection ends or a `lag` arrives; returns whether one did.
async fn sip(stream: &mut TcpStream, bytes: usize) -> bool {
    let mut ticks = interval(Duration::from_millis(50));
    let (mut received, mut sip) = (Vec::new(), vec![0; bytes]);
    while !received.windows(LAG.len()).rev().take(bytes + LAG.len()).any(|window| window == LAG) {
        ticks.tick().await;
        match patiently("bytes from the server", stream.read(&mut sip)).await {
            Ok(0) | Err(_) => return false,
            Ok(len) => received.extend_from_slice(&sip[..len]),
        }
    }
    true
}

/// Connects a client that subscribes to everything, over a WebSocket or a stream.
async fn ask(server: &TestServer, is_websocket: bool) -> RawClient {
    let mut client = RawClient::connect_narrow(server.address).await;
    if is_websocket {
        client.upgrade().await;
        client.send_frame(TEXT, SUBSCRIBE_ALL).await;
    } else {
        client.send(STREAM_ALL).await;
    }
    wait_until("sessions", 1, || server.sessions()).await;
    client
}

/// Reading one socket's buffers takes the client longer than the stall timeout.
fn patient(settings: &mut Settings) {
    narrow(settings);
    settings.server.write_buffer_bytes = 65_536;
    settings.session.stall_timeout_ms = 1_000;
}

#[actix_web::test]
async fn a_slow_reader_that_reads_all_the_time_gets_lag() {
    for is_websocket in [true, false] {
        let server = spawn_app(patient);
        let mut slow = ask(&server, is_websocket).await;
        assert!(sip(&mut slow.stream, 2_048).await, "is_websocket={is_websocket}: the connection lives");
        assert_eq!((server.sessions(), server.metrics.closes(CloseReason::Stalled)), (1, 0));
    }
}

#[actix_web::test]
async fn a_reader_that_drips_is_ended_in_time() {
    for is_websocket in [true, false] {
        let server = spawn_app(patient);
        let mut dripping = ask(&server, is_websocket).await;
        let address = dripping.stream.local_addr().unwrap();
        let dripping = spawn(async move { sip(&mut dripping.stream, 1).await });
        // The client's kernel still delivers the bytes that it received before the reset.
        wait_until("connection in the kernel", false, || is_held(server.address, address)).await;
        dripping.abort();
        assert_eq!((server.sessions(), server.metrics.closes(CloseReason::Stalled)), (0, 1));
    }
}

/// Floods the server until it has closed the session, and reads nothing; all written bytes stay unread.
async fn jam_and_flood(server: &TestServer, frame: &[u8], reason: CloseReason) -> RawClient {
    let mut hostile = RawClient::open_narrow(server.address).await;
    hostile.send_frame(TEXT, SUBSCRIBE_ALL).await;
    let jammed = || server.metrics.events_skipped.get() > 0;
    wait_until("a jammed socket", true, jammed).await;
    let frames = frame.repeat(2_000);
    while server.metrics.closes(reason) == 0 {
        hostile.send(&frames).await;
    }
    hostile
}

#[actix_web::test]
async fn the_jammed_socket_of_a_closed_session_is_reset_soon() {
    let list = frame(TEXT, br#"{"action":"list"}"#);
    for (frame, reason) in [
        (frame(PONG, b""), CloseReason::FrameFlood),
        (list.clone(), CloseReason::Flood),
        (list, CloseReason::UnreadReplies),
    ] {
        let server = spawn_app(|settings| {
            narrow(settings);
            // The stall timeout is longer than this test.
            settings.session.stall_timeout_ms = 120_000;
            settings.session.close_timeout_ms = 100;
            if reason == CloseReason::UnreadReplies {
                settings.push.outbox_reply_bytes_max = 65_536;
                settings.session.requests_per_second_max = 1_000_000;
            }
        });
        let hostile = jam_and_flood(&server, &frame, reason).await;
        let address = hostile.stream.local_addr().unwrap();
        wait_until("connection in the kernel", false, || is_held(server.address, address)).await;
        wait_until("connections", 0, || server.metrics.connections.get()).await;
        assert_eq!(server.sessions(), 0, "{reason:?}");
    }
}

/// Plain requests have no session that checks for stalls: the connection ends a second later than that of a session
/// would.
#[actix_web::test]
async fn a_client_that_does_not_read_the_answers_to_plain_requests_is_ended_in_time() {
    let server = spawn_app(narrow);
    let mut jammed = RawClient::connect_narrow(server.address).await;
    let address = jammed.stream.local_addr().unwrap();
    let request = b"GET /api/v1/bars?symbol=AAPL&limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    jammed.send(&request.repeat(4)).await;
    patiently("an answer to begin", jammed.stream.readable()).await.unwrap();
    assert!(is_held(server.address, address));
    wait_until("connection in the kernel", false, || is_held(server.address, address)).await;
    drop(jammed);
}

/// A client that subscribes to everything over TLS, by a WebSocket or a stream, and does not read.
async fn stall_over_tls(name: &str, is_websocket: bool) {
    let pair = Pair::new(name);
    let server = spawn_app(|settings| {
        narrow(settings);
        pair.configure(settings);
    });
    let mut witness = witness(&server).await;
    let listener = server.tls_address.unwrap();
    let mut jammed = RawClient::connect_narrow_secure(listener, &pair).await;
    let address = jammed.stream.get_ref().0.local_addr();
    assert!(is_held(listener, address));
    if is_websocket {
        jammed.upgrade().await;
        jammed.send_frame(TEXT, SUBSCRIBE_ALL).await;
    } else {
        jammed.send(STREAM_ALL).await;
    }
    wait_until("sessions", 2, || server.sessions()).await;
    is_ended(&server, &mut witness, listener, address).await;
    drop(jammed);
}

#[actix_web::test]
async fn a_stalled_reader_over_tls_is_ended_in_time() {
    stall_over_tls("stalled", true).await;
}

#[actix_web::test]
async fn a_stalled_reader_of_a_stream_over_tls_is_ended_in_time() {
    stall_over_tls("stalled-stream", false).await;
}

#[actix_web::test]
async fn the_kernel_probes_clients_that_have_vanished() {
    let server = spawn_app(|_| {});
    let mut client = RawClient::open(server.address).await;
    client.next_of(TEXT).await;
    let entry = || kernel_entry(server.address, client.stream.local_addr().unwrap()).unwrap();
    // The timer is that of keepalives if nothing else is pending, see proc_net_tcp in the documentation of Linux.
    wait_until("the timer", true, || entry()[4].starts_with("02:")).await;
}
