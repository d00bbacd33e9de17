//! The source of events: the `Feed` actor takes events from a [`Source`] (the simulator, or a replay of files) when they are due, or from
//! publishers when they come, numbers them, and sends each batch to the history and to every hub. It runs on an arbiter thread of its own.

mod config;
mod control;
mod delay;
mod event_log;
#[cfg(test)]
mod growth_test;
mod newcomers;
mod notices;
mod opening;
pub mod publish;
mod receivers;
mod record;
pub mod replay;
mod sequencer;
pub mod simulated;
mod source;
pub mod state;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, MessageResult, Recipient};

use crate::domain::{Clock, MarketClock};
use crate::metrics::{ReplayCounts, SharedMetrics};
use crate::protocol::Publication;
use notices::Notices;
use publish::Door;

pub use config::{FeedConfig, FeedKind, OnBadRecord, OnLate};
pub use control::{Counted, FeedError, FeedOrder, FeedStatus, ReplayStatus};
pub use delay::{AttachDelayed, DelayGate, DelayLine, DelayParts, Evict};
pub use event_log::{Entry, LocalLog, Log};
pub use newcomers::Newcomers;
pub use notices::Notice;
pub use opening::{Opening, Restart};
pub use receivers::Receivers;
pub use record::RecordConfig;
pub use replay::ReplaySource;
pub use sequencer::Sequencer;
pub use source::Source;

/// Most events in one batch; the rest follows in the next step.
const BATCH_EVENTS_MAX: usize = 4096;
/// Most batches of one step of a feed without a pace.
const STEP_BATCHES_MAX: usize = 16;
/// How many events the slowest hub may be behind a feed that waits: an eighth of the ring by default.
const HUB_BEHIND_MAX: u64 = 32_768;

/// The events of one step, in the order of their offsets, shared by all receivers.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Batch(pub Arc<[Publication]>);

/// Asks the feed to send every further batch to this hub.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attach {
    /// Receives the batches.
    pub batches: Recipient<Batch>,
    /// Receives, in the same order, what takes the place of everything before; absent for a receiver that only counts.
    pub restarts: Option<Recipient<Restart>>,
    /// Receives, in the same order, what clients are told of the feed; absent for a receiver without clients.
    pub notices: Option<Recipient<Notice>>,
}

impl Message for Restart {
    type Result = ();
}

impl Message for Notice {
    type Result = ();
}

impl Message for FeedOrder {
    type Result = Result<FeedStatus, FeedError>;
}

/// Publishes the events of a source when they are due: see [`Feed::new`].
pub struct Feed<S, L = LocalLog> {
    source: S,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    /// Time between two steps.
    interval: Duration,
    market: Arc<MarketClock>,
    /// Gets what is published, in order, and passes it on.
    log: L,
    /// Lets in the events of publishers; `None` if the feed has another source.
    door: Option<Door>,
    notices: Notices,
    /// The counts of the files of a replay that `metrics` has.
    counted: ReplayCounts,
    metrics: SharedMetrics,
}

/// The components of a [`Feed`].
pub struct FeedParts<S, L> {
    /// Generates the events.
    pub source: S,
    /// Numbers the events.
    pub sequencer: Sequencer,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Time between two steps.
    pub interval: Duration,
    /// Gets the market's time in each step.
    pub market: Arc<MarketClock>,
    /// Gets what is published.
    pub log: L,
    /// Lets in the events of publishers; `None` if the feed has another source.
    pub door: Option<Door>,
    /// Counters.
    pub metrics: SharedMetrics,
}

impl<S: Source, L: Log> Feed<S, L> {
    /// Returns a feed that begins to publish when it is started as an actor.
    pub fn new(parts: FeedParts<S, L>) -> Self {
        let FeedParts { mut source, sequencer, clock, interval, market, log, door, metrics } = parts;
        let notices = Notices::new(source.told_state());
        Self {
            source,
            sequencer,
            clock,
            interval,
            market,
            log,
            door,
            notices,
            counted: ReplayCounts::default(),
            metrics,
        }
    }

    /// Adds a receiver of batches before the first event.
    pub fn attach(&mut self, attach: Attach) {
        self.log.attach(attach);
    }

    /// Publishes the events that are due, and updates the gauges.
    fn step(&mut self) {
        let reading = self.clock.read();
        self.source.tick(reading);
        let batches_max = if self.source.is_unpaced() { STEP_BATCHES_MAX } else { 1 };
        // What the log does not take yet comes first.
        let mut goes_on = self.flush();
        if goes_on {
            self.restart();
            self.tell_state(false);
            // Before the first event after the silence.
            if let Some(gap) = self.source.take_gap()
                && self.notices.tells_gap(reading.elapsed)
            {
                self.tell(gap);
            }
        }
        for _ in 0..batches_max {
            goes_on = goes_on && self.publish_due();
        }
        if self.flush() {
            self.tell_state(true);
        }
        self.market.set(reading, self.source.now(), self.source.speed());
        self.log.step(self.source.held());
        if let Some(counted) = self.source.counted().filter(|counted| *counted != self.counted) {
            self.metrics.count_replay(&std::mem::replace(&mut self.counted, counted), &counted);
        }
        let now = self.source.now().micros();
        let lag = self.source.next_ts().map_or(0, |next| now - next.micros());
        self.metrics.set_feed_lag(Duration::from_micros(lag.try_into().unwrap_or(0)));
        self.metrics.feed_steps.inc();
    }

