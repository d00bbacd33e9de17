//! The PROXY protocol, version 2: a trusted proxy names the client before TLS and HTTP; nobody else can.

use std::net::SocketAddr;

use tickcast::access::Networks;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::get;
use crate::keyring::{KeyRing, entry, header_of};
use crate::patience::{patiently, wait_until};
use crate::raw::RawClient;
use crate::secure::Pair;
use crate::spawn::{TestServer, spawn_app};

/// A key that may be used from one network only.
const HOME: &str = "home";
const MORE: &str = "symbols = [\"*\"]\naddresses = [\"203.0.113.0/24\"]";
/// `PROXY TCP4` from 203.0.113.7, and from 192.0.2.66.
const GOOD: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x7f\0\0\x01\x10\x92\0\x50";
const OTHER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x42\x7f\0\0\x01\x10\x92\0\x50";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn spawn_behind(ring: &KeyRing, pair: &Pair, proxies: &[&str]) -> TestServer {
    spawn_app(|settings| {
        ring.require(settings);
        pair.configure(settings);
        settings.server.trusted_proxies = Networks::parse(proxies).unwrap();
        settings.server.proxy_protocol = true;
    })
}

fn request(server: SocketAddr) -> String {
    format!(
        "GET /api/v1/bars?symbol=AAPL&limit=1 HTTP/1.1\r\nHost: {server}\r\nAuthorization: {}\r\n\r\n",
        header_of(HOME)
    )
}

/// Connects and sends these bytes.
async fn connect(server: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    patiently("the header", stream.write_all(header)).await.unwrap();
    stream
}

#[actix_web::test]
async fn a_trusted_proxy_names_the_client_before_tls_and_http() {
    let (ring, pair) = (KeyRing::new(&[entry(HOME, MORE)]), Pair::new("proxied"));
    let server = spawn_behind(&ring, &pair, &["127.0.0.1"]);
    let tls = server.tls_address.unwrap();
    for (header, expected) in [(GOOD, 200), (OTHER, 403), (LOCAL, 403)] {
        let mut client = RawClient::on(connect(server.address, header).await);
        assert_eq!(client.request(&request(server.address)).await.status, expected);
        // All requests of the connection are the client's.
        assert_eq!(client.request(&request(server.address)).await.status, expected);
        let stream = connect(tls, header).await;
        let stream = pair.try_connect(stream, rustls::ALL_VERSIONS, &[]).await.unwrap();
        assert_eq!(RawClient::on(stream).request(&request(tls)).await.status, expected, "over TLS");
    }
    // The header may come in pieces, together with the request.
    let mut client = RawClient::connect(server.address).await;
    for byte in GOOD {
        client.send(&[*byte]).await;
    }
    assert_eq!(client.request(&request(server.address)).await.status, 200);
    assert_eq!(server.metrics.proxy_headers_malformed.get(), 0);
}

#[actix_web::test]
async fn a_trusted_proxy_without_a_header_is_disconnected() {
    let (ring, pair) = (KeyRing::new(&[entry(HOME, MORE)]), Pair::new("unproxied"));
    let server = spawn_behind(&ring, &pair, &["127.0.0.0/8"]);
    let old = b"PROXY TCP4 203.0.113.7 127.0.0.1 4242 80\r\n";
    let long = [&GOOD[..14], b"\xff\xff"].concat();
    let beginnings = [request(server.address).into_bytes(), old.to_vec(), long, GOOD[..20].to_vec()];
    for (number, bytes) in (1..).zip(beginnings) {
        let mut client = RawClient::on(connect(server.address, &bytes).await);
        client.finish_sending().await;
        assert_eq!(client.rest().await, "", "{bytes:?}");
        wait_until("malformed headers", number, || server.metrics.proxy_headers_malformed.get()).await;
    }
    wait_until("connections", 0, || server.metrics.connections.get()).await;
}

#[actix_web::test]
async fn a_header_of_anybody_else_is_no_request() {
    let (ring, pair) = (KeyRing::new(&[entry(HOME, MORE)]), Pair::new("forged"));
    let server = spawn_behind(&ring, &pair, &["192.0.2.0/24"]);
    let mut client = RawClient::on(connect(server.address, GOOD).await);
    assert_eq!(client.request(&request(server.address)).await.status, 400);
    assert_eq!(get(server.address, "/healthz").await.status, 200);
    let stream = connect(server.tls_address.unwrap(), GOOD).await;
    assert!(pair.try_connect(stream, rustls::ALL_VERSIONS, &[]).await.is_err());
}

#[actix_web::test]
async fn a_proxy_that_sends_nothing_is_disconnected_and_keeps_nobody_out() {
    let (ring, pair) = (KeyRing::new(&[entry(HOME, MORE)]), Pair::new("mute"));
    let server = spawn_app(|settings| {
        ring.require(settings);
        pair.configure(settings);
        settings.server.trusted_proxies = Networks::parse(&["127.0.0.1"]).unwrap();
        settings.server.proxy_protocol = true;
        settings.server.request_timeout_ms = 50;
    });
    let mut silent = Vec::new();
    for number in 0..50 {
        silent.push(RawClient::on(connect(server.address, &GOOD[..number % 17]).await));
    }
    let mut client = RawClient::on(connect(server.address, GOOD).await);
    assert_eq!(client.request(&request(server.address)).await.status, 200);
    for mut client in silent {
        assert_eq!(client.rest().await, "");
    }
}

#[actix_web::test]
async fn silent_connections_are_counted_by_the_client_that_the_header_names() {
    let server = spawn_app(|settings| {
        settings.server.workers = 1;
        settings.server.trusted_proxies = Networks::parse(&["127.0.0.1"]).unwrap();
        settings.server.proxy_protocol = true;
        settings.limits.exempt = Networks::default();
        settings.limits.address_sockets_max = 4;
    });
    let mut other = connect(server.address, OTHER).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(RawClient::on(connect(server.address, GOOD).await));
    }
    wait_until("closed ones", 16, || server.metrics.limited("address_sockets")).await;
    // The header of the proxy itself has no client.
    let mut own = Vec::new();
    for _ in 0..20 {
        own.push(connect(server.address, LOCAL).await);
    }
    wait_until("connections", 25, || server.metrics.connections.get()).await;
    patiently("a request", other.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).await.unwrap();
    assert_eq!(RawClient::on(other).answer().await.status, 200);
    assert_eq!(server.metrics.limited("address_sockets"), 16);
}
