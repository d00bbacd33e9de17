//! The audit log of a whole run: its lines, their bounds, and that no secret is in it or elsewhere in the log.

use awc::http::Method;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::event_stream::EventSource;
use crate::http::{get, request};
use crate::json_client::JsonClient;
use crate::keyring::{KeyRing, NARROW, WIDE, basic, entry, header_of, offer, raw_get, secret, two_keys};
use crate::raw::RawClient;
use crate::spawn::loopback_host;

/// A secret that a client sends and that no key has.
const WRONG: &str = "a-wrong-secret-of-a-stranger";

/// Starts a server that needs keys, with a listener of the operators on `host`.
pub(crate) async fn spawn(keys: &KeyRing, host: &str, more: &[(&str, &str)]) -> Process {
    let variables = [
        ("TICKCAST__AUTH__REQUIRED", "true"),
        ("TICKCAST__AUTH__KEYS_FILE", keys.path.to_str().unwrap()),
        ("TICKCAST__LIMITS__ADDRESS_FAILURES_PER_MINUTE", "0"),
        ("TICKCAST__ADMIN__HOST", host),
        ("TICKCAST__ADMIN__PORT", "9100"),
        ("TICKCAST__LOG__WAITING_BYTES_MAX", "67108864"),
    ];
    spawn_binary(&[], &[&variables, more].concat()).await
}

/// Returns the lines of the audit log.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.starts_with("{\"ts\":\""));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"))).collect()
}

/// Returns the lines of one event.
pub(crate) fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[actix_web::test]
async fn a_whole_run_tells_who_came_and_went_and_no_secret() {
    let keys = KeyRing::new(&two_keys());
    let host = loopback_host();
    let process = spawn(&keys, &host, &[("RUST_LOG", "trace,mio=off,polling=off")]).await;
    let (address, admin) = (process.address, format!("{host}:9100").parse().unwrap());
    // Every way in, right and wrong.
    let mut client = Client::connect_as(address, NARROW).await;
    let name = client.welcome["session"].clone();
    let header = header_of(WIDE);
    let operator = [("Authorization", header.as_str())];
    // First, because a second has one line of each kind.
    let path = format!("/admin/sessions/{}", name.as_str().unwrap());
    assert_eq!(request(admin, Method::DELETE, &path, &operator).await.status, 200);
    assert_eq!(client.read_to_end().await.1.unwrap().0, 4006);
    let stream = EventSource::open_as(address, "symbols=AAPL", &header_of(WIDE)).await;
    let mut vendor = JsonClient::open(address, "/stocks").await;
    vendor.array().await;
    vendor.ask("auth", &secret(WIDE)).await;
    for word in [&secret(WIDE), WRONG] {
        get(address, &format!("/finnhub/api/v1/quote?symbol=AAPL&token={word}").replace(' ', "%20")).await;
        get(address, &format!("/v3/snapshot?apiKey={word}").replace(' ', "%20")).await;
        let headers = format!("APCA-API-KEY-ID: {WIDE}\r\nAPCA-API-SECRET-KEY: {word}\r\n");
        raw_get(address, "/v2/stocks/AAPL/snapshot", &headers, false).await;
        for header in [basic(WIDE, word), format!("Bearer {word}")] {
            request(address, Method::GET, "/api/v1/symbols", &[("Authorization", &header)]).await;
            request(admin, Method::GET, "/metrics", &[("Authorization", &header)]).await;
        }
        let offered = format!("Sec-WebSocket-Protocol: tickcast.v1.json, {}\r\n", offer(WIDE, word));
        raw_get(address, "/ws?client=private-name", &offered, true).await;
    }
    let mut wrong = JsonClient::open(address, "/stocks").await;
    wrong.array().await;
    wrong.send(&json!({"action": "auth", "params": WRONG})).await;
    wrong.read_to_end().await;
    raw_get(address, "/ws", "Origin: https://\u{202e}\"evil\u{9b}.example\r\n", true).await;
    let mut rebound = RawClient::connect(admin).await;
    assert_eq!(rebound.request("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n").await.status, 421);
    get(address, "/api/v1/symbols?secret=in-the-query").await;
    keys.write(&[entry(WIDE, "symbols = [\"*\"]\nadmin = true")]);
    request(admin, Method::POST, "/admin/reload", &operator).await;
    drop((stream, vendor, client));
    request(admin, Method::POST, "/admin/drain", &operator).await;
    let log = process.ended().await.stderr;

    let audit = lines(&log);
    let begun = of(&audit, "session_begun");
    let narrow = begun.iter().find(|line| line["name"] == NARROW).unwrap();
    assert_eq!((&narrow["session"], &narrow["address"]), (&name, &json!("127.0.0.1")), "{narrow}");
    let ended: Vec<_> = of(&audit, "session_ended");
    assert!(ended.iter().any(|line| line["session"] == name && line["reason"] == "ended_by_operator"), "{ended:?}");
    let orders: Vec<_> = of(&audit, "order").iter().map(|line| line["reason"].clone()).collect();
    assert!(
        !orders.is_empty() && of(&audit, "order").iter().all(|line| line["count"].is_u64() || line["name"] == WIDE)
    );
    assert!(of(&audit, "reloaded").iter().any(|line| line["reason"] == "auth.keys_file reloaded"), "{audit:?}");
    let reasons: Vec<_> =
        of(&audit, "refused").iter().filter_map(|line| line["reason"].as_str().map(str::to_owned)).collect();
    assert!(reasons.iter().all(|reason| ["unknown", "missing"].contains(&reason.as_str())), "{reasons:?}");
    assert!(!of(&audit, "host_refused").is_empty());
    let origin = of(&audit, "origin_refused")[0]["reason"].as_str().unwrap().to_owned();
    assert!(origin.contains("\u{202e}\"evil"), "{origin}");
    for line in log.lines().filter(|line| line.starts_with("{\"ts\":\"")) {
        assert!(!line.contains(['\u{202e}', '\u{9b}', '\u{1b}']) && line.len() < 1_000, "{line:?}");
        assert!(!line.contains(['?', '&']), "no query string: {line}");
    }
    assert!(log.len() > 10_000, "the log of everything");
    let right = secret(WIDE);
    for word in [right.as_str(), WRONG] {
        let pair = format!("{WIDE}:{word}");
        let forms = [word.to_owned(), word.replace(' ', "%20"), URL_SAFE_NO_PAD.encode(word), STANDARD.encode(pair)];
        for form in &forms {
            let found = log.lines().find(|line| line.contains(form.trim_end_matches('=')));
            assert_eq!(found, None, "{form}");
        }
    }
    for text in ["in-the-query", "private-name"] {
        assert!(!audit.iter().any(|line| line.to_string().contains(text)), "{text}");
    }
}

