//! Tests of the side of a client: it reads whatever the encoder writes, in both codecs, and the server reads its requests.

use bytes::BytesMut;
use proptest::prelude::*;

use crate::domain::{
    Bar, Cancel, CancelKind, ClosedBar, Correction, DayFigures, Event, EventBody, Interval, Price, Quote, Size, Symbol,
    SymbolId, Timestamp, Trade,
};
use crate::protocol::alpaca::{Alpaca, Codec, Json, Lists, MessagePack, Request, listen};
use crate::protocol::{
    Dialect, Group, LeftOut, Refusal, ServerMessage, VendorBody, VendorCancel, VendorCorrection, VendorEvent,
    VendorMessage, identity,
};

/// Writes a frame of these messages.
fn frame<D: Dialect>(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = BytesMut::new();
    D::begin_frame(Group::Alone, &mut out);
    out.extend_from_slice(&messages.join(D::JOINT));
    D::end_frame(Group::Alone, messages.len(), 0, &mut out);
    out.to_vec()
}

fn heard<D: Dialect>(messages: &[Vec<u8>]) -> Vec<VendorMessage> {
    let mut heard = Vec::new();
    listen(&frame::<D>(messages), D::IS_TEXT, |message| heard.push(message.unwrap())).unwrap();
    heard
}

fn event_heard<D: Dialect>(event: &Event) -> VendorMessage {
    let mut out = Vec::new();
    D::encode_event(event, &mut out);
    heard::<D>(&[out]).remove(0)
}

/// Returns the parts of an event that the format carries.
fn carried(event: &Event) -> VendorEvent {
    let body = match &event.body {
        EventBody::Trade(trade) => VendorBody::Trade { trade: *trade, id: Some(event.seq) },
        // Not the day of a bar.
        EventBody::Bar(interval, closed) => VendorBody::Other(EventBody::Bar(*interval, alone(closed).into())),
        EventBody::UpdatedBar(closed) => VendorBody::Other(EventBody::UpdatedBar(alone(closed).into())),
        // Not the time of the trade; its id in place of its number.
        EventBody::Correction(correction) => VendorBody::Correction(VendorCorrection {
            ts: correction.ts,
            id: correction.trade_seq,
            price: correction.trade.price,
            size: correction.trade.size,
            right_id: u64::try_from(identity::corrected_trade_id(event.seq)).ok(),
            right_price: correction.price,
            right_size: correction.size,
        }),
        EventBody::Cancel(cancel) => VendorBody::Cancel(VendorCancel {
            ts: cancel.ts,
            id: cancel.trade_seq,
            price: cancel.trade.price,
            size: cancel.trade.size,
            kind: cancel.kind,
        }),
        body => VendorBody::Other(body.clone()),
    };
    VendorEvent { symbol: event.symbol, body, is_rounded: false }
}

fn alone(closed: &ClosedBar) -> ClosedBar {
    ClosedBar { bar: closed.bar, day: DayFigures::from(&closed.bar) }
}

fn times() -> impl Strategy<Value = Timestamp> {
    // MessagePack has another form before 1970 and after 2514.
    (-5_364_662_400_000_000..9_214_646_400_000_000_i64).prop_map(Timestamp::from_micros)
}

fn prices() -> impl Strategy<Value = Price> {
    prop_oneof![1..20_000_000_i64, 1..=10_000_000_000_000_i64].prop_map(Price::from_units)
}

/// Sizes that a 64-bit float of MessagePack has to a millionth.
fn sizes() -> impl Strategy<Value = Size> {
    prop_oneof![1..100_000_000_000_u64, (1..100_000_u64).prop_map(|shares| shares * 1_000_000)]
        .prop_map(Size::from_micros)
}

fn trades() -> impl Strategy<Value = Trade> {
    (times(), prices(), sizes()).prop_map(|(ts, price, size)| Trade { ts, price, size })
}

fn bars() -> impl Strategy<Value = ClosedBar> {
    let prices = (prices(), prices(), prices(), prices(), prices());
    (times(), prices, sizes(), 1..1_000_000_u64).prop_map(|(ts, (open, close, other, low, vwap), volume, trades)| {
        let (high, low) = (open.max(close).max(other), low.min(open).min(close));
        let bar = Bar { ts, open, high, low, close, volume, trades, vwap };
        ClosedBar { bar, day: DayFigures { open: other, volume, vwap } }
    })
}

