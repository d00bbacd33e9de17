//! Tests of the side of a client: it reads whatever the encoder writes, and the server reads its requests.

use bytes::BytesMut;
use proptest::prelude::*;

use crate::domain::{
    Bar, ClosedBar, DayFigures, Event, EventBody, Interval, Price, Quote, Size, Symbol, SymbolId, Timestamp, Trade,
};
use crate::protocol::massive::{Item, Massive, Request, Topic, listen};
use crate::protocol::{Dialect, LeftOut, NameList, Refusal, ServerMessage, VendorBody, VendorEvent, VendorMessage};

/// Reads a frame; mistakes are texts.
fn heard(frame: &str) -> Vec<Result<VendorMessage, String>> {
    let mut heard = Vec::new();
    listen(frame.as_bytes(), |message| heard.push(message.map_err(|err| err.to_string()))).unwrap();
    heard
}

/// Returns the parts of an event that the format carries: milliseconds, and no number of trades.
fn carried(event: &Event) -> VendorEvent {
    let millis = |ts: Timestamp| ts.floor_to(1_000);
    let body = match event.body.clone() {
        EventBody::Trade(trade) => VendorBody::Trade { trade: Trade { ts: millis(trade.ts), ..trade }, id: None },
        EventBody::Quote(quote) => {
            let whole = |size: Size| Size::from_shares(size.shares());
            let (bid_size, ask_size) = (whole(quote.bid_size), whole(quote.ask_size));
            VendorBody::Other(EventBody::Quote(Quote { ts: millis(quote.ts), bid_size, ask_size, ..quote }))
        }
        EventBody::Bar(interval, closed) => {
            let bar = Bar { ts: millis(closed.bar.ts), trades: 0, ..closed.bar };
            VendorBody::Other(EventBody::Bar(interval, Box::new(ClosedBar { bar, day: closed.day })))
        }
        body => VendorBody::Other(body),
    };
    VendorEvent { symbol: event.symbol, body, is_rounded: false }
}

fn times() -> impl Strategy<Value = Timestamp> {
    (-5_364_662_400_000_000..9_214_646_400_000_000_i64).prop_map(Timestamp::from_micros)
}

fn prices() -> impl Strategy<Value = Price> {
    prop_oneof![1..20_000_000_i64, 1..=10_000_000_000_000_i64].prop_map(Price::from_units)
}

fn sizes() -> impl Strategy<Value = Size> {
    (1..=9_000_000_000_000_000_000_u64).prop_map(Size::from_micros)
}

