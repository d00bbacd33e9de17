//! Budgets by cost: what requests cost is charged to the client's address and key, over all its connections.

use std::net::SocketAddr;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::access::Networks;
use tickcast::app::Settings;

use crate::client::Client;
use crate::http::{Answer, get, request};
use crate::issuer::{self, RSA, Scratch, bearer, set_of};
use crate::json_client::massive;
use crate::keyring::{KeyRing, NARROW, WIDE, entry, get_as, header_of, two_keys};
use crate::patience::wait_until;
use crate::raw::RawClient;
use crate::spawn::{spawn_app, spawn_app_at_rest};

pub(crate) const SMALL: &str = "/api/v1/snapshot?symbols=AAPL";
pub(crate) const LARGE: &str = "/api/v1/snapshot";

/// The entry of a key with every symbol.
const ALL: &str = "symbols = [\"*\"]";

/// Gives each address a burst of five times 4,000 units, and a market with 2,000 symbols more.
pub(crate) fn limit_addresses(settings: &mut Settings) {
    settings.limits.exempt = Networks::default();
    settings.limits.address_work_per_second_max = 4_000;
    settings.limits.key_work_per_second_max = 0;
    settings.feed.extra_symbols = 2_000;
}

/// Checks that the answer is 429, and says when to come back.
pub(crate) fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.problem()["code"], "rate_limited");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

/// Sends the request until it is refused; returns how often it was served.
pub(crate) async fn served(server: SocketAddr, path: &str) -> usize {
    for count in 0..100 {
        let answer = get(server, path).await;
        if answer.status != 200 {
            assert_refused(&answer);
            return count;
        }
    }
    panic!("{path} is never refused");
}

#[actix_web::test]
async fn a_large_request_costs_as_much_as_many_small_ones() {
    let (server, _clock) = spawn_app_at_rest(limit_addresses);
    // 328 units each of 20,000.
    for _ in 0..60 {
        assert_eq!(get(server.address, SMALL).await.status, 200);
    }
    for (path, fewest, most) in [
        // 16,560 units: the second one is served although it exceeds the burst, and then nothing is.
        (LARGE, 2, 4),
        ("/api/v1/symbols", 3, 6),
        ("/api/v1/poll?symbols=*&wait_ms=0", 2, 4),
    ] {
        let (server, _clock) = spawn_app_at_rest(limit_addresses);
        let count = served(server.address, path).await;
        assert!((fewest..=most).contains(&count), "{path}: {count}");
        assert_eq!(server.metrics.limited("address_work"), 1);
        // Everything else of the address is refused as well.
        assert_refused(&get(server.address, LARGE).await);
    }
}

#[actix_web::test]
async fn a_subscription_over_the_budget_is_an_error_with_the_time_to_wait_and_the_session_lives() {
    let (server, _clock) = spawn_app_at_rest(limit_addresses);
    let mut client = Client::connect(server.address).await;
    let all = json!({"action": "subscribe", "id": 1, "symbols": ["*"], "channels": ["trades"]});
    let mut refused = Value::Null;
    for _ in 0..100 {
        client.send_json(&all).await;
        let answer = client.until("an answer", |message| message["id"] == 1).await.pop().unwrap();
        if answer["type"] == "error" {
            refused = answer;
            break;
        }
    }
    assert_eq!(refused["code"], "rate_limited", "{refused}");
    let wait_ms = refused["retry_after_ms"].as_u64().expect("the time to wait");
    assert!((1..60_000).contains(&wait_ms), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("limits.address_work_per_second_max"));
    // Another session of the address is refused, too; both go on with what they have.
    assert_refused(&get(server.address, SMALL).await);
    client.send_json(&json!({"action": "ping", "id": 2})).await;
    assert_eq!(client.until("a pong", |message| message["id"] == 2).await.pop().unwrap()["type"], "pong");
    client.send_json(&json!({"action": "unsubscribe", "id": 3, "symbols": ["*"]})).await;
    assert_eq!(client.until("an answer", |message| message["id"] == 3).await.pop().unwrap()["type"], "subscribed");
    assert_eq!(server.sessions(), 1);
    assert!(server.metrics.limited("address_work") >= 2);
}

#[actix_web::test]
async fn a_key_has_one_budget_over_all_addresses_and_another_key_another_one() {
    let ring = KeyRing::new(&two_keys());
    let (server, _clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        settings.server.trusted_proxies = Networks::parse(&["127.0.0.1"]).unwrap();
        settings.feed.extra_symbols = 2_000;
        settings.limits.address_work_per_second_max = 0;
        settings.limits.key_work_per_second_max = 4_000;
    });
    let mut last = 0;
    for number in 0..100 {
        let (header, address) = (header_of(WIDE), format!("203.0.113.{number}"));
        let headers = [("Authorization", header.as_str()), ("X-Forwarded-For", &address)];
        let answer = request(server.address, Method::GET, LARGE, &headers).await;
        last = answer.status;
        if last != 200 {
            assert_refused(&answer);
            break;
        }
    }
    assert_eq!(last, 429, "the key came from a hundred addresses");
    assert_eq!(server.metrics.limited("key_work"), 1);
    assert_eq!(get_as(server.address, NARROW, SMALL).await.status, 200);
    assert_eq!(get(server.address, SMALL).await.status, 401, "the credentials come first");
}

