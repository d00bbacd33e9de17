//! `Course`: the way through the ring from one event that a replay may want to the next. Where the topics wanted are rare it
//! goes from one of their events to the next, where they are most of what there is it looks at everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::history::{Offsets, Ring};
use crate::hub::index::Topic;

/// A span of the ring that is worth a look at each event, for each topic wanted: less than finding the topic's events.
const SPAN_PER_TOPIC: u64 = 8;

/// The way up to one offset. A replay that goes on after it plans another one.
#[derive(Clone, Debug)]
pub(super) struct Course {
    end: u64,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    /// Every event is looked at.
    Straight(u64),
    /// The next event of each topic that has one, the first on top.
    Merged(BinaryHeap<Reverse<Next>>),
}

/// The next event of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    offset: u64,
    topic: Topic,
    /// Its place among the topic's events, see [`Offsets`].
    place: u64,
}

impl Course {
    /// Returns the way from after `position`, which the ring goes back to, up to `end`. It meets each event of these
    /// `topics` after the offset that stands beside it, and maybe others.
    pub(super) fn plan(
        ring: &Ring,
        position: u64,
        end: u64,
        topics: impl ExactSizeIterator<Item = (Topic, u64)>,
    ) -> Self {
        let straight = Self { end, way: Way::Straight(position + 1) };
        let span = end - position;
        let Some(offsets) = ring.offsets() else { return straight };
        if span <= SPAN_PER_TOPIC * topics.len() as u64 {
            return straight;
        }
        let mut wanted = 0;
        let mut heads = Vec::new();
        for (topic, after) in topics.filter(|(_, after)| *after < end) {
            let place = offsets.place_after(topic, after.max(position));
            let Some(offset) = offsets.at(topic, place).filter(|offset| *offset <= end) else { continue };
            wanted += offsets.place_after(topic, end) - place;
            heads.push(Reverse(Next { offset, topic, place }));
        }
        if wanted * 2 >= span {
            return straight;
        }
        Self { end, way: Way::Merged(heads.into()) }
    }

    /// Returns up to where it goes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Returns the offset of the next event on the way.
    pub(super) fn next(&self) -> Option<u64> {
        match &self.way {
            Way::Straight(next) => Some(*next).filter(|next| *next <= self.end),
            Way::Merged(heads) => heads.peek().map(|Reverse(next)| next.offset),
        }
    }

    /// Goes past the next event, which the ring still keeps: what it forgets later must be missed, not passed by.
    pub(super) fn advance(&mut self, ring: &Ring) {
        match &mut self.way {
            Way::Straight(next) => *next += 1,
            Way::Merged(heads) => {
                let Some(first) = heads.peek().map(|Reverse(next)| next.offset) else { return };
                let Some(offsets) = ring.offsets() else { return };
                // An event stands with its symbol's topic and with the wildcard's.
                while let Some(mut head) = heads.peek_mut().filter(|head| head.0.offset == first) {
                    match successor(offsets, head.0, self.end) {
                        Some(next) => head.0 = next,
                        None => _ = std::collections::binary_heap::PeekMut::pop(head),
                    }
                }
            }
        }
    }
}

fn successor(offsets: &Offsets, next: Next, end: u64) -> Option<Next> {
    let place = next.place + 1;
    let offset = offsets.at(next.topic, place).filter(|offset| *offset <= end)?;
    Some(Next { offset, place, ..next })
}
