//! What a router does with what waits for its sessions: of a burst that is read slowly, and when too much waits.

use std::task::{Context, Poll, Waker};

use super::*;
use crate::domain::{
    Channel, Event, EventBody, Instrument, Price, Quote, Size, Snapshot, SymbolTable, Timestamp, Trade,
};
use crate::hub::{Control, PushConfig, Sink};
use crate::protocol::{OnLag, Publication};

/// Takes a few events in each write.
#[derive(Default)]
struct Taken {
    offsets: Vec<u64>,
    messages: Vec<String>,
    limit: usize,
}

impl Sink for Taken {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, bytes: &[u8]) {
        self.messages.push(String::from_utf8(bytes.to_vec()).unwrap());
    }

    fn event(&mut self, publication: &Publication, _: u32) {
        self.offsets.push(publication.event.offset);
    }

    fn is_full(&self) -> bool {
        self.offsets.len() >= self.limit
    }
}

/// A router of two symbols, with a ring of 40 events and outboxes of 8; and the time, which stands still.
fn router() -> (Router, Instant) {
    let instrument =
        |name: &str| Instrument { symbol: name.parse().unwrap(), name: String::new(), sector: String::new() };
    let (bid, ask, size) = (Price::from_cents(99), Price::from_cents(101), Size::new(1));
    let quote = Quote { ts: Timestamp::default(), bid, bid_size: size, ask, ask_size: size };
    let config = HubConfig {
        table: Arc::new(SymbolTable::new(vec![instrument("AAPL"), instrument("MSFT")])),
        epoch: "9c1f".into(),
        head: Arc::default(),
        market: Arc::default(),
        push: PushConfig { coalesce_ms: 0, outbox_events_max: 8, ..PushConfig::default() },
        metrics: Arc::default(),
        crowded: Arc::default(),
        pauses: Arc::default(),
    };
    let values = LastValues::new(vec![Snapshot::untraded(Price::from_cents(100), &quote, size); 2]);
    (Router::new(&config, values, Ring::new(40)), Instant::now())
}

/// Lets the router route so many trades of a symbol, all of which come at once.
fn trade(router: &mut Router, id: u32, count: u64, now: Instant) {
    let first = router.newest() + 1;
    let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
    let event = |offset| {
        let symbol = ["AAPL", "MSFT"][id as usize].parse().unwrap();
        Event { offset, seq: offset, id: SymbolId(id), symbol, body: EventBody::Trade(trade) }
    };
    router.accept((first..first + count).map(|offset| Publication::new(event(offset))).collect());
    while router.route_turn(now) {}
}

/// A session that wants the trades of the first symbol.
fn join(router: &mut Router, on_lag: OnLag, now: Instant) -> (SessionKey, SharedOutbox) {
    let (key, outbox) = router.join(None, now);
    router.subscribe(key, Some(SymbolId(0)), ChannelSet::from_iter([Channel::Trades]), Mode::All);
    outbox.borrow_mut().set_on_lag(on_lag);
    (key, outbox)
}

/// Takes what waits, at most so many events; `None` when the session has ended.
fn take(outbox: &SharedOutbox, limit: usize, now: Instant) -> Option<Taken> {
    let mut taken = Taken { limit, ..Taken::default() };
    let drained = outbox.borrow_mut().poll_drain(&Context::from_waker(Waker::noop()), now, &mut taken);
    (drained != Poll::Ready(None)).then_some(taken)
}

#[test]
fn what_a_burst_has_left_becomes_a_lag_before_the_ring_forgets_it() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, OnLag::CatchUp, now);
    trade(&mut router, 0, 15, now);
    assert_eq!(router.metrics().bursts.get(), 1);
    assert_eq!(take(&outbox, 3, now).unwrap().offsets, [1, 2, 3]);
    // Nothing of this is for the session, and the ring forgets the rest of the burst.
    (0..20).for_each(|_| trade(&mut router, 1, 5, now));
    router.end_windows(now);
    let taken = take(&outbox, 100, now).expect("it lives");
    assert_eq!(
        (taken.offsets, taken.messages),
        (vec![15], vec![r#"{"type":"lag","skipped":11,"since_offset":4}"#.into()])
    );
    assert_eq!((router.metrics().lags.get(), router.metrics().events_skipped.get()), (1, 11));
}

#[test]
fn what_a_burst_has_left_is_queued_when_there_is_room_by_then() {
    let (mut router, now) = router();
    let (key, outbox) = join(&mut router, OnLag::Close, now);
    for round in 0..3 {
        let before = router.offset();
        trade(&mut router, 0, 12, now);
        assert_eq!(router.metrics().bursts.get(), round + 1);
        let all: Vec<_> = (before + 1..=before + 12).collect();
        assert_eq!(take(&outbox, 7, now).unwrap().offsets, all[..7]);
        (0..20).for_each(|_| trade(&mut router, 1, 5, now));
        router.end_windows(now);
        let taken = take(&outbox, 100, now).expect("it lives");
        assert_eq!((taken.offsets, taken.messages), (all[7..].to_vec(), Vec::new()), "nothing is lost");
        assert!(router.shared().bursts.borrow().is_empty());
    }
    trade(&mut router, 0, 12, now);
    router.leave(key);
    assert!(router.shared().bursts.borrow().is_empty(), "nobody's");
}

#[test]
fn a_session_that_wants_to_be_closed_when_it_lags_is_closed_when_the_ring_forgets_a_burst() {
    let (mut router, now) = router();
    let (_, outbox) = join(&mut router, OnLag::Close, now);
    trade(&mut router, 0, 20, now);
    (0..20).for_each(|_| trade(&mut router, 1, 5, now));
    assert!(take(&outbox, 100, now).is_none());
    assert_eq!(router.metrics().lags.get(), 0);
}
