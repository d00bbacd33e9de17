//! Lag: a session in mode `all` has more unsent events than the limit. Only the newest event of each topic will be
//! sent; the others are skipped and counted.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use crate::hub::delivery::Delivery;
use crate::hub::index::Topic;
use crate::hub::outbox::Outbox;
use crate::protocol::OnLag;

/// Memory per topic: an entry of a map that is half full at worst.
pub(super) const TOPIC_BYTES: usize = 32;

/// Skipped events that are not announced yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unannounced {
    /// Number of events.
    pub(super) skipped: u64,
    /// Offset of the first one.
    pub(super) since_offset: u64,
}

impl Outbox {
    /// Begins a lag. Those of the unsent events that are in the ring are skipped by arithmetic: they are not read.
    pub(super) fn begin_lag(&mut self, unread: BTreeMap<Topic, Range<u64>>) {
        (self.positions, self.lag) = (None, Some(Box::default()));
        let of_lag: Vec<_> = self.newest.extract_if(.., |_, unsent| unsent.is_none()).collect();
        for ((offset, topic), _) in of_lag {
            self.keep_newest(topic, offset);
        }
        for delivery in std::mem::take(&mut self.queue) {
            self.keep_newest(delivery.topic(), delivery.offset());
        }
        let shared = self.shared.clone();
        let ring = shared.ring.borrow();
        for (topic, Range { start, end }) in unread {
            let offset = |place| ring.offsets().and_then(|offsets| offsets.at(topic, place));
            let [first, skipped, newest] = [start, end.saturating_sub(2), end - 1].map(offset);
            if let (Some(since_offset), Some(skipped)) = (first, skipped.filter(|_| end - start > 1)) {
                self.skip(topic, skipped, Unannounced { skipped: end - start - 1, since_offset });
            }
            if let Some(newest) = newest {
                self.keep_newest(topic, newest);
            }
        }
    }

    /// Adds the newest event of a topic to the lag. The event that it replaces is skipped.
    pub(super) fn keep_newest(&mut self, topic: Topic, offset: u64) {
        if let Some(skipped) = self.lag.get_or_insert_default().insert(topic, offset) {
            self.skip(topic, skipped, Unannounced { skipped: 1, since_offset: skipped });
        }
    }

    /// Counts the memory of a lag. If it exceeds the limit of unsent answers, the session is closed.
    pub(super) fn check_lag(&mut self) {
        self.count_positions();
        let topics = self.lag.as_ref().map_or(0, |lag| lag.len());
        let push = &self.shared.config.push;
        if topics > push.outbox_events_max && self.held_bytes() >= push.outbox_reply_bytes_max {
            self.close_lagging();
        }
    }

    /// Queues the unread events of a burst, before the ring evicts everything up to the offset `evicted`. If they are
    /// too many, begins a lag or closes the session.
    pub(in crate::hub) fn save_burst(&mut self, evicted: u64) {
        if self.reads_burst() && self.next_read().is_none_or(|next| next > evicted) {
            return;
        }
        self.shared.bursts.borrow_mut().remove(&self.key);
        if !self.reads_burst() {
            return;
        }
        let (events_max, unread) = (self.shared.config.push.outbox_events_max, self.unread());
        let events = unread.values().map(|places| places.end - places.start).sum::<u64>();
        let is_too_long = self.queue.len() as u64 + events > events_max as u64;
        if is_too_long && self.on_lag == OnLag::CatchUp {
            self.begin_lag(unread);
            return self.check_lag();
        }
        let Some(mut positions) = self.positions.take() else { return };
        let shared = self.shared.clone();
        let ring = shared.ring.borrow();
        while self.queue.len() < events_max
            && let Some((batch, index)) = positions.first(self.seen).and_then(|next| ring.find(next, &mut self.near))
        {
            let carriers = positions.advance(&ring);
            if positions.wants(&batch[index].event, &carriers, &self.links) {
                self.queue.push_back(Rc::new(Delivery::new(batch.clone(), index)));
            }
        }
        self.count_positions();
        // Of a burst that fits, only events that have been sent are left.
        if let Some(rejected) = positions.first(self.seen).filter(|_| is_too_long) {
            self.seen = rejected - 1;
            self.close_lagging();
        }
    }

    /// Returns the unread events of a burst, as [`Positions::unread`](super::Positions::unread) does.
    pub(super) fn unread(&self) -> BTreeMap<Topic, Range<u64>> {
        let ring = self.shared.ring.borrow();
        let (Some(positions), Some(offsets)) = (&self.positions, ring.offsets()) else { return BTreeMap::new() };
        positions.unread(self.seen, &self.links, &self.shared.config.table, offsets)
    }

    /// Ends a lag: the newest events are sent next, and new events are queued again.
    pub(super) fn end_lag(&mut self) {
        let Some(lag) = self.lag.take() else { return };
        self.newest.extend(lag.into_iter().map(|(topic, offset)| ((offset, topic), None)));
        self.count_positions();
    }

    /// Records skipped events, which the client must be told before later events show the hole, and the newest one of them. They are
    /// counted now, because a client that never reads again never gets the `lag`.
    pub(super) fn skip(&mut self, topic: Topic, newest: u64, more: Unannounced) {
        let metrics = &self.shared.config.metrics;
        metrics.lags.inc_by(u64::from(self.unannounced.is_none()));
        metrics.events_skipped.inc_by(more.skipped);
        self.skipped.get_or_insert_default().insert(topic, newest);
        let all = self.unannounced.get_or_insert_with(|| Box::new(Unannounced { skipped: 0, ..more }));
        all.skipped += more.skipped;
        all.since_offset = all.since_offset.min(more.since_offset);
    }
}
