//! `Conflation`: the subscriptions of one session in mode `latest`. Of each symbol and channel only the newest event
//! waits, what it has made obsolete is counted, and it goes out no more often than its rate allows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Instant;

use crate::domain::{Channel, SymbolId};
use crate::hub::delivery::{Conflated, Delivery};
use crate::hub::index::Topic;
use crate::hub::merged::Merged;
use crate::protocol::Mode;

/// What waits of one symbol and channel.
#[derive(Debug)]
struct Slot {
    newest: Option<Conflated>,
    /// When one was last sent.
    sent: Option<Instant>,
    /// When the newest event may be sent.
    due: Instant,
}

/// The conflated subscriptions of one session. Bounded by their number.
#[derive(Debug, Default)]
pub(super) struct Conflation {
    modes: BTreeMap<Topic, Mode>,
    slots: BTreeMap<Topic, Slot>,
    /// The slots that hold an event, in the order in which they may be sent.
    waiting: BTreeSet<(Instant, Topic)>,
    /// The offsets of the first events that those stand for: each write of a stream asks for the least of them.
    firsts: BTreeSet<u64>,
}

impl Conflation {
    /// Sets the mode of a topic.
    pub(super) fn set(&mut self, topic: Topic, mode: Mode) {
        self.modes.insert(topic, mode);
    }

    /// Forgets the mode of a topic.
    pub(super) fn unset(&mut self, topic: Topic) {
        self.modes.remove(&topic);
    }

    /// Returns the mode of an event: that of its symbol's channel if it was named, else that of the wildcard.
    pub(super) fn mode(&self, delivery: &Delivery) -> Mode {
        self.mode_of(delivery.topic(), delivery.publication().event.channel())
    }

    /// Returns the mode of a symbol's channel.
    pub(super) fn mode_of(&self, topic: Topic, channel: Channel) -> Mode {
        self.modes.get(&topic).or_else(|| self.modes.get(&Topic::all(channel))).copied().unwrap_or_default()
    }

    /// Takes an event whose mode is `latest`.
    pub(super) fn push(&mut self, delivery: &Rc<Delivery>, now: Instant, merged: &mut Merged) {
        let topic = delivery.topic();
        let interval = self.mode(delivery).interval();
        let slot = self.slots.entry(topic).or_insert(Slot { newest: None, sent: None, due: now });
        if let Some(newest) = &mut slot.newest {
            newest.replace(delivery.clone(), merged);
        } else {
            let newest = slot.newest.insert(Conflated::new(delivery.clone()));
            self.firsts.insert(newest.first);
            // By the rate of now: it may be another than that of the last time.
            slot.due = slot.sent.map_or(now, |sent| sent + interval);
            self.waiting.insert((slot.due, topic));
        }
    }

    /// Returns when the first event that waits may be sent.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes the next event that may be sent now.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Conflated> {
        let (_, topic) = *self.waiting.first().filter(|(due, _)| *due <= now)?;
        self.take(topic, now)
    }

    /// Takes an event of this symbol that waits, whether or not it may be sent yet; nothing of the symbol is left when there
    /// is none.
    pub(super) fn take_symbol(&mut self, id: SymbolId, now: Instant) -> Option<Conflated> {
        Channel::ALL.into_iter().find_map(|channel| self.take(Topic::symbol(id, channel), now))
    }

    /// Takes an event that waits, whether or not it may be sent yet.
    pub(super) fn take_any(&mut self, now: Instant) -> Option<Conflated> {
        let (_, topic) = *self.waiting.first()?;
        self.take(topic, now)
    }

    /// Returns the offset of the first event that has not been sent, nor counted by one that has.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        self.firsts.first().copied()
    }

    /// Returns the same as [`first_waiting`](Self::first_waiting), by a look at all slots.
    #[cfg(test)]
    pub(super) fn scan_first_waiting(&self) -> Option<u64> {
        self.slots.values().filter_map(|slot| slot.newest.as_ref()).map(|newest| newest.first).min()
    }

    fn take(&mut self, topic: Topic, now: Instant) -> Option<Conflated> {
        let slot = self.slots.get_mut(&topic)?;
        let newest = slot.newest.take()?;
        self.waiting.remove(&(slot.due, topic));
        self.firsts.remove(&newest.first);
        slot.sent = Some(now);
        if self.mode(&newest.delivery) == Mode::All {
            self.slots.remove(&topic);
        }
        Some(newest)
    }
}
