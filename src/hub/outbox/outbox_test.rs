//! Promises of an outbox, for any order of events, answers and drains.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::{
    Channel, ChannelSet, Event, EventBody, Instrument, Price, Size, Symbol, SymbolId, SymbolTable, Timestamp, Trade,
};
use crate::history::Ring;
use crate::hub::outbox::latest::Latest;
use crate::hub::outbox::messages_test::{long_answer, pong, snapshot, state, subscribed};
use crate::hub::{HubConfig, Index, PushConfig, Sink, Topic};
use crate::protocol::native::Native;
use crate::protocol::{CloseReason, Dialect, Mode, Publication, Rate, ServerMessage};

/// Collects drained items, at most `limit` messages per write.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) messages: Vec<Value>,
    pub(super) limit: usize,
}

impl Sink for Collected {
    fn control(&mut self, control: Control) {
        if let Control::Message(message) = control {
            self.message(&message);
        }
    }

    fn message(&mut self, message: &ServerMessage) {
        let mut bytes = Vec::new();
        Native::encode_message(message, &mut bytes);
        self.messages.push(serde_json::from_slice(&bytes).unwrap());
    }

    fn event(&mut self, publication: &Publication, skipped: u32) {
        let mut message: Value = serde_json::from_slice(publication.encoded::<Native>()).unwrap();
        message["skipped"] = skipped.into();
        self.messages.push(message);
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= self.limit
    }
}

fn shared(push: PushConfig, events_kept: usize) -> Rc<OutboxShared> {
    let instrument = |id| Instrument { symbol: name(id), name: String::new(), sector: String::new() };
    let table = Arc::new(SymbolTable::new((0..8).map(instrument).collect()));
    let config = HubConfig { table, push, ..HubConfig::default() };
    Rc::new(OutboxShared::new(&config, Ring::new(events_kept), Instant::now()))
}

fn name(symbol: u32) -> Symbol {
    format!("S{symbol}").parse().unwrap()
}

/// A stream of trades, and the outbox of a session subscribed to all of them.
pub(super) struct Fixture {
    pub(super) outbox: Outbox,
    pub(super) now: Instant,
    pub(super) offset: u64,
    seq: HashMap<u32, u64>,
    index: Index,
}

impl Fixture {
    pub(super) fn new(events_max: usize, coalesce_ms: u64) -> Self {
        Self::with_ring(1_000, events_max, coalesce_ms)
    }

    pub(super) fn with_ring(events_kept: usize, events_max: usize, coalesce_ms: u64) -> Self {
        let push = PushConfig { outbox_events_max: events_max, coalesce_ms, burst_writes: 1, ..PushConfig::default() };
        Self::with(push, events_kept)
    }

    fn with(push: PushConfig, events_kept: usize) -> Self {
        let now = Instant::now();
        let outbox = Outbox::new(shared(push, events_kept), SessionKey::new(0), 0, now);
        Self { outbox, now, offset: 0, seq: HashMap::new(), index: Index::new(8) }
    }

    pub(super) fn push(&mut self, symbol: u32) {
        let delivery = self.delivery(symbol);
        self.outbox.push_event(&delivery, self.now);
        assert!(self.outbox.shared.to_close.borrow().is_empty(), "it wants to catch up");
    }

    /// Returns the next trade of the symbol.
    pub(super) fn delivery(&mut self, symbol: u32) -> Rc<Delivery> {
        self.offset += 1;
        let seq = self.seq.entry(symbol).or_default();
        *seq += 1;
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
        let body = EventBody::Trade(trade);
        let event = Event { offset: self.offset, seq: *seq, id: SymbolId(symbol), symbol: name(symbol), body };
        let batch: Arc<[Publication]> = Arc::new([Publication::new(event)]);
        self.outbox.shared.ring.borrow_mut().push(batch.clone());
        Rc::new(Delivery::new(batch, 0))
    }

    /// Subscribes to a symbol, possibly again, as a session does: sets the mode and answers with a snapshot.
    pub(super) fn subscribe(&mut self, symbol: u32, mode: Mode) {
        self.outbox.set_mode(Some(SymbolId(symbol)), ChannelSet::from_iter([Channel::Trades]), mode);
        self.index.insert(Topic::symbol(SymbolId(symbol), Channel::Trades), SessionKey::new(0), self.outbox.links());
        self.outbox.release(&[SymbolId(symbol)], self.now);
        let seq = self.seq.get(&symbol).copied().unwrap_or_default();
        self.reply(snapshot(symbol, seq, self.offset)).unwrap();
    }

    pub(super) fn reply(&mut self, message: ServerMessage) -> Result<(), CloseReason> {
        self.outbox.push_reply(message, self.offset, self.now)
    }

    pub(super) fn control(&mut self, control: Control) -> Result<(), CloseReason> {
        self.outbox.push_control(control, self.now)
    }

    /// Tries to push an event over the limit to a session with `"on_lag":"close"`.
    pub(super) fn push_too_many(&mut self, symbol: u32) {
        let delivery = self.delivery(symbol);
        self.outbox.push_event(&delivery, self.now);
        assert_eq!(self.outbox.shared.to_close.take(), [SessionKey::new(0)]);
    }

