//! Encodes the other messages as JSON, by serde.

use bytes::BufMut;
use serde::Serialize;
use serde_json::Number;

use crate::domain::{Channel, Symbol, Timestamp};
use crate::protocol::native::PROTOCOL;
use crate::protocol::native::encode::encode_snapshot;
use crate::protocol::{
    Authenticated, Limits, Mistake, Mode, Pong, Renewed, RequestId, ServerMessage, Status, Subscribed,
    SubscriptionItem, WILDCARD, Welcome,
};

/// Returns whether the dialect has the message.
pub(super) fn has(message: &ServerMessage) -> bool {
    use ServerMessage::{Acknowledged, Authenticated, Refused};
    !matches!(message, Authenticated | Refused(_) | Acknowledged(_))
}

/// Appends a message as one JSON object.
pub(super) fn encode_message(message: &ServerMessage, out: &mut impl BufMut) {
    let wire = match message {
        ServerMessage::Snapshot { symbol, offset, state, channels, shown } => {
            return encode_snapshot(*symbol, *offset, state, (*channels, *shown), out);
        }
        ServerMessage::Welcome(welcome) => wire_welcome(welcome),
        ServerMessage::Subscribed(subscribed) => wire_subscribed(subscribed),
        ServerMessage::Lag { skipped, since_offset } => Wire::Lag { skipped: *skipped, since_offset: *since_offset },
        ServerMessage::Heartbeat { ts, offset } => Wire::Heartbeat { ts: ts.micros(), offset: *offset },
        ServerMessage::Pong(pong) => wire_pong(pong),
        ServerMessage::Error { id, mistake } => wire_error(id.as_ref(), mistake),
        ServerMessage::Authenticated | ServerMessage::Refused(_) | ServerMessage::Acknowledged(_) => return,
        ServerMessage::Renewed(renewed) => wire_renewed(renewed),
        ServerMessage::AuthExpiring { expires_at } => Wire::AuthExpiring { expires_at: expires_at.micros() },
        ServerMessage::Status(status) => wire_status(status),
        ServerMessage::Epoch { epoch, offset, is_moved } => Wire::Epoch { epoch, offset: *offset, moved: *is_moved },
        ServerMessage::Goodbye { reason, retry_after_ms } => Wire::Goodbye { reason, retry_after_ms: *retry_after_ms },
    };
    // Strings and numbers always serialise, and a buffer in memory does not fail.
    let _ = serde_json::to_writer(out.writer(), &wire);
}

/// The messages that serde writes.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Wire<'a> {
    Welcome {
        protocol: &'a str,
        session: &'a str,
        epoch: &'a str,
        offset: u64,
        heartbeat_ms: u64,
        limits: WireLimits,
        server_ts: i64,
        market_ts: i64,
        speed: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        auth: Option<WireAuth<'a>>,
    },
    Subscribed {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<WireId<'a>>,
        subscriptions: Vec<WireSubscription<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
    },
    Lag {
        skipped: u64,
        since_offset: u64,
    },
    Heartbeat {
        ts: i64,
        offset: u64,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<WireId<'a>>,
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        symbols: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<WireId<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ts: Option<i64>,
        server_ts: i64,
        market_ts: i64,
        offset: u64,
    },
    Auth {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<WireId<'a>>,
        #[serde(flatten)]
        auth: WireAuth<'a>,
        limits: WireLimits,
    },
    #[serde(rename = "auth_expiring")]
    AuthExpiring {
        expires_at: i64,
    },
    Status {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<WireId<'a>>,
        feed: &'a str,
        epoch: &'a str,
        offset: u64,
        file_ts: i64,
        from: i64,
        to: i64,
        speed: f64,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        sought: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        complaint: Option<&'a str>,
    },
    Epoch {
        epoch: &'a str,
        offset: u64,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        moved: bool,
    },
    Goodbye {
        reason: &'a str,
        retry_after_ms: u64,
    },
}

