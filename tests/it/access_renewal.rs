//! A client renews its key on the open connection, with the request `auth`, and loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tickcast::access::{AtExcess, AuthConfig, Caller, Credentials, Keys, KeysConfig, LimitsConfig, Pass, PassError};
use tickcast::app::Settings;
use tickcast::domain::SystemClock;
use tickcast::metrics::Metrics;
use tickcast::protocol::CloseReason;

use crate::client::{ALL_CHANNELS, Client};
use crate::event_stream::EventSource;
use crate::faked_clock::{FakedClock, machine_seconds};
use crate::issuer::{AUDIENCE, ED, ISSUER, Scratch, claims_now, offers, set_of};
use crate::keyring::{KeyRing, entry, get_as, header_of, offer, secret};
use crate::patience::wait_until;
use crate::raw::{RawClient, TEXT};
use crate::slow_client::narrow;
use crate::spawn::{START, spawn_app, spawn_app_at_rest};
use crate::view::{View, is_event};

const ALL: &str = "symbols = [\"*\"]";

/// Returns the entry of the key `a` with several secrets, and these further lines.
fn rotating(words: &[&str], more: &str) -> String {
    let digests: Vec<_> = words.iter().map(|word| format!("\"{:x}\"", tickcast::access::Digest::of(word))).collect();
    format!("[[keys]]\nid = \"a\"\nsecret_sha256 = [{}]\n{ALL}\n{more}\n", digests.join(", "))
}

fn until(time: &str) -> String {
    format!("expires = \"2026-03-02T{time}Z\"")
}

/// Looks often whether something is due.
fn attentive(settings: &mut Settings) {
    settings.session.stall_timeout_ms = 40;
    settings.session.heartbeat_ms = 10;
}

/// Connects with this secret of the key `a`.
async fn connect_with(server: SocketAddr, word: &str) -> Client {
    Client::connect_offering(server, Some(&format!("tickcast.v1.json, {}", offer("a", word)))).await
}

/// Returns the answer to a request `auth` with this token.
async fn renew(client: &mut Client, token: &str) -> Value {
    client.ask(json!({"action": "auth", "token": token})).await.pop().unwrap()
}

async fn told(client: &mut Client) -> Value {
    client.until("the notice", |message| message["type"] == "auth_expiring").await.pop().unwrap()
}

#[actix_web::test]
async fn a_key_with_a_later_end_is_renewed_on_the_open_connection() {
    let with = |end: &str| [entry("a", &format!("{ALL}\n{}\nconnections_max = 1", until(end)))];
    let ring = KeyRing::new(&with("15:05:05"));
    let (server, clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        attentive(settings);
    });
    let old_end = START.micros() + 60_000_000 - 123_456;
    let new_end = old_end + 300_000_000;
    let mut client = Client::connect_as(server.address, "a").await;
    client.subscribe(&["AAPL"], &["bars.1d"]).await;
    clock.advance_micros(30_000_000);
    assert_eq!(told(&mut client).await["expires_at"], old_end);
    ring.write(&with("15:10:05"));
    server.keys.reload();
    let answer = renew(&mut client, &secret("a")).await;
    assert_eq!(
        (&answer["type"], &answer["name"], &answer["expires_at"]),
        (&json!("auth"), &json!("a"), &json!(new_end))
    );
    assert_eq!(answer["limits"]["connections"], 1);
    clock.advance_micros(100_000_000);
    let messages = client.sync().await;
    assert!(messages.iter().all(|message| message["type"] != "auth_expiring"), "{messages:?}");
    clock.advance_micros(200_000_000);
    assert_eq!(told(&mut client).await["expires_at"], new_end, "told of the new end");
    assert_eq!((server.sessions(), server.metrics.renewals("accepted")), (1, 1));
}

#[actix_web::test]
async fn a_client_is_told_of_each_end_that_the_operator_sets() {
    let with = |end: &str| [entry("a", &format!("{ALL}\n{}", until(end)))];
    let ring = KeyRing::new(&with("15:05:05"));
    let (server, clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        attentive(settings);
    });
    let mut client = Client::connect_as(server.address, "a").await;
    clock.advance_micros(30_000_000);
    let first = told(&mut client).await["expires_at"].as_i64().unwrap();
    ring.write(&with("15:10:05"));
    server.keys.reload();
    clock.advance_micros(300_000_000);
    assert_eq!(told(&mut client).await["expires_at"], first + 300_000_000);
}

