//! Tokens (JWT): the ways by which they come, what their claims permit, and how they end: by their time, by a revocation, and with
//! their key.

use std::net::SocketAddr;

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::access::{AnyKey, Digest, KeyConfig};
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::{Answer, get, request};
use crate::issuer::{
    EC, ED, RSA, RSA_2, START_S, Scratch, Signer, bearer, claims_at, claims_now, merged, offers, require, set_of,
};
use crate::json_client::{JsonClient, status};
use crate::keyring::{KeyRing, WIDE, entry, get_as, raw_get, secret};
use crate::patience::wait_until;
use crate::spawn::{spawn_app, spawn_app_at_rest};

async fn ask(server: SocketAddr, token: &str, path: &str) -> Answer {
    request(server, Method::GET, path, &[("Authorization", &bearer(token))]).await
}

async fn connect(server: SocketAddr, token: &str) -> Client {
    Client::connect_offering(server, Some(&offers(token))).await
}

fn digest(word: &str) -> String {
    format!("{:x}", Digest::of(word))
}

/// Returns the code of the close frame, and the `goodbye` before it.
async fn end_of(client: &mut Client) -> (u16, Value) {
    let (messages, close) = client.read_to_end().await;
    let goodbye = messages.into_iter().find(|message| message["type"] == "goodbye").unwrap_or_default();
    (close.expect("a close frame").0, goodbye["reason"].clone())
}

#[actix_web::test]
async fn a_token_comes_by_every_way_that_carries_one_word() {
    let set = Scratch::new(set_of(&[&RSA]));
    let server = spawn_app(|settings| require(settings, &set));
    let token = RSA.token(&claims_now(&json!({})));
    let address = server.address;
    for path in [
        "/api/v1/symbols",
        "/api/v1/snapshot?symbols=AAPL",
        "/api/v1/bars?symbol=AAPL",
        "/api/v1/poll?symbols=AAPL&wait_ms=0",
    ] {
        assert_eq!(ask(address, &token, path).await.status, 200, "{path}");
    }
    let mut client = connect(address, &token).await;
    assert_eq!(
        (client.welcome["auth"]["name"].as_str(), client.protocol.as_deref()),
        (Some("jwt:alice"), Some("tickcast.v1.json"))
    );
    client.subscribe(&["AAPL"], &["trades"]).await;
    let header = format!("Authorization: {}\r\n", bearer(&token));
    assert_eq!(raw_get(address, "/ws", &header, true).await.status, 101);
    let mut stream = EventSource::open_as(address, "symbols=AAPL", &bearer(&token)).await;
    stream.next_message().await;

    assert_eq!(ask(address, &token, "/v2/stocks/AAPL/snapshot").await.status, 200, "Alpaca");
    assert_eq!(ask(address, &token, "/v3/snapshot").await.status, 200, "Massive");
    for path in ["/v3/snapshot?apiKey=", "/finnhub/api/v1/quote?symbol=AAPL&token="] {
        assert_eq!(get(address, &format!("{path}{token}")).await.status, 200, "{path}");
    }
    let headers = [("X-Finnhub-Token", token.as_str())];
    assert_eq!(request(address, Method::GET, "/finnhub/api/v1/quote?symbol=AAPL", &headers).await.status, 200);
    let mut alpaca = JsonClient::open(address, "/v2/iex").await;
    alpaca.array().await;
    alpaca.send(&json!({"action": "auth", "key": "oauth", "secret": token})).await;
    assert_eq!(alpaca.array().await[0]["msg"], "authenticated");
    let mut massive = JsonClient::open(address, "/stocks").await;
    massive.array().await;
    assert_eq!(massive.ask("auth", &token).await, status("auth_success", "authenticated"));
    let mut finnhub = JsonClient::open(address, &format!("/?token={token}")).await;
    finnhub.send(&json!({"type": "subscribe", "symbol": "AAPL"})).await;
    assert_eq!(finnhub.next().await.unwrap()["type"], "trade");

    // Neither without one, nor with the rights of an operator.
    assert_eq!(get(address, "/api/v1/symbols").await.status, 401);
    assert!(matches!(ask(address, &token, "/metrics").await.status, 403 | 404));
    assert!(server.metrics.auth_cache_hits.get() >= 14, "verified once");
}