#[derive(Serialize)]
struct WireLimits {
    symbols: usize,
    message_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hz: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u64>,
}

#[derive(Serialize)]
struct WireAuth<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireId<'a> {
    Integer(&'a Number),
    Text(&'a str),
}

#[derive(Serialize)]
struct WireSubscription<'a> {
    symbol: &'a str,
    channels: Vec<&'static str>,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hz: Option<Number>,
}

fn wire_id(id: Option<&RequestId>) -> Option<WireId<'_>> {
    id.map(|id| match id {
        RequestId::Integer(number) => WireId::Integer(number),
        RequestId::Text(text) => WireId::Text(text),
    })
}

fn wire_limits(Limits { symbols, message_bytes, delay_ms }: Limits, auth: Option<&Authenticated>) -> WireLimits {
    WireLimits {
        symbols,
        message_bytes,
        max_hz: auth.and_then(|auth| auth.max_hz).and_then(|rate| number(rate.hz())),
        channels: auth.map(|auth| auth.channels.iter().map(Channel::name).collect()),
        connections: auth.and_then(|auth| auth.connections),
        delay_ms: Some(delay_ms).filter(|delay_ms| *delay_ms > 0),
    }
}

fn wire_auth(auth: &Authenticated) -> WireAuth<'_> {
    WireAuth { name: &auth.name, expires_at: auth.expires_at.map(Timestamp::micros) }
}

fn wire_renewed(Renewed { id, auth, limits }: &Renewed) -> Wire<'_> {
    Wire::Auth { id: wire_id(id.as_ref()), auth: wire_auth(auth), limits: wire_limits(*limits, Some(auth)) }
}

fn wire_welcome(welcome: &Welcome) -> Wire<'_> {
    let auth = welcome.auth.as_deref();
    Wire::Welcome {
        protocol: PROTOCOL,
        session: &welcome.session,
        epoch: &welcome.epoch,
        offset: welcome.offset,
        heartbeat_ms: welcome.heartbeat_ms,
        limits: wire_limits(welcome.limits, auth),
        server_ts: welcome.times.server.micros(),
        market_ts: welcome.times.market.micros(),
        speed: welcome.speed,
        auth: auth.map(wire_auth),
    }
}

fn wire_subscribed(subscribed: &Subscribed) -> Wire<'_> {
    let subscriptions = subscribed.items.iter().map(wire_subscription).collect();
    Wire::Subscribed { id: wire_id(subscribed.id.as_ref()), subscriptions, recovered: subscribed.recovered }
}

fn wire_subscription(item: &SubscriptionItem) -> WireSubscription<'_> {
    WireSubscription {
        symbol: item.symbol.as_ref().map_or(WILDCARD, Symbol::as_str),
        channels: item.channels.iter().map(Channel::name).collect(),
        mode: item.mode.name(),
        max_hz: if let Mode::Latest(Some(rate)) = item.mode { number(rate.hz()) } else { None },
    }
}

fn wire_pong(pong: &Pong) -> Wire<'_> {
    let (server_ts, market_ts) = (pong.times.server.micros(), pong.times.market.micros());
    Wire::Pong { id: wire_id(pong.id.as_ref()), ts: pong.ts, server_ts, market_ts, offset: pong.offset }
}

fn wire_status(status: &Status) -> Wire<'_> {
    Wire::Status {
        id: wire_id(status.id.as_ref()),
        feed: status.feed,
        epoch: &status.epoch,
        offset: status.offset,
        file_ts: status.file_ts.micros(),
        from: status.from.micros(),
        to: status.to.micros(),
        speed: status.speed,
        sought: status.is_sought,
        complaint: status.complaint.as_deref(),
    }
}

fn wire_error<'a>(id: Option<&'a RequestId>, mistake: &'a Mistake) -> Wire<'a> {
    let Mistake { code, message, symbols, retry_after_ms } = mistake;
    Wire::Error { id: wire_id(id), code: code.name(), message, symbols, retry_after_ms: *retry_after_ms }
}