fn bodies() -> impl Strategy<Value = EventBody> {
    let quotes = (times(), prices(), sizes(), prices(), sizes());
    let bars = (times(), (prices(), prices(), prices(), prices(), prices()), sizes(), 1..1_000_u64);
    let intervals = prop_oneof![Just(Interval::S1), Just(Interval::M1)];
    prop_oneof![
        (times(), prices(), sizes()).prop_map(|(ts, price, size)| EventBody::Trade(Trade { ts, price, size })),
        quotes.prop_map(|(ts, bid, bid_size, ask, ask_size)| EventBody::Quote(Quote {
            ts,
            bid,
            bid_size,
            ask,
            ask_size
        })),
        (intervals, bars).prop_map(|(interval, (ts, (open, close, other, low, vwap), volume, trades))| {
            let (high, low) = (open.max(close).max(other), low.min(open).min(close));
            let bar = Bar { ts, open, high, low, close, volume, trades, vwap };
            EventBody::Bar(interval, Box::new(ClosedBar { bar, day: DayFigures { open: other, volume, vwap: low } }))
        }),
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
        let mut out = Vec::new();
        Massive::encode_event(&event, &mut out);
        let frame = format!("[{}]", String::from_utf8(out).unwrap());
        prop_assert_eq!(heard(&frame), [Ok(VendorMessage::Event(carried(&event)))]);
    }

    #[test]
    fn the_server_reads_a_request_as_the_client_wrote_it(key in ".{0,20}", tickers in prop::collection::btree_set("[A-Z.*]{1,6}", 0..5)) {
        let items: Vec<_> = tickers.into_iter().map(|ticker| Item { topic: Topic::SecondBars, ticker }).collect();
        for request in [Request::Auth(key), Request::Subscribe(items.clone()), Request::Unsubscribe(items)] {
            prop_assert_eq!(Massive::decode(request.to_text().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = listen(&bytes, |_| {});
    }
}

fn said(message: &ServerMessage) -> Vec<Result<VendorMessage, String>> {
    let mut out = BytesMut::from("[");
    Massive::encode_message(message, &mut out);
    out.extend_from_slice(b"]");
    heard(std::str::from_utf8(&out).unwrap())
}

#[test]
fn every_message_of_a_session_is_read_as_it_was_written() {
    assert_eq!(said(&ServerMessage::Authenticated), [Ok(VendorMessage::Authenticated)]);
    let names = NameList { heading: "subscribed to", names: vec!["T.A".into(), "Q.A".into()] };
    let expected = [Ok(VendorMessage::Subscribed), Ok(VendorMessage::Subscribed)];
    assert_eq!(said(&ServerMessage::Acknowledged(vec![names])), expected);
    let connected = r#"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#;
    assert_eq!(heard(connected), [Ok(VendorMessage::Connected)]);
    let refused = Refusal::ALL.into_iter().filter(|refusal| {
        let said = said(&ServerMessage::Refused(*refusal));
        let Some(first) = said.first() else { return false };
        assert!(
            matches!(first, Ok(VendorMessage::Refused { refusal: Some(found), .. }) if found == refusal),
            "{said:?}"
        );
        true
    });
    assert_eq!(refused.count(), 9);
    let shutdown = said(&ServerMessage::Goodbye { reason: "shutdown", retry_after_ms: 1 });
    assert!(
        matches!(&shutdown[0], Ok(VendorMessage::Refused { refusal: Some(Refusal::Internal), .. })),
        "{shutdown:?}"
    );
    let other = r#"[{"ev":"status","status":"auth_failed","message":"no such key"},{"ev":"status","status":"new","message":"\n"}]"#;
    let refused = |refusal, text: &str| Ok(VendorMessage::Refused { refusal, text: text.into() });
    let expected = [refused(Some(Refusal::AuthFailed), "auth_failed: no such key"), refused(None, "new: \\n")];
    assert_eq!(heard(other), expected);
}

#[test]
fn mistakes_are_told_and_events_that_the_server_does_not_have_are_left_out() {
    let frame = r#"[{"ev":"T","sym":"AAPL","p":-1,"s":1,"t":1},{"ev":"Q","sym":"AAPL","bp":1,"bs":1,"t":1},
        {"ev":"Q","sym":"AAPL","bp":1,"bs":1,"ap":0,"as":0,"t":1},{"ev":"T","sym":"AAPL","p":1,"s":0,"ds":"0.5","t":1772463845123},
        {"ev":"T","sym":"AAPL","p":1,"s":0,"t":1},{"ev":"T","sym":"x:y","p":1,"s":1,"t":1},{"ev":"LULD","T":"AAPL"},{"sym":"A"},
        {"ev":"A","sym":"A","o":2,"h":1,"l":1,"c":1,"vw":1,"v":1,"s":1,"e":2},{"ev":"T","sym":"A","p":1,"s":1,"t":1772463845123456}]"#;
    let heard = heard(frame);
    let starts = |at: usize, text: &str| assert!(heard[at].as_ref().unwrap_err().starts_with(text), "{:?}", heard[at]);
    starts(0, "field 'p': '-1' is not a price");
    starts(7, "field 'ev': '' is not a text: {\"sym\":\"A\"}");
    starts(8, "field 'h': '1' is not the highest price of the bar");
    starts(9, "field 't': '1772463845123456' is not a time in milliseconds");
    for (at, reason) in [(1, LeftOut::OneSided), (2, LeftOut::OneSided), (4, LeftOut::NoVolume), (5, LeftOut::Name)] {
        assert_eq!(heard[at], Ok(VendorMessage::LeftOut(reason)));
    }
    let Ok(VendorMessage::Event(VendorEvent { body: VendorBody::Trade { trade, .. }, .. })) = &heard[3] else {
        panic!("{heard:?}")
    };
    assert_eq!((trade.size, trade.ts), (Size::from_micros(500_000), Timestamp::from_micros(1_772_463_845_123_000)));
    assert!(matches!(heard[6], Ok(VendorMessage::Unknown(_))));
}
