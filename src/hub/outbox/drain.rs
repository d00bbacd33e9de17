//! Draining an outbox into a sink, in the order of the stream: queued events, events read from the ring, and answers at
//! their offsets.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::history::Ring;
use crate::hub::delivery::Sink;
use crate::hub::outbox::answers::Body;
use crate::hub::outbox::gate::Left;
use crate::hub::outbox::lag::Unannounced;
use crate::hub::outbox::reading::Reads;
use crate::hub::outbox::{IDLE_CAPACITY, Life, Outbox};
use crate::hub::pass::Wakeup;
use crate::protocol::{Publication, ServerMessage};

/// Result of a drain.
#[derive(Debug, Default)]
pub(super) struct Drained {
    /// Number of messages, events included.
    messages: u64,
    events: u64,
    /// Number of events that were read from the ring.
    pub(super) read: u64,
    pub(super) reads: Option<Reads>,
    /// Whether the session must wait for the next turn before it reads on.
    pub(super) is_paused: bool,
    /// Time of publication of the first live event. Events of a recovery may be minutes old.
    made: Option<Instant>,
}

impl Drained {
    /// Counts an event, unless the sink cannot write it. Returns whether it can.
    pub(super) fn count(&mut self, publication: &Publication, sink: &impl Sink) -> bool {
        let has = sink.has(&publication.event);
        self.events += u64::from(has);
        self.messages += u64::from(has);
        has
    }

    /// Counts an event as [`count`](Self::count), and its age.
    pub(super) fn count_live(&mut self, publication: &Publication, sink: &impl Sink) -> bool {
        let has = self.count(publication, sink);
        if has {
            self.made.get_or_insert(publication.made);
        }
        has
    }
}

impl Outbox {
    /// Drains everything that is due into the sink, up to one write. If nothing is due, stores who is woken when
    /// something is: the hub, if it writes to this session, or else the task of `cx`.
    ///
    /// Returns `Ready(Some(n))` after `n` events and possibly other messages, and `Ready(None)` if the outbox is
    /// finished.
    pub fn poll_drain(&mut self, cx: &Context<'_>, now: Instant, sink: &mut impl Sink) -> Poll<Option<u64>> {
        let events = loop {
            if self.gate.is_open() {
                self.collect_latest(now);
            }
            let may_write = self.gate.is_open() || self.is_filling();
            if self.front.is_empty() && !(self.has_queued() && may_write) {
                self.gate.wait(self.wakeup(cx));
                return if self.life == Life::Finished { Poll::Ready(None) } else { Poll::Pending };
            }
            let front = self.drain_front(sink);
            let drained = self.drain_events(now, sink);
            // Delayed events are old on purpose, and those of a replay wait for its client.
            if let Some(made) = drained.made.filter(|_| self.shared.config.is_of_present()) {
                self.shared.config.metrics.event_age.observe(now.saturating_duration_since(made));
            }
            if front + drained.messages > 0 {
                break drained.events;
            }
            if self.is_to_close() {
                // The router closes the session.
                self.gate.wait(self.wakeup(cx));
                return Poll::Pending;
            }
            if drained.is_paused {
                self.gate.postpone(now);
                self.shared.turn.borrow_mut().queue(self.key, self.wakeup(cx));
                return Poll::Pending;
            }
        };
        self.sent.0 += events;
        let left = Left { queued: self.has_queued(), controls: !self.front.is_empty() };
        if let Some(next) = self.gate.count_write(events, left, &self.shared.config.push, now) {
            self.shared.pacer.borrow_mut().open_window(next, self.key);
        }
        if !self.has_queued() {
            self.shrink();
        }
        Poll::Ready(Some(events))
    }

    /// If nothing is due, stores the wakeup, as [`poll_drain`](Self::poll_drain) does. Returns whether something is due.
    pub fn is_due(&mut self, cx: &Context<'_>) -> bool {
        let may_write = self.gate.is_open() || self.is_filling();
        // An event in mode `latest` that was read in the last write.
        let is_latest_due = self.set_alarm(self.gate.last_drain()) && self.gate.is_open();
        let is_queued = (self.has_queued() && may_write) || is_latest_due;
        let is_due = !self.front.is_empty() || is_queued || self.life == Life::Finished;
        if !is_due {
            self.gate.wait(self.wakeup(cx));
        }
        is_due
    }