fn bodies() -> impl Strategy<Value = EventBody> {
    let quotes = (times(), prices(), sizes(), prices(), sizes());
    let kinds = prop_oneof![Just(CancelKind::Cancelled), Just(CancelKind::Error)];
    prop_oneof![
        trades().prop_map(EventBody::Trade),
        quotes.prop_map(|(ts, bid, bid_size, ask, ask_size)| EventBody::Quote(Quote {
            ts,
            bid,
            bid_size,
            ask,
            ask_size
        })),
        bars().prop_map(|closed| EventBody::Bar(Interval::M1, Box::new(closed))),
        bars().prop_map(|closed| EventBody::UpdatedBar(Box::new(closed))),
        bars().prop_map(|closed| EventBody::DailyBar(Box::new(closed.bar))),
        (times(), 1..1_u64 << 40, trades(), prices(), sizes()).prop_map(|(ts, trade_seq, trade, price, size)| {
            EventBody::Correction(Box::new(Correction { ts, trade_seq, trade, price, size }))
        }),
        (times(), 1..1_u64 << 40, trades(), kinds).prop_map(|(ts, trade_seq, trade, kind)| EventBody::Cancel(
            Box::new(Cancel { ts, trade_seq, trade, kind })
        )),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let symbols = "[A-Z][A-Z0-9.-]{0,14}".prop_map(|text| text.parse::<Symbol>().unwrap());
    (symbols, 1..1_u64 << 40, bodies()).prop_map(|(symbol, seq, body)| Event {
        offset: 1,
        seq,
        id: SymbolId(0),
        symbol,
        body,
    })
}

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written_as_far_as_the_format_has_it(event in events()) {
        let expected = VendorMessage::Event(carried(&event));
        prop_assert_eq!(&event_heard::<Alpaca<Json, false>>(&event), &expected);
        prop_assert_eq!(&event_heard::<Alpaca<MessagePack, false>>(&event), &expected);
    }

    #[test]
    fn the_server_reads_a_request_as_the_client_wrote_it(key in ".{0,20}", secret in ".{0,20}", symbols in prop::collection::vec(prop::option::of("[A-Z]{1,5}"), 0..5), place in 0..8_usize) {
        let mut lists = Lists::default();
        lists.names[place] = symbols.iter().map(|name| name.as_ref().map(|name| name.parse().unwrap())).collect();
        for request in [Request::Auth { key, secret }, Request::Subscribe(lists.clone()), Request::Unsubscribe(lists)] {
            prop_assert_eq!(Json::read(&request.to_bytes::<Json>()), Ok(request.clone()));
            prop_assert_eq!(MessagePack::read(&request.to_bytes::<MessagePack>()), Ok(request.clone()));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), is_text: bool) {
        let _ = listen(&bytes, is_text, |_| {});
    }
}

fn said<D: Dialect>(message: &ServerMessage) -> VendorMessage {
    let mut out = BytesMut::new();
    D::encode_message(message, &mut out);
    heard::<D>(&[out.to_vec()]).remove(0)
}

