//! What an outbox promises, for any order of events, answers and drains.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::{Event, EventBody, Price, Size, SymbolId, Timestamp, Trade};
use crate::protocol::Publication;

/// Collects what is drained, `limit` messages at the most each time.
#[derive(Default)]
struct Collected {
    messages: Vec<Value>,
    limit: usize,
}

impl Sink for Collected {
    fn control(&mut self, control: Control) {
        if let Control::Message(bytes) = control {
            self.message(&bytes);
        }
    }

    fn message(&mut self, bytes: &[u8]) {
        self.messages.push(serde_json::from_slice(bytes).unwrap());
    }

    fn event(&mut self, publication: &Publication) {
        self.message(publication.encoded(Dialect::Native));
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= self.limit
    }
}

/// A stream of trades, and the outbox of a session that wants all of them.
struct Fixture {
    outbox: Outbox,
    now: Instant,
    offset: u64,
    seq: HashMap<u32, u64>,
}

impl Fixture {
    fn new(events_max: usize, coalesce_ms: u64) -> Self {
        let config = PushConfig { outbox_events_max: events_max, coalesce_ms, ..PushConfig::default() };
        let now = Instant::now();
        Self { outbox: Outbox::new(Rc::new(config), 0, now), now, offset: 0, seq: HashMap::new() }
    }

    fn push(&mut self, symbol: u32) {
        self.offset += 1;
        let seq = self.seq.entry(symbol).or_default();
        *seq += 1;
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
        let symbol_name = format!("S{symbol}").parse().unwrap();
        let body = EventBody::Trade(trade);
        let event = Event { offset: self.offset, seq: *seq, id: SymbolId(symbol), symbol: symbol_name, body };
        let batch: Arc<[Publication]> = Arc::new([Publication::new(event)]);
        self.outbox.push_event(&Rc::new(Delivery::new(batch, 0)), self.now);
    }

    fn reply(&mut self) {
        let bytes = format!(r#"{{"type":"subscribed","offset":{}}}"#, self.offset).into_bytes();
        self.outbox.push_reply(Rc::new(Reply { offset: self.offset, bytes }), self.now).unwrap();
    }

    fn drain(&mut self, limit: usize) -> Option<(Vec<Value>, Drained)> {
        let mut sink = Collected { limit, ..Collected::default() };
        match self.outbox.poll_drain(&Context::from_waker(Waker::noop()), self.now, &mut sink) {
            Poll::Ready(Some(drained)) => Some((sink.messages, drained)),
            Poll::Ready(None) => panic!("not finished"),
            Poll::Pending => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Reply,
    Drain(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0u32..6).prop_map(Step::Push),
        1 => Just(Step::Reply),
        2 => (1usize..12).prop_map(Step::Drain),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn holes_are_counted_exactly_and_order_never_breaks(steps in steps(), events_max in 1usize..10) {
        let mut fixture = Fixture::new(events_max, 0);
        let mut received = Vec::new();
        for step in steps {
            match step {
                Step::Push(symbol) => fixture.push(symbol),
                Step::Reply => fixture.reply(),
                Step::Drain(limit) => received.extend(fixture.drain(limit).into_iter().flat_map(|(messages, _)| messages)),
            }
            prop_assert!(fixture.outbox.events <= events_max.max(6), "bounded by the queue or the number of keys");
        }
        while let Some((messages, _)) = fixture.drain(1_000) {
            received.extend(messages);
        }
        let (mut seq, mut offset) = (HashMap::<String, u64>::new(), 0);
        let (mut holes, mut skipped) = (0, 0);
        for message in received {
            if message["type"] == "lag" {
                prop_assert!(message["since_offset"].as_u64().unwrap() > offset, "what is skipped lies ahead");
                skipped += message["skipped"].as_u64().unwrap();
                continue;
            }
            let at = message["offset"].as_u64().unwrap();
            prop_assert!(at >= offset);
            offset = at;
            if message["type"] == "trade" {
                let last = seq.entry(message["symbol"].as_str().unwrap().into()).or_default();
                let next = message["seq"].as_u64().unwrap();
                prop_assert!(next > *last, "none twice");
                holes += next - *last - 1;
                *last = next;
                prop_assert!(holes <= skipped, "a hole is announced before it shows");
            }
        }
        prop_assert_eq!(holes, skipped);
        for (symbol, last) in &fixture.seq {
            prop_assert_eq!(seq[&format!("S{symbol}")], *last, "the newest value arrives");
        }
    }
}

#[test]
fn the_first_event_goes_at_once_and_the_next_ones_go_together_when_the_window_ends() {
    let mut fixture = Fixture::new(10, 20);
    fixture.push(1);
    let (messages, drained) = fixture.drain(100).unwrap();
    assert_eq!((messages.len(), drained), (1, Drained { events: 1, opens_window: true }));
    fixture.push(1);
    fixture.push(2);
    assert!(fixture.drain(100).is_none(), "the window is open");
    fixture.outbox.end_window(fixture.now);
    assert_eq!(fixture.drain(100).unwrap().0.len(), 2);
    fixture.outbox.end_window(fixture.now);
    assert!(fixture.drain(100).is_none(), "nothing came");
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().0.len(), 1, "a quiet time is over: at once again");
}

#[test]
fn an_answer_waits_for_no_window_and_keeps_its_place() {
    let mut fixture = Fixture::new(10, 20);
    fixture.push(1);
    fixture.drain(100);
    fixture.push(1);
    fixture.reply();
    fixture.push(1);
    let types: Vec<_> = fixture.drain(100).unwrap().0.into_iter().map(|message| message["type"].clone()).collect();
    assert_eq!(types, ["trade", "subscribed", "trade"]);
}

#[test]
fn a_control_message_overtakes_what_waits_and_a_close_ends_it() {
    let mut fixture = Fixture::new(10, 0);
    fixture.push(1);
    fixture.outbox.push_control(Control::Message(br#"{"type":"pong"}"#.to_vec()), fixture.now).unwrap();
    let (messages, _) = fixture.drain(100).unwrap();
    assert_eq!(messages[0]["type"], "pong");
    fixture.push(1);
    fixture.outbox.push_control(Control::Close(CloseReason::Shutdown), fixture.now).unwrap();
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().0.len(), 0, "nothing but the close frame");
    fixture.outbox.finish(fixture.now);
    let mut sink = Collected::default();
    let polled = fixture.outbox.poll_drain(&Context::from_waker(Waker::noop()), fixture.now, &mut sink);
    assert!(matches!(polled, Poll::Ready(None)));
}

#[test]
fn unread_answers_are_bounded() {
    let config = PushConfig { outbox_replies_max: 3, ..PushConfig::default() };
    let now = Instant::now();
    let mut outbox = Outbox::new(Rc::new(config), 0, now);
    let reply = Rc::new(Reply { offset: 0, bytes: b"{}".to_vec() });
    for _ in 0..3 {
        outbox.push_reply(reply.clone(), now).unwrap();
        outbox.push_control(Control::Ping, now).unwrap();
    }
    assert_eq!(outbox.push_reply(reply, now), Err(CloseReason::UnreadReplies));
    assert_eq!(outbox.push_control(Control::Ping, now), Err(CloseReason::UnreadReplies));
    assert_eq!(outbox.push_control(Control::Close(CloseReason::UnreadReplies), now), Ok(()));
}
