//! Tests of requests: what clients are known to send, and anything else.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::Symbol;
use crate::protocol::Refusal;
use crate::protocol::alpaca::{Codec, Json, Lists, MessagePack, Request, Stream};

/// Reads a message in both codecs, which must agree.
fn read(message: &Value) -> Result<Request, Refusal> {
    let json = Json::read(message.to_string().as_bytes());
    let packed = MessagePack::read(&rmp_serde::to_vec_named(message).unwrap());
    assert_eq!(json, packed, "{message}");
    json
}

fn names(names: &[&str]) -> Vec<Option<Symbol>> {
    names.iter().map(|name| (*name != "*").then(|| name.parse().unwrap())).collect()
}

fn lists(entries: &[(Stream, &[&str])]) -> Lists {
    let mut lists = Lists::default();
    for (stream, entry) in entries {
        lists.names[*stream as usize] = names(entry);
    }
    lists
}

#[test]
fn requests_are_read_as_the_client_libraries_send_them() {
    let auth = |key: &str, secret: &str| Ok(Request::Auth { key: key.into(), secret: secret.into() });
    assert_eq!(read(&json!({"action": "auth", "key": "K", "secret": "S"})), auth("K", "S"));
    assert_eq!(read(&json!({"secret": "S", "more": 1, "key": "oauth", "action": "auth"})), auth("oauth", "S"));
    let expected = lists(&[(Stream::Trades, &["AAPL"]), (Stream::Quotes, &["*"]), (Stream::Bars, &["AAPL", "BRK.B"])]);
    let request = json!({"action": "subscribe", "trades": ["AAPL"], "quotes": ["*"], "bars": ["AAPL", "BRK.B"]});
    assert_eq!(read(&request), Ok(Request::Subscribe(expected)));
    // The Go client: null for all that it does not change. The JavaScript client of version 3: empty lists.
    let expected = lists(&[(Stream::UpdatedBars, &["MSFT"])]);
    for unused in [json!(null), json!([])] {
        let request = json!({
            "action": "unsubscribe", "trades": unused, "quotes": unused, "bars": unused, "updatedBars": ["MSFT"],
            "dailyBars": unused, "statuses": unused, "lulds": unused, "imbalances": unused, "orderbooks": unused,
            "news": unused, "pricing": unused, "cancelErrors": unused, "corrections": unused,
        });
        assert_eq!(read(&request), Ok(Request::Unsubscribe(expected.clone())));
    }
    for name in ["subscribe", "unsubscribe"] {
        assert!(read(&json!({"action": name})).is_ok(), "without a channel");
    }
}

#[test]
fn only_symbols_in_a_channel_that_the_stream_does_not_have_make_a_request_unsupported() {
    let unsupported = |request: Value| match read(&request) {
        Ok(Request::Subscribe(lists)) => lists.has_unsupported,
        other => panic!("{request}: {other:?}"),
    };
    for value in [json!(["AAPL"]), json!(["*"]), json!([1])] {
        assert!(unsupported(json!({"action": "subscribe", "orderbooks": value})), "{value}");
    }
    for value in [json!(null), json!([]), json!("AAPL"), json!(5), json!({"a": ["AAPL"]}), json!(true), json!(0.5)] {
        assert!(!unsupported(json!({"action": "subscribe", "orderbooks": value})), "{value}");
    }
    assert!(!unsupported(json!({"action": "subscribe", "trades": ["AAPL"], "corrections": ["AAPL"]})));
}

