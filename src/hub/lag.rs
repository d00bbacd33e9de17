//! `Lag`: what happens to a queue that is full. Of each symbol and channel only the newest event stays, the others are
//! counted; answers keep their place.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use crate::domain::{Channel, SymbolId};
use crate::hub::delivery::Item;
use crate::hub::index::Topic;
use crate::hub::merged::Merged;

/// What a merged event takes, about, while the ring keeps it too; and what its copy takes beside that.
const EVENT_BYTES: usize = 96;
const COPY_BYTES: usize = 416;

/// What has been merged away since a queue was full.
#[derive(Debug)]
pub(super) struct Lag {
    /// Where in the queue the newest event of each topic stands.
    newest: HashMap<Topic, usize>,
    /// How many events the queue holds.
    events: usize,
    /// How many of these are copies.
    copies: usize,
    skipped: u64,
    /// How many of those have been counted in the metrics.
    counted: u64,
    since_offset: u64,
}

impl Lag {
    /// Merges the queue, which then holds one event of each topic at the most.
    ///
    /// What stands before an answer that vouches for it is left as it is.
    pub(super) fn begin(queue: &mut VecDeque<Item>, merged: &mut Merged) -> Self {
        let mut lag =
            Self { newest: HashMap::new(), events: 0, copies: 0, skipped: 0, counted: 0, since_offset: u64::MAX };
        let vouches = |item: &Item| matches!(item, Item::Reply(reply) if reply.vouches);
        let mergeable = queue.iter().rposition(vouches).map_or(0, |last| last + 1);
        let behind = queue.split_off(mergeable);
        lag.events = queue.iter().filter(|item| item.is_event()).count();
        for item in behind {
            lag.push(item, queue, merged);
        }
        queue.shrink_to(queue.len() * 2);
        lag
    }

    /// Appends an item. An event takes the place of the one that it makes obsolete; an answer keeps its own.
    pub(super) fn push(&mut self, item: Item, queue: &mut VecDeque<Item>, merged: &mut Merged) {
        let topic = match &item {
            Item::Event(delivery) | Item::Latest(delivery) => delivery.topic(),
            Item::Conflated(conflated) => conflated.delivery.topic(),
            _ => return queue.push_back(item),
        };
        if let Some(place) = self.newest.get(&topic) {
            let (newest, skipped, first) = match std::mem::replace(&mut queue[*place], item) {
                Item::Event(obsolete) | Item::Latest(obsolete) => (obsolete.offset(), 0, obsolete.offset()),
                Item::Conflated(obsolete) => (obsolete.delivery.offset(), obsolete.skipped, obsolete.first),
                _ => return,
            };
            self.skipped += 1 + u64::from(skipped);
            self.since_offset = self.since_offset.min(first);
            merged.insert(topic, newest);
        } else {
            self.newest.insert(topic, queue.len());
            self.events += 1;
            queue.push_back(item);
        }
    }

    /// Lets what has been queued of a symbol stand: an answer about it follows, and what comes after that is counted anew.
    pub(super) fn keep(&mut self, id: SymbolId) {
        for channel in Channel::ALL {
            self.newest.remove(&Topic::symbol(id, channel));
        }
    }

    /// Lets everything that has been queued stand: an answer follows that vouches for it.
    pub(super) fn keep_all(&mut self) {
        self.newest.clear();
    }

    /// Returns how many events the queue holds.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// Copies the events up to this offset: the ring is about to forget them, and each would keep its whole batch.
    pub(super) fn copy(&mut self, queue: &mut VecDeque<Item>, offset: u64) {
        let deliveries = queue.iter_mut().filter_map(|item| match item {
            Item::Event(delivery) | Item::Latest(delivery) => Some(delivery),
            Item::Conflated(conflated) => Some(&mut conflated.delivery),
            Item::Reply(_) | Item::Snapshots(_) | Item::Replay(_) => None,
        });
        self.copies = 0;
        for delivery in deliveries.filter(|delivery| delivery.offset() <= offset) {
            self.copies += 1;
            if let Some(copy) = delivery.copy() {
                *delivery = Rc::new(copy);
            }
        }
    }

    /// Returns what its events take, about, beyond those that any session may have waiting.
    pub(super) fn bytes(&self, events_max: usize) -> usize {
        self.events.saturating_sub(events_max) * EVENT_BYTES + self.copies.saturating_sub(events_max) * COPY_BYTES
    }

    /// Returns of how many topics an event may still be made obsolete.
    pub(super) fn topics(&self) -> usize {
        self.newest.len()
    }

    /// Returns how many events were skipped, and the offset of the first of them; `None` when there was none.
    pub(super) fn skipped(&self) -> Option<(u64, u64)> {
        (self.skipped > 0).then_some((self.skipped, self.since_offset))
    }

    /// Returns how many events were skipped since the last call, and whether they are the first ones.
    pub(super) fn newly_skipped(&mut self) -> (u64, bool) {
        let counted = std::mem::replace(&mut self.counted, self.skipped);
        (self.skipped - counted, counted == 0 && self.skipped > 0)
    }

    /// Puts the queue into the order of the stream again. Returns what was skipped.
    pub(super) fn end(self, queue: &mut VecDeque<Item>) -> Option<(u64, u64)> {
        queue.make_contiguous().sort_by_key(Item::order);
        self.skipped()
    }
}