    /// Publishes one batch; returns whether it was full. A second call at the same moment does nothing, so that a late tick is
    /// harmless.
    fn publish_due(&mut self) -> bool {
        if !self.flush() {
            return false;
        }
        if self.source.waits() && self.must_wait() {
            return false;
        }
        let mut due = Vec::new();
        self.leave_out(&mut due);
        let mut is_full = false;
        while !is_full {
            let Some((id, body)) = self.source.take() else { break };
            self.sequencer.push(id, body, &mut due);
            is_full = due.len() >= BATCH_EVENTS_MAX;
        }
        if !is_full {
            self.sequencer.close_bars(self.source.now(), &mut due);
        }
        if !due.is_empty() {
            self.metrics.events_published.inc_by(due.len() as u64);
            is_full &= self.append(Entry::Batch(Batch(due.into())));
        }
        is_full
    }

    /// Returns whether a feed that waits for its receivers must wait now.
    fn must_wait(&self) -> bool {
        let slowest = self.metrics.hub_offsets().into_iter().min();
        let behind = slowest.map_or(0, |slowest| self.sequencer.offset().saturating_sub(slowest));
        let unrecorded = u64::try_from(self.metrics.record_waiting.get()).unwrap_or_default();
        behind.max(unrecorded) > HUB_BEHIND_MAX
    }

    /// After a seek: the market goes on from another time, under another epoch, with other values and bars.
    fn restart(&mut self) {
        if let Some(opening) = self.source.take_opening() {
            let restart = Restart::new(self.sequencer.restart(&opening), opening);
            self.append(Entry::Restart(restart));
        }
    }

    /// Tells the clients of another state. Of the end only when the last bars have closed.
    fn tell_state(&mut self, has_published: bool) {
        let state = self.source.told_state().filter(|(state, _)| has_published || *state != "ended");
        if let Some(state) = state.filter(|state| self.notices.tells_state(*state)) {
            self.tell(FeedStatus { state: state.0, ..self.source.status() });
        }
    }

    /// Tells the clients of this state, after everything that has been published.
    fn tell(&mut self, status: FeedStatus) {
        self.append(Entry::Notice(Notice(Arc::new(status))));
    }

    /// Publishes the entry. Returns false if the log takes no more for now.
    fn append(&mut self, entry: Entry) -> bool {
        self.log.append(entry);
        self.flush()
    }

    /// Returns whether the log takes more.
    fn flush(&mut self) -> bool {
        self.log.flush(self.source.held())
    }

    /// Continues from the present, if the market is late by more than it may catch up.
    fn leave_out(&mut self, due: &mut Vec<Publication>) {
        let Some(since) = self.source.leave_out() else { return };
        let now = self.source.now();
        self.sequencer.leave_out(since, now, due);
        self.metrics.feed_gaps.inc();
        log::warn!(
            "the market was too late (feed.catch_up_max_ms) and goes on from the present left_out_ms={} since={since} ts={now}",
            (now.micros() - since.micros()) / 1_000
        );
    }
}

impl<S: Source, L: Log> Actor for Feed<S, L> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.interval, |feed, _| feed.step());
    }
}

impl<S: Source, L: Log> Handler<Attach> for Feed<S, L> {
    type Result = ();

    fn handle(&mut self, attach: Attach, _: &mut Self::Context) {
        self.attach(attach);
    }
}

impl<S: Source, L: Log> Handler<FeedOrder> for Feed<S, L> {
    type Result = MessageResult<FeedOrder>;

    fn handle(&mut self, order: FeedOrder, _: &mut Self::Context) -> Self::Result {
        // The order counts from now on, not from the last step.
        self.source.tick(self.clock.read());
        let obeyed = match order {
            FeedOrder::Tell => Ok(()),
            FeedOrder::Seek(_) if self.log.has_delayed() => Err(FeedError::Delayed),
            order => self.source.obey(order),
        };
        MessageResult(obeyed.map(|()| self.source.status()))
    }
}

impl<S: Source, L: Log> Handler<AttachDelayed> for Feed<S, L> {
    type Result = ();

    fn handle(&mut self, attach: AttachDelayed, _: &mut Self::Context) {
        self.log.attach_delayed(attach);
    }
}
