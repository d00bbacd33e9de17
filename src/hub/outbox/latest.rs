//! `Latest`: the subscriptions of one session in mode `latest`. Keeps the offset of each topic's newest unsent event
//! and counts the events that it replaces; a rate limits how often it may be sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::hub::index::Topic;
use crate::protocol::Mode;

/// The unsent events of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsent {
    /// Offset of the first one.
    pub(super) first: u64,
    /// Offset of the newest one, which will be sent.
    pub(super) newest: u64,
    /// Number of events that the newest one replaces.
    pub(super) skipped: u32,
    /// Offset of the newest one of those.
    pub(super) obsolete: Option<u64>,
}

impl Unsent {
    /// Returns these events and later ones of the topic, which replace them.
    fn join(self, later: Self) -> Self {
        let skipped = self.skipped.saturating_add(later.skipped).saturating_add(1);
        Self { first: self.first, skipped, obsolete: later.obsolete.or(Some(self.newest)), ..later }
    }
}

/// State of one topic.
#[derive(Debug)]
struct Slot {
    unsent: Option<Unsent>,
    /// Time when an event was last sent, or taken to be sent.
    sent: Option<Instant>,
    /// Whether one has been taken that is not sent yet.
    taken: bool,
    /// Time when the newest event may be sent.
    due: Instant,
}

/// The subscriptions of one session in mode `latest`. Bounded by their number.
#[derive(Debug, Default)]
pub(super) struct Latest {
    modes: BTreeMap<Topic, Mode>,
    slots: BTreeMap<Topic, Slot>,
    /// The slots with an event, in the order in which they may be sent.
    waiting: BTreeSet<(Instant, Topic)>,
    /// The offsets of the first events of all slots, because each write of a stream needs the smallest one.
    firsts: BTreeSet<u64>,
}

impl Latest {
    /// Returns the state of a session whose subscriptions, to these topics, have all been in mode `all` until now.
    pub(super) fn after_all(topics: impl Iterator<Item = Topic>) -> Self {
        Self { modes: topics.map(|topic| (topic, Mode::All)).collect(), ..Self::default() }
    }

    /// Sets the mode of a topic.
    pub(super) fn set(&mut self, topic: Topic, mode: Mode) {
        self.modes.insert(topic, mode);
    }

    /// Removes the mode of a topic.
    pub(super) fn unset(&mut self, topic: Topic) {
        self.modes.remove(&topic);
    }

    /// Returns the mode of a symbol's channel: its own if it was named, else that of the wildcard.
    pub(super) fn mode_of(&self, topic: Topic) -> Mode {
        self.modes.get(&topic).or_else(|| self.modes.get(&topic.wildcard())).copied().unwrap_or_default()
    }

    /// Adds an event of a topic in mode `latest`. Returns whether it replaces an unsent one.
    pub(super) fn push(&mut self, topic: Topic, mode: Mode, offset: u64, now: Instant) -> bool {
        let slot = self.slots.entry(topic).or_insert(Slot { unsent: None, sent: None, taken: false, due: now });
        let event = Unsent { first: offset, newest: offset, skipped: 0, obsolete: None };
        let replaces = slot.unsent.is_some();
        if let Some(unsent) = &mut slot.unsent {
            *unsent = unsent.join(event);
        } else {
            slot.unsent = Some(event);
            self.firsts.insert(offset);
            // By the present rate, which may differ from the last one.
            slot.due = slot.sent.map_or(now, |sent| sent + mode.interval());
            self.waiting.insert((slot.due, topic));
        }
        replaces
    }

    /// Forgets a topic without unsent events: the next event may be sent at once, whatever the rate.
    pub(super) fn forget(&mut self, topic: Topic) {
        self.slots.remove(&topic);
    }

    /// Takes note that an event has been taken that will be sent: the next one waits for that, and for its interval.
    pub(super) fn will_send(&mut self, topic: Topic) {
        self.slots.get_mut(&topic).into_iter().for_each(|slot| slot.taken = true);
    }

    /// Returns whether an event of the topic has been taken that is not sent yet.
    pub(super) fn is_sending(&self, topic: Topic) -> bool {
        self.slots.get(&topic).is_some_and(|slot| slot.taken)
    }

    /// Takes note that an event has been sent now: the next one is due an interval later.
    pub(super) fn sent(&mut self, topic: Topic, now: Instant) {
        let due = now + self.mode_of(topic).interval();
        let Some(slot) = self.slots.get_mut(&topic) else { return };
        (slot.sent, slot.taken) = (Some(now), false);
        if slot.unsent.is_some() && slot.due < due {
            self.waiting.remove(&(slot.due, topic));
            slot.due = due;
            self.waiting.insert((due, topic));
        }
    }

    /// Returns when the first event may be sent.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Removes and returns the events of topics that `may_go` and that may be sent at `due`; without `due`, whatever
    /// their rates.
    pub(super) fn take(
        &mut self,
        now: Instant,
        due: Option<Instant>,
        may_go: impl Fn(&Self, Topic, &Unsent) -> bool,
    ) -> Vec<(Topic, Unsent)> {
        let waiting = self.waiting.iter().take_while(|(each, _)| due.is_none_or(|due| *each <= due));
        let unsent = |topic: Topic| self.slots.get(&topic)?.unsent.map(|unsent| (topic, unsent));
        let taken =
            waiting.filter_map(|(_, topic)| unsent(*topic)).filter(|(topic, unsent)| may_go(self, *topic, unsent));
        let taken: Vec<_> = taken.collect();
        for (topic, _) in &taken {
            self.take_one(*topic, now);
        }
        taken
    }

    /// Drops the unsent events of a subscription that ends.
    pub(super) fn end(&mut self, ended: Topic, now: Instant) {
        if ended.id().is_some() {
            self.take_one(ended, now);
        } else {
            self.take(now, None, |latest, topic, _| latest.subscription(topic) == ended);
        }
    }

    /// Returns the topic of the subscription: itself if it was named, else the wildcard.
    pub(super) fn subscription(&self, topic: Topic) -> Topic {
        if self.modes.contains_key(&topic) { topic } else { topic.wildcard() }
    }

    /// Returns the offset of the first event that is neither sent nor counted by a sent one.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        self.firsts.first().copied()
    }

    /// Returns the same as [`first_waiting`](Self::first_waiting), computed from all slots.
    #[cfg(test)]
    pub(super) fn scan_first_waiting(&self) -> Option<u64> {
        self.slots.values().filter_map(|slot| slot.unsent.as_ref()).map(|unsent| unsent.first).min()
    }

    fn take_one(&mut self, topic: Topic, now: Instant) -> Option<Unsent> {
        let slot = self.slots.get_mut(&topic)?;
        let unsent = slot.unsent.take()?;
        self.waiting.remove(&(slot.due, topic));
        self.firsts.remove(&unsent.first);
        slot.sent = Some(now);
        if self.mode_of(topic) == Mode::All {
            self.slots.remove(&topic);
        }
        Some(unsent)
    }
}
