//! Starts the market: a source of events (`feed.kind`), its past, the history and the feed, each actor on its own thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix::{Actor, Addr, Arbiter, ArbiterHandle, Recipient};

use crate::app::watchdog::Part;
use crate::app::{Settings, StartError};
use crate::domain::{Bar, Clock, Interval, MarketClock, Reading, Snapshot, SymbolId, SymbolTable, Timestamp};
use crate::feed::publish::{CloseDoor, Door, Publish, PublishSource};
use crate::feed::replay::ReplaySource;
use crate::feed::simulated::backfill::{Backfill, Opening};
use crate::feed::simulated::{SimulatedSource, Simulator, SimulatorConfig};
use crate::feed::state::{MarketState, StateLock};
use crate::feed::{
    Attach, AttachDelayed, DelayGate, DelayLine, DelayParts, Feed, FeedConfig, FeedKind, FeedOrder, FeedParts,
    LocalLog, Receivers, Sequencer, Source,
};
use crate::history::{Archive, ArchiveReader, BarBounds, History, LastValues, PastSource, Series, past_of};
use crate::hub::HubConfig;
use crate::metrics::SharedMetrics;
use crate::record::{Recorder, RecorderParts, prepare};
use crate::transport::random_name;

/// The running market.
pub(super) struct Market {
    pub(super) table: Arc<SymbolTable>,
    pub(super) history: Addr<History>,
    pub(super) archive: ArchiveReader,
    /// Attaches a receiver of batches to the feed.
    pub(super) feed: Recipient<Attach>,
    /// The delayed streams.
    pub(super) delayed: Vec<DelayedMarket>,
    /// Obeys orders about the time of the market.
    pub(super) orders: Recipient<FeedOrder>,
    /// Publishes the events of publishers.
    pub(super) publish: Recipient<Publish>,
    /// Ends that.
    pub(super) door: Recipient<CloseDoor>,
    /// The lock of `feed.state_file`, if the state is kept there.
    pub(super) state_lock: Option<StateLock>,
    /// Attaches a receiver of batches to one of these.
    pub(super) delayed_feed: Recipient<AttachDelayed>,
    /// Offset of the newest event that the feed has published.
    pub(super) head: Arc<AtomicU64>,
    /// Time of the market.
    pub(super) clock: Arc<MarketClock>,
    /// Names the stream.
    pub(super) epoch: Arc<str>,
    /// Writes the stream into files.
    pub(super) recorder: Option<Recorder>,
    /// Threads of the history and of the feed.
    pub(super) arbiters: [ArbiterHandle; 2],
}

/// The same market, later.
#[derive(Clone)]
pub(super) struct DelayedMarket {
    pub(super) history: Addr<History>,
    pub(super) archive: ArchiveReader,
    /// Whether it is served.
    pub(super) gate: Arc<DelayGate>,
    /// Offset of the newest event that its history and its hubs have been sent.
    pub(super) head: Arc<AtomicU64>,
}

impl DelayedMarket {
    /// Returns what the watchdog must watch.
    pub(super) fn parts(&self) -> [Part; 2] {
        let (history, archive, delay_ms) = (self.history.clone(), self.archive.clone(), self.gate.delay_ms());
        [
            Part {
                name: format!("the history of delay_ms={delay_ms}"),
                is_alive: Box::new(move || history.connected()),
            },
            Part {
                name: format!("the reader of bars of delay_ms={delay_ms}"),
                is_alive: Box::new(move || archive.is_alive()),
            },
        ]
    }

    /// Returns the line of a stream that begins at `start`.
    fn line(&self, config: &FeedConfig, start: Timestamp, metrics: SharedMetrics) -> DelayLine {
        DelayLine::new(DelayParts {
            gate: self.gate.clone(),
            events_max: config.delay_events_max,
            start,
            history: self.history.clone().recipient(),
            head: self.head.clone(),
            metrics,
        })
    }

    /// Returns what the hubs of this stream share, in place of those of the present.
    pub(super) fn hub_config(&self, present: &HubConfig) -> HubConfig {
        HubConfig { head: self.head.clone(), delay_ms: self.gate.delay_ms(), ..present.clone() }
    }
}

impl Market {
    /// Returns what the hubs of this market share.
    pub(super) fn hub_config(&self, settings: &Settings, metrics: SharedMetrics) -> HubConfig {
        HubConfig {
            table: self.table.clone(),
            epoch: self.epoch.clone(),
            head: self.head.clone(),
            delay_ms: 0,
            market: self.clock.clone(),
            push: settings.push,
            is_private: false,
            is_lossless: settings.feed.kind == FeedKind::Replay && settings.feed.replay.lossless,
            metrics,
            crowded: Arc::default(),
            pauses: Arc::default(),
        }
    }
}

