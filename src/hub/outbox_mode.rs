//! The part of an outbox that knows how its session is served: what happens when it is slow, the modes of its subscriptions.

use std::time::Instant;

use crate::domain::{ChannelSet, SymbolId};
use crate::hub::delivery::Item;
use crate::hub::index::topic;
use crate::hub::lag::Lag;
use crate::hub::outbox::Outbox;
use crate::protocol::{Mode, OnLag};

/// One part of the ring of so many is copied at once.
const COPY_PART: u64 = 64;

impl Outbox {
    /// Appends an event that a rate has held back, beyond the bound if need be: there is one for each subscription.
    pub(super) fn push_conflated(&mut self, item: Item) {
        if self.lag.is_some() {
            return self.merge(item);
        }
        self.queue.push_back(item);
        self.latest += 1;
    }

    /// Appends an item to a queue that may be full.
    #[cold]
    pub(super) fn merge(&mut self, item: Item) {
        if self.lag.is_none() {
            self.queue_burst();
        }
        self.lag_with([item]);
    }

    /// Merges the queue, unless that has been done, and appends these items to it.
    pub(super) fn lag_with(&mut self, items: impl IntoIterator<Item = Item>) {
        if self.lag.is_none() {
            self.lag = Some(Box::new(Lag::begin(&mut self.queue, &mut self.merged)));
            // What the ring forgets is to be copied.
            self.mark_burst(Some(0));
        }
        let Some(lag) = &mut self.lag else { return };
        for item in items {
            lag.push(item, &mut self.queue, &mut self.merged);
        }
        (self.events, self.latest) = (lag.events(), 0);
        // Now, not when the client is told: one that never reads again never is.
        let (skipped, is_first) = lag.newly_skipped();
        self.shared.metrics.events_skipped.inc_by(skipped);
        self.shared.metrics.lags.inc_by(u64::from(is_first));
        self.count_lag();
    }

    /// Copies what the ring is about to forget, everything up to this offset, and a little more, so as not to look at each
    /// batch.
    pub(super) fn copy_lag(&mut self, forgotten: u64) {
        let ahead = self.shared.ring.borrow().capacity() as u64 / COPY_PART;
        let offset = forgotten + ahead.max(1);
        if let Some(lag) = &mut self.lag {
            lag.copy(&mut self.queue, offset);
        }
        self.mark_burst(Some(offset));
        self.count_lag();
    }

    /// Counts what a lag takes with the answers that wait.
    pub(super) fn count_lag(&mut self) {
        let events_max = self.shared.push.outbox_events_max;
        let bytes = self.lag.as_ref().map_or(0, |lag| lag.bytes(events_max));
        if bytes == self.lag_bytes {
            return;
        }
        self.held.remove(self.lag_bytes);
        self.held.add(bytes);
        if bytes > self.lag_bytes && self.shared.is_crowded() {
            self.shared.crowded.notify_waiters();
        }
        self.lag_bytes = bytes;
    }

    /// Returns whether a lag takes more than may wait for one session: it has too many symbols and channels for the newest event
    /// of each to be kept.
    pub(super) fn is_lag_too_long(&self) -> bool {
        self.lag_bytes > 0 && self.held.bytes() > self.shared.push.outbox_reply_bytes_max
    }

    /// Sets what happens when the outbox is full.
    pub fn set_on_lag(&mut self, on_lag: OnLag) {
        self.on_lag = on_lag;
    }

    /// Takes no more events: the session is told to end, and what follows may not follow for it.
    pub fn refuse_events(&mut self) {
        self.refuses = true;
    }

    /// Returns whether the session is told to end.
    pub(in crate::hub) fn is_ending(&self) -> bool {
        self.refuses || self.closing
    }

    /// Sets how these channels of a symbol (or of all, when `id` is `None`) are served from now on. While every mode is
    /// `all` there is nothing to keep.
    pub fn set_mode(&mut self, id: Option<SymbolId>, channels: ChannelSet, mode: Mode) {
        if mode != Mode::All || self.conflation.is_some() {
            self.set_modes(id, channels, mode);
        }
    }

    /// Keeps how these channels are served, `all` too: what is named goes before a wildcard in mode `latest`.
    pub fn set_modes(&mut self, id: Option<SymbolId>, channels: ChannelSet, mode: Mode) {
        let conflation = self.conflation.get_or_insert_default();
        channels.iter().for_each(|channel| conflation.set(topic(id, channel), mode));
    }

    /// Forgets how these channels are served.
    pub fn unset_mode(&mut self, id: Option<SymbolId>, channels: ChannelSet) {
        if let Some(conflation) = &mut self.conflation {
            channels.iter().for_each(|channel| conflation.unset(topic(id, channel)));
        }
    }

    /// Lets everything of the symbol that a rate has held back go now: an answer about it follows.
    pub fn release(&mut self, id: SymbolId, now: Instant) {
        self.keep(id);
        while let Some(held) = self.conflation.as_mut().and_then(|conflation| conflation.take_symbol(id, now)) {
            self.push_conflated(held.into());
        }
        self.keep(id);
        // What was due first may be gone, and the alarm for it before that.
        if self.conflation.is_some() {
            self.rearm(now);
        }
    }

    /// Lets what is queued of the symbol stand, although the queue is full.
    fn keep(&mut self, id: SymbolId) {
        if let Some(lag) = &mut self.lag {
            lag.keep(id);
        }
    }
}
