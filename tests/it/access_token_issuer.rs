//! The keys at `auth.jwt.jwks_url`: an issuer that is down, slow or lies, that replaces its keys, and that nobody can make the server
//! ask too often.

use std::net::SocketAddr;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::domain::ManualClock;

use crate::client::Client;
use crate::http::{Answer, get, request};
use crate::issuer::{EC, ED, RSA, RSA_2, START_S, STRANGER, bearer, offers, set_of};
use crate::jwks_server::{JwksServer, Reply};
use crate::keyring::{KeyRing, WIDE, get_as, raw_get, two_keys};
use crate::patience::wait_until;
use crate::secure::Pair;
use crate::spawn::{TestServer, spawn_app_at_rest};

async fn ask(server: SocketAddr, token: &str) -> Answer {
    request(server, Method::GET, "/api/v1/symbols", &[("Authorization", &bearer(token))]).await
}

/// Returns a token that is good for a day.
fn token(signer: &crate::issuer::Signer) -> String {
    signer.token_with(&json!({}), &json!({"exp": START_S + 86_400}))
}

/// Waits until so many reads of the keys were good, or have failed.
async fn reads(server: &TestServer, are_good: bool, count: u64) {
    wait_until("reads of the keys", count, || server.metrics.jwks_refreshes(are_good)).await;
}

fn advance(clock: &ManualClock, seconds: i64) {
    clock.advance_micros(seconds * 1_000_000);
}

#[actix_web::test]
async fn until_the_first_set_tokens_wait_with_503_whatever_the_issuer_answers() {
    let issuer = JwksServer::start("first-set", Reply::new("500 Internal Server Error", "", "no"));
    let other = JwksServer::start("first-set-other", Reply::set(&set_of(&[&RSA])));
    let (server, clock) = spawn_app_at_rest(|settings| issuer.require(settings));
    let good = token(&RSA);
    let header = format!("Authorization: {}\r\n", bearer(&good));
    let elsewhere = format!("Location: https://localhost:{}/keys.json\r\n", other.address.port());
    let long = format!("{{\"keys\":[{}]}}", format!("{},", RSA.jwk()).repeat(1_000) + &RSA.jwk().to_string());
    assert!(long.len() > 256 << 10);
    let endless =
        Reply::Bytes([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b' '; 10 << 20]].concat());
    let bad = [
        Reply::new("302 Found", &elsewhere, ""),
        Reply::new("308 Permanent Redirect", &elsewhere, ""),
        Reply::set(&long),
        endless,
        Reply::set(""),
        Reply::set("{\"keys\":[]}"),
        Reply::set("{\"keys\":[{\"kty\":\"new\",\"kid\":\"rsa-1\"}]}"),
        Reply::set("<html>"),
        Reply::new("204 No Content", "", ""),
        Reply::Bytes(b"nonsense\r\n\r\n".to_vec()),
        Reply::Bytes(Vec::new()),
        Reply::Never,
    ];
    for (failed, reply) in (1..).zip(bad) {
        reads(&server, false, failed).await;
        for (path, opens) in [("/api/v1/symbols", false), ("/ws", true), ("/api/v1/stream?symbols=AAPL", false)] {
            let answer = raw_get(server.address, path, &header, opens).await;
            assert_eq!(answer.status, 503, "{failed}: {answer:?}");
            assert!(
                answer.head.contains("retry-after: 1\r\n") && answer.body.contains("\"unavailable\""),
                "{answer:?}"
            );
        }
        assert_eq!(get(server.address, &format!("/v3/snapshot?apiKey={good}")).await.status, 503);
        assert_eq!(get(server.address, "/api/v1/symbols").await.status, 401, "a client without a token");
        issuer.answer(reply);
        advance(&clock, 60);
    }
    reads(&server, false, 13).await;
    assert_eq!(other.requests(), 0, "redirects are not followed");
    issuer.answer(Reply::set(&set_of(&[&RSA])));
    advance(&clock, 60);
    reads(&server, true, 1).await;
    assert_eq!(ask(server.address, &good).await.status, 200);
    assert_eq!(server.metrics.auth("unavailable"), 13 * 4 - 4);
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn a_server_starts_without_its_issuer_and_serves_keys_meanwhile() {
    let ring = KeyRing::new(&two_keys());
    // Nobody listens there.
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let issuer = JwksServer::start("without-issuer", Reply::Never);
    let (server, _clock) = spawn_app_at_rest(|settings| {
        issuer.require(settings);
        ring.require(settings);
        settings.auth.jwt.jwks_url = format!("https://localhost:{}/keys.json", closed.port());
    });
    reads(&server, false, 1).await;
    let waiting = ask(server.address, &token(&RSA)).await;
    assert_eq!((waiting.status, waiting.header("retry-after")), (503, "1"), "{}", waiting.text());
    assert_eq!(get_as(server.address, WIDE, "/api/v1/symbols").await.status, 200);
    assert_eq!(get(server.address, "/readyz").await.status, 200);
}