/// The parts of a feed of any kind, at the time at which the stream begins.
pub struct Opened<S> {
    /// That time.
    pub start: Timestamp,
    /// Generates the events after that time.
    pub source: S,
    /// The symbols. A source that adds some makes it by [`SymbolTable::growing`].
    pub table: Arc<SymbolTable>,
    /// The state of each symbol of the table, in its order.
    pub snapshots: Vec<Snapshot>,
    /// The bars of each symbol that have begun before that time and end after it.
    pub open: Vec<[Option<Bar>; Interval::COUNT]>,
    /// The bar of the present day of New York of each symbol, if it has one.
    pub days: Vec<Option<Bar>>,
    /// Computes the bars that have ended before that time, when somebody reads them (of a published market at once); none of a symbol that is
    /// added later.
    pub past: PastSource,
}

/// Opens the simulated market.
fn simulated(
    feed: &FeedConfig,
    reading: Reading,
    metrics: SharedMetrics,
) -> Result<Opened<SimulatedSource>, StartError> {
    let start = reading.wall;
    let config = simulator_config(feed);
    let simulator = Simulator::new(&config, start)?;
    let table = simulator.table().clone();
    let past = Backfill::new(&config, start)?;
    let openings = openings(&past);
    Ok(Opened {
        start,
        source: SimulatedSource::new(simulator, start, reading, feed, metrics),
        table,
        snapshots: openings.iter().map(Opening::snapshot).collect(),
        open: openings.iter().map(|symbol| symbol.open.map(Some)).collect(),
        days: openings.iter().map(|symbol| Some(symbol.day)).collect(),
        past: Box::new(move |id, series| match series {
            Series::Bars(interval) => past.bars(id, interval),
            Series::Hours => past.hours(id),
            Series::Newest => past.newest(id),
        }),
    })
}

