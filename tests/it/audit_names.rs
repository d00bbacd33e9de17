//! Who is who for operators: the names of clients that sign in by a message, in the list of sessions and in the audit log, and the lines
//! of those that are refused. Each client has an address of its own, because the log merges lines of one address and second.

use std::net::SocketAddr;

use awc::http::Method;
use serde_json::{Value, json};

use crate::audit::{lines, of, spawn};
use crate::http::request;
use crate::issuer::{AUDIENCE, ISSUER, RSA, STRANGER, Scratch, bearer, claims_now, set_of};
use crate::keyring::{KeyRing, NARROW, WIDE, basic, entry, get_as, header_of, secret, two_keys};
use crate::raw::{CLOSE, RawClient, TEXT, handshake};
use crate::spawn::loopback_host;

const WRONG: &str = "a-wrong-secret-of-a-stranger";
const FIRST_MESSAGE: (&str, &str) = ("TICKCAST__AUTH__FIRST_MESSAGE_MS", "600000");

/// Opens a WebSocket from this address.
async fn open(address: &str, server: SocketAddr, path: &str, headers: &[(&str, Option<&str>)]) -> RawClient {
    let mut client = RawClient::connect_from(address, server).await;
    let answer = client.request(&handshake(headers).replacen("/ws ", &format!("{path} "), 1)).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    client
}

/// Sends a message, and reads up to the answer with these words.
async fn ask(client: &mut RawClient, message: &Value, words: &str) {
    client.send_frame(TEXT, message.to_string().as_bytes()).await;
    while !String::from_utf8(client.next_of(TEXT).await).unwrap().contains(words) {}
}

/// Returns the name and the number of each session, by its address.
async fn sessions(admin: SocketAddr) -> Vec<(String, Value, Value)> {
    let list = get_as(admin, WIDE, "/admin/sessions").await.json();
    let rows = list["sessions"].as_array().unwrap().iter();
    rows.map(|row| (row["address"].as_str().unwrap().into(), row["name"].clone(), row["session"].clone())).collect()
}

#[actix_web::test]
async fn a_client_that_signs_in_by_a_message_has_its_name_from_then_on() {
    let keys = KeyRing::new(&two_keys());
    let host = loopback_host();
    let process = spawn(&keys, &host, &[FIRST_MESSAGE]).await;
    let (server, admin) = (process.address, format!("{host}:9100").parse().unwrap());
    let native = json!({"action": "auth", "token": secret(NARROW)});
    let alpaca = json!({"action": "auth", "key": NARROW, "secret": secret(NARROW)});
    let massive = json!({"action": "auth", "params": secret(NARROW)});
    let ways = [
        ("127.0.0.11", "/ws", native, "\"type\":\"welcome\"", "native"),
        ("127.0.0.12", "/v2/iex", alpaca, "authenticated", "alpaca"),
        ("127.0.0.13", "/stocks", massive, "auth_success", "massive"),
    ];
    let mut clients = Vec::new();
    for (address, path, ..) in &ways {
        clients.push(open(address, server, path, &[]).await);
    }
    let before = sessions(admin).await;
    assert!(before.len() == 3 && before.iter().all(|(_, name, _)| name.is_null()), "{before:?}");
    for (client, (_, _, message, words, _)) in clients.iter_mut().zip(&ways) {
        ask(client, message, words).await;
    }
    let after = sessions(admin).await;
    assert!(after.len() == 3 && after.iter().all(|(_, name, _)| name == NARROW), "{after:?}");
    let header = header_of(WIDE);
    let operator = [("Authorization", header.as_str())];
    let ended = request(admin, Method::DELETE, "/admin/sessions?name=narrow", &operator).await;
    assert_eq!(ended.json(), json!({"ended": 3}));
    for client in &mut clients {
        client.next_of(CLOSE).await;
    }
    request(admin, Method::POST, "/admin/drain", &operator).await;
    let audit = lines(&process.ended().await.stderr);
    for (address, _, _, _, dialect) in &ways {
        let (_, _, session) = after.iter().find(|(at, ..)| at == address).unwrap();
        for (event, reason) in [("session_begun", *dialect), ("session_ended", "ended_by_operator")] {
            let line = of(&audit, event).into_iter().find(|line| line["address"] == *address).expect(event);
            assert_eq!((&line["name"], &line["session"], &line["reason"]), (&json!(NARROW), session, &json!(reason)));
        }
    }
}

