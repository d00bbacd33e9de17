//! Requests of Alpaca's dialect: one in JSON is read like the same one in MessagePack, and an accepted one is the same when it is
//! written and read again.

use serde_json::{Map, Value, json};
use tickcast::domain::Symbol;
use tickcast::protocol::alpaca::{Alpaca, Json, Lists, MessagePack, Request, Stream};
use tickcast::protocol::{Dialect, NameList, Refusal, ServerMessage, WILDCARD};

use super::parts::{self, frame};

/// Deeper messages are refused in MessagePack only.
const DEPTH_MAX: usize = 12;

type InJson = Alpaca<Json, false>;
type InMessagePack = Alpaca<MessagePack, false>;

pub(super) fn run(data: &[u8]) {
    for read in [InJson::decode(data), InMessagePack::decode(data)] {
        match read {
            Ok(request) => check(&request),
            Err(refusal) => assert_eq!(refusal, Refusal::InvalidSyntax),
        }
    }
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    if depth(&value) <= DEPTH_MAX {
        // Not the input itself, which may have a key twice.
        let [text, packed] = [value.to_string().into_bytes(), packed(&value)];
        assert_eq!(InJson::decode(&text), InMessagePack::decode(&packed), "{value}");
    }
}

fn check(request: &Request) {
    let written = written(request);
    assert_eq!(InJson::decode(written.to_string().as_bytes()).as_ref(), Ok(request), "{written}");
    assert_eq!(InMessagePack::decode(&packed(&written)).as_ref(), Ok(request), "{written}");
    if let Request::Subscribe(lists) | Request::Unsubscribe(lists) = request {
        check_acknowledgement(lists);
    }
}

/// Checks that the acknowledgement of these subscriptions is valid in both codecs.
fn check_acknowledgement(lists: &Lists) {
    let list = |(stream, names): (Stream, &Vec<_>)| NameList {
        heading: stream.name(),
        names: names.iter().copied().map(name).collect(),
    };
    let message = ServerMessage::Acknowledged(Stream::ALL.into_iter().zip(&lists.names).map(list).collect());
    let text = parts::json(&frame::<InJson>(&message).expect("the stream has it"));
    let packed = frame::<InMessagePack>(&message).expect("the stream has it");
    assert_eq!(rmp_serde::from_slice::<Value>(&packed).expect("MessagePack"), text);
}

fn name(symbol: Option<Symbol>) -> String {
    symbol.map_or(WILDCARD.to_owned(), |symbol| symbol.to_string())
}

fn packed(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("a value in memory")
}

fn written(request: &Request) -> Value {
    let (action, lists) = match request {
        Request::Auth { key, secret } => return json!({"action": "auth", "key": key, "secret": secret}),
        Request::Subscribe(lists) => ("subscribe", lists),
        Request::Unsubscribe(lists) => ("unsubscribe", lists),
    };
    let mut object = Map::from_iter([("action".to_owned(), Value::from(action))]);
    for (stream, names) in Stream::ALL.into_iter().zip(&lists.names) {
        object.insert(stream.name().into(), names.iter().copied().map(name).collect());
    }
    if lists.has_unsupported {
        object.insert("unsupported".into(), json!(["A"]));
    }
    object.into()
}

fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Array(list) => list.iter().map(depth).max(),
        Value::Object(map) => map.values().map(depth).max(),
        _ => return 0,
    };
    1 + below.unwrap_or(0)
}
