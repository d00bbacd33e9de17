//! More connections than there is room for: those that are silent or idle give way, and whoever asks is answered.

use tickcast::app::Settings;

use crate::client::Client;
use crate::http::get;
use crate::patience::patiently;
use crate::raw::RawClient;
use crate::secure::Pair;
use crate::spawn::spawn_app;

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Room for 60 connections on each of two workers: half of the sessions, and ten more.
fn small(settings: &mut Settings) {
    settings.server.connections_max = 100;
    settings.server.connections_spare_max = 10;
    settings.server.turn_connections_max = 1;
}

#[actix_web::test]
async fn silent_unfinished_and_idle_connections_give_way_to_whoever_asks() {
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
async fn connections_that_never_shake_hands_give_way_too() {
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
    for _ in 0..20 {
        assert_eq!(patiently("a probe", get(server.address, "/readyz")).await.status, 200);
        let mut secure = patiently("a newcomer", RawClient::connect_secure(server.tls_address.unwrap(), &pair)).await;
        assert_eq!(secure.request(HEALTHZ).await.status, 200);
    }
}

#[actix_web::test]
async fn answers_that_nobody_reads_give_way_and_sessions_do_not() {
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