#[test]
fn every_message_of_a_session_is_read_as_it_was_written() {
    type Text = Alpaca<Json, false>;
    type Binary = Alpaca<MessagePack, false>;
    for (message, expected) in [
        (ServerMessage::Authenticated, VendorMessage::Authenticated),
        (ServerMessage::Acknowledged(Vec::new()), VendorMessage::Subscribed),
    ] {
        assert_eq!([said::<Text>(&message), said::<Binary>(&message)], [expected.clone(), expected]);
    }
    assert_eq!(heard_text(r#"[{"T":"success","msg":"connected"}]"#), [Ok(VendorMessage::Connected)]);
    let mut count = 0;
    for refusal in Refusal::ALL {
        let message = ServerMessage::Refused(refusal);
        if Text::message_group(&message).is_some() {
            for said in [said::<Text>(&message), said::<Binary>(&message)] {
                assert!(
                    matches!(said, VendorMessage::Refused { refusal: Some(found), .. } if found == refusal),
                    "{said:?}"
                );
            }
            count += 1;
        }
    }
    assert_eq!(count, 11);
    let unknown = VendorMessage::Refused { refusal: None, text: "411 insufficient scope".into() };
    assert_eq!(heard_text(r#"[{"T":"error","code":411,"msg":"insufficient scope"}]"#), [Ok(unknown)]);
}

/// Reads a frame of JSON; mistakes are texts.
fn heard_text(frame: &str) -> Vec<Result<VendorMessage, String>> {
    let mut heard = Vec::new();
    listen(frame.as_bytes(), true, |message| heard.push(message.map_err(|err| err.to_string()))).unwrap();
    heard
}

#[test]
fn a_message_with_a_mistake_is_told_and_the_others_of_its_frame_are_read() {
    let trade =
        |price: &str| format!(r#"{{"T":"t","S":"AAPL","i":1,"p":{price},"s":1,"t":"2026-03-02T15:04:05.123456789Z"}}"#);
    let frame = format!(
        r#"[{},{},{},5,{{"T":"t","S":"AAPL","p":1,"s":1,"t":"yesterday"}},{{"T":"n","id":7}},{}]"#,
        trade("1.23456"),
        trade("-1"),
        trade("\"NaN\""),
        trade("0")
    );
    let heard = heard_text(&frame);
    let Ok(VendorMessage::Event(first)) = &heard[0] else { panic!("{heard:?}") };
    let expected = Trade {
        ts: Timestamp::from_micros(1_772_463_845_123_456),
        price: Price::from_units(12_346),
        size: Size::new(1),
    };
    assert_eq!(first.body, VendorBody::Trade { trade: expected, id: Some(1) });
    assert!(first.is_rounded);
    let price = "is not a price: a number above 0 and at most 1,000,000,000";
    for (heard, mistake, message) in [
        (&heard[1], format!("field 'p': '-1' {price}"), trade("-1")),
        (&heard[2], format!("field 'p': 'NaN' {price}"), trade("\"NaN\"")),
        (&heard[3], "field 'T': '' is not a text".into(), "5".into()),
        (&heard[6], format!("field 'p': '0' {price}"), trade("0")),
    ] {
        assert_eq!(heard, &Err(format!("{mistake}: {message}")));
    }
    assert!(heard[4].as_ref().unwrap_err().starts_with("field 't': 'yesterday' is not a time"), "{heard:?}");
    assert_eq!(heard[5], Ok(VendorMessage::Unknown(r#"{"T":"n","id":7}"#.into())));
}

#[test]
fn a_frame_that_is_no_array_is_told_after_the_messages_before_its_mistake() {
    for (frame, before) in [
        ("", 0),
        ("{}", 0),
        ("[", 0),
        (r#"[{"T":"x"}"#, 1),
        (r#"[{"T":"n"},{"p":NaN}]"#, 1),
        (r#"[{"T":"n"}] x"#, 1),
        ("null", 0),
    ] {
        let mut count = 0;
        let err = listen(frame.as_bytes(), true, |_| count += 1).unwrap_err().to_string();
        assert_eq!(count, before, "{frame}");
        assert!(err.starts_with("no array of messages (") && err.ends_with(frame), "{err}");
    }
    let long = format!("[{}", "\u{1}x".repeat(10_000));
    let err = listen(long.as_bytes(), true, |_| {}).unwrap_err().to_string();
    assert!(err.len() < 1_200 && !err.contains('\u{1}'), "{err}");
    // A float that is no number.
    let packed = [
        &[0x91, 0x85, 0xa1, b'T', 0xa1, b't', 0xa1, b'S', 0xa1, b'A', 0xa1, b's', 1, 0xa1, b't'][..],
        &[0xd6, 0xff, 0, 0, 0, 1],
        &[0xa1, b'p', 0xcb],
        &f64::NAN.to_be_bytes(),
    ]
    .concat();
    let mut heard = Vec::new();
    listen(&packed, false, |message| heard.push(message.unwrap_err().to_string())).unwrap();
    assert!(
        heard[0].starts_with("field 'p': 'NaN' is not a price")
            && heard[0].ends_with(r#"{"T":"t","S":"A","s":1,"t":1000000 µs,"p":NaN}"#),
        "{heard:?}"
    );
    assert!(listen(&packed[..packed.len() - 1], false, |_| {}).is_err(), "cut off");
}

#[test]
fn events_that_the_server_does_not_have_are_left_out() {
    let frame = r#"[{"T":"q","S":"AAPL","bp":0,"bs":0,"ap":1.5,"as":2,"t":"2026-03-02T15:04:05Z"},
        {"T":"t","S":"AAPL","p":1,"s":0,"t":"2026-03-02T15:04:05Z"},{"T":"t","S":"BTC/USD","p":1,"s":1,"t":"2026-03-02T15:04:05Z"}]"#;
    let expected =
        [LeftOut::OneSided, LeftOut::NoVolume, LeftOut::Name].map(|reason| Ok(VendorMessage::LeftOut(reason)));
    assert_eq!(heard_text(frame), expected);
}

#[test]
fn the_messages_of_the_vendors_documentation_are_read() {
    let frame = r#"[{"T":"t","S":"AAPL","i":7001,"x":"V","p":201.37,"s":40,"c":["@","I"],"z":"C","t":"2026-03-02T15:04:05.123456789Z"},
        {"T":"q","S":"AAPL","bx":"V","bp":201.36,"bs":300,"ax":"V","ap":201.38,"as":200,"c":["R"],"z":"C","t":"2026-03-02T15:04:05.1236Z"},
        {"T":"b","S":"AAPL","o":201.1,"h":201.6,"l":201.05,"c":201.37,"v":18250,"n":214,"vw":201.332,"t":"2026-03-02T15:03:00Z"},
        {"T":"c","S":"AAPL","x":"V","oi":7001,"op":201.37,"os":40,"oc":["@"],"ci":7002,"cp":201.27,"cs":40,"cc":["@"],"t":"2026-03-02T15:10:02Z","z":"C"},
        {"T":"x","S":"AAPL","i":7002,"x":"V","p":201.27,"s":40,"a":"C","t":"2026-03-02T15:10:03Z","z":"C"}]"#;
    assert!(heard_text(frame).iter().all(|message| matches!(message, Ok(VendorMessage::Event(_)))));
    let frame = r#"[{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T1","rm":"News pending","t":"2026-03-02T15:10:00Z","z":"C"},
        {"T":"l","S":"AAPL","u":211.4,"d":191.2,"i":"B","t":"2026-03-02T15:10:01Z","z":"C"}]"#;
    assert!(heard_text(frame).iter().all(|message| matches!(message, Ok(VendorMessage::Unknown(_)))));
}
