//! `Outbox`: what one session has still to be sent. Bounded; conflates when its session falls behind. A transport drains it.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::hub::OutboxShared;
use crate::hub::conflation::Conflation;
use crate::hub::delivery::{Control, Delivery, Item, Pushed, Sink};
use crate::hub::held::Held;
use crate::hub::index::SessionKey;
use crate::hub::lag::Lag;
use crate::hub::merged::Merged;
use crate::protocol::native::encode_lag;
use crate::protocol::{Dialect, Mode, OnLag};
use crate::rate::RateLimiter;

/// Queues keep room for this many entries when they are empty, and give back what they grew beyond twice of it.
const IDLE_CAPACITY: usize = 32;

/// What one session has still to be sent; see the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "five independent facts, each documented")]
pub struct Outbox {
    shared: Rc<OutboxShared>,
    key: SessionKey,
    front: VecDeque<Control>,
    queue: VecDeque<Item>,
    /// Events in the queue; in mode `all` only, unless there is a lag.
    events: usize,
    /// Events in the queue in mode `latest`, unless there is a lag: bounded by their topics, they take no room from others.
    latest: usize,
    /// What the answers that wait take, at the front and in the queue.
    held: Held,
    /// How much of it is of a lag.
    lag_bytes: usize,
    /// What recoveries have cost since the session was last asked to pay.
    work: u64,
    lag: Option<Box<Lag>>,
    on_lag: OnLag,
    merged: Merged,
    /// What is subscribed in mode `latest`; `None` for most sessions.
    conflation: Option<Box<Conflation>>,
    alarm: Option<Instant>,
    /// Where this session stands among those of which the ring may keep something, see [`OutboxShared::bursts`].
    burst: Option<u64>,
    /// The newest offset that was pushed or passed over: what comes twice, or from before a cursor, is not sent.
    seen: u64,
    /// Whether the limit of writes is used up: events wait for the window to end.
    window: bool,
    writes: RateLimiter,
    /// Something is there that waits for no window.
    urgent: bool,
    /// An event was refused, or the session is told to end: no other may follow, and no cursor may pass that.
    refuses: bool,
    /// Nothing more goes in.
    closing: bool,
    /// Nothing more comes out.
    finished: bool,
    due_since: Option<Instant>,
    last_drain: Instant,
    waker: Option<Waker>,
}

impl Outbox {
    /// Returns an empty outbox of the session `key`. It passes over everything up to the offset `seen`.
    pub fn new(shared: Rc<OutboxShared>, key: SessionKey, seen: u64, now: Instant) -> Self {
        let writes = RateLimiter::every(shared.push.coalesce(), shared.push.burst_writes, now);
        Self {
            held: Held::new(shared.metrics.waiting_bytes.clone()),
            shared,
            key,
            front: VecDeque::new(),
            queue: VecDeque::new(),
            events: 0,
            latest: 0,
            lag_bytes: 0,
            work: 0,
            lag: None,
            on_lag: OnLag::CatchUp,
            merged: Merged::default(),
            conflation: None,
            alarm: None,
            burst: None,
            seen,
            window: false,
            writes,
            urgent: false,
            refuses: false,
            closing: false,
            finished: false,
            due_since: None,
            last_drain: now,
            waker: None,
        }
    }

    /// Appends an event; when the outbox is full, obsolete ones make room.
    #[inline]
    pub fn push_event(&mut self, delivery: &Rc<Delivery>, now: Instant) -> Pushed {
        let offset = delivery.offset();
        if offset <= self.seen || self.closing || self.refuses {
            return Pushed::Taken;
        }
        let burst = self.shared.burst.get().number_at(offset);
        if let Some(Item::Replay(replay)) = self.queue.back_mut()
            && replay.extend(offset, burst)
        {
            self.seen = offset;
            self.wake(now);
            return Pushed::Taken;
        }
        if self.conflation.is_some() && self.conflate(delivery, now) {
            self.seen = offset;
            return Pushed::Taken;
        }
        if self.lag.is_none() && self.events < self.shared.push.outbox_events_max {
            if burst.is_some() && self.events >= self.shared.push.burst_events_max() && self.may_leave_burst() {
                return Pushed::Overflows;
            }
            self.queue.push_back(Item::Event(delivery.clone()));
            self.events += 1;
        } else if self.on_lag == OnLag::Close {
            self.refuses = true;
            return Pushed::Refused;
        } else {
            self.merge(Item::Event(delivery.clone()));
            if self.is_lag_too_long() {
                self.refuses = true;
                return Pushed::Refused;
            }
        }
        self.seen = offset;
        if !self.window || self.is_filling() {
            self.wake(now);
        }
        Pushed::Taken
    }

