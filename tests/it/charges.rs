//! What each kind of request is charged: messages by their bytes, credentials, names that nobody has, vendors' lists; and how each way
//! in refuses a client that owes work.

use std::net::SocketAddr;
use std::time::Duration;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::session::HTTP_WORK;

use crate::budgets::{LARGE, SMALL, assert_refused, limit_addresses, served};
use crate::client::Client;
use crate::http::{Answer, get, request};
use crate::issuer::{self, RSA, STRANGER, Scratch, bearer, offers, set_of};
use crate::keyring::{KeyRing, WIDE, raw_get, secret, two_keys};
use crate::patience::wait_until;
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::{spawn_app, spawn_app_at_rest};

/// The ways that open a WebSocket.
const WEBSOCKETS: [&str; 4] = ["/ws", "/v2/iex", "/stocks", "/?token=tickcast"];

/// Returns how many requests of this cost an address sends before it owes work, on a machine that is not very slow.
fn affordable(cost: u64) -> std::ops::RangeInclusive<usize> {
    let count = usize::try_from(5 * 4_000 / cost).unwrap();
    count * 3 / 4..=count * 3 / 2 + 1
}

/// Counts the requests that are sent until one is refused with 429.
async fn until_refused<F: Future<Output = Answer>>(mut send: impl FnMut(usize) -> F) -> usize {
    for count in 0..200 {
        if send(count).await.status == 429 {
            return count;
        }
    }
    panic!("no request is refused");
}

/// Sends this request `auth` until it is refused as too much work; returns how often it was not, and the error.
async fn authenticate_until_refused(client: &mut Client, token: &str) -> (usize, Value) {
    for count in 0..200 {
        let answer = client.ask(json!({"action": "auth", "token": token})).await.pop().unwrap();
        if answer["code"] == "rate_limited" {
            return (count, answer);
        }
    }
    panic!("no request auth is refused");
}

#[actix_web::test]
async fn a_message_is_charged_by_its_bytes_in_every_dialect() {
    const BYTES: usize = 32_000;
    let (server, _clock) = spawn_app_at_rest(|_| {});
    let word = "A".repeat(BYTES);
    for (path, message) in [
        ("/ws", json!({"action": "ping", "more": word})),
        ("/ws", json!({"action": word})),
        ("/v2/iex", json!({"action": "subscribe", "trades": [word]})),
        ("/stocks", json!({"action": "subscribe", "params": word})),
        ("/?token=tickcast", json!({"type": "subscribe", "symbol": word})),
    ] {
        let mut client = RawClient::connect(server.address).await;
        assert_eq!(client.request(&handshake(&[]).replacen("/ws ", &format!("{path} "), 1)).await.status, 101);
        let before = server.metrics.work.get();
        client.send_frame(TEXT, message.to_string().as_bytes()).await;
        wait_until("a charge", true, || server.metrics.work.get() > before).await;
        let charged = server.metrics.work.get() - before;
        assert!((2_000..2_100).contains(&charged), "{path}: {charged}");
    }
}

#[actix_web::test]
async fn a_client_that_owes_work_renews_when_it_has_been_worked_off() {
    let ring = KeyRing::new(&two_keys());
    let (server, _clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        limit_addresses(settings);
        settings.auth.renewal_ms = 0;
    });
    let mut client = Client::connect_as(server.address, WIDE).await;
    let (renewed, refused) = authenticate_until_refused(&mut client, &secret(WIDE)).await;
    assert!(affordable(HTTP_WORK + 16).contains(&renewed), "{renewed}");
    let wait_ms = refused["retry_after_ms"].as_u64().expect("the time to wait");
    assert!((1..60_000).contains(&wait_ms), "{refused}");
    client.sync().await;
    assert_eq!(server.sessions(), 1, "it lives");
    let mut answer = refused;
    while answer["code"] == "rate_limited" {
        // As the protocol demands: refused requests are charged, too.
        tokio::time::sleep(Duration::from_millis(answer["retry_after_ms"].as_u64().unwrap())).await;
        answer = client.ask(json!({"action": "auth", "token": secret(WIDE)})).await.pop().unwrap();
    }
    assert_eq!((&answer["type"], &answer["name"]), (&json!("auth"), &json!(WIDE)));
}

#[actix_web::test]
async fn the_guesses_of_a_client_without_a_key_are_charged_to_its_address() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        ring.require(settings);
        limit_addresses(settings);
        settings.auth.first_message_ms = 60_000;
        settings.limits.address_failures_per_minute = 0;
    });
    let mut client = Client::connect_nameless(server.address).await;
    let (guessed, _) = authenticate_until_refused(&mut client, "no such secret").await;
    assert!(affordable(HTTP_WORK + 16).contains(&guessed), "{guessed}");
    assert_refused(&get(server.address, SMALL).await);
}

