//! `Merged`: which events a session never got because newer ones took their place.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::index::Topic;

/// For each topic, the newest event that was merged away. Bounded by the topics.
#[derive(Debug, Default)]
pub(super) struct Merged(BTreeMap<Topic, u64>);

impl Merged {
    /// Adds an event.
    pub(super) fn insert(&mut self, topic: Topic, offset: u64) {
        let newest = self.0.entry(topic).or_default();
        *newest = offset.max(*newest);
    }

    /// Returns the offset of the newest one of a topic.
    pub(super) fn newest(&self, topic: Topic) -> Option<u64> {
        self.0.get(&topic).copied()
    }

    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those of the topics that begin anew with `fresh`, which may name wildcards; but not of `others`, which go on.
    pub(super) fn begin_anew(&mut self, fresh: &BTreeSet<Topic>, others: &BTreeMap<Topic, u64>) {
        let begins = |topic: &Topic| fresh.contains(topic) || fresh.contains(&topic.wildcard());
        self.0.retain(|topic, _| others.contains_key(topic) || !begins(topic));
    }
}
