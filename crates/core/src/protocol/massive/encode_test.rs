//! Tests of events, against the transcript.

use bytes::BytesMut;
use serde_json::Value;

use crate::domain::{
    Bar, ClosedBar, DayFigures, Event, EventBody, Interval, Price, Quote, Size, SymbolId, Timestamp, Trade,
};
use crate::protocol::massive::Massive;
use crate::protocol::{Dialect, NameList, Refusal, ServerMessage};

/// Events in the form of the vendor; `README.md` beside it names the vendor's page.
const TRANSCRIPT: &str = include_str!("../../../../../tests/fixtures/massive/events.jsonl");
/// The messages of a session.
const STATUSES: &str = include_str!("../../../../../tests/fixtures/massive/statuses.jsonl");
const TS: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

fn events() -> Vec<Event> {
    let event = |seq, offset, body| Event { offset, id: SymbolId(0), symbol: "AAPL".parse().unwrap(), seq, body };
    let bar = |seconds: i64| Bar {
        ts: Timestamp::from_micros(seconds * 1_000_000),
        open: Price::from_cents(20_110),
        high: Price::from_cents(20_160),
        low: Price::from_cents(20_105),
        close: Price::from_cents(20_137),
        volume: Size::new(18_250),
        trades: 214,
        vwap: Price::from_units(2_013_320),
    };
    let day =
        DayFigures { open: Price::from_cents(20_090), volume: Size::new(912_000), vwap: Price::from_cents(20_102) };
    let closed = |seconds| Box::new(ClosedBar { bar: bar(seconds), day });
    let quote = Quote {
        ts: TS,
        bid: Price::from_cents(20_136),
        bid_size: Size::new(300),
        ask: Price::from_cents(20_138),
        ask_size: Size::new(200),
    };
    vec![
        event(
            7_001,
            880_012,
            EventBody::Trade(Trade { ts: TS, price: Price::from_cents(20_137), size: Size::new(40) }),
        ),
        event(7_001, 880_013, EventBody::Quote(quote)),
        event(500, 880_014, EventBody::Bar(Interval::S1, closed(1_772_463_844))),
        event(60, 880_015, EventBody::Bar(Interval::M1, closed(1_772_463_780))),
    ]
}

fn encoded(event: &Event) -> String {
    let mut out = Vec::new();
    Massive::encode_event(event, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_fraction_of_a_share_is_a_text_beside_the_whole_number() {
    let [mut trade, _, mut bar, _]: [Event; 4] = events().try_into().unwrap();
    if let EventBody::Trade(trade) = &mut trade.body {
        trade.size = Size::from_micros(10_500_000);
    }
    assert!(encoded(&trade).contains(r#""s":10,"ds":"10.5","c""#), "{}", encoded(&trade));
    if let EventBody::Bar(_, closed) = &mut bar.body {
        closed.bar.volume = Size::from_micros(1);
        closed.day.volume = Size::from_micros(2_000_001);
    }
    assert!(encoded(&bar).contains(r#""v":0,"dv":"0.000001","av":2,"dav":"2.000001","op""#), "{}", encoded(&bar));
}

#[test]
fn events_are_encoded_as_in_the_transcript() {
    let encoded: Vec<_> = events().iter().map(encoded).collect();
    assert_eq!(encoded, TRANSCRIPT.lines().collect::<Vec<_>>());
}

#[test]
fn only_trades_quotes_and_bars_of_a_second_and_a_minute_are_events_of_the_stream() {
    assert!(events().iter().all(|event| Massive::event_group(event) == Some(crate::protocol::Group::Shared(0))));
    for interval in [Interval::M5, Interval::D1] {
        let mut event = events().remove(2);
        if let EventBody::Bar(of, _) = &mut event.body {
            *of = interval;
        }
        assert_eq!(Massive::event_group(&event), None, "{interval}");
    }
}

#[test]
fn messages_are_encoded_as_in_the_transcript_each_request_in_one_array() {
    let names =
        |heading, names: &[&str]| NameList { heading, names: names.iter().map(|name| (*name).into()).collect() };
    let messages = [
        ServerMessage::Authenticated,
        ServerMessage::Acknowledged(vec![names("subscribed to", &["T.AAPL", "AM.*"])]),
        ServerMessage::Acknowledged(vec![names("unsubscribed to", &["T.\"\\"])]),
        ServerMessage::Refused(Refusal::AuthFailed),
        ServerMessage::Refused(Refusal::NotEntitled),
        ServerMessage::Refused(Refusal::AuthTimeout),
        ServerMessage::Refused(Refusal::NotAuthenticated),
        ServerMessage::Refused(Refusal::InvalidSyntax),
        ServerMessage::Refused(Refusal::SymbolLimit),
        ServerMessage::Refused(Refusal::ConnectionLimit),
        ServerMessage::Refused(Refusal::SlowClient),
        ServerMessage::Refused(Refusal::Internal),
        ServerMessage::Goodbye { reason: "shutdown", retry_after_ms: 1_000 },
    ];
    let frame = |message: &ServerMessage| {
        let group = Massive::message_group(message).unwrap();
        let mut out = BytesMut::new();
        Massive::begin_frame(group, &mut out);
        Massive::encode_message(message, &mut out);
        Massive::end_frame(group, 1, 0, &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let frames: Vec<_> = messages.iter().map(frame).collect();
    assert_eq!(frames, STATUSES.lines().map(read).collect::<Vec<_>>());
    for refusal in [Refusal::AlreadyAuthenticated, Refusal::UnsupportedChannel, Refusal::UnknownSymbol] {
        assert_eq!(Massive::message_group(&ServerMessage::Refused(refusal)), None);
    }
}
