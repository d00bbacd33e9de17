//! The progress of a session: its cursor.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::hub::index::Topic;
use crate::hub::outbox::answers::Answer;
use crate::hub::outbox::{Life, Outbox};
use crate::hub::roll::Figures;

impl Outbox {
    /// Returns whether items are queued or missed events are still to be read.
    pub fn is_behind(&self) -> bool {
        self.has_queued() || self.latest.as_ref().is_some_and(|latest| latest.first_waiting().is_some())
    }

    /// Returns whether everything has been written, controls included.
    pub(in crate::hub) fn is_drained(&self) -> bool {
        self.front.is_empty() && !self.is_behind()
    }

    /// Ignores events up to this offset, the hub's: none of them is for this session.
    pub fn pass_over(&mut self, offset: u64) {
        if self.life == Life::Open {
            self.seen = self.seen.max(offset);
        }
    }

    /// Returns the offset of the newest event of a topic that the session never gets, because a newer one has replaced
    /// it.
    pub fn newest_skipped(&self, topic: Topic) -> Option<u64> {
        self.skipped.as_ref().and_then(|skipped| skipped.newest(topic))
    }

    /// Returns whether the session has got, or will get, every event; false if that is not known.
    pub fn is_complete(&self) -> bool {
        self.skipped.is_none()
    }

    /// Forgets skipped events of these topics, which begin anew from a cursor, except those of topics that the session has
    /// already.
    pub(in crate::hub) fn begin_anew(&mut self, fresh: &BTreeSet<Topic>) {
        if let Some(skipped) = &mut self.skipped {
            skipped.begin_anew(fresh, &self.links);
            if skipped.is_empty() {
                self.skipped = None;
            }
        }
    }

    /// Returns the cursor of a session with one subscription: every event up to it has been drained or is counted by a
    /// drained one. `None` if a snapshot is queued, or if queued events were dropped because the outbox is closing.
    pub fn cursor(&self) -> Option<u64> {
        let is_answered = self.answers.iter().all(|answer| answer.recovers_after().is_some());
        (self.life < Life::Closing && is_answered).then(|| self.cursor_offset())
    }

    /// Returns the cursor: every event up to it has been drained or is counted by a drained one. Subscriptions whose
    /// `subscribed` or snapshots are still queued are excluded.
    pub fn cursor_offset(&self) -> u64 {
        let queued = self.queue.front().map(|delivery| delivery.offset());
        let latest = self.latest.as_ref().and_then(|latest| latest.first_waiting());
        let skipped = self.lag.as_ref().and_then(|lag| lag.values().copied().min());
        let unannounced = self.unannounced.as_ref().map(|skipped| skipped.since_offset);
        let recovered = self.answers.iter().filter_map(Answer::recovers_after).map(|after| after.saturating_add(1));
        let newest =
            self.newest.iter().map(|((offset, _), unsent)| unsent.map_or(*offset, |unsent| unsent.first)).min();
        let unsent = [queued, self.next_read(), newest, latest, skipped, unannounced];
        let first = unsent.into_iter().flatten().chain(recovered).min();
        first.map_or(self.seen, |first| self.seen.min(first - 1))
    }

    /// Counts the bytes of a write.
    pub fn count_bytes(&mut self, bytes: usize) {
        self.sent.1 += bytes as u64;
    }

    /// Returns the figures for an operator, while the hub is at the offset `here`.
    pub fn figures(&self, here: u64, now: Instant) -> Figures {
        let lag = if self.is_behind() { here.saturating_sub(self.cursor_offset()) } else { 0 };
        let lagging = self.lag.as_ref().map_or(0, |lag| lag.len());
        let queue = self.queue.len() + self.newest.len() + self.answers.len() + self.front.len() + lagging;
        let (events, bytes) = self.sent;
        Figures { events, bytes, waiting: self.overdue(now), lag, queue }
    }

    /// Returns the cost of recoveries since the last call.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }
}