#[actix_web::test]
async fn a_flood_of_strangers_is_a_few_lines_and_counts() {
    const TRIES: u64 = 300;
    let keys = KeyRing::new(&two_keys());
    let process = spawn(&keys, &loopback_host(), &[("RUST_LOG", "error,tickcast::app=info")]).await;
    let header = basic(WIDE, WRONG);
    let mut client = RawClient::connect(process.address).await;
    for _ in 0..TRIES {
        let text =
            format!("GET /api/v1/symbols HTTP/1.1\r\nHost: {}\r\nAuthorization: {header}\r\n\r\n", process.address);
        assert_eq!(client.request(&text).await.status, 401);
    }
    drop(client);
    process.signal("TERM").await;
    let log = process.ended().await.stderr;
    let audit = lines(&log);
    let refused = of(&audit, "refused");
    let counted: u64 = refused.iter().map(|line| line["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(counted, TRIES, "each is in a line or in a count, also at the end of the process: {refused:?}");
    let mut seconds = std::collections::BTreeMap::new();
    for line in refused.iter().filter(|line| line["count"].is_null()) {
        *seconds.entry(line["ts"].as_str().unwrap()[..19].to_owned()).or_insert(0) += 1;
    }
    assert!(seconds.values().all(|lines| *lines == 1), "{seconds:?}");
    assert!(!seconds.is_empty() && (refused.len() as u64) < TRIES / 2);
}

#[actix_web::test]
async fn the_audit_log_can_be_switched_off_by_its_name_only() {
    let keys = KeyRing::new(&two_keys());
    for (filter, is_on) in [("error,tickcast::app=info", true), ("info,audit=off", false)] {
        let process = spawn(&keys, &loopback_host(), &[("RUST_LOG", filter)]).await;
        get(process.address, "/api/v1/symbols").await;
        process.signal("TERM").await;
        let log = process.ended().await.stderr;
        assert_eq!(!lines(&log).is_empty(), is_on, "{filter}: {log}");
    }
}
