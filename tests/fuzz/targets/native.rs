//! Requests of the native dialect: an accepted one is the same when it is written and read again; the answer to a refused one is JSON
//! of bounded length that repeats its id.

use serde_json::{Value, json};
use tickcast::domain::{Channel, ChannelSet};
use tickcast::protocol::native::Native;
use tickcast::protocol::{
    ClientMessage, DecodeError, Dialect, Mode, OnLag, ReplayOrder, Request, RequestId, Selector, ServerMessage,
    Subscribe, WILDCARD,
};

use super::parts::{self, frame};

/// Longest answer to a refused request, in bytes: an id of 128, each of which may be escaped with six, and a complaint.
const ANSWER_BYTES_MAX: usize = 1_500;

pub(super) fn run(data: &[u8]) {
    match Native::decode(data) {
        Ok(message) => {
            check_values(&message.request);
            let written = written(&message).to_string();
            let again = Native::decode(written.as_bytes());
            assert_eq!(again, Ok(message), "{written}");
        }
        Err(err) => check_answer(err),
    }
}

fn check_answer(DecodeError { id, mistake }: DecodeError) {
    let expected = id.as_ref().map(id_value);
    let answer = frame::<Native>(&ServerMessage::Error { id, mistake: mistake.into() }).expect("errors are sent");
    assert!(answer.len() <= ANSWER_BYTES_MAX, "{} bytes", answer.len());
    let answer = parts::json(&answer);
    assert_eq!(answer[0].get("id").filter(|id| !id.is_null()), expected.as_ref());
    assert_eq!(answer[0]["type"], "error");
    assert!(answer[0]["code"].is_string() && answer[0]["message"].is_string());
}

/// Checks what the types do not promise.
fn check_values(request: &Request) {
    let (symbols, channels) = match request {
        Request::Subscribe(Subscribe { symbols, channels, mode, .. }) => {
            if let Mode::Latest(Some(rate)) = mode {
                assert!((0.001..=1_000.0).contains(&rate.hz()), "{}", rate.hz());
            }
            (symbols, channels)
        }
        Request::Unsubscribe { symbols, channels } => (symbols, channels),
        Request::Auth { token } => return assert!((1..=8_192).contains(&token.text().len())),
        Request::Replay(ReplayOrder::Step(events)) => return assert!((1..=1_000_000).contains(events)),
        Request::Replay(ReplayOrder::Speed(speed)) => {
            return assert!(*speed == 0.0 || (0.01..=1_000.0).contains(speed), "{speed}");
        }
        Request::List | Request::Ping { .. } | Request::Replay(_) => return,
    };
    assert!(!symbols.is_empty() && !channels.is_empty());
}

fn written(message: &ClientMessage) -> Value {
    let mut object = match &message.request {
        Request::Subscribe(Subscribe { symbols, channels, mode, on_lag, after }) => json!({
            "action": "subscribe",
            "symbols": names(symbols),
            "channels": channel_names(*channels),
            "mode": mode.name(),
            "max_hz": if let Mode::Latest(Some(rate)) = mode { Some(rate.hz()) } else { None },
            "on_lag": on_lag.map(|on_lag| if on_lag == OnLag::Close { "close" } else { "catch_up" }),
            "after": after.as_ref().map(|after| json!({"epoch": after.epoch, "offset": after.offset})),
        }),
        Request::Unsubscribe { symbols, channels } => {
            json!({"action": "unsubscribe", "symbols": names(symbols), "channels": channel_names(*channels)})
        }
        Request::Replay(order) => match order {
            ReplayOrder::Pause => json!({"action": "pause"}),
            ReplayOrder::Resume => json!({"action": "resume"}),
            ReplayOrder::Step(events) => json!({"action": "step", "events": events}),
            ReplayOrder::Speed(0.0) => json!({"action": "speed", "x": "max"}),
            ReplayOrder::Speed(speed) => json!({"action": "speed", "x": speed}),
            ReplayOrder::Seek(ts) => json!({"action": "seek", "ts": ts.micros()}),
        },
        Request::List => json!({"action": "list"}),
        Request::Ping { ts } => json!({"action": "ping", "ts": ts}),
        Request::Auth { token } => json!({"action": "auth", "token": token.text()}),
    };
    object["id"] = message.id.as_ref().map_or(Value::Null, id_value);
    object
}

fn id_value(id: &RequestId) -> Value {
    match id {
        RequestId::Integer(number) => Value::Number(number.clone()),
        RequestId::Text(text) => text.as_str().into(),
    }
}

pub(super) fn names(symbols: &[Selector]) -> Vec<&str> {
    symbols.iter().map(|symbol| if let Selector::Symbol(name) = symbol { name.as_str() } else { WILDCARD }).collect()
}

pub(super) fn channel_names(channels: ChannelSet) -> Vec<&'static str> {
    channels.iter().map(Channel::name).collect()
}