#[actix_web::test]
async fn a_session_that_can_renew_has_time_for_that_after_the_end_and_others_have_none() {
    let ring = KeyRing::new(&[entry("a", &format!("{ALL}\n{}", until("15:05:05"))), entry("b", ALL)]);
    let (server, clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        attentive(settings);
    });
    let mut client = Client::connect_as(server.address, "a").await;
    let mut other = Client::connect_as(server.address, "b").await;
    let mut stream = EventSource::open_as(server.address, "symbols=AAPL&channels=bars.1d", &header_of("a")).await;
    clock.advance_micros(60_000_000 - 123_456);
    let mut last = Vec::new();
    while let Some(messages) = stream.next_messages().await {
        last = messages;
    }
    assert_eq!(last.last().unwrap()["reason"], "token_expired");
    assert_eq!(get_as(server.address, "a", "/api/v1/symbols").await.problem()["code"], "token_expired");
    clock.advance_micros(25_000_000 - 1);
    client.sync().await;
    assert_eq!(renew(&mut client, &secret("a")).await["code"], "unauthorized", "the file has no later end");
    clock.advance_micros(1);
    let (messages, close) = client.read_to_end().await;
    assert_eq!(close.map(|(code, _)| code), Some(4401));
    assert_eq!(messages.last().unwrap()["reason"], "token_expired");
    other.sync().await;
}

#[actix_web::test]
async fn a_refused_renewal_is_an_error_and_the_session_goes_on() {
    let ring = KeyRing::new(&[entry("a", "symbols = [\"AAPL\"]"), entry("b", ALL)]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.auth.renewal_ms = 0;
        settings.limits.address_failures_per_minute = 2;
        settings.feed.events_per_second = 3_000.0;
    });
    let mut client = Client::connect_as(server.address, "a").await;
    client.subscribe(&["*"], &["trades"]).await;
    let mistyped = format!("tcs_{}", "A".repeat(48));
    for (token, code) in [
        (secret("b"), "unauthorized"),
        (secret("c"), "unauthorized"),
        (mistyped, "unauthorized"),
        (secret("d"), "rate_limited"),
    ] {
        let error = renew(&mut client, &token).await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{error}");
        assert!(!error.to_string().contains(&token), "{error}");
        assert_eq!(code == "rate_limited", error["retry_after_ms"].as_u64() > Some(0), "{error}");
    }
    assert_eq!(client.ask(json!({"action": "auth"})).await.pop().unwrap()["code"], "bad_request");
    let events = client.events(50).await;
    assert!(events.iter().all(|event| event.get("symbol").is_none_or(|symbol| symbol == "AAPL")));
    assert_eq!(client.view.missing, 0);
    let renewals = ["accepted", "refused", "other_name"].map(|result| server.metrics.renewals(result));
    assert_eq!(renewals, [0, 3, 1]);
}

#[actix_web::test]
async fn a_session_renews_once_in_ten_seconds_and_one_without_a_key_never() {
    let ring = KeyRing::new(&[entry("a", ALL)]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.auth.required = false;
    });
    let mut client = Client::connect_as(server.address, "a").await;
    assert_eq!(renew(&mut client, &secret("a")).await["type"], "auth");
    for _ in 0..20 {
        assert_eq!(renew(&mut client, &secret("a")).await["code"], "limit_exceeded");
    }
    assert_eq!(server.metrics.renewals("too_soon"), 20);
    let mut nameless = Client::connect(server.address).await;
    assert_eq!(renew(&mut nameless, &secret("a")).await["code"], "unauthorized");
    nameless.sync().await;
    let open = spawn_app(|_| {});
    let mut anybody = Client::connect(open.address).await;
    assert_eq!(renew(&mut anybody, "a word").await["code"], "unauthorized");
    anybody.sync().await;
}

#[actix_web::test]
async fn a_session_that_renews_with_the_new_secret_outlives_the_old_one() {
    let (old, new) = (secret("a"), "another secret".to_owned());
    let ring = KeyRing::new(&[rotating(&[&old, &new], "")]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 3_000.0;
    });
    let mut renewing = connect_with(server.address, &old).await;
    let mut idle = connect_with(server.address, &old).await;
    renewing.subscribe(&["*"], &ALL_CHANNELS).await;
    assert_eq!(renew(&mut renewing, &new).await["type"], "auth");
    ring.write(&[rotating(&[&new], "")]);
    server.keys.reload();
    assert_eq!(idle.read_to_end().await.1.map(|(code, _)| code), Some(4403));
    renewing.events(200).await;
    assert_eq!(renewing.view.missing, 0);
    assert_eq!(server.sessions(), 1);
}