#[actix_web::test]
async fn an_issuer_with_another_certificate_or_name_is_not_believed() {
    let set = Reply::set(&set_of(&[&RSA]));
    let issuer = JwksServer::start("certificate", set.clone());
    let other = Pair::new("certificate-other");
    let elsewhere = JwksServer::start_with(Pair::for_names("certificate-name", &["issuer.example"]), set);
    for (issuer, ca_file) in [(&issuer, Some(other.cert())), (&elsewhere, None)] {
        let (server, _clock) = spawn_app_at_rest(|settings| {
            issuer.require(settings);
            settings.auth.jwt.jwks_ca_file = ca_file.unwrap_or(settings.auth.jwt.jwks_ca_file.clone());
        });
        reads(&server, false, 1).await;
        assert_eq!(ask(server.address, &token(&RSA)).await.status, 503);
        assert_eq!(issuer.requests(), 0);
    }
}

#[actix_web::test]
async fn an_unknown_kid_makes_the_server_ask_once_in_thirty_seconds() {
    let issuer = JwksServer::start("unknown-kid", Reply::set(&set_of(&[&RSA])));
    let (server, clock) = spawn_app_at_rest(|settings| issuer.require(settings));
    reads(&server, true, 1).await;
    let new = token(&RSA_2);
    for _ in 0..20 {
        assert_eq!(ask(server.address, &new).await.problem()["code"], "token_invalid", "asked a moment ago");
    }
    assert_eq!(issuer.requests(), 1);
    issuer.answer(Reply::set(&set_of(&[&RSA, &RSA_2])));
    advance(&clock, 30);
    let waiting = ask(server.address, &new).await;
    assert_eq!((waiting.status, &waiting.problem()["code"]), (503, &json!("unavailable")), "try again in a second");
    reads(&server, true, 2).await;
    assert_eq!(ask(server.address, &new).await.status, 200);
    // Names that strangers make up, each of its own: one read.
    advance(&clock, 30);
    for number in 0..50 {
        let made_up = STRANGER.token_with(&json!({"kid": number.to_string()}), &json!({"exp": START_S + 86_400}));
        assert!(matches!(ask(server.address, &made_up).await.status, 401 | 503));
    }
    reads(&server, true, 3).await;
    assert_eq!(ask(server.address, &new).await.status, 200);
    assert_eq!(issuer.requests(), 3);
    server.keys.reload();
    reads(&server, true, 4).await;
    // Another mistake than the name asks nobody.
    advance(&clock, 30);
    assert_eq!(ask(server.address, &STRANGER.token_with(&json!({}), &json!({}))).await.status, 401);
    assert_eq!(issuer.requests(), 4);
}

#[actix_web::test]
async fn a_token_with_an_unknown_kid_is_refused_and_is_no_wrong_credential_of_its_address() {
    let issuer = JwksServer::start("kid-no-guess", Reply::set(&set_of(&[&RSA, &EC])));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        issuer.require(settings);
        settings.limits.address_failures_per_minute = 2;
    });
    reads(&server, true, 1).await;
    let new = token(&RSA_2);
    for _ in 0..10 {
        let refused = ask(server.address, &new).await;
        assert_eq!((refused.status, &refused.problem()["code"]), (401, &json!("token_invalid")));
        assert_eq!(get(server.address, &format!("/v3/snapshot?apiKey={new}")).await.status, 401);
    }
    let counted = || ["unknown_kid", "invalid", "rate_limited"].map(|result| server.metrics.auth(result));
    assert_eq!((counted(), issuer.requests()), ([20, 0, 0], 1));
    // A known kid with the algorithm of another key is forged.
    let confused = EC.token_with(&json!({"kid": "rsa-1"}), &json!({"exp": START_S + 86_400}));
    for (token, status) in [(token(&STRANGER), 401), (confused.clone(), 401), (confused, 429), (new, 401)] {
        assert_eq!(ask(server.address, &token).await.status, status);
    }
    assert_eq!(counted(), [21, 2, 1]);
    assert_eq!(ask(server.address, &token(&RSA)).await.status, 200);
}

#[actix_web::test]
async fn the_stream_of_finnhub_waits_for_a_new_key_of_the_issuer() {
    let issuer = JwksServer::start("finnhub", Reply::set(&set_of(&[&RSA])));
    let (server, clock) = spawn_app_at_rest(|settings| issuer.require(settings));
    reads(&server, true, 1).await;
    issuer.answer(Reply::set(&set_of(&[&RSA, &RSA_2])));
    advance(&clock, 30);
    let path = format!("/?token={}", token(&RSA_2));
    let waiting = raw_get(server.address, &path, "", true).await;
    assert_eq!(waiting.status, 503, "{waiting:?}");
    assert!(waiting.body.starts_with("{\"error\":") && waiting.head.contains("retry-after: 1\r\n"), "{waiting:?}");
    assert_eq!((server.metrics.auth("unavailable"), server.metrics.auth("invalid")), (1, 0));
    reads(&server, true, 2).await;
    assert_eq!(raw_get(server.address, &path, "", true).await.status, 101);
    assert_eq!(server.metrics.auth("accepted"), 1);
}