    /// Returns whether so much waits that the window must not: half of what fits.
    fn is_filling(&self) -> bool {
        self.events + self.latest > self.shared.push.outbox_events_max / 2
    }

    /// Takes an event in mode `latest`; returns false when its mode is another.
    fn conflate(&mut self, delivery: &Rc<Delivery>, now: Instant) -> bool {
        let Some(conflation) = &mut self.conflation else { return false };
        if conflation.mode(delivery) == Mode::All {
            return false;
        }
        conflation.push(delivery, now, &mut self.merged);
        self.rearm(now);
        true
    }

    /// Wakes the session when a conflated event may go, or sets the alarm for when the first one may.
    fn rearm(&mut self, now: Instant) {
        let next = self.conflation.as_ref().and_then(|conflation| conflation.next_due());
        let ahead = next.filter(|next| *next > now);
        if ahead != self.alarm {
            self.shared.pacer.borrow_mut().set_alarm(self.alarm, ahead, self.key);
            self.alarm = ahead;
        }
        if next.is_some() && ahead.is_none() && !self.window {
            self.wake(now);
        }
    }

    /// Ends the outbox: once what waits at the front is drained, the drain is told that there is no more.
    pub fn finish(&mut self, now: Instant) {
        self.closing = true;
        self.finished = true;
        self.forget_queue();
        self.wake(now);
    }

    /// Ends the outbox and frees everything that waits in it.
    pub fn abandon(&mut self, now: Instant) {
        self.front = VecDeque::new();
        self.finish(now);
    }

    /// Ends the window that a write has opened: what has come since is due now.
    pub fn end_window(&mut self, now: Instant) {
        self.window = false;
        if !self.queue.is_empty() {
            self.wake(now);
        }
        if self.conflation.is_some() {
            self.rearm(now);
        }
    }

    /// Tells that the alarm has come: an event that a rate has held back may go.
    pub fn ring_alarm(&mut self, now: Instant) {
        self.alarm = None;
        self.rearm(now);
    }

