//! Decodes a client's JSON into a [`Request`], or into a [`Mistake`] that names the key and the reason. No input causes
//! a panic.

use serde_json::{Map, Number, Value};

use crate::domain::{Channel, ChannelSet, Timestamp};
use crate::protocol::{
    ClientMessage, Cursor, DecodeError, ErrorCode, Mistake, Mode, OnLag, Rate, ReplayOrder, Request, RequestId,
    Selector, Subscribe, Token, WILDCARD,
};

/// Longest `id` that is echoed, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// Longest `token`, in bytes.
const TOKEN_BYTES_MAX: usize = 8_192;
/// Longest part of a client's text that an error message quotes, in characters.
const QUOTED_CHARS_MAX: usize = 64;

/// Decodes one client message.
///
/// # Errors
///
/// Returns the mistake.
pub(super) fn decode(bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
    let fail = |id: Option<RequestId>| move |(code, message)| DecodeError { id, mistake: Mistake::new(code, message) };
    // RFC 8259 section 8.1: a byte order mark may be ignored. Some editors and .NET writers begin every text with one.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|err| (ErrorCode::BadJson, format!("not JSON: {err}")))
        .map_err(fail(None))?;
    let Value::Object(mut object) = value else {
        return Err(fail(None)((ErrorCode::BadRequest, "a message is a JSON object".into())));
    };
    // Serializers of typed languages write `null` for keys that are not set.
    object.retain(|_, value| !value.is_null());
    let id = take_id(&mut object).map_err(fail(None))?;
    let request = decode_request(object).map_err(fail(id.clone()))?;
    Ok(ClientMessage { id, request })
}

type Complaint = (ErrorCode, String);

fn bad(message: impl Into<String>) -> Complaint {
    (ErrorCode::BadRequest, message.into())
}

fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn take_id(object: &mut Map<String, Value>) -> Result<Option<RequestId>, Complaint> {
    match object.remove("id") {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= REQUEST_ID_BYTES_MAX => Ok(Some(RequestId::Text(text))),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(RequestId::Integer(number))),
        Some(value) => {
            value.as_f64().and_then(whole_number).map(|number| Some(RequestId::Integer(number))).ok_or_else(|| {
                bad(format!("'id' must be an integer of 64 bits or a string of at most {REQUEST_ID_BYTES_MAX} bytes"))
            })
        }
    }
}

fn decode_request(mut object: Map<String, Value>) -> Result<Request, Complaint> {
    let action = match object.remove("action") {
        Some(Value::String(action)) => action,
        Some(_) => return Err(bad("'action' must be a string")),
        None => return Err(bad("'action' is missing")),
    };
    let request = match action.as_str() {
        "subscribe" => {
            let symbols = take_symbols(&mut object)?;
            let channels = take_channels(&mut object)?.unwrap_or_else(|| ChannelSet::from_iter([Channel::Trades]));
            let mode = take_mode(&mut object, channels)?;
            let on_lag = take_on_lag(&mut object)?;
            let after = take_after(&mut object)?;
            Request::Subscribe(Subscribe { symbols, channels, mode, on_lag, after })
        }
        "unsubscribe" => {
            let symbols = take_symbols(&mut object)?;
            let channels = take_channels(&mut object)?.unwrap_or(ChannelSet::ALL);
            Request::Unsubscribe { symbols, channels }
        }
        "list" => Request::List,
        "ping" => Request::Ping { ts: take_ts(&mut object)? },
        "auth" => Request::Auth { token: take_token(&mut object)? },
        "pause" => Request::Replay(ReplayOrder::Pause),
        "resume" => Request::Replay(ReplayOrder::Resume),
        "step" => Request::Replay(ReplayOrder::Step(take_events(&mut object)?)),
        "speed" => Request::Replay(ReplayOrder::Speed(take_speed(&mut object)?)),
        "seek" => {
            let ts = take_ts(&mut object)?.ok_or_else(|| bad("'ts' is missing"))?;
            Request::Replay(ReplayOrder::Seek(Timestamp::from_micros(ts)))
        }
        other => return Err((ErrorCode::UnknownAction, format!("no such action: {}", quoted(other)))),
    };
    match object.keys().next() {
        None => Ok(request),
        Some(key) => Err(bad(format!("'{action}' has no key '{}'", quoted(key)))),
    }
}

