//! Draining an outbox into a sink, in the order of the stream: queued events, events read from the ring, and answers at
//! their offsets.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::domain::{Event, Topic};
use crate::history::Ring;
use crate::hub::delivery::Sink;
use crate::hub::outbox::answers::{Body, Rewind};
use crate::hub::outbox::gate::Left;
use crate::hub::outbox::lag::Untold;
use crate::hub::outbox::rare::Rare;
use crate::hub::outbox::scan::Next;
use crate::hub::outbox::{IDLE_CAPACITY, Life, Outbox};
use crate::hub::pass::Wakeup;
use crate::protocol::{Mode, Publication, ServerMessage};

/// Least cost of a read from the ring, in events read: for the search, and for the write.
const READ_WORK_MIN: usize = 64;
/// Most events of a burst that are read in one turn.
const BURST_SCAN_MAX: usize = 4_096;

/// Events that may be read from the ring in this drain.
#[derive(Clone, Copy, Debug)]
struct Looks {
    max: usize,
    left: usize,
    /// Whether they are part of the hub's turn. Events of a burst are not, because they replace queued events and no
    /// request caused them.
    is_turn: bool,
}

/// Result of a drain.
#[derive(Debug, Default)]
struct Drained {
    /// Number of messages, events included.
    messages: u64,
    events: u64,
    /// Number of events that were read from the ring.
    read: u64,
    looks: Option<Looks>,
    /// Whether the session must wait for the next turn before it reads on.
    is_paused: bool,
    /// Time of publication of the first live event. Events of a scan or a recovery may be minutes old.
    made: Option<Instant>,
}

impl Drained {
    /// Counts an event, unless the sink cannot write it. Returns whether it can.
    fn count(&mut self, publication: &Publication, sink: &impl Sink) -> bool {
        let has = sink.has(&publication.event);
        self.events += u64::from(has);
        self.messages += u64::from(has);
        has
    }

