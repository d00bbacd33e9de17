//! The source of events: the `Feed` actor takes events from a [`Source`] (the simulator, or a replay of files) when they are due, or from
//! publishers when they come, numbers them, and sends each batch to the history and to every hub. It runs on an arbiter thread of its own.

mod config;
mod control;
mod delay;
#[cfg(test)]
mod growth_test;
mod newcomers;
mod notices;
mod opening;
pub mod publish;
mod record;
pub mod replay;
mod sequencer;
pub mod simulated;
mod source;
pub mod state;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
pub use newcomers::Newcomers;
pub use notices::Notice;
pub use opening::{Opening, Restart};
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

/// A hub: its mailboxes are one.
type Attached = (Recipient<Batch>, (Option<Recipient<Restart>>, Option<Recipient<Notice>>));

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
pub struct Feed<S> {
    source: S,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    /// Time between two steps.
    interval: Duration,
    market: Arc<MarketClock>,
    history: Recipient<Batch>,
    history_restarts: Recipient<Restart>,
    hubs: Vec<Attached>,
    /// The delayed streams.
    delayed: Vec<DelayLine>,
    /// Lets in the events of publishers; `None` if the feed has another source.
    door: Option<Door>,
    /// Batches that the history's full mailbox refused, oldest first. No receiver gets a later one before the history has
    /// accepted these, and nothing is published meanwhile: they are those of one step, or of one request of a publisher.
    refused: VecDeque<Batch>,
    /// A restart that the history's full mailbox refused, likewise.
    restarting: Option<Restart>,
    notices: Notices,
    /// The counts of the files of a replay that `metrics` has.
    counted: ReplayCounts,
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
    /// Time between two steps.
    pub interval: Duration,
    /// Gets the market's time in each step.
    pub market: Arc<MarketClock>,
    /// Receives every batch, before any hub.
    pub history: Recipient<Batch>,
    /// Receives what takes the place of everything before, in the same order.
    pub history_restarts: Recipient<Restart>,
    /// Set to the offset of the newest event before any receiver gets the event.
    pub head: Arc<AtomicU64>,
    /// The delayed streams.
    pub delayed: Vec<DelayLine>,
    /// Lets in the events of publishers; `None` if the feed has another source.
    pub door: Option<Door>,
    /// Counters.
    pub metrics: SharedMetrics,
}

impl<S: Source> Feed<S> {
    /// Returns a feed that begins to publish when it is started as an actor.
    pub fn new(parts: FeedParts<S>) -> Self {
        let FeedParts { mut source, sequencer, clock, interval, market, history, history_restarts, .. } = parts;
        let FeedParts { head, delayed, door, metrics, .. } = parts;
        let (hubs, refused, restarting) = (Vec::new(), VecDeque::new(), None);
        let notices = Notices::new(source.told_state());
        Self {
            source,
            sequencer,
            clock,
            interval,
            market,
            history,
            history_restarts,
            hubs,
            delayed,
            door,
            refused,
            restarting,
            notices,
            counted: ReplayCounts::default(),
            head,
            metrics,
        }
    }

    /// Adds a receiver of batches before the first event.
    pub fn attach(&mut self, Attach { batches, restarts, notices }: Attach) {
        self.hubs.push((batches, (restarts, notices)));
    }

