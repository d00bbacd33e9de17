//! More connections than the limits permit: silent and idle ones are closed, so that new requests are answered.

use tickcast::app::Settings;

use crate::client::Client;
use crate::http::get;
use crate::patience::{patiently, wait_until};
use crate::raw::{RawClient, TEXT, frame};
use crate::secure::Pair;
use crate::spawn::{TestServer, spawn_app, spawn_app_at_rest};

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Limits of 60 connections on each of two workers: half of the sessions, and ten more.
fn small(settings: &mut Settings) {
    settings.server.connections_max = 100;
    settings.server.connections_spare_max = 10;
    settings.server.turn_connections_max = 1;
}

#[actix_web::test]
async fn silent_unfinished_and_idle_connections_are_closed_for_new_requests() {
    for kind in ["", "G", HEALTHZ] {
        let server = spawn_app(small);
        let mut witness = Client::connect(server.address).await;
        witness.subscribe(&["*"], &["trades"]).await;
        let mut crowd = Vec::new();
        for _ in 0..219 {
            let mut client = RawClient::connect(server.address).await;
            if !kind.is_empty() {
                assert_eq!(client.request(HEALTHZ).await.status, 200);
            }
            client.send(kind.as_bytes()).await;
            crowd.push(client);
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            for _ in 0..4 {
                assert_eq!(patiently("a probe", get(server.address, path)).await.status, 200, "{path}");
            }
        }
        let mut newcomers = Vec::new();
        for _ in 0..50 {
            newcomers.push(patiently("a newcomer", Client::connect(server.address)).await);
        }
        witness.events(50).await;
        assert_eq!((witness.view.missing, server.sessions()), (0, 51));
    }
}

#[actix_web::test]
async fn an_uneven_spread_over_the_workers_closes_no_connection_too_many() {
    let server = spawn_app(small);
    let mut sessions = Vec::new();
    for _ in 0..100 {
        sessions.push(RawClient::open(server.address).await);
    }
    // The kernel gives connections to the workers in turn: those that are left are all on one worker.
    let mut is_even = false;
    sessions.retain(|_| {
        is_even = !is_even;
        is_even
    });
    wait_until("sessions", 50, || server.sessions()).await;
    let mut idle = Vec::new();
    // With these the worker has 75 connections, and both together 100 of 120.
    for _ in 0..50 {
        let mut client = RawClient::connect(server.address).await;
        assert_eq!(client.request(HEALTHZ).await.status, 200);
        idle.push(client);
    }
    for client in &mut idle {
        assert_eq!(client.request(HEALTHZ).await.status, 200, "it has kept its place");
    }
    assert_eq!((server.metrics.connections_dismissed.get(), server.sessions()), (0, 50));
}

#[actix_web::test]
async fn connections_without_a_tls_handshake_are_closed_for_new_requests() {
    let pair = Pair::new("crowded");
    let server = spawn_app(|settings| {
        small(settings);
        pair.configure(settings);
        settings.server.tls.handshake_timeout_ms = 600_000;
    });
    let mut crowd = Vec::new();
    for _ in 0..219 {
        crowd.push(RawClient::connect(server.tls_address.unwrap()).await);
    }
    // Connections of two listeners have no order: a probe could be accepted in the middle of the crowd that came before it.
    let (connections, dismissed) = (&server.metrics.connections, &server.metrics.connections_dismissed);
    wait_until("entered", 219, || connections.get() + i64::try_from(dismissed.get()).unwrap()).await;
    for _ in 0..20 {
        assert_eq!(patiently("a probe", get(server.address, "/readyz")).await.status, 200);
        let mut secure = patiently("a newcomer", RawClient::connect_secure(server.tls_address.unwrap(), &pair)).await;
        assert_eq!(secure.request(HEALTHZ).await.status, 200);
    }
}

