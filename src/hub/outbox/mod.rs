//! `Outbox`: everything that one session must still be sent, and its positions in the stream. A transport drains it.
//!
//! A session that keeps up has a queue of references to events. A session that has fallen behind has a position in the
//! ring of the hub for each topic instead, see [`Positions`]. Of a topic with skipped events only the newest one is sent.

mod answers;
mod drain;
mod gate;
mod held;
mod lag;
mod latest;
mod modes;
mod positions;
mod progress;
mod reading;
mod skipped;
mod snapshots;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::hub::OutboxShared;
use crate::hub::delivery::{Control, Delivery};
use crate::hub::index::{Links, SessionKey, Topic};
use crate::protocol::OnLag;

use answers::Answer;
pub use answers::Recovery;
use gate::Gate;
pub use held::Held;
use lag::Unannounced;
use latest::{Latest, Unsent};
use positions::{Positions, Purpose};
use skipped::Skipped;
pub use snapshots::Snapshots;

/// A burst does not excuse a session that has had data due for this time without a write.
const BURST_PATIENCE: Duration = Duration::from_secs(2);
/// Memory of a position, estimated.
const POSITION_BYTES: usize = 96;
/// Empty queues keep capacity for this many entries, and shrink if they have more than twice as much.
const IDLE_CAPACITY: usize = 32;

/// State of an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    /// Accepts events and answers.
    Open,
    /// Rejects further events because the session is closing; later ones would create a hole that the client was not
    /// told about.
    Ending,
    /// Rejects everything: a close frame is queued.
    Closing,
    /// The drain ends after the queued control items.
    Finished,
}

/// Everything that one session must still be sent; see the module.
#[derive(Debug)]
pub struct Outbox {
    shared: Rc<OutboxShared>,
    key: SessionKey,
    /// The subscriptions of the session.
    links: Links,
    front: VecDeque<Control>,
    answers: VecDeque<Answer>,
    /// Events in mode `all` of a session that keeps up, in the order of the stream.
    queue: VecDeque<Rc<Delivery>>,
    /// Set while the session reads from the ring: events in mode `all` stay there, and in a recovery those in mode `latest`, too.
    positions: Option<Box<Positions>>,
    /// Events that are the newest of their topic, by offset: in mode `latest` with those that they replace, after a lag without.
    newest: BTreeMap<(u64, Topic), Option<Unsent>>,
    /// Index in the ring of the batch of the last event that was read, where a search begins.
    near: usize,
    /// Set while the session has more unsent events than the limit: the offset of the newest unsent event of each topic.
    #[expect(clippy::box_collection, reason = "a session that does not lag pays for a pointer only")]
    lag: Option<Box<HashMap<Topic, u64>>>,
    /// Skipped events that are not announced yet.
    unannounced: Option<Box<Unannounced>>,
    /// Subscriptions in mode `latest`; `None` for most sessions.
    latest: Option<Box<Latest>>,
    alarm: Option<Instant>,
    /// `None` if no event was skipped.
    skipped: Option<Box<Skipped>>,
    /// Memory of queued control items and answers.
    held: Held,
    /// Memory of positions, and of the topics of a lag.
    held_behind: Held,
    /// Cost of recoveries since the session was last charged.
    work: u64,
    /// Events and bytes written.
    sent: (u64, u64),
    on_lag: OnLag,
    /// High-water mark. Events at or below it are duplicates (two subscriptions matched) or covered by the client's
    /// cursor, and are ignored.
    seen: u64,
    /// Whether the hub writes to this session, see [`Pass`](crate::hub::Pass).
    hub_writes: bool,
    gate: Gate,
    life: Life,
}

impl Outbox {
    /// Returns an empty outbox of the session `key`, which ignores events up to the offset `seen`.
    pub fn new(shared: Rc<OutboxShared>, key: SessionKey, seen: u64, now: Instant) -> Self {
        Self {
            held: Held::new(shared.config.metrics.waiting_bytes.clone()),
            held_behind: Held::new(shared.config.metrics.waiting_bytes.clone()),
            gate: Gate::new(&shared.config.push, now),
            shared,
            key,
            links: Links::default(),
            front: VecDeque::new(),
            answers: VecDeque::new(),
            queue: VecDeque::new(),
            positions: None,
            newest: BTreeMap::new(),
            near: 0,
            lag: None,
            unannounced: None,
            latest: None,
            alarm: None,
            skipped: None,
            work: 0,
            sent: (0, 0),
            on_lag: OnLag::CatchUp,
            seen,
            hub_writes: false,
            life: Life::Open,
        }
    }

