//! `Offsets`: where in the stream the events of each topic are, for as long as a ring keeps them. With it the events of a
//! few topics are found without a look at all the others.

use std::collections::VecDeque;

use crate::domain::{Event, Topic};

/// For each topic, and for each wildcard, the offsets of its events: 16 bytes for each event that is kept.
#[derive(Clone, Debug)]
pub struct Offsets {
    lists: Vec<List>,
}

#[derive(Clone, Debug, Default)]
struct List {
    offsets: VecDeque<u64>,
    /// How many have been forgotten. Added to an index in `offsets` it gives a place that stays the same.
    forgotten: u64,
}

impl Offsets {
    /// Returns the offsets of no events; there are so many symbols.
    pub(super) fn new(symbols: usize) -> Self {
        Self { lists: vec![List::default(); Topic::count(symbols)] }
    }

    /// Adds the next event of the stream.
    pub(super) fn push(&mut self, event: &Event) {
        for_each_topic(event, |topic| self.lists[topic.index()].offsets.push_back(event.offset));
    }

    /// Forgets the oldest event.
    pub(super) fn pop(&mut self, event: &Event) {
        for_each_topic(event, |topic| {
            let list = &mut self.lists[topic.index()];
            if list.offsets.pop_front().is_some() {
                list.forgotten += 1;
            }
            if list.offsets.is_empty() {
                list.offsets = VecDeque::new();
            }
        });
    }

    /// Returns the place among the topic's events of the first one after `offset`; that of the next to come when there is
    /// none yet.
    pub fn place_after(&self, topic: Topic, offset: u64) -> u64 {
        let list = &self.lists[topic.index()];
        list.forgotten + list.offsets.partition_point(|each| *each <= offset) as u64
    }

    /// Returns, for the topic of a wildcard, those of all symbols.
    pub fn symbols(&self, wildcard: Topic) -> Vec<Topic> {
        wildcard.of_symbols(self.lists.len() / Topic::count(0) - 1).collect()
    }

    /// Returns whether no event of the topic is kept.
    pub fn is_empty(&self, topic: Topic) -> bool {
        self.lists[topic.index()].offsets.is_empty()
    }

    /// Returns the offset of the event at this place; `None` when it is forgotten or has not come yet.
    pub fn at(&self, topic: Topic, place: u64) -> Option<u64> {
        let list = &self.lists[topic.index()];
        let index = usize::try_from(place.checked_sub(list.forgotten)?).ok()?;
        list.offsets.get(index).copied()
    }
}

/// Calls `take` with the topics whose subscribers get an event: those of its symbol, and those of every symbol.
fn for_each_topic(event: &Event, mut take: impl FnMut(Topic)) {
    for channel in event.channel().carriers() {
        take(Topic::symbol(event.id, *channel));
        take(Topic::all(*channel));
    }
}
