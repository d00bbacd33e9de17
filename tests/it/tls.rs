//! HTTPS and wss: versions, protocols, both ports side by side, and reloaded certificates.

use futures_util::StreamExt;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tickcast::app::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{CLOSE, RawClient, TEXT, handshake};
use crate::secure::{Pair, SecureStream};
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SUBSCRIBE_ALL: &[u8] = br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#;

fn spawn_secure(pair: &Pair, configure: impl FnOnce(&mut Settings)) -> TestServer {
    spawn_app(|settings| {
        pair.configure(settings);
        configure(settings);
    })
}

/// Performs a handshake with this offer; returns the connection.
async fn shake(
    server: &TestServer,
    pair: &Pair,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> std::io::Result<SecureStream> {
    let stream = TcpStream::connect(server.tls_address.unwrap()).await.unwrap();
    pair.try_connect(stream, versions, protocols).await
}

#[actix_web::test]
async fn versions_1_2_and_1_3_are_accepted_with_http_1_1() {
    let pair = Pair::new("versions");
    let server = spawn_secure(&pair, |_| {});
    for version in [&TLS12, &TLS13] {
        for (offered, chosen) in [
            (&[][..], None),
            (&["http/1.1"][..], Some(b"http/1.1".as_slice())),
            (&["h2", "http/1.1"], Some(b"http/1.1")),
        ] {
            let stream = shake(&server, &pair, &[version], offered).await.unwrap();
            let (_, tls) = stream.get_ref();
            assert_eq!((tls.protocol_version(), tls.alpn_protocol()), (Some(version.version), chosen));
            assert_eq!(RawClient::on(stream).request(HEALTH).await.body, "alive\n");
        }
        let err = shake(&server, &pair, &[version], &["h2"]).await.expect_err("HTTP/2 is not spoken");
        assert!(err.to_string().contains("NoApplicationProtocol"), "{err}");
    }
    wait_until("failed handshakes", 2, || server.metrics.tls_handshakes_failed.get()).await;
}

/// Returns a `ClientHello` (RFC 5246 section 7.4.1.2) in its record. Version 3.3 is TLS 1.2, 3.2 is TLS 1.1.
fn client_hello(version: [u8; 2]) -> Vec<u8> {
    let mut hello = version.to_vec();
    hello.extend_from_slice(&[7; 32]);
    // No session, one suite (TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), no compression.
    hello.extend_from_slice(&[0, 0, 2, 0xC0, 0x2B, 1, 0]);
    // Extensions: signature_algorithms, supported_groups (secp256r1), ec_point_formats.
    hello.extend_from_slice(&[0, 22]);
    hello.extend_from_slice(&[0, 13, 0, 4, 0, 2, 4, 3]);
    hello.extend_from_slice(&[0, 10, 0, 4, 0, 2, 0, 23]);
    hello.extend_from_slice(&[0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], hello.as_slice()].concat()
}

#[actix_web::test]
async fn tls_1_1_is_refused_with_the_right_alert() {
    let pair = Pair::new("tls11");
    let server = spawn_secure(&pair, |_| {});
    let connect = async || TcpStream::connect(server.tls_address.unwrap()).await.unwrap();
    for minor in [1, 2] {
        let mut stream = connect().await;
        stream.write_all(&client_hello([3, minor])).await.unwrap();
        let mut answer = Vec::new();
        patiently("the end", stream.read_to_end(&mut answer)).await.unwrap();
        let [21, 3, _, 0, 2, fatal, alert] = answer[..] else { panic!("an alert: {answer:?}") };
        assert_eq!((fatal, alert), (2, 70), "protocol_version (RFC 5246 section 7.2.2)");
    }
    wait_until("failed handshakes", 2, || server.metrics.tls_handshakes_failed.get()).await;
    // Only the version was wrong.
    let mut stream = connect().await;
    stream.write_all(&client_hello([3, 3])).await.unwrap();
    let mut answer = [0; 11];
    patiently("an answer", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!((answer[0], answer[5], &answer[9..]), (22, 2, &[3, 3][..]), "a ServerHello of TLS 1.2");
}

#[actix_web::test]
async fn bytes_that_are_not_tls_are_refused_and_other_sessions_go_on() {
    let pair = Pair::new("plain");
    let server = spawn_secure(&pair, |_| {});
    let mut plain = TcpStream::connect(server.tls_address.unwrap()).await.unwrap();
    plain.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = patiently("the end", plain.read_to_end(&mut answer)).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains("https://"), "{answer}");
    assert_eq!(get(server.address, "/healthz").await.status, 200);
    let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    assert_eq!(client.request(HEALTH).await.status, 200);
}

#[actix_web::test]
async fn a_client_that_trusts_another_certificate_does_not_connect() {
    let (pair, other) = (Pair::new("own"), Pair::new("other"));
    let server = spawn_secure(&pair, |_| {});
    let err = shake(&server, &other, rustls::ALL_VERSIONS, &[]).await.expect_err("the certificate is not trusted");
    assert!(err.to_string().contains("invalid peer certificate"), "{err}");
    wait_until("failed handshakes", 1, || server.metrics.tls_handshakes_failed.get()).await;
}

#[actix_web::test]
async fn a_handshake_that_never_ends_times_out() {
    let pair = Pair::new("slow");
    let server = spawn_secure(&pair, |settings| settings.server.tls.handshake_timeout_ms = 100);
    for begun in [&b""[..], &[22, 3, 1, 1, 0, 1]] {
        let mut stream = TcpStream::connect(server.tls_address.unwrap()).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        let _ = patiently("the end", stream.read_to_end(&mut answer)).await;
    }
    wait_until("handshakes given up", 2, || server.metrics.tls_handshake_timeouts.get()).await;
}

#[actix_web::test]
async fn a_websocket_streams_over_tls_without_a_hole() {
    let pair = Pair::new("wss");
    let server = spawn_secure(&pair, |_| {});
    let stream = pair.connect(server.tls_address.unwrap()).await;
    let (mut socket, response) = client_async("wss://localhost/ws", stream).await.unwrap();
    assert_eq!(response.status(), 101);
    futures_util::SinkExt::send(&mut socket, Message::Text(str::from_utf8(SUBSCRIBE_ALL).unwrap().into()))
        .await
        .unwrap();
    let mut view = crate::view::View::default();
    while view.events < 1_000 {
        let message = patiently("a message", socket.next()).await.unwrap();
        if let Message::Text(text) = message.unwrap() {
            for message in serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap() {
                view.apply(&message);
            }
        }
    }
    assert_eq!((view.missing, view.lags), (0, 0));
    futures_util::SinkExt::close(&mut socket).await.unwrap();
    let ended = async {
        loop {
            match socket.next().await {
                Some(Ok(_)) => {}
                // The server ends TLS with close_notify; without it this would be an error.
                None | Some(Err(tungstenite::Error::ConnectionClosed)) => break,
                Some(Err(err)) => panic!("{err}"),
            }
        }
    };
    patiently("the end", ended).await;
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn a_stream_over_tls_continues_after_a_reconnect_and_gets_goodbye() {
    let pair = Pair::new("stream");
    let mut server = spawn_app(|settings| pair.configure(settings));
    let open = async |last_id: &str| {
        let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
        let request = format!(
            "GET /api/v1/stream?symbols=*&channels=trades HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last_id}\r\n\r\n"
        );
        let answer = client.request(&request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        client
    };
    let mut first = open("").await;
    let mut id = None;
    while id.is_none() {
        let chunk = String::from_utf8(first.next_chunk().await).unwrap();
        id = chunk.lines().find_map(|line| line.strip_prefix("id: ").filter(|id| id.contains(':')).map(str::to_owned));
    }
    drop(first);
    let mut second = open(&id.unwrap()).await;
    let chunk = String::from_utf8(second.next_chunk().await).unwrap();
    assert!(chunk.contains(r#""recovered":true"#) && !chunk.contains("snapshot"), "{chunk}");
    server.shut_down();
    while !second.next_chunk().await.windows(7).any(|bytes| bytes == b"goodbye") {}
}

#[actix_web::test]
async fn a_client_that_vanishes_without_close_notify_is_forgotten() {
    let pair = Pair::new("vanished");
    let server = spawn_secure(&pair, |_| {});
    let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    client.upgrade().await;
    client.send_frame(TEXT, SUBSCRIBE_ALL).await;
    client.next_of(TEXT).await;
    let mut waiting = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    waiting.send(b"GET /api/v1/poll?symbols=AAPL&channels=bars.1d&after=x:0 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    wait_until("requests", 2, || server.metrics.requests.get()).await;
    drop((client, waiting));
    wait_until("sessions", 0, || server.sessions()).await;
}

#[actix_web::test]
async fn both_ports_serve_sessions_and_end_them_on_shutdown() {
    let pair = Pair::new("both");
    let mut server = spawn_secure(&pair, |settings| settings.server.workers = 1);
    let mut plain = Client::connect(server.address).await;
    let mut secure = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
    secure.upgrade().await;
    let welcome: serde_json::Value = serde_json::from_slice(&secure.next_of(TEXT).await).unwrap();
    assert_eq!(welcome[0]["epoch"], plain.welcome["epoch"]);
    wait_until("sessions", 2, || server.sessions()).await;
    server.shut_down();
    plain.until("goodbye", |message| message["type"] == "goodbye" && message["reason"] == "shutdown").await;
    let mut close = secure.next_frame().await.unwrap();
    while close.first_byte != CLOSE {
        close = secure.next_frame().await.unwrap();
    }
    assert_eq!(close.payload[..2], 1001_u16.to_be_bytes());
}

#[actix_web::test]
async fn a_page_loaded_without_tls_may_not_connect_to_its_host_over_tls() {
    let pair = Pair::new("origin");
    let server = spawn_secure(&pair, |_| {});
    for (origin, status) in [("http://localhost", 403), ("https://localhost", 101)] {
        let mut client = RawClient::connect_secure(server.tls_address.unwrap(), &pair).await;
        let request = handshake(&[("Host", Some("localhost")), ("Origin", Some(origin))]);
        assert_eq!(client.request(&request).await.status, status, "{origin}");
    }
}

#[actix_web::test]
async fn https_can_be_served_without_http() {
    let pair = Pair::new("only");
    let server = spawn_secure(&pair, |settings| settings.server.tls.only = true);
    assert_eq!(Some(server.address), server.tls_address, "nothing else");
    let mut client = RawClient::connect_secure(server.address, &pair).await;
    assert_eq!(client.request(HEALTH).await.status, 200);
}

#[actix_web::test]
async fn without_a_certificate_there_is_no_https() {
    let (server, _clock) = spawn_app_at_rest(|_| {});
    assert_eq!(server.tls_address, None);
}

/// Returns the certificate presented to a new connection.
async fn shown(process: &Process, pair: &Pair) -> Vec<u8> {
    let stream = pair.connect(process.tls_address.unwrap()).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[actix_web::test]
async fn sighup_does_not_end_a_server_without_a_certificate() {
    let mut process = spawn_binary(&[], &[]).await;
    process.signal("HUP").await;
    let line = process.next_line().await;
    assert!(line.contains("no certificate to read again"), "{line}");
    assert_eq!(get(process.address, "/healthz").await.status, 200);
    process.signal("TERM").await;
    assert!(process.ended().await.status.success());
}

/// Returns the next line of the log: the audit log goes to the same place.
async fn log_line(process: &mut Process) -> String {
    loop {
        let line = process.next_line().await;
        if !line.starts_with('{') {
            return line;
        }
    }
}

#[actix_web::test]
async fn sighup_reloads_the_certificate_and_an_invalid_one_changes_nothing() {
    let mut pair = Pair::new("reload");
    let variables = pair.variables();
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut process = spawn_binary(&[], &variables).await;
    let first = pair.certificate.to_vec();
    assert_eq!(shown(&process, &pair).await, first);
    let mut client = RawClient::connect_secure(process.tls_address.unwrap(), &pair).await;
    client.upgrade().await;

    pair.replace();
    process.signal("HUP").await;
    let line = log_line(&mut process).await;
    assert!(line.contains("certificate reloaded") && line.contains(&pair.cert()), "{line}");
    let second = pair.certificate.to_vec();
    assert_ne!(first, second);
    assert_eq!(shown(&process, &pair).await, second);

    let (cert, key) = (std::fs::read(pair.cert()).unwrap(), std::fs::read(pair.key()).unwrap());
    let other = Pair::new("reload-other");
    for (bad_cert, bad_key, named) in [
        (b"no certificate".to_vec(), key.clone(), pair.cert()),
        (cert.clone(), b"no key".to_vec(), pair.key()),
        (cert, std::fs::read(other.key()).unwrap(), pair.key()),
    ] {
        std::fs::write(pair.cert(), bad_cert).unwrap();
        std::fs::write(pair.key(), bad_key).unwrap();
        process.signal("HUP").await;
        let line = log_line(&mut process).await;
        assert!(line.contains("certificate not reloaded, the old one stays") && line.contains(&named), "{line}");
        assert_eq!(shown(&process, &pair).await, second);
    }
    // An older connection is not affected.
    client.send_frame(TEXT, br#"{"action":"ping","id":"still here"}"#).await;
    while !client.next_of(TEXT).await.windows(10).any(|bytes| bytes == b"still here") {}
    process.signal("TERM").await;
    assert!(process.ended().await.status.success());
}