#[actix_web::test]
async fn a_key_or_a_token_may_have_a_budget_of_its_own_that_changes_with_the_key_file() {
    let entries =
        |most: u32| [entry("own", &format!("symbols = [\"*\"]\nwork_per_second_max = {most}")), entry(WIDE, ALL)];
    let (ring, set) = (KeyRing::new(&entries(4_000)), Scratch::new(set_of(&[&RSA])));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        issuer::require(settings, &set);
        ring.require(settings);
        settings.feed.extra_symbols = 2_000;
        settings.auth.jwt.default.work_per_second_max = 4_000;
    });
    let count = async |header: String| {
        for count in 0..20 {
            let answer = request(server.address, Method::GET, LARGE, &[("Authorization", &header)]).await;
            if answer.status != 200 {
                assert_refused(&answer);
                return count;
            }
        }
        20
    };
    assert!((2..=4).contains(&count(header_of("own")).await));
    assert_eq!(count(header_of(WIDE)).await, 20, "limits.key_work_per_second_max");
    for (subject, claim) in
        [("alice", json!({"symbols": ["*"]})), ("bob", json!({"symbols": ["*"], "work_per_second_max": 9_000}))]
    {
        let token = RSA.token_with(&json!({}), &json!({"sub": subject, "tickcast": claim}));
        assert!((2..=4).contains(&count(bearer(&token)).await), "{subject}: nothing exceeds auth.jwt.default");
    }
    assert_eq!(server.metrics.limited("key_work"), 3);
    ring.write(&entries(1_000_000));
    server.keys.reload();
    let mut status = 429;
    while status == 429 {
        status = get_as(server.address, "own", SMALL).await.status;
    }
    assert_eq!(count(header_of("own")).await, 20);
}

#[actix_web::test]
async fn requests_of_vendors_clients_are_refused_in_their_form_and_their_streams_are_read_later() {
    let (server, _clock) = spawn_app_at_rest(|settings| {
        limit_addresses(settings);
        settings.session.work_per_second_max = 1_000_000_000;
    });
    let mut stream = massive(server.address).await;
    let path = "/v2/snapshot/locale/us/markets/stocks/tickers?apiKey=tickcast";
    let mut refused = None;
    for _ in 0..100 {
        let answer = get(server.address, path).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let refused = refused.expect("the whole market a few times");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(serde_json::from_slice::<Value>(&refused.body).unwrap()["status"], "ERROR");
    let slowed = server.metrics.requests_slowed.get();
    stream.ask("subscribe", "T.AAPL").await;
    wait_until("slowed requests", true, || server.metrics.requests_slowed.get() > slowed).await;
    assert_eq!(server.sessions(), 1, "it lives");
}

#[actix_web::test]
async fn a_client_that_waits_is_served_again_and_this_machine_has_no_limit_by_default() {
    let server = spawn_app(|settings| {
        settings.limits.exempt = Networks::default();
        settings.limits.address_work_per_second_max = 20_000;
        settings.feed.extra_symbols = 2_000;
    });
    served(server.address, LARGE).await;
    let mut status = 429;
    while status == 429 {
        status = get(server.address, LARGE).await.status;
    }
    assert_eq!(status, 200);
    let server = spawn_app(|settings| settings.limits.address_work_per_second_max = 1);
    for _ in 0..20 {
        assert_eq!(get(server.address, SMALL).await.status, 200);
    }
    assert_eq!(server.metrics.addresses.get(), 0);
}

#[actix_web::test]
async fn words_that_clients_make_up_take_no_place_from_the_subject_of_a_token_or_a_listed_key() {
    const PLACES: usize = 4_096;
    let set = Scratch::new(set_of(&[&RSA]));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        issuer::require(settings, &set);
        // In the dialects of vendors any word is a key then.
        settings.auth.required = false;
        settings.keys.requests_per_minute_max = 2;
    });
    let mut client = RawClient::connect(server.address).await;
    let mut ask = async |word: &str| {
        let path = format!("/v3/snapshot?ticker.any_of=AAPL&apiKey={word}");
        client.request(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address)).await.status
    };
    for number in 0..PLACES {
        assert_eq!(ask(&format!("made-up-{number}")).await, 200, "{number}");
    }
    for status in [200, 200, 429] {
        assert_eq!(ask(&format!("further-{status}")).await, status, "further words share one count");
    }
    let token = RSA.token_with(&json!({}), &json!({}));
    for word in [token.as_str(), "tickcast"] {
        assert_eq!([ask(word).await, ask(word).await, ask(word).await], [200, 200, 429], "{word}");
    }
}