#[actix_web::test]
async fn a_token_permits_what_its_claim_and_the_defaults_both_permit() {
    let set = Scratch::new(set_of(&[&RSA]));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        let bound = &mut settings.auth.jwt.default;
        (bound.symbols, bound.channels) = (vec!["AAPL".into(), "MS*".into()], vec!["trades".into(), "bars.*".into()]);
        (bound.max_hz, bound.symbols_max, bound.connections_max) = (10.0, 7, 2);
    });
    let with = |granted: Value| RSA.token_with(&json!({}), &json!({"sub": granted.to_string(), "tickcast": granted}));
    let symbols = async |granted: Value| {
        let answer = ask(server.address, &with(granted), "/api/v1/symbols").await.json();
        answer["symbols"]
            .as_array()
            .unwrap()
            .iter()
            .map(|each| each["symbol"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(symbols(json!({"symbols": ["*"]})).await, ["AAPL", "MSFT"]);
    assert_eq!(symbols(json!({"symbols": ["M*", "TSLA"]})).await, ["MSFT"]);
    assert_eq!(symbols(json!({"symbols": []})).await, [""; 0]);
    assert_eq!(symbols(json!({"max_hz": 1})).await, [""; 0], "a token without symbols permits none");
    let token = RSA.token_with(&json!({}), &json!({"tickcast": null}));
    assert_eq!(ask(server.address, &token, "/api/v1/snapshot?symbols=AAPL").await.problem()["code"], "unknown_symbol");

    let client = connect(server.address, &with(json!({"symbols": ["*"]}))).await;
    let limits = &client.welcome["limits"];
    assert_eq!((&limits["max_hz"], &limits["symbols"], &limits["connections"]), (&json!(10), &json!(7), &json!(2)));
    let channels = limits["channels"].as_array().unwrap();
    assert!(channels.contains(&json!("trades")) && !channels.contains(&json!("quotes")), "{limits}");
    let less = json!({"symbols": ["*"], "max_hz": 2.5, "symbols_max": 3, "connections_max": 1, "channels": ["trades", "quotes"]});
    let client = connect(server.address, &with(less)).await;
    let limits = &client.welcome["limits"];
    assert_eq!((&limits["max_hz"], &limits["symbols"], &limits["connections"]), (&json!(2.5), &json!(3), &json!(1)));
    assert_eq!(limits["channels"], json!(["trades"]));
    assert_eq!(client.welcome["auth"]["expires_at"], (START_S + 630) * 1_000_000, "with the leeway");
    let more = json!({"symbols": ["*"], "max_hz": 100, "symbols_max": 100, "connections_max": 100});
    let client = connect(server.address, &with(more)).await;
    let limits = &client.welcome["limits"];
    assert_eq!((&limits["max_hz"], &limits["symbols"], &limits["connections"]), (&json!(10), &json!(7), &json!(2)));
}

#[actix_web::test]
async fn a_subject_and_a_key_of_the_same_name_are_two_clients() {
    let set = Scratch::new(set_of(&[&RSA]));
    let ring =
        KeyRing::new(&[entry("alice", "symbols = [\"*\"]\nconnections_max = 1"), entry(WIDE, "symbols = [\"*\"]")]);
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        ring.require(settings);
    });
    let granted = json!({"symbols": ["*"], "connections_max": 1});
    let token = RSA.token_with(&json!({}), &json!({"tickcast": granted}));
    let key = Client::connect_as(server.address, "alice").await;
    let mut client = connect(server.address, &token).await;
    assert_eq!([&key.welcome["auth"]["name"], &client.welcome["auth"]["name"]], ["alice", "jwt:alice"]);
    // Both have their one connection; all tokens of a subject count together, and over all transports.
    let other = RSA.token_with(&json!({}), &json!({"jti": "another", "tickcast": granted}));
    let refused = ask(server.address, &other, "/api/v1/poll?symbols=AAPL&wait_ms=0").await;
    assert_eq!((refused.status, &refused.problem()["code"]), (429, &json!("connection_limit")));
    let mut vendor = JsonClient::open(server.address, "/stocks").await;
    vendor.array().await;
    vendor.send(&json!({"action": "auth", "params": other})).await;
    assert_eq!(vendor.read_to_end().await.0.unwrap()[0]["status"], "max_connections");
    let bob = RSA.token_with(&json!({}), &json!({"sub": "bob", "tickcast": granted}));
    assert_eq!(ask(server.address, &bob, "/api/v1/poll?symbols=AAPL&wait_ms=0").await.status, 200);
    ring.write(&[entry(WIDE, "symbols = [\"*\"]")]);
    server.keys.reload();
    assert_eq!(key_end(key).await, (4403, json!("key_revoked")));
    client.sync().await;
    // A token may say that it is a key, and a word with points may be a secret.
    let named = RSA.token_with(&json!({}), &json!({"sub": WIDE}));
    assert!(matches!(ask(server.address, &named, "/metrics").await.status, 403 | 404));
    assert_eq!(get_as(server.address, WIDE, "/api/v1/symbols").await.status, 200);
    assert_eq!(ask(server.address, &secret(WIDE), "/api/v1/symbols").await.status, 200);
}