#[actix_web::test]
async fn a_client_that_is_refused_by_message_or_by_vendors_stream_has_a_line_with_the_reason() {
    let keys = KeyRing::new(&[
        entry(WIDE, "symbols = [\"*\"]\nadmin = true"),
        entry(NARROW, "symbols = [\"*\"]\nconnections_max = 1"),
    ]);
    let host = loopback_host();
    let process = spawn(&keys, &host, &[FIRST_MESSAGE]).await;
    let (server, admin) = (process.address, format!("{host}:9100").parse().unwrap());
    let auth = |word: &str| json!({"action": "auth", "token": word});
    let alpaca = |word: &str| json!({"action": "auth", "key": NARROW, "secret": word});
    let headers = [("Authorization", Some(&*header_of(NARROW)))];
    let mut held = open("127.0.0.20", server, "/ws", &headers).await;
    let mut clients = Vec::new();
    // Reason, name, and whether there is a session.
    let mut expected = vec![("127.0.0.20", "other_name", json!(NARROW), true)];
    ask(&mut held, &auth(&secret(WIDE)), "unauthorized").await;
    for (address, path, message, words, reason, name) in [
        ("127.0.0.21", "/ws", auth(WRONG), "unauthorized", "unknown", Value::Null),
        ("127.0.0.22", "/ws", auth(&secret(NARROW)), "limit_exceeded", "connection_limit", json!(NARROW)),
        ("127.0.0.23", "/v2/iex", alpaca(WRONG), "auth failed", "unknown", Value::Null),
        ("127.0.0.24", "/v2/iex", alpaca(&secret(NARROW)), "connection limit", "connection_limit", json!(NARROW)),
    ] {
        let mut client = open(address, server, path, &[]).await;
        ask(&mut client, &message, words).await;
        clients.push(client);
        expected.push((address, reason, name, true));
    }
    let listed = sessions(admin).await;
    let mut massive = open("127.0.0.25", server, "/stocks", &[]).await;
    ask(&mut massive, &json!({"action": "auth", "params": WRONG}), "auth_failed").await;
    expected.push(("127.0.0.25", "unknown", Value::Null, true));
    let mut finnhub = RawClient::connect_from("127.0.0.26", server).await;
    let answer = finnhub.request(&handshake(&[]).replacen("/ws ", &format!("/?token={WRONG} "), 1)).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "{\"error\":\"Invalid API key\"}"));
    expected.push(("127.0.0.26", "unknown", Value::Null, false));
    let mut full = RawClient::connect_from("127.0.0.27", server).await;
    assert_eq!(full.request(&handshake(&headers)).await.status, 429);
    expected.push(("127.0.0.27", "connection_limit", json!(NARROW), false));
    // A flood of one session is a line a second, and a count.
    let mut flood = open("127.0.0.28", server, "/ws", &[]).await;
    for _ in 0..30 {
        ask(&mut flood, &auth(WRONG), "unauthorized").await;
    }
    request(admin, Method::POST, "/admin/drain", &[("Authorization", &header_of(WIDE))]).await;
    drop((clients, held, flood));
    let log = process.ended().await.stderr;
    let audit = lines(&log);
    let refused = of(&audit, "refused");
    for (address, reason, name, has_session) in expected {
        let line = refused.iter().find(|line| line["address"] == address).unwrap_or_else(|| panic!("{address}: {log}"));
        assert_eq!((&line["reason"], &line["name"]), (&json!(reason), &name), "{line}");
        assert_eq!(line["session"].is_string(), has_session, "{line}");
        if let Some((_, _, session)) = listed.iter().find(|(at, ..)| at == address) {
            assert_eq!(&line["session"], session, "{line}");
        }
    }
    let flood: Vec<_> = refused.iter().filter(|line| line["address"] == "127.0.0.28").collect();
    let counted: u64 = flood.iter().map(|line| line["count"].as_u64().unwrap_or(1)).sum();
    assert!(counted == 30 && flood.len() < 20, "{flood:?}");
    assert!(!log.contains(WRONG) && !log.contains(&secret(WIDE)), "no secret");
}