/// Takes `token`. No complaint quotes it.
fn take_token(object: &mut Map<String, Value>) -> Result<Token, Complaint> {
    match object.remove("token") {
        Some(Value::String(text)) if (1..=TOKEN_BYTES_MAX).contains(&text.len()) => Ok(Token::new(text)),
        None => Err(bad("'token' is missing")),
        Some(_) => Err(bad(format!("'token' must be a string of 1 to {TOKEN_BYTES_MAX} bytes"))),
    }
}

/// Takes `after`: an object with exactly an `epoch` and an `offset`.
fn take_after(object: &mut Map<String, Value>) -> Result<Option<Cursor>, Complaint> {
    let Some(after) = object.remove("after") else { return Ok(None) };
    let parts = after.as_object().filter(|after| after.len() == 2);
    let epoch = parts.and_then(|parts| parts.get("epoch")?.as_str());
    let offset =
        parts.and_then(|parts| parts.get("offset")?.as_u64().or_else(|| whole(parts.get("offset")?)?.try_into().ok()));
    let cursor = epoch.zip(offset).and_then(|(epoch, offset)| Cursor::new(epoch, offset));
    cursor.map(Some).ok_or_else(|| bad("'after' must be an object of an 'epoch' and an 'offset'"))
}

/// Takes `mode` and `max_hz`, as [`parse_mode`] permits them.
fn take_mode(object: &mut Map<String, Value>, channels: ChannelSet) -> Result<Mode, Complaint> {
    let mode = match object.remove("mode") {
        None => "all".into(),
        Some(Value::String(mode)) => mode,
        Some(_) => return Err(bad("'mode' must be a string")),
    };
    let rate = match object.remove("max_hz") {
        None => None,
        Some(hz) => Some(
            hz.as_f64()
                .and_then(Rate::from_hz)
                .ok_or_else(|| bad(format!("'max_hz' must be a number from {} to {}", Rate::HZ_MIN, Rate::HZ_MAX)))?,
        ),
    };
    parse_mode(&mode, rate, channels).map_err(bad)
}

fn take_on_lag(object: &mut Map<String, Value>) -> Result<Option<OnLag>, Complaint> {
    match object.remove("on_lag") {
        None => Ok(None),
        Some(on_lag) => parse_on_lag(on_lag.as_str().unwrap_or_default()).map(Some).map_err(bad),
    }
}

fn take_symbols(object: &mut Map<String, Value>) -> Result<Vec<Selector>, Complaint> {
    let symbols = take_strings(object, "symbols")?.ok_or_else(|| bad("'symbols' is missing"))?;
    let select = |name: String| if name.trim() == WILDCARD { Selector::All } else { Selector::Symbol(name) };
    Ok(symbols.into_iter().map(select).collect())
}

fn take_channels(object: &mut Map<String, Value>) -> Result<Option<ChannelSet>, Complaint> {
    let Some(names) = take_strings(object, "channels")? else { return Ok(None) };
    let parse = |name: &String| {
        name.parse::<Channel>().map_err(|()| (ErrorCode::UnknownChannel, format!("no such channel: {}", quoted(name))))
    };
    names.iter().map(parse).collect::<Result<ChannelSet, _>>().map(Some)
}

