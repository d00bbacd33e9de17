//! Modes of the subscriptions in an outbox, and their begin and end.

use std::collections::HashSet;
use std::time::Instant;

use crate::domain::{ChannelSet, SymbolId};
use crate::hub::delivery::Delivery;
use crate::hub::index::{Topic, topic};
use crate::hub::outbox::latest::{Latest, Unsent};
use crate::hub::outbox::{Life, Outbox, Positions, Purpose};
use crate::protocol::{Mode, OnLag};

impl Outbox {
    /// Sets the reaction to a full outbox.
    pub fn set_on_lag(&mut self, on_lag: OnLag) {
        self.on_lag = on_lag;
    }

    /// Rejects further events because the session is closing; accepting later ones would create a hole that the client
    /// was not told about.
    pub fn refuse_events(&mut self) {
        self.life = self.life.max(Life::Ending);
    }

    /// Returns whether the session has been told to end.
    pub(in crate::hub) fn is_ending(&self) -> bool {
        self.life != Life::Open
    }

    /// Begins a subscription after this offset: earlier events are covered by a snapshot, or have been sent.
    pub(in crate::hub) fn begin_topic(&mut self, topic: Topic, after: u64) {
        if let Some(positions) = &mut self.positions {
            positions.begin(topic, after, &self.shared.ring.borrow());
            self.count_positions();
        }
    }

    /// Begins a subscription by name to a symbol that the wildcard has served so far.
    pub(in crate::hub) fn join_topic(&mut self, topic: Topic) {
        if let Some(positions) = &mut self.positions {
            positions.begin_named(topic, &self.shared.ring.borrow());
            self.count_positions();
        }
    }

    /// Ends a subscription. A symbol that was named and is also served by the wildcard goes on as it was.
    pub(in crate::hub) fn end_topic(&mut self, topic: Topic) {
        let continues = self.links.contains(topic.wildcard());
        if let Some(positions) = &mut self.positions {
            if continues {
                positions.end_named(topic, self.seen, &self.shared.ring.borrow());
            } else {
                positions.end(topic, &self.links);
            }
            self.count_positions();
        }
        if let Some(latest) = self.latest.as_mut().filter(|_| !continues) {
            latest.end(topic, self.gate.last_drain());
        }
    }

    /// Sets the mode of these channels of a symbol (or of all, if `id` is `None`), for the events that are still to be
    /// read, too. While every mode is `all` nothing is stored.
    pub fn set_mode(&mut self, id: Option<SymbolId>, channels: ChannelSet, mode: Mode) {
        if mode != Mode::All && self.latest.is_none() {
            // A named symbol in mode `all` takes precedence over a wildcard in mode `latest`.
            self.latest = Some(Box::new(Latest::after_all(self.links.topics())));
        }
        self.change_modes(id, channels, |latest, topic| latest.set(topic, mode));
    }

    /// Removes the mode of these channels.
    pub fn unset_mode(&mut self, id: Option<SymbolId>, channels: ChannelSet) {
        self.change_modes(id, channels, Latest::unset);
    }

    /// Changes modes. If the unread events of a burst may be in mode `latest` then, none of them is skipped.
    fn change_modes(&mut self, id: Option<SymbolId>, channels: ChannelSet, change: impl Fn(&mut Latest, Topic)) {
        let Some(latest) = &mut self.latest else { return };
        for topic in channels.iter().map(|channel| topic(id, channel)) {
            let before = latest.mode_of(topic);
            change(latest, topic);
            // A new topic, which has no link yet, has no unread events.
            let has_begun = self.links.contains(topic) || self.links.contains(topic.wildcard());
            if has_begun
                && before == Mode::All
                && latest.mode_of(topic) != Mode::All
                && let Some(positions) = self.positions.as_mut().filter(|positions| positions.is_burst())
            {
                positions.protect(Purpose::Recovery);
            }
        }
    }

    /// Returns the mode of a symbol's channel.
    pub(super) fn mode_of(&self, topic: Topic) -> Mode {
        self.latest.as_ref().map_or(Mode::All, |latest| latest.mode_of(topic))
    }

    /// Adds the newest event in mode `latest`; returns false if its topic has another mode. In a recovery the event stays in the ring,
    /// because older ones of its topic may be unread.
    pub(super) fn push_latest(&mut self, delivery: &Delivery, now: Instant) -> bool {
        if self.mode_of(delivery.topic()) == Mode::All {
            return false;
        }
        if self.is_recovering() {
            self.leave_in_ring(delivery);
        } else {
            if let Some(positions) = &mut self.positions {
                positions.pass_over(delivery.topic(), delivery.offset(), &self.links);
            }
            self.merge_latest(delivery.topic(), delivery.offset(), now);
            self.rearm(now);
        }
        true
    }

