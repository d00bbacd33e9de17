//! Tests of events and messages on the wire, in both codecs.

use bytes::BytesMut;
use rmpv::Value as Packed;
use serde_json::{Value, json};

use crate::domain::{
    Bar, Cancel, CancelKind, ClosedBar, Correction, DayFigures, Event, EventBody, Interval, Price, Quote, Size,
    SymbolId, Timestamp, Trade,
};
use crate::protocol::alpaca::{Alpaca, Json, MessagePack};
use crate::protocol::{Dialect, Group, NameList, Refusal, ServerMessage, write_rfc3339};

type Text = Alpaca<Json, false>;
type Binary = Alpaca<MessagePack, false>;
type Test = Alpaca<Json, true>;

const TS: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);

fn event(body: EventBody) -> Event {
    Event { offset: 48_214, seq: 7_001, id: SymbolId(3), symbol: "AAPL".parse().unwrap(), body }
}

fn trade() -> Trade {
    Trade { ts: TS, price: Price::from_cents(20_137), size: Size::new(40) }
}

fn quote() -> Quote {
    let (bid, ask) = (Price::from_cents(20_136), Price::from_cents(20_138));
    Quote { ts: TS, bid, bid_size: Size::new(300), ask, ask_size: Size::new(200) }
}

fn bar() -> Bar {
    Bar {
        ts: Timestamp::from_micros(1_772_463_780_000_000),
        open: Price::from_cents(20_110),
        high: Price::from_cents(20_160),
        low: Price::from_cents(20_105),
        close: Price::from_cents(20_137),
        volume: Size::new(18_250),
        trades: 214,
        vwap: Price::from_units(2_013_320),
    }
}

fn closed() -> ClosedBar {
    ClosedBar { bar: bar(), day: DayFigures::from(&bar()) }
}

fn correction() -> Correction {
    Correction { ts: TS, trade_seq: 6_900, trade: trade(), price: Price::from_cents(20_127), size: Size::new(100) }
}

/// One event of each kind that the stream has.
fn events() -> Vec<Event> {
    let cancel = Cancel { ts: TS, trade_seq: 6_901, trade: trade(), kind: CancelKind::Error };
    [
        EventBody::Trade(trade()),
        EventBody::Quote(quote()),
        EventBody::Bar(Interval::M1, Box::new(closed())),
        EventBody::UpdatedBar(Box::new(closed())),
        EventBody::DailyBar(Box::new(bar())),
        EventBody::Correction(Box::new(correction())),
        EventBody::Cancel(Box::new(cancel)),
    ]
    .map(event)
    .into()
}

fn encoded<D: Dialect>(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    D::encode_event(event, &mut out);
    out
}

fn text(event: &Event) -> String {
    String::from_utf8(encoded::<Text>(event)).unwrap()
}

