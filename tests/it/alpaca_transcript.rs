//! The stock stream of Alpaca against transcripts after the vendor's documentation, `tests/fixtures/alpaca/`.

use rmpv::Value as Packed;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::alpaca_client::{AlpacaClient, CODECS};
use crate::spawn::{TestServer, spawn_app};

const TRANSCRIPT: &str = include_str!("../fixtures/alpaca/stream.txt");
const PACKED: &str = include_str!("../fixtures/alpaca/stream_msgpack.txt");
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

/// Starts a market with bars of many minutes in each second.
fn busy() -> TestServer {
    spawn_app(|settings| {
        settings.feed.speed = 60.0;
        settings.feed.events_per_second = 20.0;
    })
}

#[actix_web::test]
async fn a_session_is_as_the_vendors_documentation_has_it() {
    let server = busy();
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

/// Returns the bytes that are written in hexadecimal.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Returns the messages of a frame, each with its kind.
fn messages(frame: &[u8]) -> Vec<(String, Vec<(Packed, Packed)>)> {
    let Packed::Array(messages) = rmpv::decode::read_value(&mut &frame[..]).unwrap() else { panic!("no array") };
    let fields =
        messages.into_iter().map(|message| if let Packed::Map(fields) = message { fields } else { panic!("no map") });
    fields.map(|fields| (fields[0].1.as_str().unwrap().to_owned(), fields)).collect()
}

/// Returns the names of the fields in their order, each with the type of its value.
fn types(fields: &[(Packed, Packed)]) -> Vec<(&str, &'static str)> {
    let name = |value: &Packed| match value {
        Packed::String(_) => "text",
        Packed::Integer(number) if number.is_u64() => "an integer",
        Packed::F64(_) => "a number",
        Packed::Ext(-1, bytes) if [4, 8, 12].contains(&bytes.len()) => "a time",
        Packed::Array(list) if list.iter().all(Packed::is_str) => "texts",
        other => panic!("no field is this: {other}"),
    };
    fields.iter().map(|(key, value)| (key.as_str().unwrap(), name(value))).collect()
}

#[actix_web::test]
async fn a_session_in_message_pack_is_as_the_vendors_documentation_has_it() {
    let server = busy();
    let mut client = AlpacaClient::open(server.address, "/v2/iex", CODECS[1]).await;
    for line in PACKED.lines() {
        if let Some(request) = line.strip_prefix("> ") {
            client.send_message(Message::Binary(bytes(request).into())).await;
        } else if let Some(frame) = line.strip_prefix("< ") {
            let frame = bytes(frame);
            let (kind, expected) = messages(&frame).remove(0);
            // Events of other kinds may come in between.
            loop {
                let next = client.next_bytes().await;
                let Some((_, fields)) = messages(&next).into_iter().find(|(other, _)| *other == kind) else { continue };
                if kind.len() > 1 {
                    assert_eq!(next, frame, "{line}");
                } else {
                    assert_eq!(types(&fields), types(&expected), "{fields:?}");
                }
                break;
            }
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