    /// Appends an event of a topic to which the session is subscribed, or asks the router to close the session.
    #[inline]
    pub fn push_event(&mut self, delivery: &Rc<Delivery>, now: Instant) {
        let offset = delivery.offset();
        if offset <= self.seen || self.life != Life::Open {
            return;
        }
        let is_burst = offset <= self.shared.burst_end.get();
        let is_live = self.lag.is_none() && self.positions.is_none();
        if self.latest.is_some() && self.push_latest(delivery, now) {
            self.seen = offset;
            if !self.is_recovering() {
                return;
            }
        } else if is_live && !is_burst && self.queue.len() < self.shared.config.push.outbox_events_max {
            self.queue.push_back(delivery.clone());
        } else {
            self.push_behind(delivery, is_burst, now);
            if self.life != Life::Open {
                return;
            }
        }
        self.seen = offset;
        if !self.gate.has_window() || self.is_filling() {
            self.gate.wake(now);
        }
    }

    /// Appends an event of a burst, or of a session that has fallen behind.
    #[cold]
    fn push_behind(&mut self, delivery: &Rc<Delivery>, is_burst: bool, now: Instant) {
        let (offset, push) = (delivery.offset(), &self.shared.config.push);
        let is_burst = is_burst && self.overdue(now) < BURST_PATIENCE;
        if self.lag.is_none() {
            if is_burst && self.positions.is_none() && self.queue.len() >= push.burst_events_max() {
                self.shared.config.metrics.bursts.inc();
                self.shared.bursts.borrow_mut().insert(self.key);
                self.positions = Some(Box::new(Positions::new(Purpose::Burst { others: 0 })));
            }
            let has_room = match &mut self.positions {
                Some(positions) => positions.has_room(offset, is_burst, self.seen, &self.shared),
                None => self.queue.len() < push.outbox_events_max,
            };
            if has_room {
                if self.positions.is_none() {
                    return self.queue.push_back(delivery.clone());
                }
                return self.leave_in_ring(delivery);
            }
            if self.on_lag == OnLag::Close {
                return self.close_lagging();
            }
            let unread = self.unread();
            self.begin_lag(unread);
        }
        self.keep_newest(delivery.topic(), offset);
        self.check_lag();
    }

    /// Leaves an event in the ring, where the session reads it.
    fn leave_in_ring(&mut self, delivery: &Delivery) {
        if let Some(positions) = &mut self.positions {
            positions.leave(&delivery.publication().event, &self.links, &self.shared.ring.borrow());
            self.count_positions();
        }
    }

    /// Returns whether the session reads a burst from the ring, of which events may be skipped.
    fn reads_burst(&self) -> bool {
        self.positions.as_ref().is_some_and(|positions| positions.is_burst())
    }

    /// Returns whether the session reads from the ring and no event is skipped.
    fn is_recovering(&self) -> bool {
        self.positions.is_some() && !self.reads_burst()
    }

    /// Rejects further events, and asks the router to close the session with `lagging`.
    fn close_lagging(&mut self) {
        self.refuse_events();
        let mut to_close = self.shared.to_close.borrow_mut();
        if !to_close.contains(&self.key) {
            to_close.push(self.key);
            self.shared.timer.notify_one();
        }
    }

    /// Counts the memory of positions and of a lag. No request has caused a burst or a lag: their topics count beyond
    /// `push.outbox_events_max` only.
    fn count_positions(&mut self) {
        let events_max = self.shared.config.push.outbox_events_max;
        let positions = self.positions.as_ref().map_or(0, |positions| positions.len());
        let positions = if self.reads_burst() { positions.saturating_sub(events_max) } else { positions };
        let topics = self.lag.as_ref().map_or(0, |lag| lag.len()).saturating_sub(events_max);
        let before = self.held_behind.bytes();
        let bytes = (positions + self.newest.len()) * POSITION_BYTES + topics * lag::TOPIC_BYTES;
        // A session that ends may be counted no more.
        self.held_behind.set(if self.life == Life::Open { bytes } else { bytes.min(before) });
        if self.held_behind.bytes() > before {
            self.shared.notify_if_crowded();
        }
    }

    /// Returns whether the queue is half full, so that it must not wait for the window.
    fn is_filling(&self) -> bool {
        self.queue.len() + self.newest.len() > self.shared.config.push.outbox_events_max / 2
    }

