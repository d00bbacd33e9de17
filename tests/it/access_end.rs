//! The end of a key: removed, replaced, expired, changed, or used by too many connections. Its sessions end, and nobody else's.

use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::event_stream::EventSource;
use crate::http::get;
use crate::json_client::{Closed, JsonClient, status};
use crate::keyring::{KeyRing, entry, get_as, header_of, raw_get, secret};
use crate::patience::{patiently, wait_until};
use crate::spawn::{START, spawn_app, spawn_app_at_rest};

const ALL: &str = "symbols = [\"*\"]";

fn digest(word: &str) -> String {
    format!("{:x}", tickcast::access::Digest::of(word))
}

/// Returns the code of the close frame, and the `goodbye` before it.
async fn end_of(client: &mut Client) -> (u16, Value) {
    let (messages, close) = client.read_to_end().await;
    let goodbye = messages.into_iter().find(|message| message["type"] == "goodbye").unwrap_or_default();
    (close.expect("a close frame").0, goodbye["reason"].clone())
}

#[actix_web::test]
async fn a_removed_key_ends_its_sessions_over_every_transport_and_nobody_elses() {
    let ring = KeyRing::new(&[entry("a", ALL), entry("b", ALL)]);
    let server = spawn_app(|settings| ring.require(settings));
    let mut client = Client::connect_as(server.address, "a").await;
    client.subscribe(&["*"], &["trades"]).await;
    let mut other = Client::connect_as(server.address, "b").await;
    other.subscribe(&["AAPL"], &["trades"]).await;
    let mut stream = EventSource::open_as(server.address, "symbols=AAPL", &header_of("a")).await;
    stream.next_message().await;
    let mut vendor = JsonClient::open(server.address, "/stocks").await;
    vendor.array().await;
    assert_eq!(vendor.ask("auth", &secret("a")).await, status("auth_success", "authenticated"));
    let cursor = get_as(server.address, "a", "/api/v1/poll?symbols=AAPL&wait_ms=0&channels=bars.1d").await.json();
    let path = format!(
        "/api/v1/poll?symbols=AAPL&channels=bars.1d&wait_ms=60000&after={}",
        cursor["cursor"].as_str().unwrap()
    );
    let address = server.address;
    let poll = actix_web::rt::spawn(async move { get_as(address, "a", &path).await });
    wait_until("the poll", 1, || server.metrics.polls_waiting.get()).await;

    ring.write(&[entry("b", ALL)]);
    server.keys.reload();
    assert_eq!(end_of(&mut client).await, (4403, json!("key_revoked")));
    let poll = patiently("the poll", poll).await.unwrap();
    assert_eq!((poll.status, &poll.problem()["code"]), (401, &json!("unauthorized")));
    let mut last = Vec::new();
    while let Some(messages) = stream.next_messages().await {
        last = messages;
    }
    assert_eq!(last.last().unwrap()["reason"], "key_revoked");
    assert_eq!(vendor.read_to_end().await.1, Closed(Some(4403)));
    wait_until("only the other session", 1, || server.sessions()).await;
    assert_eq!(server.metrics.closes(CloseReason::KeyRevoked), 3);
    assert_eq!(get_as(server.address, "a", "/api/v1/symbols").await.status, 401);
    other.sync().await;
    other.events(3).await;
}

#[actix_web::test]
async fn both_secrets_are_valid_while_a_key_rotates_and_the_old_one_ends_its_own_sessions() {
    let with = |words: &[&str]| {
        let digests: Vec<_> = words.iter().map(|word| format!("\"{}\"", digest(word))).collect();
        vec![format!("[[keys]]\nid = \"a\"\nsecret_sha256 = [{}]\n{ALL}\n", digests.join(", "))]
    };
    let (old, new) = (secret("a"), "another secret".to_owned());
    let ring = KeyRing::new(&with(&[&old]));
    let server = spawn_app(|settings| ring.require(settings));
    let mut first = Client::connect_as(server.address, "a").await;
    ring.write(&with(&[&old, &new]));
    server.keys.reload();
    let offered = format!("tickcast.v1.json, {}", crate::keyring::offer("a", &new));
    let mut second = Client::connect_offering(server.address, Some(&offered)).await;
    first.sync().await;
    ring.write(&with(&[&new]));
    server.keys.reload();
    assert_eq!(end_of(&mut first).await, (4403, json!("key_revoked")));
    second.sync().await;
    assert_eq!(get_as(server.address, "a", "/api/v1/symbols").await.status, 401, "the old secret");
}

#[actix_web::test]
async fn a_key_that_permits_less_ends_its_sessions_to_come_back() {
    let ring = KeyRing::new(&[entry("a", ALL)]);
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.feed.events_per_second = 3_000.0;
    });
    let mut client = Client::connect_as(server.address, "a").await;
    client.subscribe(&["*"], &["trades"]).await;
    server.keys.reload();
    client.sync().await;
    ring.write(&[entry("a", "symbols = [\"AAPL\"]")]);
    server.keys.reload();
    assert_eq!(end_of(&mut client).await, (4005, json!("key_changed")));
    let mut client = Client::connect_as(server.address, "a").await;
    client.subscribe(&["*"], &["trades"]).await;
    assert!(client.events(20).await.iter().all(|event| event.get("symbol").is_none_or(|symbol| symbol == "AAPL")));
    // A bad file changes nothing.
    ring.write(&["[[keys]]\nid = 1".into()]);
    server.keys.reload();
    client.sync().await;
    assert_eq!(get_as(server.address, "a", "/api/v1/symbols").await.status, 200);
}

