//! Lag: a session in mode `all` has more unsent events than the limit. Only the newest event of each topic will be
//! sent; the others are skipped and counted.

use std::rc::Rc;

use crate::hub::delivery::Delivery;
use crate::hub::index::Topic;
use crate::hub::outbox::Outbox;
use crate::protocol::OnLag;

/// Memory per topic: an entry of a map that is half full at worst.
pub(super) const TOPIC_BYTES: usize = 32;

/// Skipped events that are not announced yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Untold {
    /// Number of events.
    pub(super) skipped: u64,
    /// Offset of the first one.
    pub(super) since_offset: u64,
}

impl Outbox {
    /// Adds an unsent event, the newest one of its topic so far. The event that it replaces is skipped, and counted
    /// now, because a client that never reads again never gets the `lag`.
    pub(super) fn merge(&mut self, topic: Topic, offset: u64) {
        let Some(obsolete) = self.lag.as_mut().and_then(|lag| lag.insert(topic, offset)) else { return };
        self.shared.config.metrics.lags.inc_by(u64::from(self.untold.is_none()));
        self.shared.config.metrics.events_skipped.inc();
        self.skip(topic, obsolete, Untold { skipped: 1, since_offset: obsolete });
    }

    /// Reduces all unsent events in mode `all`, and those in `unread`, to the newest of each topic.
    pub(super) fn begin_lag(&mut self, unread: &[Rc<Delivery>]) {
        self.lag = Some(Box::default());
        let queue = std::mem::take(&mut self.queue);
        let of_lag: Vec<_> = self.newest.extract_if(.., |_, unsent| unsent.is_none()).collect();
        for ((offset, topic), _) in of_lag {
            self.merge(topic, offset);
        }
        for delivery in queue.iter().chain(unread) {
            self.merge(delivery.topic(), delivery.offset());
        }
    }

    /// Counts the memory of a lag. If it exceeds the limit of unsent answers, the session is closed.
    pub(super) fn check_lag(&mut self) {
        self.weigh();
        if self.lag_beyond() > 0 && self.held.bytes() >= self.shared.config.push.outbox_reply_bytes_max {
            self.close_lagging();
        }
    }

    /// Returns how many topics a lag has beyond the limit of queued events.
    pub(super) fn lag_beyond(&self) -> usize {
        let topics = self.lag.as_ref().map_or(0, |lag| lag.len());
        topics.saturating_sub(self.shared.config.push.outbox_events_max)
    }

    /// Queues the unread events of a burst, before the ring evicts everything up to the offset `evicted`. If they are
    /// too many, begins a lag or closes the session.
    pub(in crate::hub) fn save_burst(&mut self, evicted: u64) {
        let is_burst = self.positions.as_ref().is_some_and(|positions| positions.is_burst());
        if is_burst && self.next_read().is_none_or(|next| next > evicted) {
            return;
        }
        self.shared.bursts.borrow_mut().remove(&self.key);
        if !is_burst {
            return;
        }
        let mut unread = self.take_unread();
        let room = self.shared.config.push.outbox_events_max.saturating_sub(self.queue.len());
        if unread.len() > room && self.on_lag == OnLag::CatchUp {
            self.begin_lag(&unread);
            return self.check_lag();
        }
        let refused = unread.get(room).map(|delivery| delivery.offset());
        unread.truncate(room);
        self.queue.extend(unread);
        if let Some(refused) = refused {
            self.seen = self.seen.min(refused - 1);
            self.close_lagging();
        }
    }

    /// Ends a lag: the newest events are sent next, and new events are queued again.
    pub(super) fn end_lag(&mut self) {
        let Some(lag) = self.lag.take() else { return };
        for (topic, offset) in *lag {
            self.newest.insert((offset, topic), None);
        }
        self.weigh();
    }

    /// Records skipped events that the client must be told, and the newest one of them.
    pub(super) fn skip(&mut self, topic: Topic, newest: u64, skipped: Untold) {
        self.skipped.get_or_insert_default().insert(topic, newest);
        let none = || Box::new(Untold { skipped: 0, since_offset: u64::MAX });
        let before = self.untold.get_or_insert_with(none);
        before.skipped += skipped.skipped;
        before.since_offset = before.since_offset.min(skipped.since_offset);
    }

    /// Removes the positions, and returns their unsent events in mode `all`.
    pub(super) fn take_unread(&mut self) -> Vec<Rc<Delivery>> {
        let Some(mut positions) = self.positions.take() else { return Vec::new() };
        let shared = self.shared.clone();
        let ring = shared.ring.borrow();
        let (mut unread, now) = (Vec::new(), self.gate.last_drain());
        let mut answers: Vec<_> = self.answers.iter().map(|answer| answer.offset).collect();
        while let Some(offset) = positions.first(self.seen) {
            let Some((batch, index)) = ring.find(offset, &mut self.near) else { break };
            let delivery = Delivery::new(batch.clone(), index);
            let carriers = positions.advance(&ring);
            if !positions.wants(&delivery.publication().event, &carriers, &self.links) {
                continue;
            }
            let passed = answers.partition_point(|answer| *answer < offset);
            if answers.drain(..passed).len() > 0 {
                // An answer may cover them.
                self.queue_latest(None, now, |_, _| true);
            }
            if !self.push_latest(&delivery, now) {
                unread.push(Rc::new(delivery));
            }
        }
        if !answers.is_empty() {
            self.queue_latest(None, now, |_, _| true);
        }
        unread
    }
}
