//! Benchmark: a client reconnects with a cursor and recovers the events of one rare symbol from a full ring. Measures
//! from the request to the last recovered event. Goal: less than 50 microseconds, however long the ring is.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tickcast::domain::{
    Event, EventBody, Instrument, ManualClock, Price, Quote, Size, Snapshot, SymbolId, SymbolTable, Timestamp, Trade,
};
use tickcast::history::{LastValues, Ring};
use tickcast::hub::{Control, HubConfig, PushConfig, Router, SharedRouter, Sink};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Publication, ServerMessage};
use tickcast::session::{Session, SessionConfig};

const RING_EVENTS: u64 = 262_144;
const BATCH_EVENTS: u64 = 64;
/// The rare symbol is the first one: it has one event in this many of the stream.
const RARITY: u64 = 32_768;
const SYMBOLS: u64 = 500;
/// A cursor before the first event of the ring that is not evicted.
const REQUEST: &str = r#"{"action":"subscribe","id":1,"symbols":["SYM000"],"channels":["trades"],"after":{"epoch":"bench","offset":BEGIN}}"#;

/// Counts messages.
#[derive(Default)]
struct Count {
    messages: u32,
    events: u64,
}

impl Sink for Count {
    fn control(&mut self, _: Control) {}

    fn message(&mut self, _: &ServerMessage) {
        self.messages += 1;
    }

    fn event(&mut self, _: &Publication, _: u32) {
        self.events += 1;
    }

    fn is_full(&self) -> bool {
        false
    }
}

fn instrument(number: u64) -> Instrument {
    let symbol = format!("SYM{number:03}").parse().expect("a ticker");
    Instrument { symbol, name: String::new(), sector: String::new() }
}

/// Returns a router with a full ring.
fn router() -> SharedRouter {
    let table = Arc::new(SymbolTable::new((0..SYMBOLS).map(instrument).collect()));
    let config = HubConfig {
        table: table.clone(),
        epoch: "bench".into(),
        push: PushConfig { coalesce_ms: 0, ..PushConfig::default() },
        ..HubConfig::default()
    };
    let (price, size) = (Price::from_cents(100), Size::new(1));
    let quote = Quote { ts: Timestamp::default(), bid: price, bid_size: size, ask: price, ask_size: size };
    let values = LastValues::new(vec![Snapshot::untraded(price, &quote, size); table.len()]);
    let ring = Ring::new(usize::try_from(RING_EVENTS).expect("it is short"));
    let mut router = Router::new(&config, values, ring);
    let publication = |offset: u64| {
        let number = if offset.is_multiple_of(RARITY) { 0 } else { 1 + offset % (SYMBOLS - 1) };
        let id = SymbolId(u32::try_from(number).expect("below SYMBOLS"));
        let trade = Trade { ts: Timestamp::default(), price, size };
        let symbol = table.instrument(id).symbol;
        Publication::new(Event { offset, seq: offset, id, symbol, body: EventBody::Trade(trade) })
    };
    for first in (1..=2 * RING_EVENTS).step_by(usize::try_from(BATCH_EVENTS).expect("it is small")) {
        router.accept((first..first + BATCH_EVENTS).map(publication).collect());
        while router.route_turn(Instant::now()) {}
    }
    Rc::new(RefCell::new(router))
}

fn recovery(criterion: &mut Criterion) {
    let router = router();
    let request = REQUEST.replace("BEGIN", &RING_EVENTS.to_string());
    let join = || {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let config = Rc::new(SessionConfig::default());
        Session::join::<Native>(router.clone(), config, clock, None, Instant::now())
    };
    // The hub limits its work per millisecond: each request has a millisecond of its own.
    let mut now = Instant::now();
    criterion.bench_function("recovery: one rare symbol of 262,144 events", |bencher| {
        bencher.iter_batched(
            join,
            |mut session| {
                now += Duration::from_millis(1);
                session.receive::<Native>(request.as_bytes(), now).expect("it is served");
                let (mut count, cx) = (Count::default(), Context::from_waker(Waker::noop()));
                while let Poll::Ready(Some(_)) = session.outbox().borrow_mut().poll_drain(&cx, now, &mut count) {}
                assert_eq!(
                    (count.messages, count.events),
                    (1, RING_EVENTS / RARITY),
                    "`subscribed`, and the missed events"
                );
                session
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, recovery);
criterion_main!(benches);