fn simulator_config(feed: &FeedConfig) -> SimulatorConfig {
    SimulatorConfig {
        seed: feed.seed,
        events_per_second: feed.events_per_second,
        quotes_per_trade: feed.quotes_per_trade,
        extra_symbols: feed.extra_symbols,
        amendments_per_million_trades: feed.amendments_per_million_trades,
        late_per_million_trades: feed.late_per_million_trades,
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

/// Opens the market of the kind `feed.kind`, and starts its actors.
pub(super) fn start(settings: &Settings, clock: Arc<dyn Clock>, metrics: SharedMetrics) -> Result<Market, StartError> {
    let reading = clock.read();
    match settings.feed.kind {
        FeedKind::Simulated => {
            run(simulated(&settings.feed, reading, metrics.clone())?, settings, clock, reading, metrics)
        }
        FeedKind::Replay => run(replay(settings, reading)?, settings, clock, reading, metrics),
        FeedKind::Publish => {
            let path = Path::new(&settings.feed.state_file);
            let state_lock = (!path.as_os_str().is_empty()).then(|| StateLock::acquire(path)).transpose()?;
            let market = run(published(&settings.feed, reading)?, settings, clock, reading, metrics)?;
            Ok(Market { state_lock, ..market })
        }
    }
}

/// Opens the market of publishers. Of one without a file of its state nothing is known before the first event.
fn published(feed: &FeedConfig, reading: Reading) -> Result<Opened<PublishSource>, StartError> {
    let path = Path::new(&feed.state_file);
    let state = (!feed.state_file.is_empty()).then(|| MarketState::read(path, reading.wall));
    let opened = unknown(feed, reading);
    let Some(state) = state.transpose()?.flatten() else { return Ok(opened) };
    let (start, table) = (state.start(reading.wall), opened.table);
    let opening = Arc::new(state.opening(&table, start)?);
    Ok(Opened {
        start,
        source: PublishSource::new(start),
        table,
        snapshots: opening.snapshots.clone(),
        open: opening.open.clone(),
        days: opening.days.clone(),
        past: Box::new(move |id, series| past_of(&opening, id, series)),
    })
}

/// Opens a market of which nothing is known before the first event of a publisher.
fn unknown(feed: &FeedConfig, reading: Reading) -> Opened<PublishSource> {
    let (start, table) = (reading.wall, feed.publish.table(feed.symbols_max));
    let symbols = table.len();
    Opened {
        start,
        source: PublishSource::new(start),
        table: Arc::new(table),
        snapshots: vec![Snapshot::default(); symbols],
        open: vec![[None; Interval::COUNT]; symbols],
        days: vec![None; symbols],
        past: Box::new(|_, _| Vec::new()),
    }
}

/// Opens the files of a replay.
fn replay(settings: &Settings, reading: Reading) -> Result<Opened<ReplaySource>, StartError> {
    let bars_max = settings.history.bars_per_symbol_max();
    let (source, table, opening) = ReplaySource::open(&settings.feed, bars_max, reading)?;
    let opening = Arc::new(opening);
    Ok(Opened {
        start: opening.start,
        source,
        table,
        snapshots: opening.snapshots.clone(),
        open: opening.open.clone(),
        days: opening.days.clone(),
        past: Box::new(move |id, series| past_of(&opening, id, series)),
    })
}

/// Starts the recorder, if the stream is recorded; returns it and the receiver of its batches.
fn start_recorder(parts: RecorderParts) -> Result<Option<(Recorder, Attach)>, StartError> {
    if !parts.config.is_on() {
        return Ok(None);
    }
    let directory = PathBuf::from(&parts.config.dir);
    prepare(&directory).map_err(|source| StartError::Directory { directory, source })?;
    Recorder::start(parts).map(Some).map_err(StartError::Thread)
}

/// Returns the archive of a market. Late trades change the bars of a published market, those from before a restart, too; other feeds have no
/// trade that old.
fn archive(
    open: Vec<[Option<Bar>; Interval::COUNT]>,
    start: Timestamp,
    bounds: BarBounds,
    past: PastSource,
    settings: &Settings,
    metrics: SharedMetrics,
) -> Archive {
    let limits = (settings.history.past_bars_max, settings.history.events_max);
    if settings.feed.kind != FeedKind::Publish {
        return Archive::new(open, start, bounds, past, limits, metrics);
    }
    let archive = Archive::new(open, start, bounds, Box::new(|_, _| Vec::new()), limits, metrics);
    archive.restore(&past, settings.feed.state_bars_max);
    archive
}

/// Starts the actors of a market that was opened at the time of `reading`.
pub(super) fn run<S: Source + Send>(
    opened: Opened<S>,
    settings: &Settings,
    clock: Arc<dyn Clock>,
    reading: Reading,
    metrics: SharedMetrics,
) -> Result<Market, StartError> {
    let Opened { start, source, table, snapshots, open, days, past } = opened;
    let delays_ms = &settings.auth.delays_ms;
    let symbols = table.symbols_max();
    let bounds = settings.history.bar_bounds(symbols, delays_ms.iter().len(), settings.feed.delay_events_max);
    let bounds = bounds.map_err(StartError::Memory)?;
    let last = snapshots.iter().map(Snapshot::last_trade).collect();
    let door = (settings.feed.kind == FeedKind::Publish).then(|| Door::new(&settings.feed, &snapshots));
    let (values, head) = (LastValues::new(snapshots), Arc::new(AtomicU64::new(0)));
    let archive = Arc::new(archive(open.clone(), start, bounds, past, settings, metrics.clone()));
    let history = History::new(values.clone(), archive.clone());
    let reader = ArchiveReader::start(archive.clone()).map_err(StartError::Thread)?;
    let history_arbiter = Arbiter::try_new().map_err(StartError::Thread)?.handle();
    let history = History::start_in_arbiter(&history_arbiter, |_| history);
    let delayed = delays_ms.iter().map(|delay_ms| {
        let archive = Arc::new(archive.beside(settings.history.events_max));
        let history = History::new(values.clone(), archive.clone());
        let history = History::start_in_arbiter(&history_arbiter, |_| history);
        let gate = Arc::new(DelayGate::new(delay_ms, start));
        DelayedMarket { history, archive: reader.with(archive), gate, head: Arc::default() }
    });
    let delayed: Vec<_> = delayed.collect();
    let lines = delayed.iter().map(|market| market.line(&settings.feed, start, metrics.clone())).collect();
    let market_clock = Arc::new(MarketClock::new(reading, start, settings.feed.speed));
    let feed_arbiter = Arbiter::try_new().map_err(StartError::Thread)?.handle();
    let epoch: Arc<str> = random_name().into();
    let parts = RecorderParts {
        config: settings.feed.record.clone(),
        table: table.clone(),
        epoch: epoch.clone(),
        values,
        history: history.clone(),
        clock: clock.clone(),
        metrics: metrics.clone(),
    };
    let (recorder, receiver) = start_recorder(parts)?.unzip();
    let receivers = Receivers::new(history.clone().recipient(), history.clone().recipient(), lines, metrics.clone());
    let mut feed = Feed::new(FeedParts {
        source,
        sequencer: Sequencer::new(table.clone(), open, days, last, start),
        clock,
        interval: settings.feed.step(),
        market: market_clock.clone(),
        log: LocalLog::new(receivers, head.clone(), metrics.clone()),
        door,
        metrics,
    });
    if let Some(receiver) = receiver {
        feed.attach(receiver);
    }
    let feed = Feed::start_in_arbiter(&feed_arbiter, |_| feed);
    Ok(Market {
        table,
        history,
        archive: reader,
        delayed_feed: feed.clone().recipient(),
        orders: feed.clone().recipient(),
        publish: feed.clone().recipient(),
        door: feed.clone().recipient(),
        state_lock: None,
        feed: feed.recipient(),
        delayed,
        head,
        clock: market_clock,
        epoch,
        recorder,
        arbiters: [history_arbiter, feed_arbiter],
    })
}