#[actix_web::test]
async fn a_refused_client_has_its_name_in_the_line_if_its_secret_or_token_was_right_and_never_if_not() {
    let keys = KeyRing::new(&[
        entry(WIDE, "symbols = [\"*\"]\nadmin = true"),
        entry("far", "symbols = [\"*\"]\naddresses = [\"192.0.2.0/24\"]"),
        entry("old", "symbols = [\"*\"]\nexpires = \"2020-01-01T00:00:00Z\""),
        entry("slow", "symbols = [\"*\"]\nmax_hz = 1"),
    ]);
    let (set, revoked) = (Scratch::new(set_of(&[&RSA])), Scratch::new("[[revoked]]\njti = \"gone\"\n"));
    let host = loopback_host();
    let more = [
        FIRST_MESSAGE,
        ("TICKCAST__AUTH__JWT__JWKS_FILE", &set.path()),
        ("TICKCAST__AUTH__JWT__AUDIENCE", AUDIENCE),
        ("TICKCAST__AUTH__JWT__ISSUER", ISSUER),
        ("TICKCAST__AUTH__REVOKED_FILE", &revoked.path()),
    ];
    let process = spawn(&keys, &host, &more).await;
    let (server, admin) = (process.address, format!("{host}:9100").parse().unwrap());
    let gone = RSA.token(&claims_now(&json!({"jti": "gone"})));
    let early = RSA.token(&claims_now(&json!({"nbf": 4_000_000_000_i64})));
    let over = RSA.token(&claims_now(&json!({"exp": 1_600_000_000, "iat": 1_599_999_000})));
    let forged = STRANGER.token(&claims_now(&json!({"jti": "gone"})));
    let mut expected = Vec::new();
    let (rest, alpaca, massive) = ("/api/v1/symbols", "/v2/stocks/AAPL/snapshot", "/v3/snapshot");
    for (address, path, authorization, status, reason, name) in [
        ("127.0.0.40", rest, header_of("far"), 403, "forbidden", json!("far")),
        ("127.0.0.41", rest, header_of("old"), 401, "expired", json!("old")),
        ("127.0.0.42", rest, bearer(&gone), 401, "revoked", json!("jwt:alice")),
        ("127.0.0.43", rest, bearer(&early), 401, "invalid", json!("jwt:alice")),
        ("127.0.0.44", rest, bearer(&over), 401, "expired", json!("jwt:alice")),
        ("127.0.0.45", massive, bearer(&secret("slow")), 403, "forbidden", json!("slow")),
        ("127.0.0.46", alpaca, bearer(&gone), 403, "revoked", json!("jwt:alice")),
        ("127.0.0.47", massive, bearer(&secret("old")), 401, "expired", json!("old")),
        // Names that are only claimed.
        ("127.0.0.48", rest, basic("far", WRONG), 401, "unknown", Value::Null),
        ("127.0.0.49", rest, bearer(&forged), 401, "invalid", Value::Null),
        ("127.0.0.50", massive, bearer(&forged), 401, "invalid", Value::Null),
    ] {
        let mut client = RawClient::connect_from(address, server).await;
        let head = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: {authorization}\r\n\r\n");
        let answer = client.request(&head).await;
        assert_eq!(answer.status, status, "{address}: {answer:?}");
        expected.push((address, reason, name));
    }
    let native = |word: &str| json!({"action": "auth", "token": word});
    let vendor = |word: &str| json!({"action": "auth", "params": word});
    let mut clients = Vec::new();
    for (address, path, message, words, reason, name) in [
        ("127.0.0.51", "/ws", native(&gone), "unauthorized", "revoked", json!("jwt:alice")),
        ("127.0.0.52", "/ws", native(&secret("far")), "unauthorized", "forbidden", json!("far")),
        ("127.0.0.53", "/stocks", vendor(&secret("slow")), "auth_failed", "forbidden", json!("slow")),
        ("127.0.0.54", "/stocks", vendor(&gone), "auth_failed", "revoked", json!("jwt:alice")),
        ("127.0.0.55", "/ws", native(&forged), "unauthorized", "invalid", Value::Null),
        ("127.0.0.56", "/stocks", vendor(&forged), "auth_failed", "invalid", Value::Null),
    ] {
        let mut client = open(address, server, path, &[]).await;
        ask(&mut client, &message, words).await;
        clients.push(client);
        expected.push((address, reason, name));
    }
    let mut finnhub = RawClient::connect_from("127.0.0.57", server).await;
    let head = handshake(&[]).replacen("/ws ", &format!("/?token={gone} "), 1);
    assert_eq!(finnhub.request(&head).await.status, 401);
    expected.push(("127.0.0.57", "revoked", json!("jwt:alice")));
    request(admin, Method::POST, "/admin/drain", &[("Authorization", &header_of(WIDE))]).await;
    drop(clients);
    let log = process.ended().await.stderr;
    let audit = lines(&log);
    let refused = of(&audit, "refused");
    for (address, reason, name) in expected {
        let line = refused.iter().find(|line| line["address"] == address).unwrap_or_else(|| panic!("{address}: {log}"));
        assert_eq!((&line["reason"], &line["name"]), (&json!(reason), &name), "{line}");
    }
}
