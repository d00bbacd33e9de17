//! Limits of one address: its new sessions, its sessions at the same time, and the memory for many addresses.

use std::net::SocketAddr;

use tickcast::access::Networks;
use tickcast::app::Settings;

use crate::http::get;
use crate::keyring::{KeyRing, two_keys};
use crate::patience::wait_until;
use crate::raw::{Answer, RawClient, handshake};
use crate::spawn::spawn_app;

/// Server-sent events, and a poll that waits.
const STREAM: &str = "/api/v1/stream?symbols=AAPL";
const SNAPSHOT: &str = "/api/v1/snapshot?symbols=AAPL";

/// Makes the limits hold for this machine, too.
fn limit_all(settings: &mut Settings) {
    settings.limits.exempt = Networks::default();
}

/// Opens a WebSocket from this address.
async fn upgrade(address: &str, server: SocketAddr, path: &str) -> (RawClient, Answer) {
    let mut client = RawClient::connect_from(address, server).await;
    let answer = client.request(&handshake(&[]).replacen("/ws ", &format!("{path} "), 1)).await;
    (client, answer)
}

/// Sends `GET` from this address.
async fn get_from(address: &str, server: SocketAddr, path: &str) -> (RawClient, Answer) {
    let mut client = RawClient::connect_from(address, server).await;
    let answer = client.request(&format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n")).await;
    (client, answer)
}

/// Checks that the answer is 429 with this code, and says when to come back.
fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.body.contains(&format!(r#""code":"{code}""#)), "{answer:?}");
    let after = answer.head.split("retry-after: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let seconds: u64 = after.expect("a header").parse().unwrap();
    assert!((1..=8).contains(&seconds), "{answer:?}");
}

#[actix_web::test]
async fn an_address_begins_a_burst_of_sessions_and_others_are_not_affected() {
    let server = spawn_app(|settings| {
        limit_all(settings);
        settings.limits.address_burst = 5;
        // The next one is permitted long after the test.
        settings.limits.address_handshakes_per_second = 1;
        settings.limits.address_connections_max = 0;
    });
    let mut clients = Vec::new();
    for path in ["/ws", "/v2/iex", "/stocks", "/?token=tickcast"] {
        let (client, answer) = upgrade("127.0.0.2", server.address, path).await;
        assert_eq!(answer.status, 101, "{path}: {answer:?}");
        clients.push(client);
    }
    let (client, answer) = get_from("127.0.0.2", server.address, STREAM).await;
    assert_eq!(answer.status, 200);
    clients.push(client);
    let mut refused = 0;
    for path in ["/ws", "/v2/iex", "/stocks", "/?token=tickcast", "//ws"] {
        let (_, answer) = upgrade("127.0.0.2", server.address, path).await;
        // A second may have passed since the burst.
        refused += u64::from(answer.status != 101);
        if answer.status != 101 {
            assert_refused(&answer, "rate_limited");
        }
    }
    for path in [STREAM, "/api/v1/%73tream?symbols=AAPL"] {
        let (_, answer) = get_from("127.0.0.2", server.address, path).await;
        refused += u64::from(answer.status != 200);
    }
    assert!(refused >= 1, "seven at once after the burst");
    assert_eq!(server.metrics.limited("address_handshakes"), refused);
    assert_eq!(get_from("127.0.0.2", server.address, SNAPSHOT).await.1.status, 200, "no session");
    for address in ["127.0.0.1", "127.0.0.3"] {
        assert_eq!(upgrade(address, server.address, "/ws").await.1.status, 101);
    }
}

#[actix_web::test]
async fn an_address_has_so_many_sessions_at_the_same_time_over_all_transports() {
    let server = spawn_app(|settings| {
        limit_all(settings);
        settings.limits.address_connections_max = 3;
        settings.limits.address_handshakes_per_second = 0;
    });
    let (socket, opened) = upgrade("127.0.0.2", server.address, "/ws").await;
    let (vendor, authenticates) = upgrade("127.0.0.2", server.address, "/stocks").await;
    let (stream, begun) = get_from("127.0.0.2", server.address, STREAM).await;
    assert_eq!([opened.status, authenticates.status, begun.status], [101, 101, 200]);
    for path in ["/ws", "/v2/iex"] {
        assert_refused(&upgrade("127.0.0.2", server.address, path).await.1, "connection_limit");
    }
    for path in [STREAM, "/api/v1/poll?symbols=AAPL"] {
        assert_refused(&get_from("127.0.0.2", server.address, path).await.1, "connection_limit");
    }
    assert_eq!(server.metrics.limited("address_connections"), 4);
    assert_eq!(upgrade("127.0.0.3", server.address, "/ws").await.1.status, 101, "another address");
    drop((socket, vendor, stream));
    wait_until("sessions", 0, || server.sessions()).await;
    let mut again = Vec::new();
    for _ in 0..3 {
        let (client, answer) = upgrade("127.0.0.2", server.address, "/ws").await;
        assert_eq!(answer.status, 101, "the places are free again");
        again.push(client);
    }
    assert_refused(&upgrade("127.0.0.2", server.address, "/ws").await.1, "connection_limit");
}

#[actix_web::test]
async fn this_machine_is_exempt_by_default() {
    let server = spawn_app(|settings| {
        settings.limits.address_burst = 1;
        settings.limits.address_connections_max = 1;
        settings.limits.address_handshakes_per_second = 1;
    });
    let mut clients = Vec::new();
    for _ in 0..20 {
        let (client, answer) = upgrade("127.0.0.2", server.address, "/ws").await;
        assert_eq!(answer.status, 101);
        clients.push(client);
    }
    assert_eq!(server.metrics.addresses.get(), 0);
}

#[actix_web::test]
async fn thousands_of_addresses_once_each_take_bounded_memory_and_keep_no_known_one_out() {
    const ADDRESSES_MAX: i64 = 500;
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        limit_all(settings);
        ring.require(settings);
        settings.server.trusted_proxies = Networks::parse(&["127.0.0.1"]).unwrap();
        settings.limits.addresses_max = usize::try_from(ADDRESSES_MAX).unwrap();
        settings.limits.address_handshakes_per_second = 1;
        settings.limits.address_burst = 3;
    });
    let mut client = RawClient::connect(server.address).await;
    let knock =
        |address: String| format!("GET {STREAM} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n\r\n");
    let mut statuses = [0, 0];
    for number in 0..10_000 {
        let answer = client.request(&knock(format!("10.{}.{}.1", number / 250, number % 250))).await;
        if answer.status == 401 {
            statuses[0] += 1;
        } else {
            assert_refused(&answer, "rate_limited");
            statuses[1] += 1;
            client = RawClient::connect(server.address).await;
        }
        assert!(server.metrics.addresses.get() <= ADDRESSES_MAX);
    }
    // The first ones have books of their own; so have some of the others, whenever those of the first are not needed any more.
    assert!(statuses[0] > 500 && statuses[1] > 0, "{statuses:?}");
    assert!(server.metrics.limited("addresses") > 0);
    assert_eq!(get(server.address, "/healthz").await.status, 200);
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn silent_connections_of_an_address_end_each_other_and_none_of_others() {
    const MOST: usize = 8;
    let server = spawn_app(|settings| {
        limit_all(settings);
        settings.server.workers = 1;
        settings.server.connections_max = 10;
        settings.server.connections_spare_max = 20;
        settings.limits.address_sockets_max = MOST;
    });
    let get = format!("GET {SNAPSHOT} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let (mut idle, answer) = get_from("127.0.0.3", server.address, SNAPSHOT).await;
    let (_session, opened) = upgrade("127.0.0.2", server.address, "/ws").await;
    assert_eq!((answer.status, opened.status), (200, 101));
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(RawClient::connect_from("127.0.0.2", server.address).await);
    }
    for client in &mut silent[..100 - MOST] {
        client.rest().await;
    }
    assert_eq!(server.metrics.limited("address_sockets"), 100 - MOST as u64);
    // The rest, the session, and that of the other address.
    wait_until("connections", MOST + 2, || usize::try_from(server.metrics.connections.get()).unwrap()).await;
    assert_eq!(idle.request(&get).await.status, 200, "it was the oldest without a request");
    assert_eq!(get_from("127.0.0.2", server.address, SNAPSHOT).await.1.status, 200, "the address is still served");
    assert_eq!(silent.last_mut().unwrap().request(&get).await.status, 200);
    assert_eq!(server.sessions(), 1);
}