    pub(super) fn drain(&mut self, limit: usize) -> Option<(Vec<Value>, u64)> {
        let mut sink = Collected { limit, ..Collected::default() };
        match self.outbox.poll_drain(&Context::from_waker(Waker::noop()), self.now, &mut sink) {
            Poll::Ready(Some(events)) => Some((sink.messages, events)),
            Poll::Ready(None) => panic!("not finished"),
            Poll::Pending => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(u32),
    Reply,
    Subscribe(u32, Mode),
    Wait(u64),
    Drain(usize),
}

fn modes() -> impl Strategy<Value = Mode> {
    let latest = |hz| Mode::Latest(Rate::from_hz(hz));
    prop_oneof![Just(Mode::All), Just(Mode::Latest(None)), Just(latest(2.0)), Just(latest(0.5))]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0u32..6).prop_map(Step::Push),
        1 => Just(Step::Reply),
        1 => (0u32..6, modes()).prop_map(|(symbol, mode)| Step::Subscribe(symbol, mode)),
        1 => (0u64..600).prop_map(Step::Wait),
        2 => (1usize..12).prop_map(Step::Drain),
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn holes_are_counted_exactly_and_the_order_is_right_in_any_mode(steps in steps(), events_max in 1usize..10) {
        let mut fixture = Fixture::new(events_max, 0);
        let mut received = Vec::new();
        for step in steps {
            match step {
                Step::Push(symbol) => fixture.push(symbol),
                Step::Reply => fixture.reply(subscribed()).unwrap(),
                Step::Subscribe(symbol, mode) => fixture.subscribe(symbol, mode),
                Step::Wait(ms) => fixture.now += Duration::from_millis(ms),
                Step::Drain(limit) => received.extend(fixture.drain(limit).into_iter().flat_map(|(messages, _)| messages)),
            }
            let latest = fixture.outbox.latest.as_deref();
            prop_assert!(latest.is_none_or(|held| held.first_waiting() == held.scan_first_waiting()));
            let next = latest.and_then(Latest::next_due);
            if let Some(next) = next.filter(|next| *next > fixture.now) {
                prop_assert_eq!(fixture.outbox.alarm, Some(next), "somebody wakes the session");
            }
            fixture.check_counts(events_max);
        }
        // The longest interval is two seconds: after it no event is held back.
        for _ in 0..2 {
            fixture.now += Duration::from_secs(2);
            while let Some((messages, _)) = fixture.drain(1_000) {
                received.extend(messages);
            }
        }
        let mut seq = HashMap::<String, u64>::new();
        let (mut holes, mut skipped) = (0, 0);
        for message in received {
            if message["type"] == "lag" {
                skipped += message["skipped"].as_u64().unwrap();
                continue;
            }
            if message["type"] == "snapshot" {
                let last = seq.get(message["symbol"].as_str().unwrap()).copied().unwrap_or_default();
                prop_assert!(message["seq"]["trades"].as_u64().unwrap() >= last, "a snapshot is no step back");
            }
            if message["type"] == "trade" {
                let last = seq.entry(message["symbol"].as_str().unwrap().into()).or_default();
                let next = message["seq"].as_u64().unwrap();
                prop_assert!(next > *last, "none twice, none too late");
                holes += next - *last - 1;
                skipped += message["skipped"].as_u64().unwrap();
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
fn the_first_event_is_sent_at_once_and_the_next_ones_together_when_the_window_ends() {
    let mut fixture = Fixture::new(10, 20);
    fixture.push(1);
    let (messages, events) = fixture.drain(100).unwrap();
    assert_eq!((messages.len(), events), (1, 1));
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
fn a_half_full_outbox_does_not_wait_for_the_window() {
    let mut fixture = Fixture::new(10, 20);
    fixture.push(1);
    fixture.drain(100);
    for _ in 0..5 {
        fixture.push(1);
        assert!(fixture.drain(100).is_none());
    }
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().1, 6, "more than half of what fits");
}

#[test]
fn an_answer_does_not_wait_for_the_window_and_keeps_its_place() {
    let mut fixture = Fixture::new(10, 20);
    fixture.push(1);
    fixture.drain(100);
    fixture.push(1);
    fixture.reply(subscribed()).unwrap();
    fixture.push(1);
    let types: Vec<_> = fixture.drain(100).unwrap().0.into_iter().map(|message| message["type"].clone()).collect();
    assert_eq!(types, ["trade", "subscribed", "trade"]);
}

#[test]
fn a_control_message_is_sent_before_events_and_a_close_ends_the_outbox() {
    let mut fixture = Fixture::new(10, 0);
    fixture.push(1);
    fixture.control(Control::Message(pong())).unwrap();
    let (messages, _) = fixture.drain(100).unwrap();
    assert_eq!(messages[0]["type"], "pong");
    fixture.push(1);
    fixture.control(Control::Close(CloseReason::Shutdown)).unwrap();
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().0.len(), 0, "nothing but the close frame");
    fixture.outbox.finish(fixture.now);
    let mut sink = Collected::default();
    let polled = fixture.outbox.poll_drain(&Context::from_waker(Waker::noop()), fixture.now, &mut sink);
    assert!(matches!(polled, Poll::Ready(None)));
}

#[test]
fn unread_answers_are_bounded_by_their_bytes() {
    let mut fixture = Fixture::with(PushConfig { outbox_reply_bytes_max: 100_000, ..PushConfig::default() }, 1_000);
    let message = || Control::Message(long_answer(10_000));
    for _ in 0..5 {
        fixture.reply(long_answer(10_000)).unwrap();
        fixture.control(message()).unwrap();
    }
    assert_eq!(fixture.reply(long_answer(10_000)), Err(CloseReason::UnreadReplies));
    assert_eq!(fixture.control(message()), Err(CloseReason::UnreadReplies));
    let writes: Vec<_> = std::iter::from_fn(|| fixture.drain(1)).map(|(messages, _)| messages.len()).collect();
    assert_eq!(writes, [1; 10], "one write takes no more than it must");
    assert_eq!(fixture.outbox.overdue(fixture.now + Duration::from_secs(1)), Duration::ZERO);
    (0..9).for_each(|_| fixture.reply(long_answer(10_000)).unwrap());
    fixture.control(message()).unwrap();
    assert_eq!(fixture.control(Control::Ping), Err(CloseReason::UnreadReplies));
    assert_eq!(fixture.control(Control::Close(CloseReason::UnreadReplies)), Ok(()));
}

#[test]
fn a_write_takes_as_many_snapshots_as_the_socket_accepts() {
    let mut fixture = Fixture::new(10, 0);
    fixture.push(1);
    let states = (0..3).map(|symbol| (name(symbol), state(0))).collect();
    fixture
        .outbox
        .push_snapshots(Snapshots::new(fixture.offset, states, ChannelSet::EMPTY, ChannelSet::ALL), fixture.now);
    fixture.push(2);
    let writes = std::iter::from_fn(|| fixture.drain(2)).flat_map(|(messages, _)| {
        assert!(messages.len() <= 2);
        messages.into_iter().map(|message| message["symbol"].as_str().unwrap().to_owned())
    });
    assert_eq!(writes.collect::<Vec<_>>(), ["S1", "S0", "S1", "S2", "S2"]);
}

#[test]
fn a_rate_holds_events_back_and_sends_the_newest_with_a_count() {
    let mut fixture = Fixture::new(10, 0);
    fixture.subscribe(1, Mode::Latest(Rate::from_hz(2.0)));
    fixture.drain(100);
    fixture.push(1);
    assert_eq!(fixture.drain(100).unwrap().0[0]["skipped"], 0, "the first goes at once");
    fixture.push(1);
    fixture.push(1);
    fixture.push(1);
    assert!(fixture.drain(100).is_none(), "held back");
    let alarm = fixture.outbox.alarm.expect("an alarm is set");
    assert_eq!(alarm - fixture.now, Duration::from_millis(500));
    fixture.now = alarm;
    fixture.outbox.ring_alarm(alarm);
    let (messages, _) = fixture.drain(100).unwrap();
    assert_eq!((messages.len(), &messages[0]["seq"], &messages[0]["skipped"]), (1, &4.into(), &2.into()));
    assert_eq!(fixture.outbox.alarm, None);
}

#[test]
fn the_cursor_does_not_pass_a_rejected_event() {
    let mut fixture = Fixture::new(2, 0);
    fixture.outbox.set_on_lag(OnLag::Close);
    fixture.push(1);
    fixture.push(1);
    fixture.push_too_many(1);
    assert_eq!(fixture.drain(100).unwrap().1, 2);
    fixture.push(1);
    fixture.outbox.pass_over(4);
    assert!(fixture.drain(100).is_none(), "nothing follows a hole");
    assert_eq!(fixture.outbox.cursor(), Some(2));
}

#[test]
fn answers_that_keep_events_before_them_are_bounded() {
    let mut fixture = Fixture::new(4, 0);
    let mut requests = 0;
    loop {
        (0..4).for_each(|symbol| fixture.push(symbol));
        if fixture.reply(long_answer(100)).is_err() {
            break;
        }
        requests += 1;
    }
    let outbox = &fixture.outbox;
    assert!(requests > 500 && outbox.queue.is_empty() && outbox.newest.len() <= 4, "{requests} {outbox:?}");
}

#[test]
fn a_lag_ends_when_the_write_has_room_to_announce_it() {
    let mut fixture = Fixture::new(2, 0);
    for _ in 0..3 {
        (0..6).for_each(|symbol| fixture.push(symbol % 2));
        fixture.control(Control::Message(pong())).unwrap();
        assert_eq!(fixture.drain(1).unwrap().0.len(), 1, "the control message");
    }
    let (messages, _) = fixture.drain(100).unwrap();
    let told: Vec<_> = messages.iter().filter(|message| message["type"] == "lag").collect();
    assert_eq!((told.len(), &told[0]["skipped"], &told[0]["since_offset"]), (1, &16.into(), &1.into()));
}
