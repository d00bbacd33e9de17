//! Puts the market together: the simulator, its past, the history and the feed, each actor on its thread.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix::{Actor, Addr, Arbiter, ArbiterHandle};

use crate::app::{Settings, StartError};
use crate::domain::{Clock, EventBody, SymbolId, SymbolTable, Timestamp};
use crate::feed::backfill::Backfill;
use crate::feed::simulated::{Simulator, SimulatorConfig};
use crate::feed::{Feed, FeedConfig, FeedParts, Sequencer, Source};
use crate::history::{Bars, History, LastValues, PastBars};
use crate::metrics::SharedMetrics;

/// The running market.
pub(super) struct Market {
    pub(super) table: Arc<SymbolTable>,
    pub(super) history: Addr<History>,
    pub(super) feed: Addr<Feed<SimulatedSource>>,
    /// The newest offset that the feed has published.
    pub(super) head: Arc<AtomicU64>,
    /// The threads of the history and of the feed.
    pub(super) arbiters: [ArbiterHandle; 2],
}

/// The simulator as the feed sees it.
pub(super) struct SimulatedSource(Simulator);

impl Source for SimulatedSource {
    fn next_ts(&self) -> Timestamp {
        self.0.peek_ts()
    }

    fn take(&mut self) -> (SymbolId, EventBody) {
        let event = self.0.next_event();
        (event.id, event.body)
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

/// Makes the past and starts the present.
pub(super) fn start(settings: &Settings, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Result<Market, StartError> {
    let config = simulator_config(&settings.feed);
    let start = clock.now();
    let simulator = Simulator::new(&config, start)?;
    let table = Arc::new(simulator.table().clone());
    let (mut snapshots, mut past, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for symbol in Backfill::new(&config, start, settings.history.bars_max)? {
        snapshots.push(symbol.snapshot());
        open.push(symbol.open.map(Some));
        past.push(PastBars { closed: symbol.bars, open: symbol.open.map(Some) });
    }
    let last = snapshots.iter().map(|snapshot| snapshot.price).collect();
    let bars = Bars::new(past, settings.history.bars_max);
    let history = History::new(LastValues::new(snapshots), bars, settings.history.events_max);
    let history_arbiter = Arbiter::new().handle();
    let history = History::start_in_arbiter(&history_arbiter, |_| history);
    let head = Arc::new(AtomicU64::new(0));
    let feed = Feed::new(FeedParts {
        source: SimulatedSource(simulator),
        sequencer: Sequencer::new(table.clone(), open, last, start),
        clock,
        start,
        speed: settings.feed.speed,
        history: history.clone().recipient(),
        head: head.clone(),
        metrics,
    });
    let feed_arbiter = Arbiter::new().handle();
    let feed = Feed::start_in_arbiter(&feed_arbiter, |_| feed);
    Ok(Market { table, history, feed, head, arbiters: [history_arbiter, feed_arbiter] })
}
