//! The key of the server's own pages (`auth.page_key`): who gets tickets of it, and what they are worth.

use std::sync::Arc;

use awc::http::Method;
use serde_json::json;
use tickcast::domain::ManualClock;
use tickcast::transport::AllowedOrigins;

use crate::access_tickets::ask;
use crate::event_stream::EventSource;
use crate::http::request;
use crate::issuer::{base64url, bearer};
use crate::keyring::{KeyRing, NARROW, entry, raw_get, two_keys};
use crate::spawn::{START, TestServer, spawn_app_at_rest};

/// A page of another origin that may connect (`server.allowed_origins`).
const FRIEND: &str = "https://friend.example";

/// Starts a server whose pages have the key [`NARROW`], and to which pages of a friend may connect.
fn spawn_with_page_key(ring: &KeyRing) -> (TestServer, Arc<ManualClock>) {
    spawn_app_at_rest(|settings| {
        ring.require(settings);
        settings.auth.page_key = NARROW.into();
        settings.server.allowed_origins = AllowedOrigins::parse(&[FRIEND]).unwrap();
    })
}

#[actix_web::test]
async fn a_page_of_the_server_gets_tickets_of_the_page_key_and_no_other_page_does() {
    let ring = KeyRing::new(&two_keys());
    let (server, clock) = spawn_with_page_key(&ring);
    for origin in [None, Some("https://evil.example"), Some(FRIEND), Some("null")] {
        let headers: Vec<_> = origin.map(|origin| ("Origin", origin)).into_iter().collect();
        assert_eq!(ask(server.address, &headers).await.status, 401, "{origin:?}");
    }
    let own = format!("http://{}", server.address);
    let foreign = [("Origin", own.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(ask(server.address, &foreign).await.status, 401, "the browser says that it is another site");
    let wrong = ask(server.address, &[("Origin", &own), ("Authorization", "Bearer wrong")]).await;
    assert_eq!(wrong.status, 401, "a wrong key is not replaced by that of the page");
    let answer = ask(server.address, &[("Origin", &own)]).await.json();
    assert_eq!(answer["expires_at"], START.micros() + 600_000_000);
    let ticket = answer["ticket"].as_str().unwrap();
    let authorization = bearer(ticket);
    let read = async |more: &[(&str, &str)], path: &str| {
        let headers: Vec<_> = [("Authorization", authorization.as_str())].iter().chain(more).copied().collect();
        request(server.address, Method::GET, path, &headers).await
    };
    for _ in 0..3 {
        let listed = read(&[], "/api/v1/symbols").await.json();
        let symbols: Vec<_> = listed["symbols"].as_array().unwrap().iter().map(|each| &each["symbol"]).collect();
        assert_eq!(symbols, [&json!("AAPL"), &json!("MSFT")]);
        drop(EventSource::open(server.address, &format!("symbols=AAPL&ticket={ticket}")).await);
    }
    let offer = format!("Sec-WebSocket-Protocol: tickcast.v1.json, tickcast.bearer.{}\r\n", base64url(ticket));
    assert_eq!(raw_get(server.address, "/ws", &offer, true).await.status, 101);
    // It is no key of vendors or operators, and other pages have no use for it.
    for path in ["/v2/stocks/AAPL/snapshot", "/v3/snapshot", "/metrics", "/faults"] {
        assert!(matches!(read(&[], path).await.status, 401 | 403 | 404), "{path}");
    }
    for header in [("Origin", FRIEND), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")] {
        let refused = read(&[header], "/api/v1/symbols").await;
        assert_eq!((refused.status, &refused.problem()["code"]), (403, &json!("forbidden_origin")), "{header:?}");
    }
    let by_friend = format!("Origin: {FRIEND}\r\n");
    assert_eq!(raw_get(server.address, &format!("/ws?ticket={ticket}"), &by_friend, true).await.status, 403);
    clock.advance_micros(600_000_000 - 1);
    assert_eq!(read(&[], "/api/v1/symbols").await.status, 200);
    clock.advance_micros(1);
    assert_eq!(read(&[], "/api/v1/symbols").await.status, 401);
}

#[actix_web::test]
async fn a_page_key_that_is_removed_or_becomes_an_operators_serves_no_page() {
    let ring = KeyRing::new(&two_keys());
    let (server, _clock) = spawn_with_page_key(&ring);
    let own = format!("http://{}", server.address);
    let ticket = ask(server.address, &[("Origin", &own)]).await.json()["ticket"].as_str().unwrap().to_owned();
    let [wide, narrow] = two_keys();
    for entries in [vec![wide.clone(), entry(NARROW, "symbols = [\"*\"]\nadmin = true")], vec![wide]] {
        ring.write(&entries);
        server.keys.reload();
        let answer =
            request(server.address, Method::GET, "/api/v1/symbols", &[("Authorization", &bearer(&ticket))]).await;
        assert_eq!(answer.status, 401);
        assert_eq!(ask(server.address, &[("Origin", &own)]).await.status, 401);
    }
    ring.write(&[narrow]);
    server.keys.reload();
    assert_eq!(ask(server.address, &[("Origin", &own)]).await.status, 200);
}