#[actix_web::test]
async fn a_known_secret_with_points_is_no_token() {
    let set = Scratch::new(set_of(&[&RSA]));
    let ring = KeyRing::new(&[entry("a", "symbols = [\"AAPL\"]").replace(&digest(&secret("a")), &digest("a.of.file"))]);
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.auth.required = false;
        settings.auth.keys_file = ring.path.to_str().unwrap().into();
        settings.keys.any = AnyKey::Never;
        settings.keys.pairs = vec![KeyConfig { id: "b".into(), secret: "b.of.config".into(), ..KeyConfig::default() }];
    });
    for (word, status) in [("b.of.config", 200), ("a.of.file", 200), ("nobody.s.word", 401)] {
        for path in ["/v3/snapshot?apiKey=", "/finnhub/api/v1/quote?symbol=AAPL&token="] {
            assert_eq!(get(server.address, &format!("{path}{word}")).await.status, status, "{path}{word}");
        }
        let opened = raw_get(server.address, &format!("/?token={word}"), "", true).await;
        assert_eq!(opened.status, if status == 200 { 101 } else { status }, "{word}: {opened:?}");
    }
    assert_eq!(ask(server.address, "b.of.config", "/v2/stocks/AAPL/snapshot").await.status, 200);
    let text = server.metrics.render();
    assert!(text.contains("auth_total{way=\"key\",result=\"accepted\"} 7\n"), "ways of metrics: {text}");
    assert!(text.contains("auth_total{way=\"token\",result=\"accepted\"} 0\n"), "{text}");
    assert_eq!(
        ask(server.address, "b.of.config", "/api/v1/symbols").await.status,
        401,
        "a key of vendors' clients only"
    );
}

async fn key_end(mut client: Client) -> (u16, Value) {
    end_of(&mut client).await
}

#[actix_web::test]
async fn a_session_ends_with_its_token_and_is_told_before() {
    let set = Scratch::new(set_of(&[&ED]));
    let (server, clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.session.stall_timeout_ms = 40;
        settings.auth.jwt.leeway_ms = 5_000;
        settings.auth.expiry_notice_ms = 30_000;
    });
    let token = ED.token_with(&json!({}), &json!({"exp": START_S + 60}));
    let mut client = connect(server.address, &token).await;
    let end = (START_S + 65) * 1_000_000;
    assert_eq!(client.welcome["auth"]["expires_at"], end);
    clock.advance_micros(35_000_000);
    let told = client.until("the notice", |message| message["type"] == "auth_expiring").await.pop().unwrap();
    assert_eq!(told["expires_at"], end);
    // Longer than any grace after the end.
    clock.advance_micros(90_000_000);
    assert_eq!(end_of(&mut client).await, (4401, json!("token_expired")));
    assert_eq!(ask(server.address, &token, "/api/v1/symbols").await.problem()["code"], "token_expired");
}

