//! What the server says in the native dialect. Events and snapshots, the hot ones, are written by hand; the rest by serde.

use serde::Serialize;
use serde_json::Number;

use crate::domain::{Bar, Channel, ChannelSet, Event, EventBody, Price, Snapshot, Symbol, Timestamp};
use crate::protocol::native::{PROTOCOL, RequestId};
use crate::protocol::{ErrorCode, Mode};

/// Appends the event as one message object.
pub fn encode_event(event: &Event, out: &mut Vec<u8>) {
    let kind: &[u8] = match &event.body {
        EventBody::Trade(_) => b"{\"type\":\"trade\",\"symbol\":\"",
        EventBody::Quote(_) => b"{\"type\":\"quote\",\"symbol\":\"",
        EventBody::Bar(..) => b"{\"type\":\"bar\",\"symbol\":\"",
        EventBody::Day(_) => b"{\"type\":\"day\",\"symbol\":\"",
        EventBody::Gap(_) => b"{\"type\":\"gap\",\"symbol\":\"",
    };
    out.extend_from_slice(kind);
    out.extend_from_slice(event.symbol.as_bytes());
    if let EventBody::Bar(interval, _) = &event.body {
        out.extend_from_slice(b"\",\"interval\":\"");
        out.extend_from_slice(interval.name().as_bytes());
    }
    integer(out, b"\",\"seq\":", event.seq);
    integer(out, b",\"offset\":", event.offset);
    integer(out, b",\"ts\":", event.ts().micros());
    match &event.body {
        EventBody::Trade(trade) => {
            price(out, b",\"price\":", trade.price);
            integer(out, b",\"size\":", trade.size.shares());
        }
        EventBody::Quote(quote) => {
            price(out, b",\"bid\":", quote.bid);
            integer(out, b",\"bid_size\":", quote.bid_size.shares());
            price(out, b",\"ask\":", quote.ask);
            integer(out, b",\"ask_size\":", quote.ask_size.shares());
        }
        EventBody::Bar(_, bar) => bar_fields(out, bar, true),
        EventBody::Day(day) => price(out, b",\"prev_close\":", day.prev_close),
        EventBody::Gap(gap) => integer(out, b",\"since\":", gap.since.micros()),
    }
    out.push(b'}');
}

/// Appends a bar as the object that the REST answer lists: without symbol, `seq` and `offset`.
pub fn encode_bar_object(bar: &Bar, is_final: bool, out: &mut Vec<u8>) {
    integer(out, b"{\"ts\":", bar.ts.micros());
    bar_fields(out, bar, is_final);
    out.push(b'}');
}

fn bar_fields(out: &mut Vec<u8>, bar: &Bar, is_final: bool) {
    price(out, b",\"open\":", bar.open);
    price(out, b",\"high\":", bar.high);
    price(out, b",\"low\":", bar.low);
    price(out, b",\"close\":", bar.close);
    integer(out, b",\"volume\":", bar.volume);
    integer(out, b",\"trades\":", bar.trades);
    price(out, b",\"vwap\":", bar.vwap);
    out.extend_from_slice(if is_final { b",\"final\":true" } else { b",\"final\":false" });
}

/// Appends the `snapshot` of a symbol, exact at this position of the stream.
pub fn encode_snapshot(symbol: Symbol, offset: u64, snapshot: &Snapshot, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"snapshot\",\"symbol\":\"");
    out.extend_from_slice(symbol.as_bytes());
    integer(out, b"\",\"offset\":", offset);
    integer(out, b",\"ts\":", snapshot.ts.micros());
    price(out, b",\"price\":", snapshot.price);
    integer(out, b",\"size\":", snapshot.size.shares());
    price(out, b",\"bid\":", snapshot.bid);
    integer(out, b",\"bid_size\":", snapshot.bid_size.shares());
    price(out, b",\"ask\":", snapshot.ask);
    integer(out, b",\"ask_size\":", snapshot.ask_size.shares());
    price(out, b",\"open\":", snapshot.open);
    price(out, b",\"high\":", snapshot.high);
    price(out, b",\"low\":", snapshot.low);
    price(out, b",\"prev_close\":", snapshot.prev_close);
    integer(out, b",\"volume\":", snapshot.volume);
    out.extend_from_slice(b",\"seq\":{");
    for channel in ChannelSet::ALL.iter() {
        out.push(if channel.index() == 0 { b'"' } else { b',' });
        if channel.index() > 0 {
            out.push(b'"');
        }
        out.extend_from_slice(channel.name().as_bytes());
        integer(out, b"\":", snapshot.seq[channel.index()]);
    }
    out.extend_from_slice(b"}}");
}