    /// Publishes the events that are due, and updates the gauges.
    fn step(&mut self) {
        let reading = self.clock.read();
        self.source.tick(reading);
        let batches_max = if self.source.is_unpaced() { STEP_BATCHES_MAX } else { 1 };
        let mut goes_on = self.restart();
        if goes_on && self.flush() {
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
        if self.refused.is_empty() {
            self.tell_state(true);
        }
        self.market.set(reading, self.source.now(), self.source.speed());
        for line in &mut self.delayed {
            line.step(self.source.held());
        }
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
            is_full &= self.record(Batch(due.into()));
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

    /// After a seek: the market goes on from another time, under another epoch, with other values and bars. Returns whether events may
    /// follow: not before the history knows of it.
    fn restart(&mut self) -> bool {
        if let Some(opening) = self.source.take_opening() {
            self.restarting = Some(Restart::new(self.sequencer.restart(&opening), opening));
            self.refused.clear();
        }
        let Some(restart) = self.restarting.take() else { return true };
        self.head.store(self.sequencer.offset(), Ordering::Release);
        self.metrics.set_feed_offset(self.sequencer.offset());
        if self.history_restarts.try_send(restart.clone()).is_err() {
            self.metrics.history_mailbox_full.inc();
            self.restarting = Some(restart);
            return false;
        }
        for restarts in self.hubs.iter().filter_map(|(_, (restarts, _))| restarts.as_ref()) {
            // A hub whose mailbox is full finds the hole in the offsets, and reads the state from the history.
            if let Err(actix::dev::SendError::Full(_)) = restarts.try_send(restart.clone()) {
                self.metrics.hub_mailbox_full.inc();
            }
        }
        true
    }

    /// Tells the clients of another state. Of the end only when the last bars have closed.
    fn tell_state(&mut self, has_published: bool) {
        let state = self.source.told_state().filter(|(state, _)| has_published || *state != "ended");
        if let Some(state) = state.filter(|state| self.notices.tells_state(*state)) {
            self.tell(FeedStatus { state: state.0, ..self.source.status() });
        }
    }

    /// Sends a notice to the hubs. One with a full mailbox leaves it out.
    fn tell(&self, status: FeedStatus) {
        let notice = Notice(Arc::new(status));
        for notices in self.hubs.iter().filter_map(|(_, (_, notices))| notices.as_ref()) {
            if let Err(actix::dev::SendError::Full(_)) = notices.try_send(notice.clone()) {
                self.metrics.hub_mailbox_full.inc();
            }
        }
    }

    /// Sends the batch to the history and then to every hub. Returns false, and keeps the batch, if the history's
    /// mailbox is full.
    fn record(&mut self, batch: Batch) -> bool {
        self.head.store(self.sequencer.offset(), Ordering::Release);
        self.metrics.set_feed_offset(self.sequencer.offset());
        self.refused.push_back(batch);
        self.flush()
    }

    /// Sends the batches that were kept; returns whether none is left.
    fn flush(&mut self) -> bool {
        while let Some(batch) = self.refused.pop_front() {
            if self.history.try_send(batch.clone()).is_err() {
                self.metrics.history_mailbox_full.inc();
                self.refused.push_front(batch);
                return false;
            }
            send_to_hubs(&mut self.hubs, &batch, &self.metrics);
            for line in &mut self.delayed {
                line.push(batch.clone(), self.source.held());
            }
        }
        true
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

/// Sends the batch to every hub. A hub with a full mailbox misses it, detects the hole in the offsets, and reads the events from the
/// history. A hub that has stopped is removed.
fn send_to_hubs<T>(hubs: &mut Vec<(Recipient<Batch>, T)>, batch: &Batch, metrics: &SharedMetrics) {
    hubs.retain(|(hub, _)| match hub.try_send(batch.clone()) {
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

    fn handle(&mut self, attach: Attach, _: &mut Self::Context) {
        self.attach(attach);
    }
}

impl<S: Source> Handler<FeedOrder> for Feed<S> {
    type Result = MessageResult<FeedOrder>;

    fn handle(&mut self, order: FeedOrder, _: &mut Self::Context) -> Self::Result {
        // The order counts from now on, not from the last step.
        self.source.tick(self.clock.read());
        let obeyed = match order {
            FeedOrder::Tell => Ok(()),
            FeedOrder::Seek(_) if !self.delayed.is_empty() => Err(FeedError::Delayed),
            order => self.source.obey(order),
        };
        MessageResult(obeyed.map(|()| self.source.status()))
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
