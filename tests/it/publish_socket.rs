//! Publishing over a WebSocket: an answer for each message, in order, and withheld while the server is behind. And the programs of the README.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::http::get;
use crate::json_client::{Closed, JsonClient};
use crate::keyring::{KeyRing, entry, header_of};
use crate::patience::{patiently, wait_until};
use crate::publish::{publishing, trade};
use crate::spawn::{START, spawn_app, spawn_app_at_rest};
use crate::view::is_event;

const PATH: &str = "/api/v1/publish";

fn message(id: u64, events: &[Value]) -> Value {
    json!({"id": id, "events": events})
}

#[actix_web::test]
async fn each_message_is_answered_with_its_id_and_in_order() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let mut reader = Client::connect(server.address).await;
    reader.subscribe(&["*"], &["trades"]).await;
    let mut publisher = JsonClient::open(server.address, PATH).await;
    let now = START.micros();
    let one = |price: f64| trade("AA", now, price, 1);
    // All at once: the server reads one after another.
    for id in 0..200 {
        publisher.send(&message(id, &[one(1.0), one(2.0)])).await;
    }
    for id in 0..200 {
        let answer = publisher.next().await.unwrap();
        let first = 2 * id + 1;
        let expected = json!({"type": "published", "id": id, "first": first, "last": first + 1, "offsets": [[first, first + 1]],
            "events": 2, "late_dropped": 0});
        assert_eq!(answer, expected);
    }
    let read = reader.events(400).await;
    let read: Vec<_> = read.iter().filter(|message| is_event(message)).collect();
    assert!(read.iter().zip(1..).all(|(event, offset)| event["offset"] == offset), "{:?}", read.first());
    for (bad, id, code, index) in [
        (json!({"id": "a", "events": [one(1.0), one(0.0)]}), json!("a"), "bad_request", json!(1)),
        (json!({"id": 7, "events": [trade("CC", now, 1.0, 1)]}), json!(7), "unknown_symbol", json!(0)),
        (json!({"id": 8, "events": []}), json!(8), "bad_request", Value::Null),
        (json!({"id": 9, "events": {}}), json!(9), "bad_request", Value::Null),
        (json!({"id": 9, "key": "a b", "events": [one(1.0)]}), json!(9), "bad_request", Value::Null),
        (json!({"id": [1], "events": [one(1.0)]}), Value::Null, "bad_request", Value::Null),
        (json!({"id": 1, "colour": 1, "events": [one(1.0)]}), Value::Null, "bad_request", Value::Null),
        (json!([]), Value::Null, "bad_request", Value::Null),
    ] {
        publisher.send(&bad).await;
        let answer = publisher.next().await.unwrap();
        assert_eq!(
            (&answer["type"], &answer["id"], &answer["code"], &answer["index"]),
            (&json!("error"), &id, &json!(code), &index),
            "{bad}: {answer}"
        );
    }
    publisher.send_message(Message::Text("{".into())).await;
    assert_eq!(publisher.next().await.unwrap()["code"], "bad_json");
    assert_eq!(server.metrics.feed_offset(), 400);
    let mut named = message(10, &[one(1.0)]);
    named["key"] = "k".into();
    for repeated in [Value::Null, json!(true)] {
        publisher.send(&named).await;
        let answer = publisher.next().await.unwrap();
        assert_eq!((&answer["first"], &answer["repeated"]), (&json!(401), &repeated));
    }
    publisher.send_message(Message::Binary(vec![1].into())).await;
    assert_eq!(publisher.next().await, Err(Closed(Some(1003))));
    // A long message is read on another thread.
    let mut publisher = JsonClient::open(server.address, PATH).await;
    publisher.send(&message(1, &vec![one(1.0); 8_000])).await;
    assert_eq!(publisher.next().await.unwrap()["events"], 8_000);
}

