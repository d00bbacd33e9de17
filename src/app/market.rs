//! Starts the market: the simulator, its past, the history and the feed, each actor on its own thread.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix::{Actor, Addr, Arbiter, ArbiterHandle};

use crate::app::{Settings, StartError};
use crate::domain::{Clock, EventBody, MarketClock, SymbolId, SymbolTable, Timestamp};
use crate::feed::backfill::{Backfill, Opening};
use crate::feed::simulated::{Simulator, SimulatorConfig};
use crate::feed::{Feed, FeedConfig, FeedParts, Sequencer, Source};
use crate::history::{Archive, ArchiveReader, History, LastValues};
use crate::metrics::SharedMetrics;

/// The running market.
pub(super) struct Market {
    pub(super) table: Arc<SymbolTable>,
    pub(super) history: Addr<History>,
    pub(super) archive: ArchiveReader,
    pub(super) feed: Addr<Feed<SimulatedSource>>,
    /// Offset of the newest event that the feed has published.
    pub(super) head: Arc<AtomicU64>,
    /// Time of the market.
    pub(super) clock: Arc<MarketClock>,
    /// Threads of the history and of the feed.
    pub(super) arbiters: [ArbiterHandle; 2],
}

/// The simulator as a source of the feed.
pub(super) struct SimulatedSource(Simulator);

impl Source for SimulatedSource {
    fn next_ts(&self) -> Timestamp {
        self.0.peek_ts()
    }

    fn take(&mut self) -> (SymbolId, EventBody) {
        let event = self.0.next_event();
        (event.id, event.body)
    }

    fn postpone(&mut self, micros: i64) {
        self.0.postpone(micros);
    }
}

fn simulator_config(feed: &FeedConfig) -> SimulatorConfig {
    SimulatorConfig {
        seed: feed.seed,
        events_per_second: feed.events_per_second,
        quotes_per_trade: feed.quotes_per_trade,
        extra_symbols: feed.extra_symbols,
    }
}

/// Returns the state of every symbol at the start of the stream. Uses all cores: for 10,000 symbols one core takes more
/// than a second.
fn openings(past: &Backfill) -> Vec<Opening> {
    let ids: Vec<SymbolId> = (0..past.symbols()).map(SymbolId).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of = |ids: &[SymbolId]| ids.iter().map(|id| past.opening(*id)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let parts = ids.chunks(ids.len().div_ceil(threads).max(1));
        let parts: Vec<_> =
            parts.map(|ids| (ids, std::thread::Builder::new().spawn_scoped(scope, move || of(ids)))).collect();
        // If a thread cannot be started, this thread does its part.
        let made =
            parts.into_iter().map(|(ids, part)| part.ok().and_then(|part| part.join().ok()).unwrap_or_else(|| of(ids)));
        made.flatten().collect()
    })
}

/// Computes the state at the start, and starts the actors.
pub(super) fn start(settings: &Settings, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Result<Market, StartError> {
    let config = simulator_config(&settings.feed);
    let reading = clock.read();
    let start = reading.wall;
    let simulator = Simulator::new(&config, start)?;
    let table = Arc::new(simulator.table().clone());
    let bounds = settings.history.bar_bounds(table.len()).map_err(StartError::Memory)?;
    let past = Backfill::new(&config, start)?;
    let openings = openings(&past);
    let snapshots = openings.iter().map(Opening::snapshot).collect();
    let last = openings.iter().map(|symbol| symbol.snapshot().price).collect();
    let open: Vec<_> = openings.iter().map(|symbol| symbol.open.map(Some)).collect();
    let past = Box::new(move |id, interval| past.bars(id, interval));
    let archive = Archive::new(open.clone(), bounds, past, settings.history.past_bars_max, metrics.clone());
    let archive = Arc::new(archive);
    let history = History::new(LastValues::new(snapshots), archive.clone(), settings.history.events_max);
    let archive = ArchiveReader::start(archive).map_err(StartError::Thread)?;
    let history_arbiter = Arbiter::try_new().map_err(StartError::Thread)?.handle();
    let history = History::start_in_arbiter(&history_arbiter, |_| history);
    let head = Arc::new(AtomicU64::new(0));
    let market_clock = Arc::new(MarketClock::new(reading, start, settings.feed.speed));
    let feed = Feed::new(FeedParts {
        source: SimulatedSource(simulator),
        sequencer: Sequencer::new(table.clone(), open, last, start),
        clock,
        start,
        reading,
        config: settings.feed,
        market: market_clock.clone(),
        history: history.clone().recipient(),
        head: head.clone(),
        metrics,
    });
    let feed_arbiter = Arbiter::try_new().map_err(StartError::Thread)?.handle();
    let feed = Feed::start_in_arbiter(&feed_arbiter, |_| feed);
    Ok(Market { table, history, archive, feed, head, clock: market_clock, arbiters: [history_arbiter, feed_arbiter] })
}