#[actix_web::test]
async fn a_revoked_token_ends_its_sessions_and_no_others() {
    let (set, revoked) = (Scratch::new(set_of(&[&RSA, &EC])), Scratch::new("revoked = []"));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.auth.revoked_file = revoked.path();
    });
    let token = |claims: Value| EC.token_with(&json!({}), &claims);
    let one = token(json!({"jti": "1"}));
    let other = token(json!({"jti": "2"}));
    let old = token(json!({"sub": "bob", "iat": START_S - 100}));
    let new = token(json!({"sub": "bob", "iat": START_S - 50}));
    let undated = token(json!({"sub": "bob", "iat": null}));
    let (mut first, mut second) = (connect(server.address, &one).await, connect(server.address, &other).await);
    let (mut third, mut fourth) = (connect(server.address, &old).await, connect(server.address, &new).await);
    let mut fifth = connect(server.address, &undated).await;
    let mut stream = EventSource::open_as(server.address, "symbols=AAPL&channels=bars.1d", &bearer(&one)).await;
    let mut vendor = JsonClient::open(server.address, "/stocks").await;
    vendor.array().await;
    assert_eq!(vendor.ask("auth", &one).await, status("auth_success", "authenticated"));
    // 15:02:55, between the two tokens of bob.
    revoked.write("[[revoked]]\njti = \"1\"\n[[revoked]]\nsub = \"bob\"\nissued_before = \"2026-03-02T15:02:55Z\"\n");
    server.keys.reload();
    for client in [&mut first, &mut third, &mut fifth] {
        assert_eq!(end_of(client).await, (4403, json!("key_revoked")));
    }
    let mut last = Vec::new();
    while let Some(messages) = stream.next_messages().await {
        last = messages;
    }
    assert_eq!(last.last().unwrap()["reason"], "key_revoked");
    assert_eq!(vendor.read_to_end().await.1, crate::json_client::Closed(Some(4403)));
    wait_until("the sessions of the good tokens", 2, || server.sessions()).await;
    for token in [&one, &old, &undated] {
        let refused = ask(server.address, token, "/api/v1/symbols").await;
        assert_eq!((refused.status, &refused.problem()["code"]), (401, &json!("token_invalid")));
        assert!(refused.text().contains("revoked"), "{}", refused.text());
    }
    second.sync().await;
    fourth.sync().await;
    assert_eq!(server.metrics.auth("revoked"), 3);
    // A bad file changes nothing.
    revoked.write("");
    server.keys.reload();
    assert_eq!(ask(server.address, &one, "/api/v1/symbols").await.status, 401);
    revoked.write("revoked = []");
    server.keys.reload();
    assert_eq!(ask(server.address, &one, "/api/v1/symbols").await.status, 200);
    assert_eq!(server.metrics.closes(CloseReason::KeyRevoked), 5);
}

#[actix_web::test]
async fn a_key_that_is_withdrawn_ends_the_sessions_of_its_tokens() {
    let set = Scratch::new(set_of(&[&RSA, &EC]));
    let (server, _clock) = spawn_app_at_rest(|settings| require(settings, &set));
    let [old, new] = [&*RSA, &*EC].map(|signer| signer.token_with(&json!({}), &json!({})));
    let added = RSA_2.token_with(&json!({}), &json!({}));
    let (mut first, mut second) = (connect(server.address, &old).await, connect(server.address, &new).await);
    assert_eq!(ask(server.address, &added, "/api/v1/symbols").await.status, 401);
    set.write("{\"keys\":[]}");
    server.keys.reload();
    first.sync().await;
    set.write(set_of(&[&EC, &RSA_2]));
    server.keys.reload();
    assert_eq!(end_of(&mut first).await, (4401, json!("token_expired")));
    assert!(ask(server.address, &old, "/api/v1/symbols").await.text().contains("no key"), "it is not remembered");
    second.sync().await;
    assert_eq!(ask(server.address, &added, "/api/v1/symbols").await.status, 200);
}

