//! The part of an outbox that deals with recoveries: the missed events of a session, and how far it has got.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::hub::Replay;
use crate::hub::delivery::{Item, Pushed, Sink};
use crate::hub::index::Topic;
use crate::hub::outbox::Outbox;
use crate::hub::replay::{Progress, Reading};
use crate::protocol::OnLag;

/// What reading costs at the least, in looks at one event: finding the place, and a write.
const READ_WORK_MIN: usize = 64;

/// Events of a burst that are looked at before others have their turn.
const BURST_SCAN_MAX: usize = 4_096;
/// The most bursts of which something is left in the ring for one session.
const BURSTS_MAX: usize = 4;

fn is_burst(item: &Item) -> bool {
    matches!(item, Item::Replay(replay) if replay.is_burst())
}

impl Outbox {
    /// Appends what the session has missed: it follows the answers that stand in the queue, and comes before everything from
    /// now on. What a rate has held back goes along.
    pub fn push_replay(&mut self, mut replay: Box<Replay>, now: Instant) {
        if self.closing || replay.is_idle() {
            return;
        }
        let conflation = &mut self.conflation;
        replay.take_over(std::iter::from_fn(|| conflation.as_mut()?.take_any(now)));
        self.rearm(now);
        // What a recovery keeps while it waits counts with the answers that do. Nobody has asked for a burst: after a stall
        // every session has one, and those that name many symbols would be closed for it.
        if !replay.is_burst() {
            self.hold(replay.bytes());
        } else if self.burst.is_none() {
            self.mark_burst(Some(replay.position()));
        }
        self.queue.push_back(Item::Replay(replay));
        self.urgent = true;
        self.wake(now);
    }

    /// Returns whether events of a burst may be left in the ring from here on. Each answer that comes among them is followed by
    /// a replay of its own; a session that asks for many while it does not read gets no more of these.
    pub(super) fn may_leave_burst(&self) -> bool {
        let follows_one = matches!(self.queue.back(), Some(Item::Replay(_)));
        !follows_one && self.queue.iter().filter(|item| is_burst(item)).count() < BURSTS_MAX
    }

    /// Has the session looked at before the ring forgets events after this offset.
    pub(super) fn mark_burst(&mut self, position: Option<u64>) {
        let mut bursts = self.shared.bursts.borrow_mut();
        if let Some(old) = std::mem::replace(&mut self.burst, position) {
            bursts.remove(&(old, self.key));
        }
        bursts.extend(position.map(|position| (position, self.key)));
    }

    /// Queues what bursts have left, when the ring is about to forget some of it: everything up to this offset. If that is more
    /// than fits, it is merged.
    pub(in crate::hub) fn save_burst(&mut self, forgotten: u64) -> Pushed {
        if self.lag.is_some() {
            self.copy_lag(forgotten);
            self.refuses |= self.is_lag_too_long();
            return if self.refuses { Pushed::Refused } else { Pushed::Taken };
        }
        let positions = self.queue.iter().filter_map(|item| match item {
            // One that is not behind may be extended, from after what is routed by then.
            Item::Replay(replay) if replay.is_burst() && !replay.is_behind() => Some(forgotten),
            Item::Replay(replay) if replay.is_burst() => Some(replay.position()),
            _ => None,
        });
        let position = positions.min();
        if position.is_none_or(|position| position >= forgotten) {
            self.mark_burst(position);
            return Pushed::Taken;
        }
        self.mark_burst(None);
        self.queue_burst();
        self.count_events();
        if self.events > self.shared.push.outbox_events_max {
            if self.on_lag == OnLag::Close {
                self.refuse_rest();
                return Pushed::Refused;
            }
            self.lag_with([]);
        }
        Pushed::Taken
    }

    /// Refuses the events that do not fit, and all that follow: the session is to be closed, and the word for that has room.
    fn refuse_rest(&mut self) {
        self.refuses = true;
        let events = self.queue.iter().enumerate().filter(|(_, item)| item.is_event() && !item.is_latest());
        if let Some((index, first)) =
            events.map(|(index, item)| (index, item.order().0)).nth(self.shared.push.outbox_events_max)
        {
            self.queue.truncate(index);
            self.seen = self.seen.min(first - 1);
        }
        self.count_events();
    }

    /// Counts the events of the queue anew.
    fn count_events(&mut self) {
        self.latest = self.queue.iter().filter(|item| item.is_latest()).count();
        self.events = self.queue.iter().filter(|item| item.is_event()).count() - self.latest;
    }

    /// Queues the events of a burst that have been left in the ring, as the queue is about to be merged.
    pub(super) fn queue_burst(&mut self) {
        if !self.queue.iter().any(is_burst) {
            return;
        }
        let ring = self.shared.ring.borrow();
        for item in std::mem::take(&mut self.queue) {
            match item {
                Item::Replay(mut replay) if replay.is_burst() => {
                    match replay.take_items(&ring, self.conflation.as_deref(), &mut self.merged) {
                        Some(items) => self.queue.extend(items),
                        // It is closed when it is drained.
                        None => self.queue.push_back(Item::Replay(replay)),
                    }
                }
                other => self.queue.push_back(other),
            }
        }
    }