/// Returns the number without decimals if it is whole.
#[expect(clippy::cast_possible_truncation, reason = "a rate is at most 1,000")]
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 { Some(Number::from(value as i64)) } else { Number::from_f64(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChannelSet, Timestamp};
    use crate::protocol::{ErrorCode, Rate, Times};

    fn message(message: &ServerMessage) -> String {
        let mut out = Vec::new();
        encode_message(message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_messages_begin_with_their_type_and_omit_absent_keys() {
        let symbols = vec!["\"".to_owned()];
        let mistake = Mistake { symbols, ..Mistake::new(ErrorCode::UnknownSymbol, "no such symbol: \"") };
        assert_eq!(
            message(&ServerMessage::Error { id: None, mistake: mistake.into() }),
            r#"{"type":"error","code":"unknown_symbol","message":"no such symbol: \"","symbols":["\""]}"#
        );
        let mistake = Mistake { retry_after_ms: Some(7), ..Mistake::new(ErrorCode::RateLimited, "later") };
        assert_eq!(
            message(&ServerMessage::Error { id: None, mistake: mistake.into() }),
            r#"{"type":"error","code":"rate_limited","message":"later","retry_after_ms":7}"#
        );
        let times = Times { server: Timestamp::from_micros(2), market: Timestamp::from_micros(4) };
        let pong = Pong { id: Some(RequestId::Integer(6.into())), ts: Some(1), times, offset: 3 };
        assert_eq!(
            message(&ServerMessage::Pong(pong.into())),
            r#"{"type":"pong","id":6,"ts":1,"server_ts":2,"market_ts":4,"offset":3}"#
        );
        let mut auth = Authenticated {
            name: "desk7".into(),
            expires_at: Some(Timestamp::from_micros(7)),
            max_hz: Rate::from_hz(10.0),
            channels: ChannelSet::from_iter([Channel::Trades]),
            connections: None,
        };
        let limits = Limits { symbols: 5, message_bytes: 6, delay_ms: 7 };
        let renewed = |id, auth: &Authenticated| {
            message(&ServerMessage::Renewed(Renewed { id, auth: auth.clone(), limits }.into()))
        };
        assert_eq!(
            renewed(Some(RequestId::Integer(9.into())), &auth),
            r#"{"type":"auth","id":9,"name":"desk7","expires_at":7,"limits":{"symbols":5,"message_bytes":6,"max_hz":10,"channels":["trades"],"delay_ms":7}}"#
        );
        auth.expires_at = None;
        assert!(renewed(None, &auth).starts_with(r#"{"type":"auth","name":"desk7","limits":{"#));
        let ts = Timestamp::from_micros;
        let mut status = Status {
            id: Some(RequestId::Integer(9.into())),
            feed: "paused",
            epoch: "9c1f".into(),
            offset: 5,
            file_ts: ts(7),
            from: ts(6),
            to: ts(8),
            speed: 0.5,
            is_sought: false,
            complaint: None,
        };
        let told = |status: &Status| message(&ServerMessage::Status(status.clone().into()));
        assert_eq!(
            told(&status),
            r#"{"type":"status","id":9,"feed":"paused","epoch":"9c1f","offset":5,"file_ts":7,"from":6,"to":8,"speed":0.5}"#
        );
        (status.id, status.is_sought, status.complaint) = (None, true, Some("a.csv:3".into()));
        assert!(told(&status).ends_with(r#""speed":0.5,"sought":true,"complaint":"a.csv:3"}"#));
        let items = vec![SubscriptionItem {
            symbol: None,
            channels: ChannelSet::from_iter([Channel::Trades]),
            mode: Mode::Latest(Rate::from_hz(4.0)),
        }];
        assert_eq!(
            message(&ServerMessage::Subscribed(Subscribed { id: None, items, recovered: None }.into())),
            r#"{"type":"subscribed","subscriptions":[{"symbol":"*","channels":["trades"],"mode":"latest","max_hz":4}]}"#
        );
    }
}
