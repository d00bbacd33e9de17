//! Clients behind a trusted proxy, and clients that claim to be.

use std::net::SocketAddr;

use tickcast::access::Networks;
use tickcast::app::Settings;
use tickcast::transport::ProxyHeaders;

use crate::command::spawn_binary;
use crate::keyring::{KeyRing, entry, header_of, raw_get};
use crate::raw::{RawClient, handshake};
use crate::spawn::{TestServer, spawn_app, with_operators};

/// A key that may be used from two networks only.
const HOME: &str = "home";
const MORE: &str = "symbols = [\"*\"]\naddresses = [\"203.0.113.0/24\", \"2001:db8:7::/48\"]";
const BARS: &str = "/api/v1/bars?symbol=AAPL&limit=1";

/// Returns a server that trusts these proxies, and takes the key [`HOME`].
fn spawn_behind(ring: &KeyRing, proxies: &[&str], headers: ProxyHeaders) -> TestServer {
    spawn_app(|settings: &mut Settings| {
        ring.require(settings);
        settings.server.trusted_proxies = Networks::parse(proxies).unwrap();
        settings.server.proxy_headers = headers;
    })
}

/// Returns the status of a request with the key and these further headers.
async fn status(server: SocketAddr, headers: &str) -> u16 {
    raw_get(server, BARS, &format!("Authorization: {}\r\n{headers}", header_of(HOME)), false).await.status
}

#[actix_web::test]
async fn a_client_that_no_trusted_proxy_reports_has_the_address_of_its_connection() {
    let ring = KeyRing::new(&[entry(HOME, MORE)]);
    for proxies in [&[][..], &["192.0.2.0/24", "::1"]] {
        for kind in [ProxyHeaders::XForwarded, ProxyHeaders::Forwarded] {
            let server = spawn_behind(&ring, proxies, kind);
            for headers in [
                "",
                "X-Forwarded-For: 203.0.113.7\r\n",
                "X-Real-IP: 203.0.113.7\r\n",
                "Forwarded: for=203.0.113.7\r\n",
                "Forwarded: \"\r\n",
                "X-Forwarded-For: 203.0.113.7\r\nForwarded: for=203.0.113.7\r\nTrue-Client-IP: 203.0.113.7\r\n",
            ] {
                assert_eq!(status(server.address, headers).await, 403, "{headers}");
            }
        }
    }
}

#[actix_web::test]
async fn a_client_behind_a_trusted_proxy_has_the_address_that_the_proxy_has_added() {
    let ring = KeyRing::new(&[entry(HOME, MORE)]);
    let server = spawn_behind(&ring, &["127.0.0.0/8", "10.0.0.0/8"], ProxyHeaders::XForwarded);
    let hops = vec!["203.0.113.7"; 1_000].join(",");
    for (list, expected) in [
        ("203.0.113.7", 200),
        ("192.0.2.66, 203.0.113.7", 200),
        ("203.0.113.7:4711, 10.0.0.2, 127.0.0.3", 200),
        ("[2001:db8:7::1]:80", 200),
        ("2001:db8:7::1%eth0", 200),
        ("::ffff:203.0.113.7", 200),
        (&hops, 200),
        // Whatever a client has put in front counts for nothing.
        ("203.0.113.7, 192.0.2.66", 403),
        (&format!("{hops}, 192.0.2.66"), 403),
        ("203.0.113.7, unknown", 403),
        ("203.0.113.7, 192.0.2.66 10.0.0.2", 403),
        ("203.0.113.7, 203.0.113.256", 403),
        ("203.0.113.7, \u{1f4a9}", 403),
        ("", 403),
    ] {
        assert_eq!(status(server.address, &format!("X-Forwarded-For: {list}\r\n")).await, expected, "{list}");
    }
    let forged = "Forwarded: for=203.0.113.7\r\nX-Forwarded-For: 192.0.2.66\r\n";
    assert_eq!(status(server.address, forged).await, 403, "the proxy does not set Forwarded");
    let lines = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 192.0.2.66\r\n";
    assert_eq!(status(server.address, lines).await, 403, "the last line is the proxy's");
    // A session, too.
    for (address, expected) in [("203.0.113.7", 101), ("192.0.2.66", 403)] {
        let headers = format!("Authorization: {}\r\nX-Forwarded-For: {address}\r\n", header_of(HOME));
        assert_eq!(raw_get(server.address, "/ws", &headers, true).await.status, expected);
    }
}