#[actix_web::test]
async fn two_secrets_are_good_while_one_replaces_the_other() {
    let (old, new) = ("an old secret of at least 32 bytes", "a new secret of at least 32 bytes!");
    let (present, previous) = (Scratch::new(old), Scratch::new("another secret of at least 32 bytes\n"));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        settings.auth.required = true;
        let jwt = &mut settings.auth.jwt;
        jwt.algorithms = vec!["HS256".into()];
        (jwt.hmac_secret_file, jwt.hmac_previous_file) = (present.path(), previous.path());
    });
    let token = |secret: &str| {
        let claims = merged(claims_at(START_S), &json!({"aud": null}));
        Signer::hmac(secret.as_bytes()).token(&claims)
    };
    let mut client = connect(server.address, &token(old)).await;
    assert_eq!(ask(server.address, &token(new), "/api/v1/symbols").await.status, 401);
    present.write(format!("{new}\r\n"));
    previous.write(old);
    server.keys.reload();
    for secret in [old, new] {
        assert_eq!(ask(server.address, &token(secret), "/api/v1/symbols").await.status, 200);
    }
    client.sync().await;
    // The same secret twice, and one that is too short: the old ones stay.
    for bad in [new, "short"] {
        previous.write(bad);
        server.keys.reload();
        client.sync().await;
    }
    previous.write("a third secret of at least 32 bytes");
    server.keys.reload();
    assert_eq!(end_of(&mut client).await.0, 4401);
    assert_eq!(ask(server.address, &token(old), "/api/v1/symbols").await.status, 401);
    // With no audience of its own the server is not the one that a token with an audience means (RFC 7519 section 4.1.3).
    let other = Signer::hmac(new.as_bytes()).token(&claims_at(START_S));
    assert!(ask(server.address, &other, "/api/v1/symbols").await.text().contains("aud"));
}

#[actix_web::test]
async fn a_verified_token_is_remembered_and_forgotten_for_newer_ones() {
    let set = Scratch::new(set_of(&[&ED]));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.auth.cache_max = 4;
    });
    let token = |number: usize| ED.token_with(&json!({}), &json!({"jti": number.to_string()}));
    let hits = || server.metrics.auth_cache_hits.get();
    for expected in 0..3 {
        assert_eq!(ask(server.address, &token(0), "/api/v1/symbols").await.status, 200);
        assert_eq!(hits(), expected);
    }
    for number in 1..20 {
        assert_eq!(ask(server.address, &token(number), "/api/v1/symbols").await.status, 200);
    }
    assert_eq!(hits(), 2);
    assert!(
        (16..=18).contains(&server.metrics.auth_cache_evicted.get()),
        "{}",
        server.metrics.auth_cache_evicted.get()
    );
    assert_eq!(ask(server.address, &token(19), "/api/v1/symbols").await.status, 200);
    assert_eq!(hits(), 3);
    assert_eq!(ask(server.address, &token(0), "/api/v1/symbols").await.status, 200);
    assert_eq!(hits(), 3);
    server.keys.reload();
    assert_eq!(ask(server.address, &token(0), "/api/v1/symbols").await.status, 200);
    assert_eq!(hits(), 3, "a reload forgets them");
    let text = server.metrics.render();
    for line in ["auth_total{way=\"token\",result=\"accepted\"} 25", "auth_cache_hits_total 3"] {
        assert!(text.contains(&format!("tickcast_{line}\n")), "{line}: {text}");
    }
    assert!(!text.contains("alice"), "never a name as a label");
}
