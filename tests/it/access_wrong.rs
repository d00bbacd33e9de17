//! Wrong ways in: other spellings of an address, mistyped keys, damaged key files, and requests that are refused. They open nothing,
//! show nothing, and end nobody else's session.

use std::process::Command;

use awc::http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::command::{run, spawn_binary};
use crate::http::{get, request};
use crate::json_client::{JsonClient, status};
use crate::keyring::{KeyRing, NARROW, entry, get_as, header_of, raw_get, two_keys};
use crate::spawn::spawn_app;

/// A secret with a wrong checksum.
const MISTYPED: &str = "tcs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[actix_web::test]
async fn an_address_for_operators_has_no_other_spelling() {
    let ring = KeyRing::new(&two_keys());
    let header = format!("Authorization: {}\r\n", header_of(NARROW));
    for base in ["", "/live/prices"] {
        let server = spawn_app(|settings| {
            ring.require(settings);
            settings.server.base_path = base.into();
        });
        for path in ["/metrics", "/%6detrics", "/m%65trics", "/faults", "/%66aults", "/%66aults/1", "/faults%31"] {
            let answer = raw_get(server.address, &format!("{base}{path}"), &header, false).await;
            let is_other = path == "/faults%31";
            assert_eq!(answer.status, 404, "{base}{path}: {answer:?}");
            assert_eq!(answer.body.contains("admin.port"), !is_other, "{base}{path}: {answer:?}");
            assert!(!answer.body.contains("tickcast_"), "{answer:?}");
        }
        assert_eq!(raw_get(server.address, "/%6detrics", &header, false).await.status, 404, "{base}");
    }
}

#[actix_web::test]
async fn a_mistyped_key_is_nobody_also_where_no_key_is_needed() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| settings.auth.keys_file = ring.path.to_str().unwrap().into());
    for word in [MISTYPED, "tcs_x", "TCS_x"] {
        for path in ["/v3/snapshot?apiKey=", "/finnhub/api/v1/quote?symbol=AAPL&token="] {
            assert_eq!(get(server.address, &format!("{path}{word}")).await.status, 401, "{path}{word}");
        }
        let headers = format!("APCA-API-KEY-ID: somebody\r\nAPCA-API-SECRET-KEY: {word}\r\n");
        assert_eq!(raw_get(server.address, "/v2/stocks/AAPL/snapshot", &headers, false).await.status, 403, "{word}");
    }
    assert_eq!(get(server.address, "/v3/snapshot?apiKey=tickcast").await.status, 200);
    for offer in ["Tickcast.Bearer.d3Jvbmc", "TICKCAST.BASIC.YTpi", "tickcast.bearer.d3Jvbmé", "é"] {
        let header = format!("Sec-WebSocket-Protocol: tickcast.v1.json, {offer}\r\n");
        let answer = raw_get(server.address, "/ws", &header, true).await;
        assert_eq!(answer.status, 401, "{offer}: {answer:?}");
    }
    assert_eq!(server.sessions(), 0);
    assert_eq!(Client::connect(server.address).await.welcome["auth"], Value::Null);
}

#[actix_web::test]
async fn a_wrong_word_at_the_stream_of_finnhub_counts_once_and_is_answered_in_its_form() {
    let ring = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        ring.require(settings);
        settings.limits.address_failures_per_minute = 2;
    });
    for (status, error) in [(401, "Invalid API key"), (401, "Invalid API key"), (429, "API limit reached.")] {
        let answer = raw_get(server.address, "/?token=guess", "", true).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.starts_with(&format!("{{\"error\":\"{error}")), "{answer:?}");
    }
    assert_eq!((server.metrics.auth("unknown"), server.metrics.auth("rate_limited"), server.sessions()), (2, 1, 0));
}