#[actix_web::test]
async fn the_header_of_rfc_7239_is_read_where_the_settings_say_so_and_refused_if_it_is_malformed() {
    let ring = KeyRing::new(&[entry(HOME, MORE)]);
    let server = spawn_behind(&ring, &["127.0.0.1"], ProxyHeaders::Forwarded);
    for (header, expected) in [
        ("for=203.0.113.7", 200),
        ("for=192.0.2.66, For=\"203.0.113.7:4711\";proto=https;by=_a", 200),
        ("for=\"[2001:db8:7::1]:80\"", 200),
        ("for=203.0.113.7, for=192.0.2.66", 403),
        ("for=203.0.113.7, for=unknown", 403),
        ("by=203.0.113.7", 403),
        ("for=\"203.0.113.7, for=192.0.2.66", 400),
        ("for=203.0.113.7;for=192.0.2.66", 400),
        ("for=[2001:db8:7::1]", 400),
        ("for", 400),
    ] {
        assert_eq!(status(server.address, &format!("Forwarded: {header}\r\n")).await, expected, "{header}");
    }
    assert_eq!(status(server.address, "X-Forwarded-For: 203.0.113.7\r\n").await, 403);
}

#[actix_web::test]
async fn a_malformed_header_is_refused_on_the_listener_of_the_operators_too() {
    let ring = KeyRing::new(&[entry(HOME, "symbols = []\naddresses = [\"127.0.0.0/8\"]\nadmin = true")]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        with_operators(settings);
        settings.server.trusted_proxies = Networks::parse(&["127.0.0.1"]).unwrap();
        settings.server.proxy_headers = ProxyHeaders::Forwarded;
    });
    for (header, expected) in [("", 200), ("Forwarded: for=192.0.2.66\r\n", 403), ("Forwarded: for=\"x\r\n", 400)] {
        let headers = format!("Authorization: {}\r\n{header}", header_of(HOME));
        assert_eq!(raw_get(server.admin.unwrap(), "/admin/log", &headers, false).await.status, expected, "{header}");
    }
}

#[actix_web::test]
async fn only_a_trusted_proxy_says_under_which_origin_the_server_stands() {
    for (proxies, expected) in [(&[][..], 403), (&["127.0.0.1"], 101)] {
        let server = spawn_app(|settings| settings.server.trusted_proxies = Networks::parse(proxies).unwrap());
        let told = [("Origin", Some("https://example.com")), ("X-Forwarded-Host", Some("example.com"))];
        let answer = RawClient::connect(server.address).await.request(&handshake(&told)).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        let forged = [told[0], ("X-Forwarded-Host", Some("example.com, other.example"))];
        let answer = RawClient::connect(server.address).await.request(&handshake(&forged)).await;
        assert_eq!(answer.status, 403, "the last one is the proxy's: {answer:?}");
        let told = [("Origin", Some("http://localhost")), ("X-Forwarded-Proto", Some("https"))];
        let answer = RawClient::connect(server.address).await.request(&handshake(&told)).await;
        assert_eq!(answer.status, if expected == 101 { 403 } else { 101 }, "{answer:?}");
    }
}

#[actix_web::test]
async fn a_proxy_that_is_not_trusted_is_told_once_with_its_address_and_the_setting() {
    let trusted = ("TICKCAST__SERVER__TRUSTED_PROXIES", "127.0.0.9");
    let process = spawn_binary(&[], &[trusted]).await;
    for (from, header) in [
        ("127.0.0.7", ""),
        ("127.0.0.9", "X-Forwarded-For: 203.0.113.7\r\n"),
        ("127.0.0.8", "Forwarded: for=203.0.113.8\r\n"),
        ("127.0.0.8", "X-Forwarded-For: 203.0.113.8\r\n"),
        ("127.0.0.6", "X-Forwarded-For: 203.0.113.8\r\n"),
    ] {
        let mut client = RawClient::connect_from(from, process.address).await;
        let answer = client.request(&format!("GET {BARS} HTTP/1.1\r\nHost: {}\r\n{header}\r\n", process.address)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    process.signal("TERM").await;
    let log = process.ended().await.stderr;
    let told: Vec<_> = log.lines().filter(|line| line.contains("server.trusted_proxies")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("WARN") && told[0].contains("127.0.0.8 sends forwarded "), "{told:?}");
    assert!(!log.contains("203.0.113."), "nothing of what a client may have written");
}
