//! The stock stream of Alpaca against a transcript after the vendor's documentation, `tests/fixtures/alpaca/stream.txt`.

use serde_json::Value;

use crate::alpaca_client::{AlpacaClient, CODECS};
use crate::spawn::spawn_app;

const TRANSCRIPT: &str = include_str!("../fixtures/alpaca/stream.txt");
const EVENTS: &str = include_str!("../fixtures/alpaca/events.jsonl");
/// The heading of the events that are not played.
const RARE: &str = "\n# Events that are rare";

/// Returns the messages of a frame in the transcript. Each is read as text as well, because a parser forgets the order of the fields.
fn message(frame: &str) -> (Value, &str) {
    let text = frame.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap();
    (serde_json::from_str(text).unwrap(), text)
}

/// Returns the names of the fields in their order, each with the form of its value.
fn form(text: &str) -> Vec<(String, String)> {
    let fields: Value = serde_json::from_str(text).unwrap();
    let mut fields: Vec<_> = fields.as_object().unwrap().iter().collect();
    fields.sort_by_key(|(name, _)| text.find(&format!("\"{name}\":")));
    fields.into_iter().map(|(name, value)| (name.clone(), form_of(name, value))).collect()
}

fn form_of(name: &str, value: &Value) -> String {
    const INTEGERS: [&str; 10] = ["i", "s", "bs", "as", "v", "n", "oi", "os", "ci", "cs"];
    match value {
        Value::String(text) if name == "t" => {
            let time = text.strip_suffix('Z').unwrap();
            let whole = time.split('.').next().unwrap();
            assert!(time.len() - whole.len() <= 10 && whole.len() == "2026-03-02T15:04:05".len(), "{text}");
            let digits: String = whole.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            format!("a time {digits}")
        }
        // An exchange, a tape, the kind of a message or of a cancellation.
        Value::String(text) if name != "S" => format!("{} letter", text.len()),
        Value::String(_) => "a symbol".into(),
        Value::Number(number) if INTEGERS.contains(&name) => {
            assert!(number.is_u64(), "{name}: {number}");
            "an integer".into()
        }
        Value::Number(_) => "a number".into(),
        Value::Array(list) => {
            assert!(list.iter().all(|entry| entry.as_str().is_some_and(|text| text.len() == 1)), "{name}: {list:?}");
            "letters".into()
        }
        other => panic!("{name}: {other}"),
    }
}

#[actix_web::test]
async fn a_session_is_as_the_vendors_documentation_has_it() {
    let server = spawn_app(|settings| {
        settings.feed.speed = 60.0;
        settings.feed.events_per_second = 20.0;
    });
    let mut client = AlpacaClient::open(server.address, "/v2/iex", CODECS[0]).await;
    let (played, _) = TRANSCRIPT.split_once(RARE).unwrap();
    for line in played.lines() {
        if let Some(request) = line.strip_prefix("> ") {
            client.send(&serde_json::from_str(request).unwrap()).await;
        } else if let Some(frame) = line.strip_prefix("< ") {
            let (expected, text) = message(frame);
            if ["success", "error", "subscription"].iter().any(|kind| expected["T"] == *kind) {
                assert_eq!(client.next_control().await, [expected], "{line}");
                continue;
            }
            let event = client.next_text_of(expected["T"].as_str().unwrap()).await;
            assert_eq!(form(&event), form(text), "{event}");
        }
    }
}

#[test]
fn rare_events_are_as_the_vendors_documentation_has_them() {
    let (_, rare) = TRANSCRIPT.split_once(RARE).unwrap();
    let rare: Vec<_> = rare.lines().filter_map(|line| line.strip_prefix("< ")).map(message).collect();
    assert_eq!(rare.len(), 4);
    for (expected, text) in rare {
        let written = |line: &&str| line.contains(&format!("{{\"T\":{},", expected["T"]));
        let event = EVENTS.lines().find(written).unwrap();
        assert_eq!(form(event), form(text), "{event}");
    }
}