    /// Gives what is due to the sink, as much as fits into one write, and keeps the waker when nothing is.
    ///
    /// Returns `Ready(Some(n))` when `n` events and maybe other messages were given, `Ready(None)` when there is nothing
    /// more and never will be.
    pub fn poll_drain(&mut self, cx: &Context<'_>, now: Instant, sink: &mut impl Sink) -> Poll<Option<u64>> {
        let events = loop {
            if !self.window || self.urgent {
                self.collect_conflated(now);
            }
            let may_write = self.urgent || !self.window || self.is_filling();
            let due = !self.front.is_empty() || (!self.queue.is_empty() && may_write);
            if !due {
                self.due_since = None;
                if self.finished {
                    return Poll::Ready(None);
                }
                if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    self.waker = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
            let mut messages = self.drain_front(sink);
            let events = self.drain_queue(now, sink, &mut messages);
            if messages > 0 {
                break events;
            }
            if let Some(Item::Replay(replay)) = self.queue.front() {
                let is_behind = replay.is_behind();
                return self.pause_replay(is_behind, now, cx);
            }
        };
        self.last_drain = now;
        self.due_since = (!self.queue.is_empty() || !self.front.is_empty()).then_some(now);
        if self.queue.is_empty() {
            self.urgent = false;
            if events > 0 && !self.window {
                self.open_window(now);
            }
            shrink(&mut self.queue);
            shrink(&mut self.front);
        }
        Poll::Ready(Some(events))
    }

    /// Counts a write of events, and opens a window when it has used up the limit.
    fn open_window(&mut self, now: Instant) {
        self.writes.take(1, now);
        let wait = self.writes.wait(1, now);
        if !wait.is_zero() {
            self.window = true;
            self.shared.pacer.borrow_mut().open_window(now + wait, self.key);
        }
    }

    /// Moves the conflated events that may go into the queue, to their places in the stream; while the queue is full they
    /// are better off where they are, as newer ones can still take their place.
    fn collect_conflated(&mut self, now: Instant) {
        if self.events + self.latest >= self.shared.push.outbox_events_max {
            return;
        }
        let mut took = false;
        while let Some(due) = self.conflation.as_mut().and_then(|conflation| conflation.take_due(now)) {
            self.push_conflated(due.into());
            took = true;
        }
        if took {
            self.rearm(now);
            if self.lag.is_none() {
                self.queue.make_contiguous().sort_by_key(Item::order);
            }
        }
    }

    /// Gives what is queued to the sink, and adds to `messages` how much that was. Returns how many of it were events.
    fn drain_queue(&mut self, now: Instant, sink: &mut impl Sink, messages: &mut u64) -> u64 {
        if !sink.is_full()
            && let Some(lag) = self.lag.take()
        {
            let skipped = lag.end(&mut self.queue);
            self.count_lag();
            self.latest = self.queue.iter().filter(|item| item.is_latest()).count();
            self.events -= self.latest;
            if let Some((skipped, since_offset)) = skipped {
                *messages += 1;
                sink.message(&encode_lag(skipped, since_offset));
            }
        }
        let (mut events, mut first) = (0, None);
        while !sink.is_full()
            && let Some(item) = self.queue.pop_front()
        {
            match item {
                Item::Event(delivery) => {
                    first.get_or_insert(delivery.publication().made);
                    self.events -= 1;
                    events += 1;
                    sink.delivery(&delivery, 0);
                }
                Item::Latest(delivery) => {
                    first.get_or_insert(delivery.publication().made);
                    self.latest -= 1;
                    events += 1;
                    sink.delivery(&delivery, 0);
                }
                Item::Conflated(conflated) => {
                    self.latest -= 1;
                    events += 1;
                    sink.delivery(&conflated.delivery, conflated.skipped);
                }
                Item::Reply(reply) => {
                    self.drained_reply(reply.bytes.capacity());
                    *messages += 1;
                    sink.message(&reply.bytes);
                }
                Item::Snapshots(mut snapshots) => {
                    *messages += snapshots.drain(sink);
                    if !snapshots.is_empty() {
                        self.queue.push_front(Item::Snapshots(snapshots));
                        break;
                    }
                    self.drained_reply(snapshots.bytes());
                }
                Item::Replay(replay) => {
                    if !self.drain_replay(replay, now, sink, &mut events) {
                        break;
                    }
                }
            }
        }
        if let Some(made) = first {
            self.shared.metrics.event_age.observe(now.saturating_duration_since(made));
        }
        *messages += events;
        events
    }

    fn forget_queue(&mut self) {
        self.queue = VecDeque::new();
        (self.events, self.latest) = (0, 0);
        (self.lag, self.lag_bytes) = (None, 0);
        self.count_front();
        self.forget_marks();
    }

    /// Forgets what is held back, the alarm for it, and what is to be saved: the session's number may soon be another's.
    pub(super) fn forget_marks(&mut self) {
        self.conflation = None;
        self.mark_burst(None);
        if let Some(alarm) = self.alarm.take() {
            self.shared.pacer.borrow_mut().set_alarm(Some(alarm), None, self.key);
        }
    }

    fn wake(&mut self, now: Instant) {
        self.due_since.get_or_insert(now);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns for how long something has been due without being drained.
    pub fn overdue(&self, now: Instant) -> Duration {
        self.due_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Returns when something was last drained.
    pub fn last_drain(&self) -> Instant {
        self.last_drain
    }

    /// Returns the dialect that the session speaks.
    pub fn dialect(&self) -> Dialect {
        Dialect::Native
    }
}

fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > IDLE_CAPACITY * 2 {
        queue.shrink_to(IDLE_CAPACITY);
    }
}

#[path = "outbox_mode.rs"]
mod mode;
#[path = "outbox_replay.rs"]
mod replay;
#[path = "outbox_reply.rs"]
mod reply;

#[cfg(test)]
#[path = "outbox_test.rs"]
mod tests;
