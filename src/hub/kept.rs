//! `Kept`: copies of the newest events of topics that the ring has evicted, so that a session which lags gets the
//! newest value of every topic, however rare its events are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::Topic;
use crate::protocol::Publication;

/// Most events. Of further topics the oldest events are dropped, and counted as skipped with a `lag`.
const EVENTS_MAX: usize = 16_384;

/// Events that outlive the ring: at most one per topic.
#[derive(Debug, Default)]
pub struct Kept {
    events: BTreeMap<u64, Arc<[Publication]>>,
    offsets: HashMap<Topic, u64>,
}

impl Kept {
    /// Inserts a copy of an event, which replaces an older one of its topic. A reference would keep the whole batch in
    /// memory.
    pub(super) fn insert(&mut self, topic: Topic, publication: &Publication) {
        self.remove(topic);
        if self.events.len() >= EVENTS_MAX
            && let Some((_, oldest)) = self.events.pop_first()
        {
            let event = &oldest[0].event;
            self.offsets.remove(&Topic::symbol(event.id, event.channel()));
        }
        self.offsets.insert(topic, publication.event.offset);
        self.events.insert(publication.event.offset, Arc::new([publication.detached()]));
    }

    /// Removes the event of a topic, because the topic has a newer one.
    pub(super) fn remove(&mut self, topic: Topic) {
        if let Some(offset) = self.offsets.remove(&topic) {
            self.events.remove(&offset);
        }
    }

    /// Removes all events, because no session needs them.
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.offsets.clear();
    }

    /// Returns whether there is no event.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Returns the event at this offset, alone in a batch.
    pub(super) fn find(&self, offset: u64) -> Option<&Arc<[Publication]>> {
        self.events.get(&offset)
    }
}