#[actix_web::test]
async fn no_word_of_a_client_of_a_vendor_is_in_the_log() {
    let ring = KeyRing::new(&two_keys());
    let variables = [("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap()), ("RUST_LOG", "tickcast=trace")];
    let process = spawn_binary(&[], &variables).await;
    let mut wrong = JsonClient::open(process.address, "/stocks").await;
    wrong.array().await;
    wrong.send(&json!({"action": "auth", "params": MISTYPED})).await;
    assert_eq!(wrong.read_to_end().await.0.unwrap()[0]["status"], "auth_failed");
    let mut client = JsonClient::open(process.address, "/stocks").await;
    client.array().await;
    let word = "a-key-of-the-real-vendor";
    assert_eq!(client.ask("auth", word).await, status("auth_success", "authenticated"));
    drop(client);
    process.signal("TERM").await;
    let log = process.ended().await.stderr;
    assert!(log.contains(" key=\"token-"), "{log}");
    assert!(!log.contains(word) && !log.contains("tcs_"), "{log}");
}

#[actix_web::test]
async fn an_empty_key_file_is_refused_and_ends_nobody() {
    let ring = KeyRing::new(&[entry("a", "symbols = [\"*\"]")]);
    let server = spawn_app(|settings| ring.require(settings));
    let mut client = Client::connect_as(server.address, "a").await;
    ring.write(&[]);
    server.keys.reload();
    client.sync().await;
    assert_eq!(get_as(server.address, "a", "/api/v1/symbols").await.status, 200);
    let ended = run(&["--port", "0"], &[("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap())]).await;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("it has no keys"), "{ended:?}");
}

#[actix_web::test]
async fn a_pipe_in_place_of_the_key_file_is_refused_and_blocks_nothing() {
    let ring = KeyRing::new(&[]);
    std::fs::remove_file(&ring.path).unwrap();
    assert!(Command::new("mkfifo").arg(&ring.path).status().unwrap().success());
    let ended = run(&["--port", "0"], &[("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap())]).await;
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("a pipe or a device"), "{ended:?}");

    let ring = KeyRing::new(&[entry("b", "symbols = [\"*\"]")]);
    let server = spawn_app(|settings| ring.require(settings));
    std::fs::remove_file(&ring.path).unwrap();
    assert!(Command::new("mkfifo").arg(&ring.path).status().unwrap().success());
    server.keys.reload();
    assert_eq!(get_as(server.address, "b", "/api/v1/symbols").await.status, 200, "the old keys stay");
}

#[actix_web::test]
async fn a_request_that_is_refused_ends_no_session_of_its_key() {
    let ring = KeyRing::new(&[entry("b", "symbols = [\"*\"]\nconnections_max = 1\non_limit = \"replace\"")]);
    let server = spawn_app(|settings| ring.require(settings));
    let mut live = Client::connect_as(server.address, "b").await;
    let header = header_of("b");
    for (method, path, status) in [
        (Method::GET, "/api/v1/poll?symbols=NOPE&wait_ms=0", 404),
        (Method::GET, "/api/v1/stream?symbols=NOPE", 404),
        (Method::HEAD, "/api/v1/stream?symbols=AAPL", 200),
        (Method::HEAD, "/api/v1/poll?symbols=AAPL", 200),
    ] {
        let answer = request(server.address, method.clone(), path, &[("Authorization", &header)]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        live.sync().await;
    }
    assert_eq!(get_as(server.address, "b", "/api/v1/poll?symbols=AAPL&wait_ms=0").await.status, 200);
    assert_eq!(live.read_to_end().await.1.map(|close| close.0), Some(4501), "one that is served takes the place");

    let full = spawn_app(|settings| {
        ring.require(settings);
        settings.server.connections_max = 1;
    });
    let mut live = Client::connect_as(full.address, "b").await;
    let line = format!("Authorization: {header}\r\n");
    for (path, opens, status) in [
        ("/ws", true, 503),
        ("/api/v1/poll?symbols=AAPL&wait_ms=0", false, 503),
        // An event source comes back only after the end of a stream.
        ("/api/v1/stream?symbols=AAPL", false, 200),
    ] {
        assert_eq!(raw_get(full.address, path, &line, opens).await.status, status, "{path}");
        live.sync().await;
    }
}

#[actix_web::test]
async fn a_snapshot_names_no_more_symbols_than_a_session_of_the_key() {
    let ring = KeyRing::new(&[entry("one", "symbols = [\"*\"]\nsymbols_max = 1")]);
    let server = spawn_app(|settings| ring.require(settings));
    assert_eq!(get_as(server.address, "one", "/api/v1/snapshot?symbols=AAPL").await.status, 200);
    let refused = get_as(server.address, "one", "/api/v1/snapshot?symbols=AAPL,MSFT").await;
    assert_eq!(refused.problem()["code"], "limit_exceeded");
    assert!(refused.text().contains("symbols_max of the key"), "{}", refused.text());
}