#[actix_web::test]
async fn a_token_costs_more_when_its_signature_is_verified_than_when_it_is_remembered() {
    let set = Scratch::new(set_of(&[&RSA]));
    let spawn = || {
        let (server, clock) = spawn_app_at_rest(|settings| {
            issuer::require(settings, &set);
            limit_addresses(settings);
        });
        (server, clock)
    };
    let ask = async |server: SocketAddr, token: String| {
        request(server, Method::GET, SMALL, &[("Authorization", &bearer(&token))]).await
    };
    let remembered = RSA.token_with(&json!({}), &json!({}));
    let (server, _clock) = spawn();
    let known = until_refused(|_| ask(server.address, remembered.clone())).await;
    assert!(affordable(HTTP_WORK + 14).contains(&known), "{known}");
    for signer in [&RSA, &STRANGER] {
        let (server, _clock) = spawn();
        let token = |count: usize| signer.token_with(&json!({}), &json!({"jti": count.to_string()}));
        let verified = until_refused(|count| ask(server.address, token(count))).await;
        assert!(verified * 3 < known * 2, "{verified} with a verification, {known} without");
    }
    // By message, to the session and its key as well.
    let (server, _clock) = spawn_app_at_rest(|settings| {
        issuer::require(settings, &set);
        settings.auth.renewal_ms = 0;
    });
    let mut client = Client::connect_offering(server.address, Some(&offers(&remembered))).await;
    let mut charges = Vec::new();
    for jti in ["1", "2", "2"] {
        let before = server.metrics.work.get();
        let token = RSA.token_with(&json!({}), &json!({"jti": jti}));
        assert_eq!(client.ask(json!({"action": "auth", "token": token})).await.pop().unwrap()["type"], "auth");
        wait_until("a charge", true, || server.metrics.work.get() > before).await;
        charges.push(server.metrics.work.get() - before);
    }
    assert!(charges[0] >= charges[2] + 300 && charges[1] == charges[0] && charges[2] >= HTTP_WORK, "{charges:?}");
}

#[actix_web::test]
async fn names_are_charged_also_when_the_request_is_refused() {
    let names: Vec<_> = (0..2_000).map(|number| format!("X{number:04}")).collect();
    for (path, status) in [
        ("/api/v1/poll?wait_ms=0", 404),
        ("/api/v1/stream?channels=trades", 404),
        ("/api/v1/snapshot?", 404),
        ("/v2/stocks/trades/latest?", 401),
    ] {
        let (server, _clock) = spawn_app_at_rest(limit_addresses);
        let path = format!("{path}&symbols={}", names.join(","));
        let count = until_refused(async |_| {
            let answer = get(server.address, &path).await;
            assert!([status, 429].contains(&answer.status), "{}", answer.text());
            answer
        })
        .await;
        // More than 8,000 units of 20,000; where the key is missing nothing is looked up, and the bytes are charged.
        assert!(count <= if status == 404 { 4 } else { 26 }, "{path:.40}: {count}");
    }
}

#[actix_web::test]
async fn the_lists_of_vendors_are_charged_by_the_symbols_that_are_listed_or_searched() {
    for path in [
        "/finnhub/api/v1/stock/symbol?exchange=US&token=tickcast",
        "/finnhub/api/v1/search?q=nothing&token=tickcast",
        "/v3/reference/tickers?limit=1&apiKey=tickcast",
        "/v3/reference/tickers?limit=1000&search=x&apiKey=tickcast",
        "/v3/snapshot?limit=1&apiKey=tickcast",
    ] {
        let (server, _clock) = spawn_app_at_rest(limit_addresses);
        let count = until_refused(async |_| {
            let answer = get(server.address, path).await;
            assert!([200, 429].contains(&answer.status), "{}", answer.text());
            answer
        })
        .await;
        assert!((2..=16).contains(&count), "{path}: {count}");
    }
}

#[actix_web::test]
async fn every_way_in_refuses_a_client_that_owes_work_in_its_own_form_and_with_the_time_to_wait() {
    let (server, _clock) = spawn_app_at_rest(limit_addresses);
    served(server.address, LARGE).await;
    for path in [
        SMALL,
        "/api/v1/symbols",
        "/api/v1/bars?symbol=AAPL",
        "/api/v1/poll?symbols=AAPL&wait_ms=0",
        "/api/v1/stream?symbols=AAPL",
        "/metrics",
        "/no/such/address",
    ] {
        assert_refused(&get(server.address, path).await);
    }
    for (path, member) in [
        ("/v2/stocks/AAPL/trades/latest", "message"),
        ("/v2/last/trade/AAPL?apiKey=tickcast", "error"),
        ("/finnhub/api/v1/quote?symbol=AAPL&token=tickcast", "error"),
        ("/api/v1/quote?symbol=AAPL&token=tickcast", "error"),
    ] {
        let answer = get(server.address, path).await;
        assert_eq!(answer.status, 429, "{path}: {}", answer.text());
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1, "{path}");
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(document[member].is_string() && document.get("code").is_none(), "{path}: {document}");
    }
    for path in WEBSOCKETS {
        let answer = raw_get(server.address, path, "", true).await;
        assert_eq!(answer.status, 429, "{path}: {answer:?}");
        assert!(answer.head.contains("\r\nretry-after: ") && answer.body.contains("rate_limited"), "{answer:?}");
    }
    assert_eq!(server.sessions(), 0);
    for open in ["/healthz", "/readyz", "/"] {
        assert_eq!(get(server.address, open).await.status, 200, "{open}");
    }
}
