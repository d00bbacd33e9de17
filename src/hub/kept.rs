//! `Kept`: the newest event of each topic that has subscribers, when the ring has forgotten it. A session that has fallen behind
//! gets the newest value of every topic, however rare its events are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::Topic;
use crate::protocol::Publication;

/// Events that are kept, at most: of more topics the oldest are skipped, and told with a `lag`.
const EVENTS_MAX: usize = 16_384;

/// Events that outlive the ring: at most one for each topic.
#[derive(Debug, Default)]
pub struct Kept {
    events: BTreeMap<u64, Arc<[Publication]>>,
    offsets: HashMap<Topic, u64>,
}

impl Kept {
    /// Keeps a copy of an event, in the place of an older one of its topic: the batch that it is part of goes.
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

    /// Forgets the event of a topic: there is a newer one.
    pub(super) fn remove(&mut self, topic: Topic) {
        if let Some(offset) = self.offsets.remove(&topic) {
            self.events.remove(&offset);
        }
    }

    /// Forgets all: nobody needs them.
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.offsets.clear();
    }

    /// Returns whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Returns the event at this offset, alone in a batch.
    pub(super) fn find(&self, offset: u64) -> Option<&Arc<[Publication]>> {
        self.events.get(&offset)
    }
}
