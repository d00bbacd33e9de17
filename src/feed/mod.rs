//! Where prices come from: the `Feed` actor, which paces a simulator by the clock and hands each batch to the history
//! and to every hub.
//!
//! It lives on an arbiter thread of its own. What is done with a batch is the receivers' business.

mod arrivals;
pub mod backfill;
mod book;
mod bridge;
mod calendar;
mod config;
pub mod instruments;
mod ladder;
mod market;
mod noise;
mod pace;
mod sequencer;
pub mod simulated;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};

use crate::domain::{Clock, EventBody, MarketClock, Reading, SymbolId, Timestamp};
use crate::metrics::SharedMetrics;
use crate::protocol::Publication;

pub use config::{FeedConfig, FeedKind};
use pace::Pace;
pub use sequencer::Sequencer;

/// How often the feed looks for events that came due.
const STEP: Duration = Duration::from_millis(1);
/// The most simulated events in one batch; what is due beyond that comes with the next step.
const BATCH_EVENTS_MAX: usize = 4096;

/// The events of one step, in the order of their offsets, shared by everybody.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Batch(pub Arc<[Publication]>);

/// Asks the feed to send every batch from now on to this hub.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attach(pub Recipient<Batch>);

/// What the feed takes its events from.
pub trait Source: Unpin + 'static {
    /// Returns when the next event will happen.
    fn next_ts(&self) -> Timestamp;

    /// Returns the next event and moves on.
    fn take(&mut self) -> (SymbolId, EventBody);

    /// Lets every event that is still to come happen so many microseconds later.
    fn postpone(&mut self, micros: i64);
}

/// Paces the market: see [`Feed::new`].
pub struct Feed<S> {
    source: S,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    pace: Pace,
    market: Arc<MarketClock>,
    /// Whether it has been said that the market is far ahead of the wall clock.
    is_far_ahead: bool,
    history: Recipient<Batch>,
    hubs: Vec<Recipient<Batch>>,
    /// A batch that the history has refused: nobody gets another before it has taken this one.
    refused: Option<Batch>,
    head: Arc<AtomicU64>,
    metrics: SharedMetrics,
}

/// What a [`Feed`] works with.
pub struct FeedParts<S> {
    /// Makes the events.
    pub source: S,
    /// Numbers them.
    pub sequencer: Sequencer,
    /// Tells when they are due.
    pub clock: Arc<dyn Clock>,
    /// When the source begins.
    pub start: Timestamp,
    /// What the clock said then.
    pub reading: Reading,
    /// How fast it goes, and how much is caught up.
    pub config: FeedConfig,
    /// Is told what time it is on the market.
    pub market: Arc<MarketClock>,
    /// Gets every batch, before any hub.
    pub history: Recipient<Batch>,
    /// Is set to the offset of the newest event before anybody gets it.
    pub head: Arc<AtomicU64>,
    /// Counts.
    pub metrics: SharedMetrics,
}

impl<S: Source> Feed<S> {
    /// Returns a feed that begins to publish when it is started as an actor.
    pub fn new(parts: FeedParts<S>) -> Self {
        let FeedParts { source, sequencer, clock, start, reading, config, market, history, head, metrics } = parts;
        let pace = Pace::new(start, reading, config.speed, config.catch_up_micros());
        Self {
            source,
            sequencer,
            clock,
            pace,
            market,
            is_far_ahead: false,
            history,
            hubs: Vec::new(),
            refused: None,
            head,
            metrics,
        }
    }

    /// Publishes what came due, and says how far that has got.
    fn step(&mut self) {
        let reading = self.clock.read();
        let now = self.pace.tick(reading);
        self.market.set(reading, now);
        self.watch_wall_clock();
        self.publish_due(now);
        let lag = now.micros() - self.source.next_ts().micros();
        self.metrics.set_feed_lag(Duration::from_micros(lag.try_into().unwrap_or(0)));
        self.metrics.feed_steps.inc();
    }

    /// Does nothing when called twice at the same moment, so that late ticks do no harm.
    fn publish_due(&mut self, now: Timestamp) {
        if let Some(batch) = self.refused.take()
            && !self.record(batch)
        {
            return;
        }
        let mut due = Vec::new();
        if self.pace.is_too_late(self.source.next_ts()) {
            self.leave_out(now, &mut due);
        }
        while due.len() < BATCH_EVENTS_MAX && self.source.next_ts() <= now {
            let (id, body) = self.source.take();
            self.sequencer.push(id, body, &mut due);
        }
        if due.len() < BATCH_EVENTS_MAX {
            self.sequencer.close_bars(now, &mut due);
        }
        if !due.is_empty() {
            self.metrics.events_published.inc_by(due.len() as u64);
            self.record(Batch(due.into()));
        }
    }

    /// Hands the batch to the history and then to every hub. Returns false when the history is full: the batch is kept.
    fn record(&mut self, batch: Batch) -> bool {
        self.head.store(self.sequencer.offset(), Ordering::Release);
        self.metrics.set_feed_offset(self.sequencer.offset());
        if self.history.try_send(batch.clone()).is_err() {
            self.metrics.history_mailbox_full.inc();
            self.refused = Some(batch);
            return false;
        }
        // A hub that is full misses the batch, sees the hole in the offsets, and reads it from the history. One that has
        // stopped is forgotten.
        self.hubs.retain(|hub| match hub.try_send(batch.clone()) {
            Ok(()) => true,
            Err(actix::dev::SendError::Full(_)) => {
                self.metrics.hub_mailbox_full.inc();
                true
            }
            Err(actix::dev::SendError::Closed(_)) => false,
        });
        true
    }

    /// Goes on from the present: the market is further behind than it may catch up.
    fn leave_out(&mut self, now: Timestamp, due: &mut Vec<Publication>) {
        let since = self.source.next_ts();
        let micros = now.micros() - since.micros();
        self.source.postpone(micros);
        self.sequencer.leave_out(since, now, due);
        self.metrics.feed_gaps.inc();
        log::warn!(
            "the market was too late (feed.catch_up_max_ms) and goes on from the present left_out_ms={} since={since} ts={now}",
            micros / 1_000
        );
    }

    /// Says so when the wall clock was set back so far that the market is ahead of it for long, and when that is over.
    fn watch_wall_clock(&mut self) {
        let ahead_ms = self.pace.ahead_ms();
        self.metrics.feed_ahead_ms.set(ahead_ms);
        if self.pace.is_far_ahead() && !self.is_far_ahead {
            self.is_far_ahead = true;
            self.metrics.feed_clock_set_back.inc();
            log::warn!("the wall clock was set back: the market goes slower until it is met ahead_ms={ahead_ms}");
        } else if self.is_far_ahead && ahead_ms <= 0 {
            self.is_far_ahead = false;
            log::info!("the market has met the wall clock");
        }
    }
}

impl<S: Source> Actor for Feed<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(STEP, |feed, _| feed.step());
    }
}

impl<S: Source> Handler<Attach> for Feed<S> {
    type Result = ();

    fn handle(&mut self, Attach(hub): Attach, _: &mut Self::Context) {
        self.hubs.push(hub);
    }
}