#[actix_web::test]
async fn the_answer_is_withheld_and_nothing_more_is_read_while_the_server_is_behind() {
    let (server, _clock) = spawn_app_at_rest(publishing);
    let mut publisher = JsonClient::open(server.address, PATH).await;
    server.metrics.record_waiting.set(1 << 20);
    for id in 1..=3 {
        publisher.send(&message(id, &[trade("AA", START.micros(), 1.0, 1)])).await;
    }
    wait_until("several attempts", true, || server.metrics.publishes_refused("busy") > 3).await;
    assert_eq!((server.metrics.feed_offset(), server.metrics.requests.get()), (0, 1), "the others are not read");
    server.metrics.record_waiting.set(0);
    for id in 1..=3 {
        let answer = publisher.next().await.unwrap();
        assert_eq!((&answer["id"], &answer["first"]), (&json!(id), &json!(id)));
    }
    // A publisher that leaves meanwhile publishes nothing afterwards.
    server.metrics.record_waiting.set(1 << 20);
    publisher.send(&message(4, &[trade("AA", START.micros(), 1.0, 1)])).await;
    let refused = server.metrics.publishes_refused("busy");
    wait_until("another attempt", true, || server.metrics.publishes_refused("busy") > refused).await;
    drop(publisher);
    wait_until("the end of the session", 0, || server.sessions()).await;
    server.metrics.record_waiting.set(0);
    let mut other = JsonClient::open(server.address, PATH).await;
    other.send(&message(5, &[trade("BB", START.micros(), 1.0, 1)])).await;
    assert_eq!(other.next().await.unwrap()["first"], 4);
}

#[actix_web::test]
async fn a_socket_of_publishers_needs_a_key_that_may_publish_and_ends_with_it() {
    let keys =
        [entry("publisher", "symbols = [\"AA\"]\npublish = true"), entry("reader", "symbols = [\"*\"]\nadmin = true")];
    let ring = KeyRing::new(&keys);
    let (server, _clock) = spawn_app_at_rest(|settings| {
        publishing(settings);
        ring.require(settings);
    });
    assert_eq!(JsonClient::try_open(server.address, PATH).await.err(), Some(401));
    let reader = header_of("reader");
    let refused =
        crate::http::request(server.address, awc::http::Method::GET, PATH, &[("Authorization", &reader)]).await;
    assert_eq!(refused.status, 403);
    let mut publisher =
        JsonClient::open_with(server.address, PATH, &[("Authorization", &header_of("publisher"))]).await;
    publisher.send(&message(1, &[trade("BB", START.micros(), 1.0, 1)])).await;
    assert_eq!(publisher.next().await.unwrap()["code"], "unknown_symbol");
    publisher.send(&message(2, &[trade("AA", START.micros(), 1.0, 1)])).await;
    assert_eq!(publisher.next().await.unwrap()["first"], 1);
    ring.write(&keys[1..]);
    server.keys.reload();
    assert_eq!(publisher.read_to_end().await.1, Closed(Some(4403)));
    // Without an upgrade it is no address to read.
    let open = spawn_app(publishing);
    assert_eq!(get(open.address, PATH).await.status, 426);
}

/// Returns the examples of the section of the README: paragraphs of indented lines.
fn examples() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let section = readme.split("\n## Publish your own events\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let paragraphs = section.trim_start_matches('\n').split("\n\n").filter(|paragraph| paragraph.starts_with("    "));
    paragraphs.map(|paragraph| paragraph[4..].replace("\n    ", "\n") + "\n").collect()
}

#[actix_web::test]
async fn the_publishers_in_the_readme_publish() {
    let server = spawn_app(|settings| {
        publishing(settings);
        settings.feed.publish.symbols = vec!["SPY".into(), "BTC-USD".into()];
    });
    let examples = examples();
    let find = |word: &str| examples.iter().find(|example| example.contains(word)).unwrap();
    let [curl, python] =
        ["curl ", "import "].map(|word| find(word).replace("127.0.0.1:8080", &server.address.to_string()));
    assert_eq!(python.lines().count(), 10, "ten lines");
    // The line before is the start of the server.
    let curl = curl.lines().find(|line| line.starts_with("curl ")).unwrap();
    let mut events = 0;
    for (program, arguments, lines) in [("sh", ["-c", curl], 1), ("python3", ["-c", &python], 3)] {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..lines {
            let line = patiently(program, printed.next_line()).await.unwrap().expect("an answer");
            let answer: Value = serde_json::from_str(&line).unwrap();
            events += answer["events"].as_u64().unwrap();
        }
    }
    assert_eq!(events, 1 + 3 * 2);
    assert!(server.metrics.events_received.get() >= events);
}