/// Sends requests and does not read, until the process has queued this many bytes or has ended a session for it.
async fn hoard(server: &TestServer, client: &mut RawClient, bytes: i64) {
    let channels = r#"["trades","quotes","bars.1s","bars.1m","bars.5m","bars.15m","bars.1h","bars.1d"]"#;
    let subscribe = format!(r#"{{"action":"subscribe","symbols":["*","AAPL","MSFT"],"channels":{channels}}}"#);
    client.send_frame(TEXT, subscribe.as_bytes()).await;
    let ended = server.metrics.sessions_crowded_out.get();
    let is_over = || server.metrics.sessions_crowded_out.get() > ended;
    while server.metrics.waiting_bytes.get() < bytes && !is_over() {
        let requests = server.metrics.requests.get();
        client.send(&frame(TEXT, br#"{"action":"list"}"#).repeat(10)).await;
        wait_until("the answers", true, || is_over() || server.metrics.requests.get() >= requests + 10).await;
    }
}

#[actix_web::test]
async fn the_session_with_most_unread_bytes_is_ended_on_any_worker() {
    const BOUND: usize = 1 << 20;
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.server.write_buffer_bytes = 1_024;
        settings.server.unsent_bytes_max = 1_024;
        settings.session.requests_per_second_max = 1_000_000;
        settings.push.outbox_reply_bytes_max = BOUND;
        settings.push.waiting_bytes_max = BOUND;
    });
    let mut witnesses = Vec::new();
    // The kernel gives connections to the two workers in turn: without a witness in between, hog and modest client are
    // on different workers. Each of them is on each worker once.
    for round in 1..=4 {
        let mut hog = RawClient::open_narrow(server.address).await;
        for _ in 0..round % 2 {
            witnesses.push(Client::connect(server.address).await);
        }
        let mut modest = RawClient::open_narrow(server.address).await;
        hoard(&server, &mut hog, 950_000).await;
        // The bytes that exceed the limit are less than the client's share.
        hoard(&server, &mut modest, i64::MAX).await;
        assert_eq!(patiently("the hog to be ended", hog.close_frame()).await.unwrap().0, 4002);
        assert_eq!(server.metrics.sessions_crowded_out.get(), round, "nobody else");
        drop(modest);
        wait_until("unread answers to be freed", 0, || server.metrics.waiting_bytes.get()).await;
    }
    for witness in &mut witnesses {
        witness.sync().await;
    }
}

#[actix_web::test]
async fn unread_answers_are_closed_for_new_requests_and_sessions_are_not() {
    let server = spawn_app(|settings| {
        small(settings);
        settings.history.bars_max = 10_000;
    });
    let mut witness = Client::connect(server.address).await;
    witness.subscribe(&["*"], &["trades"]).await;
    let mut crowd = Vec::new();
    for _ in 0..219 {
        let mut client = RawClient::connect_narrow(server.address).await;
        client.send(b"GET /api/v1/bars?symbol=AAPL&limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        crowd.push(client);
    }
    for _ in 0..20 {
        assert_eq!(patiently("a probe", get(server.address, "/readyz")).await.status, 200);
    }
    witness.events(50).await;
    assert!(server.metrics.connections_dismissed.get() > 0);
    assert_eq!((witness.view.missing, server.sessions()), (0, 1));
}

#[actix_web::test]
async fn unread_long_answers_do_not_block_those_of_others() {
    const BOUND: usize = 1 << 20;
    const PATH: &str = "/api/v1/bars?symbol=AAPL&limit=10000";
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.server.workers = 1;
        settings.history.bars_max = 10_000;
        settings.push.waiting_bytes_max = BOUND;
    });
    let mut hogs = Vec::new();
    while server.metrics.answers_refused.get() == 0 {
        let mut hog = RawClient::connect_narrow(server.address).await;
        hog.send(format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await;
        patiently("an answer", hog.stream.readable()).await.unwrap();
        hogs.push(hog);
    }
    assert_eq!(get(server.address, PATH).await.status, 503, "they have just begun");
    // A refused client tries again; by then the unread answers have had their time.
    let served = async { while get(server.address, PATH).await.status != 200 {} };
    patiently("other clients to be served", served).await;
    assert!(server.metrics.connections_dismissed.get() > 0);
}
