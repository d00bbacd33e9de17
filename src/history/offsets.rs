//! `Offsets`: an index from topics to the offsets of their events in a ring, so that a reader of few topics does not
//! scan all events. Each event is in the log of its own topic, and in that of the wildcard: a log has no hole in its `seq`, so that
//! the number of events between two places is their difference. A day or a gap is in none of the channels that carry it. The
//! newest event of each topic of which the ring has none left stays as a copy.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::{Event, Topic};
use crate::protocol::Publication;

/// The offsets per topic and per wildcard: 16 bytes for each event in the ring.
#[derive(Clone, Debug)]
pub struct Offsets {
    /// As many as the newest topic with an event needs.
    lists: Vec<List>,
}

#[derive(Clone, Debug, Default)]
struct List {
    offsets: VecDeque<u64>,
    /// Number of evicted offsets. An index into `offsets` plus this number is an index that does not change.
    evicted: u64,
    /// A copy of the newest event, after the ring has evicted it.
    last: Option<Arc<[Publication]>>,
}

impl Offsets {
    /// Returns an empty index with room for this many symbols; more get room with their first events.
    pub(super) fn new(symbols: usize) -> Self {
        Self { lists: vec![List::default(); Topic::count(symbols)] }
    }

    /// Adds the next event of the stream.
    pub(super) fn push(&mut self, event: &Event) {
        let topic = event.topic();
        if topic.index() >= self.lists.len() {
            self.lists.resize(Topic::count(event.id.index() + 1), List::default());
        }
        for topic in [topic, topic.wildcard()] {
            self.lists[topic.index()].offsets.push_back(event.offset);
        }
        self.lists[topic.index()].last = None;
    }

    /// Removes the oldest event. Of the last one of its topic a copy stays: a reference would keep the whole batch in memory.
    pub(super) fn pop(&mut self, publication: &Publication) {
        let topic = publication.event.topic();
        for topic in [topic, topic.wildcard()] {
            let list = &mut self.lists[topic.index()];
            if list.offsets.pop_front().is_some() {
                list.evicted += 1;
            }
            if list.offsets.is_empty() {
                list.offsets = VecDeque::new();
            }
        }
        let list = &mut self.lists[topic.index()];
        if list.offsets.is_empty() {
            list.last = Some(Arc::new([publication.detached()]));
        }
    }

    /// Returns the index, among all events of the topic, of the first one after `offset`; that of the next event to come if there is
    /// none yet.
    pub fn index_after(&self, topic: Topic, offset: u64) -> u64 {
        let Some(list) = self.lists.get(topic.index()) else { return 0 };
        list.evicted + list.offsets.partition_point(|each| *each <= offset) as u64
    }

    /// Returns the newest event of a topic, alone in a batch, if the ring has evicted it.
    pub(super) fn last(&self, topic: Topic) -> Option<&Arc<[Publication]>> {
        self.lists.get(topic.index())?.last.as_ref()
    }

    /// Returns the offset of the event of the topic with this index; `None` if it has been evicted or not been pushed yet.
    pub fn at(&self, topic: Topic, index: u64) -> Option<u64> {
        let list = self.lists.get(topic.index())?;
        let index = usize::try_from(index.checked_sub(list.evicted)?).ok()?;
        list.offsets.get(index).copied()
    }
}