/// Returns a MessagePack value as the JSON that stands for it: a timestamp as RFC 3339.
fn as_json(value: &Packed) -> Value {
    match value {
        Packed::Ext(-1, bytes) => {
            let word = u64::from_be_bytes(bytes[..].try_into().unwrap());
            let micros = (word & 0x3_ffff_ffff) * 1_000_000 + (word >> 34) / 1_000;
            let mut out = Vec::new();
            write_rfc3339(Timestamp::from_micros(micros.try_into().unwrap()), &mut out);
            String::from_utf8(out).unwrap().into()
        }
        Packed::Map(entries) => {
            entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), as_json(value))).collect()
        }
        Packed::Array(values) => values.iter().map(as_json).collect(),
        Packed::F64(value) => json!(value),
        Packed::Integer(value) => json!(value.as_u64().unwrap()),
        Packed::String(text) => json!(text.as_str().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Returns JSON with every number that has no decimals as a float, except in the fields that are integers.
fn with_float_prices(mut value: Value) -> Value {
    const INTEGERS: [&str; 11] = ["i", "s", "bs", "as", "v", "n", "oi", "os", "ci", "cs", "code"];
    for (key, field) in value.as_object_mut().unwrap() {
        if let Some(number) = field.as_f64().filter(|_| !INTEGERS.contains(&key.as_str())) {
            *field = json!(number);
        }
    }
    value
}

#[test]
fn events_are_written_as_recorded() {
    // Exchanges, conditions and tape are made from symbol and `seq`.
    let texts: Vec<_> = events().iter().map(text).collect();
    let recorded = include_str!("../../../../../tests/fixtures/alpaca/events.jsonl");
    assert_eq!(texts.join("\n"), recorded.trim_end());
}

#[test]
fn both_codecs_have_the_same_fields_in_the_same_order_with_t_and_s_first() {
    for event in events() {
        let bytes = encoded::<Binary>(&event);
        let packed = rmpv::decode::read_value(&mut &bytes[..]).unwrap();
        let mut whole = Vec::new();
        rmpv::encode::write_value(&mut whole, &packed).unwrap();
        assert_eq!(whole, bytes, "one value, in the shortest form");
        let json: Value = serde_json::from_str(&text(&event)).unwrap();
        assert_eq!(as_json(&packed), with_float_prices(json), "{}", text(&event));
        let Packed::Map(entries) = &packed else { panic!("{packed}") };
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str().unwrap()).collect();
        assert_eq!(keys[..2], ["T", "S"]);
        let mut places = keys.iter().map(|key| text(&event).find(&format!("\"{key}\":")).unwrap());
        assert!(places.by_ref().is_sorted(), "{keys:?}");
    }
}