    /// Returns whether missed events are still to be read, although nothing was due.
    pub fn is_behind(&self) -> bool {
        self.queue.iter().any(|item| matches!(item, Item::Replay(replay) if replay.is_behind()))
    }

    /// Passes over everything up to this offset, the hub's position: nothing more comes from there.
    pub fn pass_over(&mut self, offset: u64) {
        if !self.refuses {
            self.seen = self.seen.max(offset);
        }
    }

    /// Returns the offset of the newest event of a topic that the session never gets, as a newer one has taken its place.
    pub fn newest_merged(&self, topic: Topic) -> Option<u64> {
        self.merged.newest(topic)
    }

    /// Returns whether the session gets, or has got, every event.
    pub fn is_complete(&self) -> bool {
        self.merged.is_empty()
    }

    /// Takes note that topics begin anew from a cursor; `others` go on.
    pub fn begin_anew(&mut self, fresh: &BTreeSet<Topic>, others: &BTreeMap<Topic, u64>) {
        self.merged.begin_anew(fresh, others);
    }

    /// Returns the offset up to which everything that a session with one subscription wants has been drained, or is counted
    /// by what has. `None` when that can not be told: a snapshot is queued, or what was queued was thrown away as the outbox
    /// is ending.
    pub fn cursor(&self) -> Option<u64> {
        let is_untold =
            self.closing || self.queue.iter().any(|item| matches!(item, Item::Reply(_) | Item::Snapshots(_)));
        (!is_untold).then(|| self.position())
    }

    /// Returns the offset up to which everything has been drained, or is counted by what has, of those subscriptions whose
    /// answers and snapshots have been drained too.
    pub fn position(&self) -> u64 {
        let conflated = self.conflation.as_ref().and_then(|conflation| conflation.first_waiting());
        let skipped = self.lag.as_ref().and_then(|lag| lag.skipped()).map(|(_, since_offset)| since_offset);
        let queued = self.queue.iter().filter_map(|item| match item {
            Item::Event(delivery) | Item::Latest(delivery) => Some(delivery.offset()),
            Item::Conflated(conflated) => Some(conflated.first),
            Item::Reply(_) | Item::Snapshots(_) => None,
            Item::Replay(replay) => replay.cursor().map(|given| given + 1),
        });
        let first = queued.chain(conflated).chain(skipped).min();
        first.map_or(self.seen, |first| self.seen.min(first - 1))
    }

    /// Reads missed events as far as they fit into the write. Returns false when some are left: the replay is at the front
    /// of the queue again.
    pub(super) fn drain_replay(
        &mut self,
        mut replay: Box<Replay>,
        now: Instant,
        sink: &mut impl Sink,
        events: &mut u64,
    ) -> bool {
        // What a burst has left is read instead of the queue, not for a request.
        let is_charged = replay.is_behind() && !replay.is_burst();
        let taken = if is_charged { self.shared.turn.borrow_mut().take(self.key, now) } else { BURST_SCAN_MAX };
        if is_charged && taken == 0 {
            self.queue.push_front(Item::Replay(replay));
            return false;
        }
        let ring = self.shared.ring.borrow();
        let mut reading = Reading { scanned_max: taken, ..Reading::default() };
        let progress = replay.read(&ring, self.conflation.as_deref(), &mut self.merged, sink, &mut reading);
        drop(ring);
        *events += reading.events;
        if is_charged {
            let used = reading.scanned.max(READ_WORK_MIN);
            self.shared.turn.borrow_mut().settle(taken, used);
            self.work += used as u64;
        }
        replay.gave(reading.events);
        self.shared.metrics.replay_events_scanned.inc_by(reading.scanned as u64);
        match progress {
            Progress::Done => {
                if !replay.is_burst() {
                    self.drained_reply(replay.bytes());
                }
                return true;
            }
            Progress::Paused => {}
            // What is left can not be told. The router closes the session, and its client starts afresh.
            Progress::Overtaken => self.overtaken(),
        }
        self.queue.push_front(Item::Replay(replay));
        false
    }

    fn overtaken(&mut self) {
        let mut overtaken = self.shared.overtaken.borrow_mut();
        if overtaken.contains(&self.key) {
            return;
        }
        overtaken.push(self.key);
        self.shared.pacer.borrow_mut().hurry();
    }

    /// Takes what recoveries have cost since this was last asked.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// Lets others have their turn before more is read; or waits until there is more, or to be closed.
    pub(super) fn pause_replay(&mut self, is_behind: bool, now: Instant, cx: &Context<'_>) -> Poll<Option<u64>> {
        if is_behind && !self.shared.overtaken.borrow().contains(&self.key) {
            // It is not the socket that is slow.
            self.due_since = Some(now);
            self.shared.turn.borrow_mut().queue(self.key, cx.waker());
        } else {
            self.due_since = None;
            self.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}