#[actix_web::test]
async fn a_renewal_with_a_key_that_is_not_known_yet_is_put_off_and_succeeds_afterwards() {
    let issuer = JwksServer::start("renewal", Reply::set(&set_of(&[&RSA])));
    let (server, clock) = spawn_app_at_rest(|settings| issuer.require(settings));
    reads(&server, true, 1).await;
    let mut client = Client::connect_offering(server.address, Some(&offers(&token(&RSA)))).await;
    issuer.answer(Reply::set(&set_of(&[&RSA, &RSA_2])));
    advance(&clock, 30);
    let renewal = json!({"action": "auth", "token": token(&RSA_2)});
    let refused = client.ask(renewal.clone()).await.pop().unwrap();
    assert_eq!((&refused["code"], &refused["retry_after_ms"]), (&json!("rate_limited"), &json!(1_000)), "{refused}");
    reads(&server, true, 2).await;
    assert_eq!(client.ask(renewal).await.pop().unwrap()["type"], "auth", "the first one was none");
}

#[actix_web::test]
async fn keys_are_read_each_hour_and_replaced_under_load() {
    let issuer = JwksServer::start("rotation", Reply::set(&set_of(&[&RSA, &EC])));
    let (server, clock) = spawn_app_at_rest(|settings| {
        issuer.require(settings);
        settings.auth.jwt.jwks_refresh_ms = 60_000;
        settings.auth.jwt.jwks_stale_ms = 600_000;
    });
    reads(&server, true, 1).await;
    let tokens = [token(&RSA), token(&EC), token(&ED)];
    let mut old = Client::connect_offering(server.address, Some(&offers(&tokens[0]))).await;
    let mut kept = Client::connect_offering(server.address, Some(&offers(&tokens[1]))).await;
    for round in 2..12 {
        let signers: &[&crate::issuer::Signer] = if round % 2 == 0 { &[&EC, &ED] } else { &[&RSA, &EC] };
        issuer.answer(Reply::set(&set_of(signers)));
        advance(&clock, 60);
        let mut statuses = Vec::new();
        while server.metrics.jwks_refreshes(true) < round {
            for token in &tokens {
                statuses.push(ask(server.address, token).await.status);
            }
        }
        assert!(statuses.iter().all(|status| matches!(status, 200 | 401 | 503)), "{statuses:?}");
        // What was remembered under the old keys is forgotten.
        let [rsa, ec, ed] = [&tokens[0], &tokens[1], &tokens[2]].map(|token| ask(server.address, token));
        let good = [rsa.await.status, ec.await.status, ed.await.status].map(|status| status == 200);
        assert_eq!(good, if round % 2 == 0 { [false, true, true] } else { [true, true, false] }, "{round}");
        if round == 2 {
            let (messages, close) = old.read_to_end().await;
            assert_eq!(close.map(|close| close.0), Some(4401), "its key was withdrawn");
            let goodbye = messages.into_iter().find(|message| message["type"] == "goodbye").unwrap_or(Value::Null);
            assert_eq!(goodbye["reason"], "token_expired");
        }
    }
    kept.sync().await;
}

#[actix_web::test]
async fn the_last_set_is_used_while_the_issuer_is_down_and_no_longer_than_it_may_be() {
    let issuer = JwksServer::start("stale", Reply::set(&set_of(&[&RSA])));
    let (server, clock) = spawn_app_at_rest(|settings| {
        issuer.require(settings);
        settings.auth.jwt.jwks_refresh_ms = 60_000;
        settings.auth.jwt.jwks_stale_ms = 300_000;
    });
    reads(&server, true, 1).await;
    let (remembered, fresh) =
        (token(&RSA), RSA.token_with(&json!({}), &json!({"sub": "bob", "exp": START_S + 86_400})));
    assert_eq!(ask(server.address, &remembered).await.status, 200);
    issuer.answer(Reply::new("503 Service Unavailable", "", ""));
    let age = async |text: &str| {
        let line = format!("tickcast_jwks_age_seconds {text}");
        wait_until("the age", true, || server.metrics.render().lines().any(|each| each == line)).await;
    };
    for failed in 1..=5 {
        advance(&clock, 60);
        reads(&server, false, failed).await;
        assert_eq!(ask(server.address, &remembered).await.status, 200);
        age(&format!("{}.0", 60 * failed)).await;
    }
    assert_eq!(ask(server.address, &fresh).await.status, 200);
    let mut client = Client::connect_offering(server.address, Some(&offers(&fresh))).await;
    advance(&clock, 1);
    for token in [&remembered, &fresh] {
        assert_eq!(ask(server.address, token).await.status, 503, "too old to be trusted");
    }
    client.sync().await;
    issuer.answer(Reply::set(&set_of(&[&RSA])));
    advance(&clock, 60);
    reads(&server, true, 2).await;
    assert_eq!(ask(server.address, &remembered).await.status, 200);
    age("0.0").await;
    client.sync().await;
}