#[test]
fn the_test_stream_has_the_events_of_one_symbol_under_its_own_name() {
    let mut event = event(EventBody::Trade(trade()));
    assert_eq!(Test::event_group(&event), None);
    event.id = SymbolId(0);
    assert!(Test::event_group(&event).is_some());
    let text = String::from_utf8(encoded::<Test>(&event)).unwrap();
    assert!(text.starts_with(r#"{"T":"t","S":"FAKEPACA","i":7001,"#), "{text}");
}

#[test]
fn corrections_and_cancellations_never_share_a_frame_with_other_events() {
    let groups: Vec<_> = events().iter().map(|event| Text::event_group(event).unwrap()).collect();
    assert!(groups[..5].iter().all(|group| *group == groups[0]));
    assert!(groups[5..].iter().all(|group| *group == groups[5]) && !groups[0].admits(groups[5]));
    let hour = event(EventBody::Bar(Interval::H1, Box::new(closed())));
    assert_eq!(Text::event_group(&hour), None, "bars of one minute only");
}

fn messages() -> Vec<(ServerMessage, Value)> {
    let lists = vec![
        NameList { heading: "trades", names: vec!["*".into(), "AAPL".into()] },
        NameList { heading: "quotes", names: vec![] },
    ];
    let error = |(refusal, code, msg): (Refusal, u16, &str)| {
        (ServerMessage::Refused(refusal), json!([{"T": "error", "code": code, "msg": msg}]))
    };
    let errors = [
        (Refusal::InvalidSyntax, 400, "invalid syntax"),
        (Refusal::NotAuthenticated, 401, "not authenticated"),
        (Refusal::AuthFailed, 402, "auth failed"),
        (Refusal::AlreadyAuthenticated, 403, "already authenticated"),
        (Refusal::AuthTimeout, 404, "auth timeout"),
        (Refusal::SymbolLimit, 405, "symbol limit exceeded"),
        (Refusal::ConnectionLimit, 406, "connection limit exceeded"),
        (Refusal::SlowClient, 407, "slow client"),
        (Refusal::NotEntitled, 409, "insufficient subscription"),
        (Refusal::UnsupportedChannel, 410, "invalid subscribe action for this feed"),
        (Refusal::Internal, 500, "internal error"),
    ];
    assert_eq!(errors.len() + 1, Refusal::ALL.len(), "the stream has no answer for an unknown symbol");
    let others = [
        (ServerMessage::Authenticated, json!([{"T": "success", "msg": "authenticated"}])),
        (ServerMessage::Acknowledged(lists), json!([{"T": "subscription", "trades": ["*", "AAPL"], "quotes": []}])),
    ];
    others.into_iter().chain(errors.map(error)).collect()
}

fn frame<D: Dialect>(message: &ServerMessage) -> BytesMut {
    let mut out = BytesMut::new();
    let group = D::message_group(message).unwrap();
    assert_eq!(group, Group::Alone);
    D::begin_frame(group, &mut out);
    D::encode_message(message, &mut out);
    D::end_frame(group, 1, 0, &mut out);
    out
}

#[test]
fn control_messages_are_an_array_of_one() {
    for (message, expected) in messages() {
        let text = frame::<Text>(&message);
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), expected);
        assert!(text.starts_with(br#"[{"T":""#), "T comes first");
        let bytes = frame::<Binary>(&message);
        let packed = rmpv::decode::read_value(&mut &bytes[..]).unwrap();
        assert_eq!(as_json(&packed), expected);
        assert_eq!(bytes[2..4], [0xa1, b'T'], "T comes first");
    }
    for message in [ServerMessage::Refused(Refusal::UnknownSymbol), ServerMessage::Heartbeat { ts: TS, offset: 1 }] {
        assert_eq!(Text::message_group(&message), None);
    }
}

#[test]
fn a_realistic_mix_takes_at_most_three_quarters_of_the_bytes_in_messagepack() {
    // Three quotes for each trade, one bar in a hundred events; sizes and prices of all lengths.
    let (mut json, mut packed, mut rng) = (0_usize, 0_usize, 0x2545_f491_4f6c_dd1d_u64);
    let mut random = |max: u32| {
        rng ^= rng << 13;
        rng ^= rng >> 7;
        rng ^= rng << 17;
        u32::try_from(rng % u64::from(max)).unwrap()
    };
    for number in 0..10_000_u64 {
        let price = Price::from_cents(i64::from(random(60_000)) + 500);
        let ts = TS.plus_micros(i64::from(random(u32::MAX)));
        let body = match number % 100 {
            0 => EventBody::Bar(Interval::M1, Box::new(closed())),
            n if n % 4 == 1 => EventBody::Trade(Trade { ts, price, size: Size::new(1 + random(400)) }),
            _ => {
                let ask = Price::from_units(price.units() + 100);
                let sizes = [(); 2].map(|()| Size::new(100 * (1 + random(9))));
                EventBody::Quote(Quote { ts, bid: price, bid_size: sizes[0], ask, ask_size: sizes[1] })
            }
        };
        let event = Event { seq: number * 7, ..event(body) };
        json += encoded::<Text>(&event).len();
        packed += encoded::<Binary>(&event).len();
    }
    assert!(packed * 4 <= json * 3, "{packed} bytes of MessagePack, {json} bytes of JSON");
    println!("MessagePack {packed} bytes, JSON {json} bytes");
}

#[test]
fn fractions_of_shares_are_numbers_in_both_codecs() {
    let trade = Trade { size: Size::from_micros(10_500_000), ..trade() };
    let mut text = Vec::new();
    Text::encode_event(&event(EventBody::Trade(trade)), &mut text);
    assert!(String::from_utf8(text).unwrap().contains(r#""s":10.5,"#));
    let mut binary = Vec::new();
    Binary::encode_event(&event(EventBody::Trade(trade)), &mut binary);
    let read = rmpv::decode::read_value(&mut &binary[..]).unwrap();
    let size = read.as_map().unwrap().iter().find(|(key, _)| key.as_str() == Some("s")).unwrap();
    assert_eq!(size.1, Packed::F64(10.5));
}