    fn wakeup(&self, cx: &Context<'_>) -> Wakeup {
        if self.hub_writes {
            Wakeup::Pass(self.shared.pass.clone(), self.key)
        } else {
            Wakeup::Task(cx.waker().clone())
        }
    }

    fn drain_events(&mut self, now: Instant, sink: &mut impl Sink) -> Drained {
        let mut drained = Drained::default();
        if self.is_to_close() {
            return drained;
        }
        if !sink.is_full() {
            self.end_lag();
            self.announce_skipped(sink, &mut drained);
        }
        let shared = self.shared.clone();
        let ring = shared.ring.borrow();
        if self.is_live() {
            while !sink.is_full() && self.drain_queued(sink, &mut drained) {}
        } else {
            while !sink.is_full() && self.drain_next(&ring, now, sink, &mut drained) {}
        }
        drop(ring);
        self.settle(&drained);
        if let Some(positions) = &mut self.positions {
            positions.sent(drained.read);
            if self.answers.is_empty() && positions.is_over(self.seen) {
                self.positions = None;
            }
            self.set_alarm(now);
        }
        self.count_positions();
        drained
    }

    /// Drains the next item in the order of the stream. Returns false if there is none, or if the session must wait for
    /// its turn.
    fn drain_next(&mut self, ring: &Ring, now: Instant, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        let queued = self.queue.front().map_or(u64::MAX, |delivery| delivery.offset());
        let read = self.next_read().unwrap_or(u64::MAX);
        let newest = self.newest.first_key_value().map_or(u64::MAX, |((offset, _), _)| *offset);
        let answer = self.answers.front().map_or(u64::MAX, |answer| answer.offset);
        let first = queued.min(read).min(newest);
        if first > answer {
            self.flush_latest(now) || self.drain_answer(sink, drained)
        } else if first == u64::MAX {
            false
        } else if read == first {
            self.read_next(ring, now, sink, drained)
        } else if newest == first {
            self.drain_newest(ring, now, sink, drained)
        } else {
            self.drain_queued(sink, drained)
        }
    }

    /// Drains the next queued event. Returns false if there is none.
    fn drain_queued(&mut self, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        let Some(delivery) = self.queue.pop_front() else { return false };
        if drained.count_live(delivery.publication(), sink) {
            sink.event(delivery.publication(), 0);
        }
        true
    }

    /// Returns whether the router is about to close the session.
    fn is_to_close(&self) -> bool {
        self.shared.to_close.borrow().contains(&self.key)
    }

    /// Sends the `lag` for skipped events, before later events show the hole.
    pub(super) fn announce_skipped(&mut self, sink: &mut impl Sink, drained: &mut Drained) {
        if let Some(Unannounced { skipped, since_offset }) = self.unannounced.take().map(|all| *all) {
            drained.messages += 1;
            sink.message(&ServerMessage::Lag { skipped, since_offset });
        }
    }

    /// Drains the next answer.
    fn drain_answer(&mut self, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        let Some(mut answer) = self.answers.pop_front() else { return false };
        let bytes = answer.bytes();
        match &mut answer.body {
            Body::Reply(message) => {
                drained.messages += 1;
                sink.message(message);
            }
            Body::Snapshots(snapshots) => {
                drained.messages += snapshots.drain(sink);
                if !snapshots.is_empty() {
                    self.answers.push_front(answer);
                    return true;
                }
            }
            Body::Recovery { number, after } => {
                let ring = self.shared.ring.borrow();
                // The client may have unsubscribed from all its topics.
                let is_waiting = self.positions.as_ref().is_some_and(|positions| positions.is_waiting(*number));
                if is_waiting && !ring.goes_back_to(*after, answer.offset) {
                    drop(ring);
                    self.answers.push_front(answer);
                    self.close_lagging();
                    return false;
                }
                let positions = self.positions.as_mut();
                self.work += positions.map_or(0, |positions| positions.start(*number, &ring)) as u64;
            }
        }
        self.release_bytes(bytes);
        true
    }

    fn shrink(&mut self) {
        // Begins anew, so that the next events are written to the same memory.
        self.queue.clear();
        shrink(&mut self.queue);
        // Answers are rare, and so is what a session that was behind had to be sent.
        self.answers = VecDeque::new();
        if self.front.is_empty() {
            self.front = VecDeque::new();
        }
    }
}

fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > IDLE_CAPACITY * 2 {
        queue.shrink_to(IDLE_CAPACITY);
    }
}
