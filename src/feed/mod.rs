//! The source of events: the `Feed` actor takes events from a simulator when the clock says that they are due, numbers
//! them, and sends each batch to the history and to every hub. It runs on an arbiter thread of its own.

mod config;
mod delay;
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
pub use delay::{AttachDelayed, DelayGate, DelayLine, DelayParts, Evict};
use pace::Pace;
pub use sequencer::Sequencer;

/// Most simulated events in one batch; the rest follows in the next step.
const BATCH_EVENTS_MAX: usize = 4096;

/// The events of one step, in the order of their offsets, shared by all receivers.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Batch(pub Arc<[Publication]>);

/// Asks the feed to send every further batch to this hub.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attach(pub Recipient<Batch>);

/// A generator of events.
pub trait Source: Unpin + 'static {
    /// Returns the time of the next event.
    fn next_ts(&self) -> Timestamp;

    /// Returns the next event and advances. A correction or a cancellation names a trade by its number among the trades of
    /// its symbol that the source has returned, counted from 1.
    fn take(&mut self) -> (SymbolId, EventBody);

    /// Moves every future event this many microseconds later.
    fn postpone(&mut self, micros: i64);
}

/// Publishes the events of a source when they are due: see [`Feed::new`].
pub struct Feed<S> {
    source: S,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    pace: Pace,
    /// Time between two steps.
    interval: Duration,
    market: Arc<MarketClock>,
    /// Whether the log has already reported that the market is far ahead of the wall clock.
    is_far_ahead: bool,
    history: Recipient<Batch>,
    hubs: Vec<Recipient<Batch>>,
    /// The delayed streams.
    delayed: Vec<DelayLine>,
    /// A batch that the history's full mailbox refused. No receiver gets a later one before the history has accepted
    /// this one.
    refused: Option<Batch>,
    head: Arc<AtomicU64>,
    metrics: SharedMetrics,
}

/// The components of a [`Feed`].
pub struct FeedParts<S> {
    /// Generates the events.
    pub source: S,
    /// Numbers the events.
    pub sequencer: Sequencer,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Time of the market at which the source begins.
    pub start: Timestamp,
    /// Reading of the clock at that moment.
    pub reading: Reading,
    /// Speed of the market, and limit of catching up.
    pub config: FeedConfig,
    /// Gets the market's time in each step.
    pub market: Arc<MarketClock>,
    /// Receives every batch, before any hub.
    pub history: Recipient<Batch>,
    /// Set to the offset of the newest event before any receiver gets the event.
    pub head: Arc<AtomicU64>,
    /// The delayed streams.
    pub delayed: Vec<DelayLine>,
    /// Counters.
    pub metrics: SharedMetrics,
}

impl<S: Source> Feed<S> {
    /// Returns a feed that begins to publish when it is started as an actor.
    pub fn new(parts: FeedParts<S>) -> Self {
        let FeedParts { source, sequencer, clock, start, reading, config, market, history, head, delayed, metrics } =
            parts;
        let pace = Pace::new(start, reading, config.speed, config.catch_up_micros());
        Self {
            source,
            sequencer,
            clock,
            pace,
            interval: config.step(),
            market,
            is_far_ahead: false,
            history,
            hubs: Vec::new(),
            delayed,
            refused: None,
            head,
            metrics,
        }
    }

    /// Publishes the events that are due, and updates the gauges.
    fn step(&mut self) {
        let reading = self.clock.read();
        let now = self.pace.tick(reading);
        self.market.set(reading, now);
        self.watch_wall_clock();
        self.publish_due(now);
        for line in &mut self.delayed {
            line.step(self.pace.held());
        }
        let lag = now.micros() - self.source.next_ts().micros();
        self.metrics.set_feed_lag(Duration::from_micros(lag.try_into().unwrap_or(0)));
        self.metrics.feed_steps.inc();
    }

    /// A second call at the same moment does nothing, so that a late tick is harmless.
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

    /// Sends the batch to the history and then to every hub. Returns false, and keeps the batch, if the history's
    /// mailbox is full.
    fn record(&mut self, batch: Batch) -> bool {
        self.head.store(self.sequencer.offset(), Ordering::Release);
        self.metrics.set_feed_offset(self.sequencer.offset());
        if self.history.try_send(batch.clone()).is_err() {
            self.metrics.history_mailbox_full.inc();
            self.refused = Some(batch);
            return false;
        }
        send_to_hubs(&mut self.hubs, &batch, &self.metrics);
        for line in &mut self.delayed {
            line.push(batch.clone(), self.pace.held());
        }
        true
    }

    /// Continues from the present, because the market is late by more than it may catch up.
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

    /// Logs when the wall clock was set back so far that the market is far ahead of it, and when the market has met it
    /// again.
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

/// Sends the batch to every hub. A hub with a full mailbox misses it, detects the hole in the offsets, and reads the events from the
/// history. A hub that has stopped is removed.
fn send_to_hubs(hubs: &mut Vec<Recipient<Batch>>, batch: &Batch, metrics: &SharedMetrics) {
    hubs.retain(|hub| match hub.try_send(batch.clone()) {
        Ok(()) => true,
        Err(actix::dev::SendError::Full(_)) => {
            metrics.hub_mailbox_full.inc();
            true
        }
        Err(actix::dev::SendError::Closed(_)) => false,
    });
}

impl<S: Source> Actor for Feed<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.interval, |feed, _| feed.step());
    }
}

impl<S: Source> Handler<Attach> for Feed<S> {
    type Result = ();

    fn handle(&mut self, Attach(hub): Attach, _: &mut Self::Context) {
        self.hubs.push(hub);
    }
}

impl<S: Source> Handler<AttachDelayed> for Feed<S> {
    type Result = ();

    fn handle(&mut self, attach: AttachDelayed, _: &mut Self::Context) {
        if let Some(line) = self.delayed.iter_mut().find(|line| line.delay_ms() == attach.delay_ms) {
            line.attach(attach);
        }
    }
}