#[actix_web::test]
async fn a_jammed_client_renews_and_loses_no_more_than_it_is_told() {
    let ring = KeyRing::new(&[entry("a", ALL)]);
    let (server, clock) = spawn_app_at_rest(|settings| {
        narrow(settings);
        ring.require(settings);
    });
    let mut witness = Client::connect_as(server.address, "a").await;
    witness.subscribe(&["*"], &ALL_CHANNELS).await;
    let mut jammed = RawClient::open_narrow_as(server.address, &header_of("a")).await;
    let request = json!({"action": "subscribe", "symbols": ["*"], "channels": ALL_CHANNELS}).to_string();
    jammed.send_frame(TEXT, request.as_bytes()).await;
    let mut view = View::default();
    let mut messages: Vec<Value> = serde_json::from_slice(&jammed.next_of(TEXT).await).unwrap();
    for step in 0..800 {
        clock.advance_micros(3_000);
        witness.until("the step", is_event).await;
        while witness.view.offset < server.metrics.events_published.get() {
            witness.next_message().await;
        }
        if step == 700 {
            jammed.send_frame(TEXT, json!({"action": "auth", "token": secret("a")}).to_string().as_bytes()).await;
            wait_until("the renewal", 1, || i64::try_from(server.metrics.renewals("accepted")).unwrap()).await;
        }
    }
    let mut kinds = Vec::new();
    while view.offset < witness.view.offset {
        for message in messages.drain(..) {
            view.apply(&message);
            kinds.push(message["type"].clone());
        }
        messages = serde_json::from_slice(&jammed.next_of(TEXT).await).unwrap();
    }
    assert!(view.lags >= 1, "it has fallen behind");
    assert_eq!(view.missing, view.skipped, "the holes equal the announced events");
    assert_eq!(kinds.iter().filter(|kind| **kind == "auth").count(), 1);
    assert_eq!(server.sessions(), 2);
}

/// Returns keys of this file with the pass of one session of `a`, which came with this secret, and counts its ends.
fn session(ring: &KeyRing, word: &str) -> (Arc<Keys>, Pass, Arc<AtomicUsize>) {
    let keys_file = ring.path.to_str().unwrap().to_owned();
    let auth = AuthConfig { required: true, keys_file, renewal_ms: 0, expiry_grace_ms: 0, ..AuthConfig::default() };
    let keys = Keys::new(&KeysConfig::default(), false);
    let guarded = keys.guarded(&auth, &LimitsConfig::default(), Arc::new(SystemClock), Arc::new(Metrics::default()));
    let keys = Arc::new(guarded.unwrap());
    let identity = keys.identify(Some(Credentials::Token(word)), &Caller::default()).unwrap();
    let ends = Arc::new(AtomicUsize::new(0));
    let counted = ends.clone();
    let end = Arc::new(move |_: CloseReason| _ = counted.fetch_add(1, Ordering::Relaxed));
    let seat = keys.take_seat(&identity, "", AtExcess::Refuse, {
        let end = end.clone();
        move |reason| end(reason)
    });
    let pass = Pass::new(keys.clone(), Caller::default(), identity, Some(seat.unwrap()), end);
    (keys, pass, ends)
}

#[test]
fn a_renewal_at_the_moment_of_the_end_is_either_refused_or_keeps_the_session() {
    let ring = KeyRing::new(&[]);
    for round in 0..200 {
        ring.write(&[rotating(&["old", "new"], "")]);
        let (keys, mut pass, ends) = session(&ring, "old");
        ring.write(&[rotating(&["new"], "")]);
        let renewed = std::thread::scope(|scope| {
            let reload = scope.spawn(|| keys.reload());
            let shown = pass.show("new", Instant::now());
            reload.join().unwrap();
            shown
        });
        let expected = match renewed {
            Ok(()) => 0,
            Err(PassError::Ended) => 1,
            Err(err) => panic!("{err}"),
        };
        assert_eq!(ends.load(Ordering::Relaxed), expected, "round {round}: {renewed:?}");
    }
}