#[actix_web::test]
async fn a_session_is_told_before_its_key_expires_and_ends_then() {
    let expires = "expires = \"2026-03-02T15:05:05Z\"";
    let ring = KeyRing::new(&[entry("a", &format!("{ALL}\n{expires}")), entry("b", ALL)]);
    let (server, clock) = spawn_app_at_rest(|settings| {
        ring.require(settings);
        settings.auth.expiry_grace_ms = 0;
        settings.session.stall_timeout_ms = 40;
        settings.session.heartbeat_ms = 10;
    });
    let expires_at = START.micros() + 60_000_000 - 123_456;
    let mut client = Client::connect_as(server.address, "a").await;
    assert_eq!(client.welcome["auth"], json!({"name": "a", "expires_at": expires_at}));
    let mut stream = EventSource::open_as(server.address, "symbols=AAPL&channels=bars.1d", &header_of("a")).await;
    let mut other = Client::connect_as(server.address, "b").await;
    clock.advance_micros(29_000_000);
    let early = client.until("two heartbeats", |message| message["type"] == "heartbeat").await;
    assert!(early.iter().all(|message| message["type"] != "auth_expiring"), "{early:?}");
    clock.advance_micros(1_000_000);
    let told = client.until("the notice", |message| message["type"] == "auth_expiring").await.pop().unwrap();
    assert_eq!(told["expires_at"], expires_at);
    clock.advance_micros(29_876_543);
    client.sync().await;
    clock.advance_micros(1);
    let (messages, close) = client.read_to_end().await;
    assert_eq!(close.map(|(code, _)| code), Some(4401));
    let kinds: Vec<_> = messages.iter().filter(|message| message["type"] != "heartbeat").collect();
    assert!(kinds.iter().all(|message| message["type"] != "auth_expiring"), "told once: {kinds:?}");
    assert_eq!(kinds.last().unwrap()["reason"], "token_expired");
    let mut last = Vec::new();
    while let Some(messages) = stream.next_messages().await {
        last.extend(messages);
    }
    assert_eq!(last.iter().filter(|message| message["type"] == "auth_expiring").count(), 1);
    assert_eq!(last.last().unwrap()["reason"], "token_expired");
    let answer = get_as(server.address, "a", "/api/v1/symbols").await;
    assert_eq!((answer.status, &answer.problem()["code"]), (401, &json!("token_expired")));
    other.sync().await;
}

#[actix_web::test]
async fn a_key_has_as_many_connections_as_it_may_over_all_transports() {
    let ring = KeyRing::new(&[
        entry("a", &format!("{ALL}\nconnections_max = 2")),
        entry("b", &format!("{ALL}\nconnections_max = 1\non_limit = \"replace\"")),
    ]);
    let server = spawn_app(|settings| ring.require(settings));
    let first = Client::connect_as(server.address, "a").await;
    assert_eq!(first.welcome["limits"]["connections"], 2);
    let _stream = EventSource::open_as(server.address, "symbols=AAPL", &header_of("a")).await;
    let header = format!("Authorization: {}\r\n", header_of("a"));
    let refused = raw_get(server.address, "/ws", &header, true).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.head.contains("retry-after: ") && refused.body.contains("\"connection_limit\""), "{refused:?}");
    for path in ["/api/v1/poll?symbols=AAPL&wait_ms=0", "/api/v1/stream?symbols=AAPL"] {
        assert_eq!(get_as(server.address, "a", path).await.status, 429, "{path}");
    }
    let mut vendor = JsonClient::open(server.address, "/stocks").await;
    vendor.array().await;
    vendor.send(&json!({"action": "auth", "params": secret("a")})).await;
    let (last, _) = vendor.read_to_end().await;
    assert_eq!(last.unwrap()[0]["status"], "max_connections");
    drop(first);
    wait_until("a free place", 1, || server.sessions()).await;
    let poll = get_as(server.address, "a", "/api/v1/poll?symbols=AAPL&wait_ms=0").await;
    assert_eq!(poll.status, 200, "{}", poll.text());

    let mut old = Client::connect_as(server.address, "b").await;
    let mut new = Client::connect_as(server.address, "b").await;
    assert_eq!(end_of(&mut old).await, (4501, Value::Null));
    new.sync().await;
    assert_eq!(get(server.address, "/healthz").await.status, 200);
}

#[actix_web::test]
async fn each_key_has_traffic_accounts_of_its_own() {
    let ring = KeyRing::new(&[entry("a", ALL), entry("b", ALL)]);
    let server = spawn_app(|settings| ring.require(settings));
    let path = "/api/v1/poll?symbols=AAPL&wait_ms=0&client=desk";
    assert_eq!(get_as(server.address, "a", path).await.status, 200);
    assert_eq!(get_as(server.address, "a", "/api/v1/traffic?client=desk").await.json()["client"], "desk");
    assert_eq!(get_as(server.address, "b", "/api/v1/traffic?client=desk").await.status, 404);
}
