//! Benchmark: routing one event to one session, that is index lookup plus outbox append. Goal: at most 60 ns per
//! delivery. Draining the outboxes is not included; `make load` measures the whole server.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tickcast::domain::{
    Channel, ChannelSet, Event, EventBody, Instrument, Price, Quote, Size, Snapshot, SymbolId, SymbolTable, Timestamp,
    Trade,
};
use tickcast::history::{LastValues, Ring};
use tickcast::hub::{Control, HubConfig, Router, SharedOutbox, Sink};
use tickcast::protocol::native::Native;
use tickcast::protocol::{Mode, Publication, ServerMessage};

const SYMBOLS: u32 = 500;
const BATCH_EVENTS: u64 = 5;
/// Batches between two drains of every outbox, as with a window of 20 ms.
const WINDOW_BATCHES: u64 = 20;

struct Discard;

impl Sink for Discard {
    fn control(&mut self, _: Control) {}
    fn message(&mut self, _: &ServerMessage) {}
    fn event(&mut self, _: &Publication, _: u32) {}
    fn is_full(&self) -> bool {
        false
    }
}

struct Fixture {
    table: Arc<SymbolTable>,
    router: Router,
    outboxes: Vec<SharedOutbox>,
    offset: u64,
}

impl Fixture {
    fn new(sessions: u32, symbols_per_session: u32) -> Self {
        let instrument = |number| Instrument {
            symbol: format!("SYM{number:03}").parse().expect("a ticker"),
            name: String::new(),
            sector: String::new(),
        };
        let table = Arc::new(SymbolTable::new((0..SYMBOLS).map(instrument).collect()));
        let config = HubConfig { table: table.clone(), epoch: "bench".into(), ..HubConfig::default() };
        let (price, size) = (Price::from_cents(100), Size::new(1));
        let quote = Quote { ts: Timestamp::default(), bid: price, bid_size: size, ask: price, ask_size: size };
        let snapshot = Snapshot::untraded(price, &quote, size);
        let values = LastValues::new(vec![snapshot; table.len()]);
        let mut router = Router::new(&config, values, Ring::new(1_000));
        let trades = ChannelSet::from_iter([Channel::Trades]);
        let mut outboxes = Vec::new();
        for session in 0..sessions {
            let (key, outbox) = router.join::<Native>(None, Instant::now());
            for number in 0..symbols_per_session {
                let id = SymbolId((session * 7 + number * 25) % SYMBOLS);
                router.subscribe(key, &[Some(id)], trades, Mode::All, None);
            }
            outboxes.push(outbox);
        }
        Self { table, router, outboxes, offset: 0 }
    }

    fn batch(&mut self) -> Arc<[Publication]> {
        let publications = (0..BATCH_EVENTS).map(|_| {
            self.offset += 1;
            let id = SymbolId(u32::try_from(self.offset * 7_919 % u64::from(SYMBOLS)).expect("below SYMBOLS"));
            let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(100), size: Size::new(1) };
            let symbol = self.table.instrument(id).symbol;
            Publication::new(Event { offset: self.offset, seq: self.offset, id, symbol, body: EventBody::Trade(trade) })
        });
        publications.collect()
    }

    fn drain(&mut self) -> u64 {
        let mut events = 0;
        for outbox in &self.outboxes {
            let context = Context::from_waker(Waker::noop());
            let mut outbox = outbox.borrow_mut();
            while let std::task::Poll::Ready(Some(drained)) = outbox.poll_drain(&context, Instant::now(), &mut Discard)
            {
                events += drained;
                outbox.end_window(Instant::now());
            }
        }
        events
    }

    /// Returns the time for routing, and the number of deliveries.
    fn window(&mut self) -> (Duration, u64) {
        let batches: Vec<_> = (0..WINDOW_BATCHES).map(|_| self.batch()).collect();
        let start = Instant::now();
        for batch in &batches {
            self.router.accept(batch.clone());
            while self.router.route_turn(start) {}
        }
        (start.elapsed(), self.drain())
    }
}

fn fanout(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fanout");
    group.throughput(Throughput::Elements(1));
    for (name, sessions, symbols) in
        [("watchlist: 1000 sessions, 20 of 500", 1_000, 20), ("all: 500 sessions", 500, 500)]
    {
        let mut fixture = Fixture::new(sessions, symbols);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|deliveries| {
                let (mut time, mut made) = (Duration::ZERO, 0);
                while made < deliveries {
                    let (elapsed, events) = fixture.window();
                    time += elapsed;
                    made += events;
                }
                #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
                time.mul_f64(deliveries as f64 / made as f64)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