fn integer(out: &mut Vec<u8>, key: &[u8], value: impl itoa::Integer) {
    out.extend_from_slice(key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes a price with two to four decimals, as [`Price`]'s `Display` does, at a fraction of its cost.
fn price(out: &mut Vec<u8>, key: &[u8], value: Price) {
    out.extend_from_slice(key);
    if value.units() < 0 {
        out.push(b'-');
    }
    let units = value.units().unsigned_abs();
    let digit = |power: u64| b"0123456789"[(units / power % 10) as usize];
    out.extend_from_slice(itoa::Buffer::new().format(units / 10_000).as_bytes());
    out.extend_from_slice(&[b'.', digit(1_000), digit(100)]);
    if !units.is_multiple_of(100) {
        out.push(digit(10));
        if !units.is_multiple_of(10) {
            out.push(digit(1));
        }
    }
}

/// The limits that `welcome` announces.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limits {
    /// The most symbols that one session can name; the wildcard counts as one.
    pub symbols: usize,
    /// The longest message that a client can send, in bytes.
    pub message_bytes: usize,
}

/// What `welcome` and `pong` say of time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The server's wall clock.
    pub server: Timestamp,
    /// What time it is on the market at that moment.
    pub market: Timestamp,
}

/// One line of the list in `subscribed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionItem {
    /// The symbol, or `None` for the wildcard.
    pub symbol: Option<Symbol>,
    /// What of it is wanted.
    pub channels: ChannelSet,
    /// How it is served.
    pub mode: Mode,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Message<'a> {
    Welcome {
        protocol: &'a str,
        session: &'a str,
        epoch: &'a str,
        offset: u64,
        heartbeat_ms: u64,
        limits: Limits,
        server_ts: i64,
        market_ts: i64,
        speed: f64,
    },
    Subscribed {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId>,
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
        id: Option<&'a RequestId>,
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        symbols: &'a [String],
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a RequestId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ts: Option<i64>,
        server_ts: i64,
        market_ts: i64,
        offset: u64,
    },
    Goodbye {
        reason: &'a str,
        retry_after_ms: u64,
    },
}

#[derive(Serialize)]
struct WireSubscription<'a> {
    symbol: &'a str,
    channels: Vec<&'static str>,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hz: Option<Number>,
}

fn write(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(message).expect("strings and integers always serialise");
    // What waits for a client is counted by its length.
    bytes.shrink_to_fit();
    bytes
}

/// Returns `welcome`, the first message of every session.
pub fn encode_welcome(
    session: &str,
    epoch: &str,
    offset: u64,
    heartbeat_ms: u64,
    limits: Limits,
    times: Times,
    speed: f64,
) -> Vec<u8> {
    let (server_ts, market_ts) = (times.server.micros(), times.market.micros());
    let protocol = PROTOCOL;
    write(&Message::Welcome { protocol, session, epoch, offset, heartbeat_ms, limits, server_ts, market_ts, speed })
}

/// Returns `subscribed`: everything that the session is subscribed to now, and, when the request came with a cursor, whether
/// everything after it follows.
pub fn encode_subscribed(id: Option<&RequestId>, items: &[SubscriptionItem], recovered: Option<bool>) -> Vec<u8> {
    let wire = |item: &SubscriptionItem| WireSubscription {
        symbol: "",
        channels: item.channels.iter().map(Channel::name).collect(),
        mode: item.mode.name(),
        max_hz: if let Mode::Latest(Some(rate)) = item.mode { number(rate.hz()) } else { None },
    };
    let mut subscriptions: Vec<_> = items.iter().map(wire).collect();
    for (wire, item) in subscriptions.iter_mut().zip(items) {
        wire.symbol = item.symbol.as_ref().map_or(super::WILDCARD, Symbol::as_str);
    }
    write(&Message::Subscribed { id, subscriptions, recovered })
}

/// Returns the number as one would write it: without decimals when there are none.
#[expect(clippy::cast_possible_truncation, reason = "a rate is at most 1,000")]
fn number(value: f64) -> Option<Number> {
    if value.fract() == 0.0 { Some(Number::from(value as i64)) } else { Number::from_f64(value) }
}

/// Returns `lag`: so many events were skipped, the first of them at this offset.
pub fn encode_lag(skipped: u64, since_offset: u64) -> Vec<u8> {
    write(&Message::Lag { skipped, since_offset })
}

/// Returns `heartbeat`.
pub fn encode_heartbeat(now: Timestamp, offset: u64) -> Vec<u8> {
    write(&Message::Heartbeat { ts: now.micros(), offset })
}

/// Returns `error`, with the symbols it is about, if any.
pub fn encode_error(id: Option<&RequestId>, code: ErrorCode, message: &str, symbols: &[String]) -> Vec<u8> {
    write(&Message::Error { id, code: code.name(), message, symbols })
}

/// Returns `pong`, the answer to a `ping`, with the session's cursor.
pub fn encode_pong(id: Option<&RequestId>, ts: Option<i64>, times: Times, offset: u64) -> Vec<u8> {
    write(&Message::Pong { id, ts, server_ts: times.server.micros(), market_ts: times.market.micros(), offset })
}

