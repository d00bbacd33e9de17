//! `Agenda`: offsets of events in the ring that one session must still be sent. A topic in a recovery has an entry for
//! its next event; a topic with skipped events has one for its newest event.

use std::collections::BTreeMap;

use crate::history::Offsets;
use crate::hub::index::Topic;
use crate::hub::outbox::latest::Unsent;
use crate::hub::outbox::rare::Empty;

/// State of a topic in a recovery.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    /// Index of the next event among the events of the topic, see `Offsets`.
    index: u64,
    /// Offset up to which events are recovered.
    end: u64,
    /// Whether the topic begins with this recovery. If not, only events of the topic itself are recovered, which were
    /// held back in mode `latest`: days and gaps have been sent.
    is_new: bool,
}

/// Entries by offset.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// The next event of each topic in a recovery. One event may have entries for its symbol and for a wildcard.
    recovered: BTreeMap<(u64, Topic), Recovery>,
    /// The newest event of other topics: in mode `latest` with the range and number of events that it replaces, after a
    /// lag without.
    newest: BTreeMap<(u64, Topic), Option<Unsent>>,
}

impl Empty for Agenda {
    const EMPTY: &'static Self = &Self { recovered: BTreeMap::new(), newest: BTreeMap::new() };
}

impl Agenda {
    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.recovered.len() + self.newest.len()
    }

    /// Returns the offset of the next event of a recovery.
    pub(super) fn next_recovered(&self) -> Option<u64> {
        self.recovered.first_key_value().map(|((offset, _), _)| *offset)
    }

    /// Returns the offset of the next event that is the newest of its topic.
    pub(super) fn next_newest(&self) -> Option<u64> {
        self.newest.first_key_value().map(|((offset, _), _)| *offset)
    }

    /// Returns the offset of the first event that is neither sent nor counted as skipped by a sent one.
    pub(super) fn first_unsent(&self) -> Option<u64> {
        let first =
            |((offset, _), unsent): (&(u64, Topic), &Option<Unsent>)| unsent.map_or(*offset, |unsent| unsent.first);
        self.newest.iter().map(first).chain(self.next_recovered()).min()
    }

    /// Adds the newest event of a topic, in mode `latest` with the events that it replaces.
    pub(super) fn insert(&mut self, offset: u64, topic: Topic, unsent: Option<Unsent>) {
        self.newest.insert((offset, topic), unsent);
    }

    /// Removes and returns the first event that is the newest of its topic.
    pub(super) fn pop_newest(&mut self) -> Option<(u64, Topic, Option<Unsent>)> {
        self.newest.pop_first().map(|((offset, topic), unsent)| (offset, topic, unsent))
    }

    /// Removes and returns the newest events of topics that lagged.
    pub(super) fn take_lag(&mut self) -> Vec<(u64, Topic)> {
        self.newest.extract_if(.., |_, unsent| unsent.is_none()).map(|(key, _)| key).collect()
    }

    /// Begins a recovery of a topic that begins with it, with the events after the offset `after`, up to `end`.
    pub(super) fn recover(&mut self, topic: Topic, after: u64, end: u64, offsets: &Offsets) {
        self.stand(topic, Recovery { index: offsets.index_after(topic, after), end, is_new: true }, offsets);
    }

    /// Recovers the events of a topic itself after the offset `after`, up to `end`.
    pub(super) fn bring_back(&mut self, topic: Topic, after: u64, end: u64, offsets: &Offsets) {
        self.stand(topic, Recovery { index: offsets.index_after(topic, after), end, is_new: false }, offsets);
    }

    fn stand(&mut self, topic: Topic, recovery: Recovery, offsets: &Offsets) {
        if let Some(offset) = offsets.at(topic, recovery.index).filter(|offset| *offset <= recovery.end) {
            self.recovered.insert((offset, topic), recovery);
        }
    }

    /// Moves past the next event of the recovery, to the following event of each topic that carries it. Returns these
    /// topics, each with whether it begins with the recovery.
    pub(super) fn advance(&mut self, offsets: &Offsets) -> Vec<(Topic, bool)> {
        let mut carriers = Vec::new();
        let Some(next) = self.next_recovered() else { return carriers };
        while let Some(first) = self.recovered.first_entry().filter(|first| first.key().0 == next) {
            let ((_, topic), recovery) = first.remove_entry();
            carriers.push((topic, recovery.is_new));
            self.stand(topic, Recovery { index: recovery.index + 1, ..recovery }, offsets);
        }
        carriers
    }

    /// Removes the topics from the recovery that have ended. Those in `heirs`, which have no position of their own,
    /// go on from the position of the topic `ended`.
    pub(super) fn end(&mut self, ended: Topic, has_ended: impl Fn(Topic) -> bool, heirs: &[Topic], offsets: &Offsets) {
        let removed = self.recovered.extract_if(.., |(_, each), _| has_ended(*each));
        let inherited: Vec<_> = removed.filter(|((_, topic), _)| *topic == ended).collect();
        for ((offset, _), Recovery { end, .. }) in inherited {
            for heir in heirs {
                self.recover(*heir, offset - 1, end, offsets);
            }
        }
    }
}