/// Takes a list of strings with at least one entry; `None` if the key is absent.
fn take_strings(object: &mut Map<String, Value>, key: &str) -> Result<Option<Vec<String>>, Complaint> {
    let complaint = || bad(format!("'{key}' must be a list of at least one string"));
    let list = match object.remove(key) {
        None => return Ok(None),
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(_) => return Err(complaint()),
    };
    let string = |value| if let Value::String(text) = value { Ok(text) } else { Err(complaint()) };
    list.into_iter().map(string).collect::<Result<Vec<_>, _>>().map(Some)
}

fn take_ts(object: &mut Map<String, Value>) -> Result<Option<i64>, Complaint> {
    match object.remove("ts") {
        None => Ok(None),
        Some(value) => {
            let ts = value.as_i64().or_else(|| whole(&value));
            ts.map(Some).ok_or_else(|| bad("'ts' must be an integer of microseconds"))
        }
    }
}

/// Takes `events`, the length of a step; 1 if it is absent.
fn take_events(object: &mut Map<String, Value>) -> Result<u32, Complaint> {
    let Some(events) = object.remove("events") else { return Ok(1) };
    let count = events.as_i64().or_else(|| whole(&events)).and_then(|count| u32::try_from(count).ok());
    let count = count.filter(|count| (1..=ReplayOrder::STEP_EVENTS_MAX).contains(count));
    count.ok_or_else(|| bad(format!("'events' must be a number of events, 1 to {}", ReplayOrder::STEP_EVENTS_MAX)))
}

/// Takes `x`: a speed, or `max`, which is 0.
fn take_speed(object: &mut Map<String, Value>) -> Result<f64, Complaint> {
    let speed = match object.remove("x") {
        Some(Value::String(text)) if text == "max" => Some(0.0),
        Some(value) => value.as_f64().filter(|speed| ReplayOrder::SPEEDS.contains(speed)),
        None => None,
    };
    speed.ok_or_else(|| bad("'x' must be a speed, 0.01 to 1000, or \"max\""))
}

/// Returns the integer that a float such as `1.0` stands for, because languages without integers (Lua, R) write them
/// so. Above 2^53 a float may stand for another integer.
#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
fn whole(value: &Value) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT_MAX).map(|float| float as i64)
}

/// The same for any integer of 64 bits but the smallest: some integers of more bits have the same float.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within the bounds")]
fn whole_number(float: f64) -> Option<Number> {
    const I64_END: f64 = 9_223_372_036_854_775_808.0;
    let is_whole = float.fract() == 0.0;
    if is_whole && float.abs() < I64_END {
        return Some((float as i64).into());
    }
    (is_whole && (0.0..2.0 * I64_END).contains(&float)).then(|| (float as u64).into())
}

/// Returns the mode with this name. A rate is permitted only with `latest`, and `latest` not with channels
/// of which every event counts.
///
/// # Errors
///
/// Returns the rule that is broken.
pub fn parse_mode(name: &str, rate: Option<Rate>, channels: ChannelSet) -> Result<Mode, &'static str> {
    match (name, rate) {
        ("all", None) => Ok(Mode::All),
        ("all", Some(_)) => Err("'max_hz' goes only with the mode 'latest'"),
        ("latest", _) if channels.iter().any(|channel| matches!(channel, Channel::Bars(_) | Channel::UpdatedBars)) => {
            Err("the mode 'latest' is not for bars: every bar is final")
        }
        ("latest", _) if channels.iter().any(|channel| matches!(channel, Channel::Corrections | Channel::Cancels)) => {
            Err("the mode 'latest' is not for corrections and cancels: every one counts")
        }
        ("latest", rate) => Ok(Mode::Latest(rate)),
        _ => Err("'mode' must be 'all' or 'latest'"),
    }
}

/// Returns the reaction to a lag with this name.
///
/// # Errors
///
/// Returns the valid names.
pub fn parse_on_lag(name: &str) -> Result<OnLag, &'static str> {
    match name {
        "catch_up" => Ok(OnLag::CatchUp),
        "close" => Ok(OnLag::Close),
        _ => Err("'on_lag' must be 'catch_up' or 'close'"),
    }
}