#[test]
fn anything_else_is_invalid_syntax() {
    for message in [
        json!(null),
        json!(1),
        json!("auth"),
        json!([]),
        json!([{"action": "subscribe"}]),
        json!({}),
        json!({"action": null}),
        json!({"action": 1}),
        json!({"action": "listen"}),
        json!({"action": "auth"}),
        json!({"action": "auth", "key": "K"}),
        json!({"action": "auth", "key": 1, "secret": "S"}),
        json!({"action": "subscribe", "trades": "AAPL"}),
        json!({"action": "subscribe", "trades": {"0": "AAPL"}}),
        json!({"action": "subscribe", "trades": [1]}),
        json!({"action": "subscribe", "trades": ["aapl"]}),
        json!({"action": "subscribe", "trades": [""]}),
        json!({"action": "subscribe", "trades": ["AAPL", null]}),
        json!({"action": "subscribe", "trades": ["ABCDEFGHIJKLMNOP"]}),
        json!({"action": "unsubscribe", "quotes": [["AAPL"]]}),
    ] {
        assert_eq!(read(&message), Err(Refusal::InvalidSyntax), "{message}");
    }
    for text in ["", "{", "{}{}", r#"{"action":"subscribe"} x"#, "\u{feff}{}", "nul"] {
        assert_eq!(Json::read(text.as_bytes()), Err(Refusal::InvalidSyntax), "{text}");
    }
    let mut twice = rmp_serde::to_vec_named(&json!({"action": "subscribe"})).unwrap();
    twice.extend_from_within(..);
    assert_eq!(MessagePack::read(&twice), Err(Refusal::InvalidSyntax), "two messages");
}

#[test]
fn a_map_may_have_keys_of_other_types() {
    let text = |text: &str| rmpv::Value::from(text);
    let entries = |more: Vec<(rmpv::Value, rmpv::Value)>| {
        let mut entries = vec![(text("action"), text("subscribe"))];
        entries.extend(more);
        entries.push((text("trades"), rmpv::Value::Array(vec![text("AAPL")])));
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &rmpv::Value::Map(entries)).unwrap();
        MessagePack::read(&bytes)
    };
    let expected = Ok(Request::Subscribe(lists(&[(Stream::Trades, &["AAPL"])])));
    let list = rmpv::Value::Array(vec![text("MSFT")]);
    for key in [
        rmpv::Value::from(1),
        rmpv::Value::from(-1),
        rmpv::Value::Nil,
        rmpv::Value::from(true),
        rmpv::Value::from(0.5),
        rmpv::Value::Binary(b"quotes".to_vec()),
        list.clone(),
        rmpv::Value::Map(vec![(rmpv::Value::from(1), rmpv::Value::from(2))]),
    ] {
        assert_eq!(entries(vec![(key.clone(), list.clone())]), expected, "{key}");
    }
    let extension = rmpv::Value::Ext(-1, vec![0; 8]);
    assert_eq!(entries(vec![(extension, list)]), Err(Refusal::InvalidSyntax));
}

#[test]
fn a_deeply_nested_message_is_refused_without_harm() {
    let depth = 200_000;
    assert_eq!(Json::read("[".repeat(depth).as_bytes()), Err(Refusal::InvalidSyntax));
    let nested = format!("{{\"action\":\"subscribe\",\"trades\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(Json::read(nested.as_bytes()), Err(Refusal::InvalidSyntax));
    for byte in [0x91, 0x81, 0xdf, 0xdd] {
        assert_eq!(MessagePack::read(&vec![byte; depth]), Err(Refusal::InvalidSyntax));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let word = prop_oneof!["action|auth|subscribe|key|secret|trades|quotes|news", "[A-Z*]{0,5}", "\\PC{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(word.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_request_or_invalid_syntax(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for read in [Json::read, MessagePack::read] {
            if let Err(refusal) = read(&bytes) {
                prop_assert_eq!(refusal, Refusal::InvalidSyntax);
            }
        }
    }

    #[test]
    fn any_value_is_read_alike_in_both_codecs(mut value in value(), action in "subscribe|unsubscribe|auth|") {
        if let Some(map) = value.as_object_mut() && !action.is_empty() {
            map.insert("action".into(), action.into());
        }
        let _ = read(&value);
    }

    #[test]
    fn a_part_of_a_request_is_invalid_syntax(cut in 0.0..1.0_f64, flip in any::<u8>()) {
        let request = json!({"action": "subscribe", "trades": ["AAPL", "*"], "quotes": null, "orderbooks": []});
        for (bytes, read) in [
            (request.to_string().into_bytes(), Json::read as fn(&[u8]) -> Result<Request, Refusal>),
            (rmp_serde::to_vec_named(&request).unwrap(), MessagePack::read),
        ] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
            let at = (bytes.len() as f64 * cut) as usize;
            prop_assert_eq!(read(&bytes[..at]), Err(Refusal::InvalidSyntax));
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let _ = read(&changed);
        }
    }
}
