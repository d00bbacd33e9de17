//! `Lag`: what happens to a queue that is full. Of each symbol and channel only the newest event stays, the others are
//! counted; answers keep their place.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use crate::hub::delivery::{Delivery, Item};

/// What has been merged away since a queue was full.
#[derive(Debug)]
pub(super) struct Lag {
    /// Where in the queue the newest event of each key stands.
    newest: HashMap<usize, usize>,
    skipped: u64,
    since_offset: u64,
}

impl Lag {
    /// Merges the queue, which then holds one event of each key at the most.
    pub(super) fn begin(queue: &mut VecDeque<Item>) -> Self {
        let mut lag = Self { newest: HashMap::new(), skipped: 0, since_offset: u64::MAX };
        for item in std::mem::take(queue) {
            match item {
                Item::Event(delivery) => lag.push(&delivery, queue),
                Item::Reply(_) => queue.push_back(item),
            }
        }
        lag
    }

    /// Appends an event, or puts it in the place of the one that it makes obsolete.
    pub(super) fn push(&mut self, delivery: &Rc<Delivery>, queue: &mut VecDeque<Item>) {
        let item = Item::Event(delivery.clone());
        if let Some(place) = self.newest.get(&delivery.key()) {
            let (offset, _) = std::mem::replace(&mut queue[*place], item).order();
            self.skipped += 1;
            self.since_offset = self.since_offset.min(offset);
        } else {
            self.newest.insert(delivery.key(), queue.len());
            queue.push_back(item);
        }
    }

    /// Returns how many events the queue holds.
    pub(super) fn events(&self) -> usize {
        self.newest.len()
    }

    /// Puts the queue into the order of the stream again. Returns how many events were skipped, and the offset of the
    /// first of them; `None` when there was none.
    pub(super) fn end(self, queue: &mut VecDeque<Item>) -> Option<(u64, u64)> {
        queue.make_contiguous().sort_by_key(Item::order);
        (self.skipped > 0).then_some((self.skipped, self.since_offset))
    }
}
