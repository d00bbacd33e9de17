//! A market that a test makes event by event: a source that meets new symbols while the server runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use tickcast::app::{Opened, Settings};
use tickcast::domain::{
    EventBody, Instrument, Interval, ManualClock, Price, Reading, Size, Snapshot, Symbol, SymbolId, SymbolTable,
    Timestamp, Trade,
};
use tickcast::feed::{FeedStatus, Newcomers, Source};

use crate::spawn::{START, TestServer, spawn_market};

/// The events that the source has not returned yet.
type Queue = Arc<Mutex<VecDeque<(SymbolId, EventBody)>>>;

/// The source's side of the queue, and the time of the market, which is that of the clock.
struct QueuedSource {
    queue: Queue,
    now: Timestamp,
}

impl Source for QueuedSource {
    fn tick(&mut self, reading: Reading) {
        self.now = reading.wall;
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn speed(&self) -> f64 {
        1.0
    }

    fn take(&mut self) -> Option<(SymbolId, EventBody)> {
        self.queue.lock().unwrap().pop_front_if(|(_, body)| ts_of(body) <= self.now)
    }

    fn next_ts(&mut self) -> Option<Timestamp> {
        self.queue.lock().unwrap().front().map(|(_, body)| ts_of(body))
    }

    fn status(&self) -> FeedStatus {
        FeedStatus {
            kind: "exchange",
            state: "running",
            market_ts: self.now.micros(),
            speed: 1.0,
            paused: false,
            replay: None,
        }
    }
}

fn ts_of(body: &EventBody) -> Timestamp {
    let EventBody::Trade(trade) = body else { panic!("an exchange has trades only") };
    trade.ts
}

/// The test's side.
pub(crate) struct Exchange {
    queue: Queue,
    newcomers: Arc<OnceLock<Newcomers>>,
    clock: Arc<ManualClock>,
}

impl Exchange {
    /// Starts the application with a clock that stands still, and a market that begins with these symbols, without values, and may grow
    /// to `feed.symbols_max`.
    pub(crate) fn open(symbols: &[&str], configure: impl FnOnce(&mut Settings)) -> (TestServer, Self) {
        let clock = Arc::new(ManualClock::new(START));
        let (queue, newcomers) = (Queue::default(), Arc::<OnceLock<Newcomers>>::default());
        let instruments: Vec<_> = symbols.iter().map(|symbol| instrument(symbol.parse().unwrap())).collect();
        let (source, way_in) = (QueuedSource { queue: queue.clone(), now: START }, newcomers.clone());
        let server = spawn_market(
            clock.clone(),
            move |settings, start, metrics| {
                let table = Arc::new(SymbolTable::growing(instruments, settings.feed.symbols_max));
                let _ = way_in.set(Newcomers::new(table.clone(), metrics.clone()));
                Opened {
                    start,
                    source,
                    snapshots: vec![Snapshot::default(); table.len()],
                    open: vec![[None; Interval::COUNT]; table.len()],
                    days: vec![None; table.len()],
                    past: Box::new(|_, _| Vec::new()),
                    table,
                }
            },
            |settings| {
                // The test's clock jumps.
                settings.feed.catch_up_max_ms = 86_400_000;
                settings.feed.symbols_max = 100;
                configure(settings);
            },
        );
        (server, Self { queue, newcomers, clock })
    }

    /// Returns the clock of the server and of the market.
    pub(crate) fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Makes a symbol known, without an event. Returns whether it has a place in the table.
    pub(crate) fn list(&self, symbol: &str) -> bool {
        self.id(symbol).is_some()
    }

    /// Publishes trades, each of a symbol at a price in cents, at the present time. Those of symbols without a place are dropped.
    pub(crate) fn trade(&self, trades: &[(&str, i64)]) {
        let ts = tickcast::domain::Clock::now(&*self.clock);
        let trades = trades.iter().filter_map(|(symbol, cents)| {
            let trade = Trade { ts, price: Price::from_cents(*cents), size: Size::new(100) };
            Some((self.id(symbol)?, EventBody::Trade(trade)))
        });
        let trades: Vec<_> = trades.collect();
        // At once, so that the feed publishes them in one batch or in few.
        self.queue.lock().unwrap().extend(trades);
    }

    fn id(&self, symbol: &str) -> Option<SymbolId> {
        let symbol = symbol.parse().unwrap();
        self.newcomers.get().expect("the market has been opened").id(symbol, || instrument(symbol))
    }
}

fn instrument(symbol: Symbol) -> Instrument {
    Instrument { symbol, name: format!("{symbol} Inc."), sector: "New".into() }
}
