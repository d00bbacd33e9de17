//! `Lag`: what happens to a queue that is full. Of each symbol and channel only the newest event stays, the others are
//! counted; answers keep their place.

use std::collections::{HashMap, VecDeque};

use crate::domain::{Channel, SymbolId};
use crate::hub::delivery::Item;
use crate::hub::index::Topic;
use crate::hub::merged::Merged;

/// What has been merged away since a queue was full.
#[derive(Debug)]
pub(super) struct Lag {
    /// Where in the queue the newest event of each topic stands.
    newest: HashMap<Topic, usize>,
    /// How many events the queue holds.
    events: usize,
    skipped: u64,
    since_offset: u64,
}

impl Lag {
    /// Merges the queue, which then holds one event of each topic at the most.
    pub(super) fn begin(queue: &mut VecDeque<Item>, merged: &mut Merged) -> Self {
        let mut lag = Self { newest: HashMap::new(), events: 0, skipped: 0, since_offset: u64::MAX };
        for item in std::mem::take(queue) {
            lag.push(item, queue, merged);
        }
        lag
    }

    /// Appends an item. An event takes the place of the one that it makes obsolete; an answer keeps its own.
    pub(super) fn push(&mut self, item: Item, queue: &mut VecDeque<Item>, merged: &mut Merged) {
        let Item::Event { delivery, .. } = &item else { return queue.push_back(item) };
        let topic = delivery.topic();
        if let Some(place) = self.newest.get(&topic) {
            let obsolete = std::mem::replace(&mut queue[*place], item);
            if let Item::Event { delivery, skipped } = obsolete {
                self.skipped += 1 + u64::from(skipped);
                self.since_offset = self.since_offset.min(delivery.offset());
                merged.insert(topic, delivery.offset());
            }
        } else {
            self.newest.insert(topic, queue.len());
            self.events += 1;
            queue.push_back(item);
        }
    }

    /// Lets what has been queued of a symbol stand: a snapshot of it follows, and what comes after that is counted anew.
    pub(super) fn keep(&mut self, id: SymbolId) {
        for channel in Channel::ALL {
            self.newest.remove(&Topic::symbol(id, channel));
        }
    }

    /// Returns how many events the queue holds.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// Puts the queue into the order of the stream again. Returns how many events were skipped, and the offset of the
    /// first of them; `None` when there was none.
    pub(super) fn end(self, queue: &mut VecDeque<Item>) -> Option<(u64, u64)> {
        queue.make_contiguous().sort_by_key(Item::order);
        (self.skipped > 0).then_some((self.skipped, self.since_offset))
    }
}
