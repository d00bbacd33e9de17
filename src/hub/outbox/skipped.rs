//! `Skipped`: the events that a session never got because newer ones replaced them.

use std::collections::{BTreeMap, BTreeSet};

use crate::hub::index::{Links, Topic};

/// Most topics with an entry of their own.
const TOPICS_MAX: usize = 8_192;

/// For each topic, the newest skipped event. Beyond the limit only the newest of all topics, so that more events may
/// seem skipped than are.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    newest: BTreeMap<Topic, u64>,
    /// The newest skipped event of all topics beyond the limit.
    of_all: Option<u64>,
}

impl Skipped {
    /// Adds an event.
    pub(super) fn insert(&mut self, topic: Topic, offset: u64) {
        let newest = self.newest.entry(topic).or_default();
        *newest = offset.max(*newest);
        if self.newest.len() > TOPICS_MAX {
            self.of_all = std::mem::take(&mut self.newest).into_values().chain(self.of_all).max();
        }
    }

    /// Returns the offset of the newest skipped event of a topic.
    pub(super) fn newest(&self, topic: Topic) -> Option<u64> {
        self.newest.get(&topic).copied().max(self.of_all)
    }

    /// Returns whether no event was skipped.
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty() && self.of_all.is_none()
    }

    /// Removes the entries of topics that begin anew with `fresh`, which may contain wildcards, except those of topics
    /// that continue, in `links`.
    pub(super) fn begin_anew(&mut self, fresh: &BTreeSet<Topic>, links: &Links) {
        let begins = |topic: &Topic| fresh.contains(topic) || fresh.contains(&topic.wildcard());
        self.newest.retain(|topic, _| links.contains(*topic) || !begins(topic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Channel, SymbolId};

    #[test]
    fn beyond_the_limit_the_newest_skipped_event_of_all_topics_counts_for_each() {
        let topic = |id| Topic::symbol(SymbolId(id), Channel::Trades);
        let mut skipped = Skipped::default();
        assert!(skipped.is_empty());
        (0..8_192).for_each(|id| skipped.insert(topic(id), 10_000 + u64::from(id)));
        assert_eq!((skipped.newest(topic(5)), skipped.newest(topic(9_000))), (Some(10_005), None));
        skipped.insert(topic(9_000), 7);
        assert_eq!((skipped.newest(topic(5)), skipped.newest(topic(9_001))), (Some(18_191), Some(18_191)));
        skipped.insert(topic(5), 30_000);
        assert_eq!((skipped.newest(topic(5)), skipped.newest(topic(6))), (Some(30_000), Some(18_191)));
        assert!(!skipped.is_empty());
    }
}
