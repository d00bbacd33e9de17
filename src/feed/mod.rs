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
mod sequencer;
pub mod simulated;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};

use crate::domain::{Clock, EventBody, SymbolId, Timestamp};
use crate::metrics::SharedMetrics;
use crate::protocol::Publication;

pub use config::{FeedConfig, FeedKind};
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
}

/// Paces the market: see [`Feed::new`].
pub struct Feed<S> {
    source: S,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    start: Timestamp,
    speed: f64,
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
    /// Seconds of the market in one second of the clock, above 0.
    pub speed: f64,
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
        let FeedParts { source, sequencer, clock, start, speed, history, head, metrics } = parts;
        Self { source, sequencer, clock, start, speed, history, hubs: Vec::new(), refused: None, head, metrics }
    }

    /// Publishes what came due. Does nothing when called twice at the same moment, so that late ticks do no harm.
    fn step(&mut self) {
        if let Some(batch) = self.refused.take()
            && !self.record(batch)
        {
            return;
        }
        let now = self.market_time();
        let mut due = Vec::new();
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

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "microseconds of centuries fit")]
    fn market_time(&self) -> Timestamp {
        let elapsed = self.clock.now().micros() - self.start.micros();
        let elapsed =
            if (self.speed - 1.0).abs() < f64::EPSILON { elapsed } else { (elapsed as f64 * self.speed) as i64 };
        self.start.plus_micros(elapsed)
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