#[test]
fn a_renewal_after_the_end_comes_too_late() {
    let ring = KeyRing::new(&[rotating(&["old", "new"], "")]);
    let (keys, mut pass, ends) = session(&ring, "old");
    ring.write(&[rotating(&["new"], "")]);
    keys.reload();
    assert_eq!((pass.show("new", Instant::now()), ends.load(Ordering::Relaxed)), (Err(PassError::Ended), 1));
}

#[actix_web::test]
async fn a_thousand_sessions_whose_key_ends_in_the_same_minute_renew_and_none_is_closed() {
    let (old, new) = (secret("a"), "another secret".to_owned());
    let ring = KeyRing::new(&[rotating(&[&old], &until("15:05:05"))]);
    let (server, clock) = spawn_app_at_rest(|settings| ring.require(settings));
    let mut idle = connect_with(server.address, &old).await;
    let mut clients = connect_many(server.address, &old, 1_000).await;
    ring.write(&[rotating(&[&old, &new], &until("15:15:05"))]);
    server.keys.reload();
    clock.advance_micros(30_000_000);
    renew_all(&mut clients, &new).await;
    ring.write(&[rotating(&[&new], &until("15:15:05"))]);
    server.keys.reload();
    assert_eq!(idle.read_to_end().await.1.map(|(code, _)| code), Some(4403), "it has not renewed");
    // Beyond the old end and its grace.
    clock.advance_micros(90_000_000);
    for client in &mut clients {
        client.sync().await;
    }
    assert_eq!((server.sessions(), server.metrics.renewals("accepted")), (1_000, 1_000));
    assert_eq!(server.metrics.closes(CloseReason::TokenExpired), 0);
}

/// With the default settings, and a process of its own for the server, as each connection takes a descriptor of each side.
#[tokio::test]
async fn ten_thousand_sessions_whose_tokens_end_in_the_same_minute_renew_and_none_is_closed() {
    const SESSIONS: i64 = 10_000;
    let (ring, set) = (KeyRing::new(&[entry("a", ALL), entry("b", ALL)]), Scratch::new(set_of(&[&*ED])));
    let clock = FakedClock::ahead(0);
    let variables = [
        ("TICKCAST__AUTH__REQUIRED", "true"),
        ("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap()),
        ("TICKCAST__AUTH__JWT__JWKS_FILE", &set.path()),
        ("TICKCAST__AUTH__JWT__AUDIENCE", AUDIENCE),
        ("TICKCAST__AUTH__JWT__ISSUER", ISSUER),
    ];
    let server = clock.spawn(&variables).await;
    let end = machine_seconds() + 3_600;
    let token = |number: i64, exp: i64| ED.token(&claims_now(&json!({"sub": format!("s{number}"), "exp": exp})));
    let mut removed = Client::connect_as(server.address, "a").await;
    let mut clients = Vec::new();
    for number in 0..SESSIONS {
        let offered = offers(&token(number, end + number * 20 / SESSIONS));
        let mut client = Client::connect_offering(server.address, Some(&offered)).await;
        client.subscribe(&["AAPL"], &["bars.1d"]).await;
        clients.push(client);
    }
    // Each is told 30 s before its end, which is the leeway after `exp`.
    clock.set_ahead(end + 20 - machine_seconds());
    for (number, client) in clients.iter_mut().enumerate() {
        told(client).await;
        let later = token(i64::try_from(number).unwrap(), end + 7_200);
        client.send_json(&json!({"action": "auth", "token": later})).await;
    }
    for client in &mut clients {
        client.until("the renewal", |message| message["type"] == "auth").await;
    }
    // Beyond every old end and its grace. A key is taken away, too.
    clock.set_ahead(end + 20 + 30 + 25 + 5 - machine_seconds());
    ring.write(&[entry("b", ALL)]);
    server.signal("HUP").await;
    assert_eq!(removed.read_to_end().await.1.map(|(code, _)| code), Some(4403));
    for client in &mut clients {
        client.sync().await;
    }
}

/// Connects so many clients with this secret of the key `a`, each with a subscription.
async fn connect_many(server: SocketAddr, word: &str, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = connect_with(server, word).await;
        client.subscribe(&["AAPL"], &["bars.1d"]).await;
        clients.push(client);
    }
    clients
}

/// Lets all clients renew their key at once with this secret.
async fn renew_all(clients: &mut [Client], word: &str) {
    for client in &mut *clients {
        client.send_json(&json!({"action": "auth", "token": word})).await;
    }
    for client in clients {
        client.until("the renewal", |message| message["type"] == "auth").await;
    }
}