/// Returns `goodbye`, the last message before the server closes.
pub fn encode_goodbye(reason: &str, retry_after_ms: u64) -> Vec<u8> {
    write(&Message::Goodbye { reason, retry_after_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Day, Gap, Interval, Quote, Size, SymbolId, Trade};
    use crate::protocol::Rate;
    use proptest::prelude::*;
    use serde_json::Value;

    fn event(body: EventBody) -> Event {
        Event { offset: 48_214, seq: 58, id: SymbolId(0), symbol: "BRK.B".parse().unwrap(), body }
    }

    fn text(event: &Event) -> String {
        let mut out = Vec::new();
        encode_event(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn bar() -> Bar {
        let cents = Price::from_cents;
        Bar {
            ts: Timestamp::from_micros(60_000_000),
            open: cents(20_100),
            high: cents(20_211),
            low: cents(20_000),
            close: cents(20_138),
            volume: 900,
            trades: 12,
            vwap: Price::from_units(2_011_234),
        }
    }

    #[test]
    fn events_read_as_the_documentation_says() {
        let ts = Timestamp::from_micros(1_772_463_845_123_456);
        let trade = Trade { ts, price: Price::from_cents(20_138), size: Size::new(25) };
        assert_eq!(
            text(&event(EventBody::Trade(trade))),
            r#"{"type":"trade","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"price":201.38,"size":25}"#
        );
        let quote = Quote {
            ts,
            bid: Price::from_cents(20_137),
            bid_size: Size::new(100),
            ask: Price::from_cents(20_139),
            ask_size: Size::new(400),
        };
        assert_eq!(
            text(&event(EventBody::Quote(quote))),
            r#"{"type":"quote","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"bid":201.37,"bid_size":100,"ask":201.39,"ask_size":400}"#
        );
        assert_eq!(
            text(&event(EventBody::Gap(Gap { since: Timestamp::from_micros(1_772_463_000_000_000), ts }))),
            r#"{"type":"gap","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"since":1772463000000000}"#
        );
        assert_eq!(
            text(&event(EventBody::Day(Day { ts, prev_close: Price::from_cents(20_137) }))),
            r#"{"type":"day","symbol":"BRK.B","seq":58,"offset":48214,"ts":1772463845123456,"prev_close":201.37}"#
        );
        assert_eq!(
            text(&event(EventBody::Bar(Interval::M1, Box::new(bar())))),
            r#"{"type":"bar","symbol":"BRK.B","interval":"1m","seq":58,"offset":48214,"ts":60000000,"open":201.00,"high":202.11,"low":200.00,"close":201.38,"volume":900,"trades":12,"vwap":201.1234,"final":true}"#
        );
    }

    #[test]
    fn a_snapshot_tells_the_seq_of_every_channel() {
        let mut snapshot = Snapshot::new(&bar(), Price::from_cents(19_975), &quote(), Size::new(40));
        snapshot.seq[0] = 57;
        let mut out = Vec::new();
        encode_snapshot("AAPL".parse().unwrap(), 48_213, &snapshot, &mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["type"], "snapshot");
        assert_eq!(value["seq"]["trades"], 57);
        assert_eq!(value["seq"].as_object().unwrap().len(), ChannelSet::ALL.iter().count());
        assert!(String::from_utf8(out).unwrap().contains(r#""prev_close":199.75,"volume":900,"#));
    }

    fn quote() -> Quote {
        Quote {
            ts: Timestamp::default(),
            bid: Price::from_cents(1),
            bid_size: Size::new(1),
            ask: Price::from_cents(2),
            ask_size: Size::new(1),
        }
    }

    #[test]
    fn control_messages_begin_with_their_type_and_leave_out_what_is_absent() {
        let error = encode_error(None, ErrorCode::UnknownSymbol, "no such symbol: \"", &["\"".into()]);
        assert_eq!(
            String::from_utf8(error).unwrap(),
            r#"{"type":"error","code":"unknown_symbol","message":"no such symbol: \"","symbols":["\""]}"#
        );
        let times = Times { server: Timestamp::from_micros(2), market: Timestamp::from_micros(4) };
        let pong = encode_pong(Some(&RequestId::Integer(6.into())), Some(1), times, 3);
        assert_eq!(
            String::from_utf8(pong).unwrap(),
            r#"{"type":"pong","id":6,"ts":1,"server_ts":2,"market_ts":4,"offset":3}"#
        );
        let items = [SubscriptionItem {
            symbol: None,
            channels: ChannelSet::from_iter([Channel::Trades]),
            mode: Mode::Latest(Rate::from_hz(4.0)),
        }];
        assert_eq!(
            String::from_utf8(encode_subscribed(None, &items, None)).unwrap(),
            r#"{"type":"subscribed","subscriptions":[{"symbol":"*","channels":["trades"],"mode":"latest","max_hz":4}]}"#
        );
    }

    proptest! {
        #[test]
        fn prices_are_written_exactly_as_they_display(units: i64) {
            let mut out = Vec::new();
            price(&mut out, b"", Price::from_units(units));
            prop_assert_eq!(String::from_utf8(out).unwrap(), Price::from_units(units).to_string());
        }
    }
}