    /// Returns whether events would be skipped soon: the queue is half full, or the next event to be read from the ring is more than
    /// `behind_max` before the newest one.
    pub fn is_jammed(&self, newest: u64, behind_max: u64) -> bool {
        let is_behind = |next: u64| newest.saturating_sub(next) > behind_max;
        self.life == Life::Open && (self.is_filling() || self.next_read().is_some_and(is_behind))
    }

    /// Finishes the outbox: the drain ends after the queued control items.
    pub fn finish(&mut self, now: Instant) {
        self.life = Life::Finished;
        self.forget_events();
        self.wake(now);
    }

    /// Makes the session write, also while it waits for its turn: what is due needs no read from the ring.
    fn wake(&mut self, now: Instant) {
        self.gate.wake(now);
        self.shared.turn.borrow_mut().wake(self.key);
    }

    /// Finishes the outbox and drops everything in it.
    pub fn abandon(&mut self, now: Instant) {
        self.front = VecDeque::new();
        self.finish(now);
    }

    /// Ends the window opened by a write: events since then are due now.
    pub fn end_window(&mut self, now: Instant) {
        self.gate.end_window();
        if self.has_queued() {
            self.gate.wake(now);
        }
        self.rearm(now);
    }

    /// Handles the alarm: an event held back by a rate may be sent.
    pub fn ring_alarm(&mut self, now: Instant) {
        self.alarm = None;
        self.rearm(now);
    }

    /// Wakes the session if an event in mode `latest` may be sent, or sets the alarm for the first one.
    fn rearm(&mut self, now: Instant) {
        if self.set_alarm(now) && !self.gate.has_window() {
            self.gate.wake(now);
        }
    }

    /// Sets the alarm for the first event in mode `latest`. Returns whether it may be sent now.
    fn set_alarm(&mut self, now: Instant) -> bool {
        let next = self.latest.as_ref().and_then(|latest| latest.next_due());
        let ahead = next.filter(|next| *next > now);
        if ahead != self.alarm {
            self.shared.pacer.borrow_mut().set_alarm(self.alarm, ahead, self.key);
            self.alarm = ahead;
        }
        next.is_some() && ahead.is_none()
    }

    /// Returns whether events or answers are to be sent, at once or at the end of the window.
    fn has_queued(&self) -> bool {
        let is_queued = !self.queue.is_empty() || !self.newest.is_empty() || !self.answers.is_empty();
        is_queued || self.lag.is_some() || self.unannounced.is_some() || self.next_read().is_some()
    }

    /// Returns whether queued events are all events and answers that there are to drain, as for most sessions.
    fn is_live(&self) -> bool {
        self.answers.is_empty() && self.newest.is_empty() && self.positions.is_none()
    }

    /// Returns the offset of the next event to be read from the ring.
    fn next_read(&self) -> Option<u64> {
        self.positions.as_ref().and_then(|positions| positions.first(self.seen))
    }

    /// Drops everything but the control items.
    fn forget_events(&mut self) {
        self.answers = VecDeque::new();
        (self.queue, self.newest, self.positions) = (VecDeque::new(), BTreeMap::new(), None);
        (self.lag, self.unannounced) = (None, None);
        self.held_behind.set(0);
        self.count_front();
        self.forget_latest();
    }

    /// Drops events held back by rates, and their alarm, because the session's key may soon belong to another session.
    pub(super) fn forget_latest(&mut self) {
        self.latest = None;
        if let Some(alarm) = self.alarm.take() {
            self.shared.pacer.borrow_mut().set_alarm(Some(alarm), None, self.key);
        }
    }

    /// Reads the memory that a drain needs, see [`SessionWriter::load`](crate::hub::SessionWriter::load).
    pub fn load(&self) {
        let [first, last] = [self.queue.front(), self.queue.back()].map(|each| each.map(|delivery| delivery.offset()));
        black_box((first, last, self.answers.len(), self.positions.is_some(), self.held_behind.bytes(), self.life));
        self.gate.load();
    }

    /// Records whether the hub writes to this session.
    pub(super) fn set_hub_writes(&mut self, hub_writes: bool) {
        self.hub_writes = hub_writes;
    }

    /// Returns the subscriptions of the session.
    pub(super) fn links(&mut self) -> &mut Links {
        &mut self.links
    }

    /// Returns for how long data have been due without a drain.
    pub fn overdue(&self, now: Instant) -> Duration {
        self.gate.overdue(now)
    }

    /// Returns the time of the last drain.
    pub fn last_drain(&self) -> Instant {
        self.gate.last_drain()
    }
}

#[cfg(test)]
mod edge_test;
#[cfg(test)]
mod messages_test;
#[cfg(test)]
mod outbox_test;
