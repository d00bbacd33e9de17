//! Frames of a vendor's server, as `tickcast record` reads them: an event obeys the rules of recordings and is read from one again, and one
//! with whole milliseconds is the same when its server writes it again; a complaint is one line of bounded length.

use tempfile::TempDir;
use tickcast::domain::{Event, EventBody, Price, Symbol, SymbolId};
use tickcast::protocol::alpaca::{self, Alpaca, Json, MessagePack};
use tickcast::protocol::massive::{self, Massive};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Dialect, Unreadable, VendorBody, VendorEvent, VendorMessage};
use tickcast_tape::{Body, ReadOptions, Reader, open};

use super::parts::take;

/// Longest complaint, in characters: a mistake and a message, each shortened.
const COMPLAINT_CHARS_MAX: usize = 2_600;

thread_local! {
    static FOLDER: TempDir = TempDir::new().expect("a temporary folder");
}

/// Reads a frame: of Massive, of Alpaca in MessagePack, or of Alpaca in JSON.
fn listen(vendor: u8, frame: &[u8], each: impl FnMut(Result<VendorMessage, Unreadable>)) -> Result<(), Unreadable> {
    match vendor {
        b'm' => massive::listen(frame, each),
        b'p' => alpaca::listen(frame, false, each),
        _ => alpaca::listen(frame, true, each),
    }
}

pub(super) fn run(mut data: &[u8]) {
    let vendor = take(&mut data);
    let mut events = Vec::new();
    let whole = listen(vendor, data, |message| match message {
        Ok(VendorMessage::Event(event)) => events.push(event),
        Ok(VendorMessage::Refused { text, .. } | VendorMessage::Unknown(text)) => check_complaint(&text),
        Ok(_) => {}
        Err(err) => check_complaint(&err.to_string()),
    });
    if let Err(err) = whole {
        check_complaint(&err.to_string());
    }
    let numbered: Vec<_> = events.iter().filter_map(numbered).collect();
    for event in &numbered {
        check_again(vendor, event);
    }
    if !numbered.is_empty() {
        check_recorded(&numbered);
    }
}

fn check_complaint(text: &str) {
    assert!(text.chars().count() <= COMPLAINT_CHARS_MAX, "{} characters", text.chars().count());
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// Returns the event with a number, unless it names another one.
fn numbered(event: &VendorEvent) -> Option<Event> {
    let body = match &event.body {
        VendorBody::Trade { trade, .. } => EventBody::Trade(*trade),
        VendorBody::Other(body) => body.clone(),
        VendorBody::Correction(_) | VendorBody::Cancel(_) => return None,
    };
    Some(Event { offset: 1, seq: 1, id: SymbolId(0), symbol: event.symbol, body })
}

/// Checks that the dialect reads the event as it writes it.
fn check_again(vendor: u8, event: &Event) {
    let mut out = Vec::new();
    match vendor {
        b'm' => Massive::encode_event(event, &mut out),
        b'p' => Alpaca::<MessagePack, false>::encode_event(event, &mut out),
        _ => Alpaca::<Json, false>::encode_event(event, &mut out),
    }
    let frame = if vendor == b'p' { [&[0x91][..], &out].concat() } else { [b"[", &out[..], b"]"].concat() };
    let mut heard = Vec::new();
    listen(vendor, &frame, |message| heard.push(message)).expect("the dialect writes it");
    let [Ok(VendorMessage::Event(again))] = &heard[..] else {
        panic!("{event:?}: {heard:?}");
    };
    assert_eq!(again.symbol, event.symbol);
    if let (VendorBody::Trade { trade, .. }, EventBody::Trade(written)) = (&again.body, &event.body) {
        assert_eq!((trade.ts, trade.price), (written.ts, written.price));
    }
}

/// Checks that a recording of the events is read without a mistake.
fn check_recorded(events: &[Event]) {
    let mut lines = br#"{"type":"recording","version":1,"channels":["trades","quotes"]}"#.to_vec();
    for event in events {
        lines.push(b'\n');
        Native::encode_event(event, &mut lines);
    }
    lines.push(b'\n');
    FOLDER.with(|folder| {
        let path = folder.path().join("recording.jsonl");
        std::fs::write(&path, lines).expect("a disk with space");
        let mut reader = open(&path, &ReadOptions::default()).expect("a recording");
        let mut rows = Vec::new();
        while let Some(row) = reader.next().expect("a row without a mistake") {
            rows.push((row.symbol, price(&row.body)));
        }
        let expected = events.iter().filter_map(|event| Some((event.symbol, price_of(&event.body)?)));
        assert_eq!(rows, expected.collect::<Vec<(Symbol, Price)>>());
    });
}

fn price(body: &Body) -> Price {
    match body {
        Body::Trade { price, .. } => *price,
        Body::Quote { bid, .. } => *bid,
        body => panic!("{body:?}"),
    }
}

/// Returns the price of a trade or quote.
fn price_of(body: &EventBody) -> Option<Price> {
    match body {
        EventBody::Trade(trade) => Some(trade.price),
        EventBody::Quote(quote) => Some(quote.bid),
        _ => None,
    }
}
