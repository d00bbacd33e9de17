//! Modes of the subscriptions in an outbox, and their begin and end.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::time::Instant;

use crate::domain::{ChannelSet, SymbolId};
use crate::hub::delivery::Delivery;
use crate::hub::index::{Topic, topic};
use crate::hub::outbox::answers::{Answer, Rewind, end_rewinds};
use crate::hub::outbox::latest::{Latest, Unsent};
use crate::hub::outbox::{Life, Outbox};
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
        if let Some(scan) = &mut self.scan {
            scan.begin(topic, after);
            self.weigh();
        }
    }

    /// Begins a subscription by name at the position of the wildcard that has served the topic so far.
    pub(in crate::hub) fn join_topic(&mut self, topic: Topic) {
        if let Some(scan) = &mut self.scan {
            scan.begin(topic, scan.begins(topic.wildcard()));
        }
    }

    /// Ends a subscription.
    pub(in crate::hub) fn end_topic(&mut self, topic: Topic) {
        let by_it = |each: Topic| each.wildcard() == topic && !self.links.contains(each);
        end_rewinds(&mut self.answers, |each, _| each == topic || by_it(each));
        if self.agenda.len() > 0 {
            self.agenda.end(topic);
        }
        if !self.is_subscribed(topic) {
            self.forget_unsent(topic);
        }
        if let Some(scan) = &mut self.scan {
            scan.end(topic, &self.links);
        }
        self.weigh();
    }

    /// Sets the mode of these channels of a symbol (or of all, if `id` is `None`) for events after `offset`. While
    /// every mode is `all` nothing is stored.
    pub fn set_mode(&mut self, id: Option<SymbolId>, channels: ChannelSet, mode: Mode, offset: u64) {
        if mode != Mode::All || self.latest.is_some() {
            for channel in channels.iter() {
                self.change_mode(topic(id, channel), mode, offset);
            }
        }
    }

    fn change_mode(&mut self, topic: Topic, mode: Mode, offset: u64) {
        // A named symbol in mode `all` takes precedence over a wildcard in mode `latest`.
        let latest = self.latest.get_or_insert_with(|| Box::new(Latest::after_all(self.links.topics())));
        let before = latest.mode_of(topic);
        latest.set(topic, mode);
        if (before == Mode::All) == (mode == Mode::All) || !self.is_subscribed(topic) {
            return;
        }
        if mode == Mode::All {
            if let Some(after) = self.rewinds_from(topic) {
                // The recovery that is to begin covers the unsent events, and the scan those after it.
                self.forget_unsent(topic);
                self.scan.iter_mut().for_each(|scan| scan.reach(after, offset));
            } else {
                // Unsent events of the topic are sent before the answer, and must not be read again.
                self.scan.iter_mut().for_each(|scan| scan.pass_over(topic, offset));
            }
        } else if let Some(first) = self.first_unread(topic) {
            // Unread events of the topic are merged.
            self.push_missed(topic, first - 1, offset);
        }
    }

    /// Returns the offset of the topic's first event that is still to be read from the ring.
    fn first_unread(&self, topic: Topic) -> Option<u64> {
        let recovered =
            [topic, topic.wildcard()].into_iter().filter_map(|topic| self.agenda.first_recovered(topic)).min();
        let scanned = self.scan.as_ref().filter(|scan| scan.is_behind());
        recovered.or_else(|| scanned.map(|scan| scan.read().max(scan.begins(topic)) + 1))
    }

    fn forget_unsent(&mut self, topic: Topic) {
        let is_it = |latest: &Latest, each| each == topic || latest.subscription(each) == topic;
        self.take_latest(None, self.gate.last_drain(), |_, latest, each, _| is_it(latest, each));
    }

    /// Returns the offset of the answer that begins the recovery of the topic.
    fn rewinds_from(&self, topic: Topic) -> Option<u64> {
        let begins = self.scan.as_ref().map_or(0, |scan| scan.begins(topic));
        let is_by_all = |offset| !self.links.contains(topic) || begins >= offset;
        let rewinds = |answer: &&Answer| {
            answer.rewind().is_some_and(|Rewind { topics }| {
                topics.contains_key(&topic) || (topics.contains_key(&topic.wildcard()) && is_by_all(answer.offset))
            })
        };
        self.answers.iter().find(rewinds).map(|answer| answer.offset)
    }

    fn is_subscribed(&self, topic: Topic) -> bool {
        self.links.contains(topic) || self.links.contains(topic.wildcard())
    }

    /// Removes the mode of these channels.
    pub fn unset_mode(&mut self, id: Option<SymbolId>, channels: ChannelSet) {
        if let Some(latest) = &mut self.latest {
            channels.iter().for_each(|channel| latest.unset(topic(id, channel)));
        }
    }

    /// Adds an event in mode `latest`; returns false if its topic has another mode.
    pub(super) fn push_latest(&mut self, delivery: &Rc<Delivery>, now: Instant) -> bool {
        let Some(latest) = &mut self.latest else { return false };
        let mode = latest.mode_of(delivery.topic());
        if mode == Mode::All {
            return false;
        }
        let event = &delivery.publication().event;
        if self.scan.as_ref().is_none_or(|scan| scan.wants(event, &self.links)) {
            let replaces = latest.push(delivery.topic(), mode, delivery.offset(), now);
            self.shared.config.metrics.events_conflated.inc_by(u64::from(replaces));
            self.rearm(now);
        }
        true
    }

    /// Adds the events of a topic in mode `latest`, or of a wildcard, after the offset `after` and up to `up_to`.
    pub(super) fn push_missed(&mut self, wanted: Topic, after: u64, up_to: u64) {
        let Some(latest) = &mut self.latest else { return };
        let ring = self.shared.ring.borrow();
        let Some(offsets) = ring.offsets() else { return };
        let topics = if wanted == wanted.wildcard() { offsets.symbols(wanted) } else { vec![wanted] };
        self.work += topics.len() as u64;
        for topic in topics {
            let goes_on = topic != wanted && self.links.contains(topic);
            if goes_on || latest.mode_of(topic) == Mode::All {
                continue;
            }
            let mut indexes = offsets.index_after(topic, after)..offsets.index_after(topic, up_to);
            // Days and gaps of the symbol are always sent in mode `all`.
            let event = |at| {
                let (batch, index) = ring.find(offsets.at(topic, at)?, &mut 0)?;
                Some(&batch[index].event).filter(|event| event.topic() == topic)
            };
            let mut newest_first = indexes.clone().rev().filter_map(event);
            let (newest, obsolete) = (newest_first.next(), newest_first.next().map(|event| event.offset));
            if let Some((first, newest)) = indexes.find_map(event).zip(newest) {
                let skipped = u32::try_from(newest.seq - first.seq).unwrap_or(u32::MAX);
                let unsent = Unsent { first: first.offset, newest: newest.offset, skipped, obsolete };
                // Due at once, whatever the rate.
                latest.push_missed(topic, unsent, self.gate.last_drain());
            }
        }
    }

    /// Moves the events in mode `latest` that may be sent into the agenda. If that is full they stay, because newer
    /// events can still replace them.
    pub(super) fn collect_latest(&mut self, now: Instant) {
        if self.latest.is_some() && self.agenda.len() < self.shared.config.push.outbox_events_max {
            self.queue_latest(Some(now), now, |latest, topic| !latest.is_sending(topic));
        }
    }

    /// Makes all events in mode `latest` due, whatever their rates, if answers follow that may cover them.
    pub(super) fn flush_latest(&mut self, now: Instant) {
        if !self.answers.is_empty() {
            self.queue_latest(None, now, |_, _| true);
        }
    }

    /// Makes the events of these symbols due that a rate holds back, because an answer about the symbols follows.
    pub fn release(&mut self, ids: &[SymbolId], now: Instant) {
        if self.latest.is_some() {
            let ids: HashSet<_> = ids.iter().copied().collect();
            self.queue_latest(None, now, |_, topic| topic.id().is_some_and(|id| ids.contains(&id)));
        }
    }

    /// Moves the events of these topics in mode `latest` into the agenda, if they are due. A topic with a queued
    /// recovery may not go, because its missed events are older.
    fn queue_latest(&mut self, due: Option<Instant>, now: Instant, may_go: impl Fn(&Latest, Topic) -> bool) {
        let taken = self.take_latest(due, now, |outbox, latest, topic, _| {
            may_go(latest, topic) && outbox.rewinds_from(topic).is_none()
        });
        if taken.is_empty() {
            return;
        }
        for (topic, unsent) in taken {
            unsent.obsolete.into_iter().for_each(|obsolete| self.skipped.insert(topic, obsolete));
            self.latest.iter_mut().for_each(|latest| latest.will_send(topic));
            self.agenda.insert(unsent.newest, topic, Some(unsent));
        }
        // The alarm may have been for an event that has moved.
        self.rearm(now);
    }

    /// Removes and returns the events of topics in mode `latest` that `may_go`.
    fn take_latest(
        &mut self,
        due: Option<Instant>,
        now: Instant,
        may_go: impl Fn(&Self, &Latest, Topic, &Unsent) -> bool,
    ) -> Vec<(Topic, Unsent)> {
        let Some(mut latest) = self.latest.take() else { return Vec::new() };
        let taken = latest.take(now, due, |latest, topic, unsent| may_go(self, latest, topic, unsent));
        self.latest = Some(latest);
        taken
    }

    /// Removes the unsent events of these topics in mode `latest`, so that none is skipped: they are still in the ring.
    /// Returns the offset after which each topic continues.
    pub(in crate::hub) fn take_unsent(&mut self, topics: &[Topic], after: u64) -> BTreeMap<Topic, u64> {
        let topics: HashSet<_> = topics.iter().collect();
        let taken = self.take_latest(None, self.gate.last_drain(), |outbox, latest, topic, unsent| {
            let is_wanted = topics.contains(&topic) || topics.contains(&latest.subscription(topic));
            unsent.skipped > 0 && is_wanted && outbox.rewinds_from(topic).is_none()
        });
        taken.into_iter().map(|(topic, unsent)| (topic, after.max(unsent.first - 1))).collect()
    }

    /// Begins a subscription anew with a snapshot, although its cursor was ahead of the hub.
    pub(in crate::hub) fn restart_topic(&mut self, topic: Topic, offset: u64) {
        if self.scan.as_ref().is_some_and(|scan| scan.begins(topic) > offset) {
            self.begin_topic(topic, offset);
            end_rewinds(&mut self.answers, |each, after| each == topic && after > offset);
        }
    }
}