    /// Counts an event as [`count`](Self::count), and its age.
    fn count_live(&mut self, publication: &Publication, sink: &impl Sink) -> bool {
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
            if let Some(made) = drained.made {
                self.shared.config.metrics.event_age.observe(now.saturating_duration_since(made));
            }
            if front + drained.messages > 0 {
                break drained.events;
            }
            if self.is_overtaken() {
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
        let is_due = !self.front.is_empty() || (self.has_queued() && may_write) || self.life == Life::Finished;
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
        if self.is_overtaken() {
            return drained;
        }
        if !sink.is_full() {
            self.end_lag();
            self.tell_skipped(sink, &mut drained);
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
        let has_recovery = self.agenda.next_recovered().is_some() || !self.answers.is_empty();
        if let Some(scan) = &mut self.scan {
            scan.sent(drained.read);
            if scan.is_over(self.seen) && !has_recovery {
                self.scan = None;
            }
            self.set_alarm(now);
        }
        self.weigh();
        drained
    }

    /// Drains the next item in the order of the stream. Returns false if there is none, or if the session must wait for
    /// its turn.
    fn drain_next(&mut self, ring: &Ring, now: Instant, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        let queued = self.queue.front().map_or(u64::MAX, |delivery| delivery.offset());
        let [recovered, newest] =
            [self.agenda.next_recovered(), self.agenda.next_newest()].map(|next| next.unwrap_or(u64::MAX));
        let answer = self.answers.front().map_or(u64::MAX, |answer| answer.offset);
        let first = queued.min(recovered).min(newest);
        let limit = answer.min(first - 1);
        if self.scan.as_ref().is_some_and(|scan| scan.is_behind() && scan.read() < limit) {
            self.scan_next(ring, limit, now, sink, drained)
        } else if first > answer {
            self.flush_latest(now) || self.drain_answer(sink, drained)
        } else if first == u64::MAX {
            false
        } else if recovered == first {
            self.recover_next(ring, now, sink, drained)
        } else if newest == first {
            self.give_newest(ring, now, sink, drained)
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

    /// Reads the next event up to the offset `limit` from the ring and drains it.
    fn scan_next(
        &mut self,
        ring: &Ring,
        limit: u64,
        now: Instant,
        sink: &mut impl Sink,
        drained: &mut Drained,
    ) -> bool {
        if !self.may_look(now, drained) {
            return false;
        }
        let (Some(scan), Some(looks)) = (&mut self.scan, &mut drained.looks) else { return false };
        match scan.next(ring, limit, &self.links, &mut looks.left) {
            Next::Event(batch, index) => self.give_read(&batch[index], now, sink, drained),
            Next::None => {}
            Next::Paused => {
                drained.is_paused = true;
                return false;
            }
            Next::Overtaken => {
                self.overtaken();
                return false;
            }
        }
        true
    }

    /// Reads the next event of a recovery and drains it, if it is still to be sent.
    fn recover_next(&mut self, ring: &Ring, now: Instant, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        if !self.may_look(now, drained) {
            return false;
        }
        let (Some(offset), Some(offsets)) = (self.agenda.next_recovered(), ring.offsets()) else { return false };
        let Some((batch, index)) = ring.find(offset, &mut self.near) else {
            self.overtaken();
            return false;
        };
        let carriers = self.agenda.advance(offsets);
        drained.looks.iter_mut().for_each(|looks| looks.left -= 1);
        if self.recovers(&batch[index].event, &carriers) {
            self.give_read(&batch[index], now, sink, drained);
        }
        true
    }

    /// Drains an event that was read from the ring, or merges it if its topic is in mode `latest` by now.
    fn give_read(&mut self, publication: &Publication, now: Instant, sink: &mut impl Sink, drained: &mut Drained) {
        let event = &publication.event;
        if self.latest.is_none() || !self.merge_latest(event.topic(), event.offset, now) {
            drained.read += 1;
            if drained.count(publication, sink) {
                sink.event(publication, 0);
            }
        }
    }

    /// Returns whether the recovery of these topics must send an event: not if another subscription of the session has
    /// sent it. Days and gaps belong to several topics of a symbol.
    fn recovers(&self, event: &Event, carriers: &[(Topic, bool)]) -> bool {
        let Some(scan) = &self.scan else { return true };
        let position = |topic| scan.position(topic, &self.links);
        let has_sent = |topic: Topic| {
            // The wildcard has not sent the events of a symbol that has a position of its own.
            let topic = if position(topic).is_some() { topic } else { topic.wildcard() };
            position(topic).is_some_and(|after| after < event.offset) && !carriers.contains(&(topic, true))
        };
        let symbols = event.topics().filter(|topic| *topic != topic.wildcard());
        carriers.iter().any(|(topic, _)| *topic == event.topic()) || !symbols.into_iter().any(has_sent)
    }

    /// Drains the next event that is the newest of its topic.
    fn give_newest(&mut self, ring: &Ring, now: Instant, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        let Some((offset, topic, unsent)) = self.agenda.pop_newest() else { return false };
        let found = ring.find_newest(topic, offset, &mut self.near);
        let is_recovery = self.scan.as_ref().is_some_and(|scan| !scan.is_burst());
        if found.is_none() && is_recovery && self.mode_of(topic) == Mode::All {
            self.agenda.insert(offset, topic, unsent);
            self.overtaken();
            return false;
        }
        if let (Some(_), Some(latest)) = (unsent, &mut self.latest) {
            latest.sent(topic, now);
            self.rearm(now);
        }
        let (first, skipped) = unsent.map_or((offset, 0), |unsent| (unsent.first, unsent.skipped));
        if let Some((batch, index)) = found {
            if drained.count_live(&batch[index], sink) {
                sink.event(&batch[index], skipped);
            }
        } else {
            // The event was evicted, because a newer one of its topic is about to arrive.
            let skipped = u64::from(skipped) + 1;
            self.shared.config.metrics.events_skipped.inc_by(skipped);
            self.skip(topic, offset, Untold { skipped, since_offset: first });
            self.tell_skipped(sink, drained);
        }
        true
    }

    /// Returns whether the session may read from the ring; takes its part of the turn for that. If not, records that
    /// the session is paused.
    fn may_look(&mut self, now: Instant, drained: &mut Drained) -> bool {
        let is_turn = !self.scan.as_ref().is_some_and(|scan| scan.is_burst());
        let looks = drained.looks.get_or_insert_with(|| {
            let max = if is_turn { self.shared.turn.borrow_mut().take(self.key, now) } else { BURST_SCAN_MAX };
            Looks { max, left: max, is_turn }
        });
        drained.is_paused = looks.left == 0;
        !drained.is_paused
    }

    fn is_overtaken(&self) -> bool {
        self.shared.overtaken.borrow().contains(&self.key)
    }

    /// Events that the session had to read were evicted: the router closes the session, and its client begins anew.
    fn overtaken(&self) {
        let mut overtaken = self.shared.overtaken.borrow_mut();
        if !overtaken.contains(&self.key) {
            overtaken.push(self.key);
            self.shared.pacer.borrow_mut().hurry();
        }
    }

    /// Charges the events read to the turn and to the session.
    fn settle(&mut self, drained: &Drained) {
        let Some(Looks { max, left, is_turn }) = drained.looks else { return };
        self.shared.config.metrics.replay_events_scanned.inc_by((max - left) as u64);
        if is_turn && max > 0 {
            let used = (max - left).max(READ_WORK_MIN);
            self.shared.turn.borrow_mut().settle(max, used);
            self.work += used as u64;
        }
    }

    /// Sends the `lag` for skipped events, before later events show the hole.
    fn tell_skipped(&mut self, sink: &mut impl Sink, drained: &mut Drained) {
        if let Some(Untold { skipped, since_offset }) = self.untold.take().map(|untold| *untold) {
            drained.messages += 1;
            sink.message(&ServerMessage::Lag { skipped, since_offset });
        }
    }

    /// Drains the next answer.
    fn drain_answer(&mut self, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        let Some(mut answer) = self.answers.pop_front() else { return false };
        let bytes = answer.bytes();
        match &mut answer.body {
            Body::Reply(reply) => {
                drained.messages += 1;
                sink.message(&reply.message);
            }
            Body::Snapshots(snapshots) => {
                drained.messages += snapshots.drain(sink);
                if !snapshots.is_empty() {
                    self.answers.push_front(answer);
                    return true;
                }
            }
            Body::Rewind(rewind) if self.shared.ring.borrow().goes_back_to(rewind.first(), answer.offset) => {
                self.rewind(answer.offset, rewind);
            }
            Body::Rewind(_) => {
                self.answers.push_front(answer);
                self.overtaken();
                return false;
            }
        }
        self.release_bytes(bytes);
        true
    }

    /// Begins a recovery, when everything up to the offset `up_to` has been sent.
    fn rewind(&mut self, up_to: u64, rewind: &Rewind) {
        let ring = self.shared.ring.borrow();
        let Some(offsets) = ring.offsets() else { return };
        self.work += rewind.topics.len() as u64;
        for topic in &rewind.topics {
            self.agenda.recover(*topic, rewind.after, up_to, offsets);
            // The scan has passed these events, and those that the recovery has sent are not sent again.
            self.scan.iter_mut().for_each(|scan| scan.begin(*topic, rewind.after));
        }
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
        if self.agenda.len() == 0 {
            self.agenda = Rare::default();
        }
    }
}

fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > IDLE_CAPACITY * 2 {
        queue.shrink_to(IDLE_CAPACITY);
    }
}