    /// Adds an event in mode `latest` that replaces the unsent ones of its topic; returns false if that has another
    /// mode.
    pub(super) fn merge_latest(&mut self, topic: Topic, offset: u64, now: Instant) -> bool {
        let mode = self.mode_of(topic);
        let is_latest = mode != Mode::All;
        if let Some(latest) = self.latest.as_mut().filter(|_| is_latest) {
            let replaces = latest.push(topic, mode, offset, now);
            self.shared.config.metrics.events_conflated.inc_by(u64::from(replaces));
        }
        is_latest
    }

    /// Makes the events in mode `latest` that may be sent the next ones. They wait, and newer events can still replace them, while as
    /// many as an outbox holds are the next ones already, or newer ones may be unread.
    pub(super) fn collect_latest(&mut self, now: Instant) {
        let has_room = self.newest.len() < self.shared.config.push.outbox_events_max;
        let may_merge = self.is_recovering() && self.next_read().is_some();
        if self.latest.is_some() && !may_merge && has_room {
            self.queue_latest(Some(now), now, |latest, topic| !latest.is_sending(topic));
        }
    }

    /// Makes all events in mode `latest` that were read from the ring due before an answer, which may cover them,
    /// whatever their rates. Returns whether there are any.
    pub(super) fn flush_latest(&mut self, now: Instant) -> bool {
        let is_answer = self.answers.front().is_some_and(|answer| answer.recovers_after().is_none());
        is_answer && self.is_recovering() && self.queue_latest(None, now, |_, _| true)
    }

    /// Makes the events of these symbols due that a rate holds back, because an answer about the symbols follows.
    pub fn release(&mut self, ids: &[SymbolId], now: Instant) {
        if self.latest.is_some() {
            let ids: HashSet<_> = ids.iter().copied().collect();
            self.queue_latest(None, now, |_, topic| topic.id().is_some_and(|id| ids.contains(&id)));
        }
    }

    /// Makes the events of these topics in mode `latest` the next ones, if they are due. Returns whether there are any.
    pub(super) fn queue_latest(
        &mut self,
        due: Option<Instant>,
        now: Instant,
        may_go: impl Fn(&Latest, Topic) -> bool,
    ) -> bool {
        let taken = self.take_latest(due, now, |latest, topic, _| may_go(latest, topic));
        if taken.is_empty() {
            return false;
        }
        for (topic, unsent) in taken {
            if let Some(obsolete) = unsent.obsolete {
                self.skipped.get_or_insert_default().insert(topic, obsolete);
            }
            self.latest.iter_mut().for_each(|latest| latest.will_send(topic));
            self.newest.insert((unsent.newest, topic), Some(unsent));
        }
        // The alarm may have been for an event that has moved.
        self.rearm(now);
        true
    }

    /// Removes and returns the events of topics in mode `latest` that `may_go`.
    fn take_latest(
        &mut self,
        due: Option<Instant>,
        now: Instant,
        may_go: impl Fn(&Latest, Topic, &Unsent) -> bool,
    ) -> Vec<(Topic, Unsent)> {
        self.latest.as_mut().map_or(Vec::new(), |latest| latest.take(now, due, may_go))
    }

    /// Recovers the unsent events of these topics in mode `latest` after the offset `after`, so that none is skipped:
    /// they are still in the ring.
    pub(in crate::hub) fn recover_unsent(&mut self, topics: &[Topic], after: u64) {
        let topics: HashSet<_> = topics.iter().collect();
        let taken = self.take_latest(None, self.gate.last_drain(), |latest, topic, unsent| {
            let is_wanted = topics.contains(&topic) || topics.contains(&latest.subscription(topic));
            unsent.skipped > 0 && is_wanted
        });
        for (topic, unsent) in taken {
            self.latest.iter_mut().for_each(|latest| latest.forget(topic));
            let positions = self.positions.get_or_insert_with(|| Box::new(Positions::new(Purpose::Recovery)));
            positions.step_back(topic, after.max(unsent.first - 1), self.seen, &self.shared.ring.borrow());
        }
    }

    /// Begins a subscription anew with a snapshot, although its cursor was ahead of the hub.
    pub(in crate::hub) fn restart_topic(&mut self, topic: Topic, offset: u64) {
        if let Some(positions) = &mut self.positions {
            positions.restart(topic, offset, &self.shared.ring.borrow());
        }
    }
}
