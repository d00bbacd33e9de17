//! `Replay`: the missed events of a session that has come back with a cursor. It stands in the session's outbox for events
//! that are in the ring, and is read as fast as the socket takes them: however many they are, none of them is queued.
//!
//! While nothing stands behind it, new events of the session are left in the ring too, so that a long recovery loses
//! nothing. Which cursors can be served is decided by `session`.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use crate::domain::Event;
use crate::history::Ring;
use crate::hub::OutboxShared;
use crate::hub::conflation::Conflation;
use crate::hub::course::Course;
use crate::hub::delivery::{Conflated, Delivery, Item, Sink};
use crate::hub::index::Topic;
use crate::hub::merged::Merged;
use crate::protocol::Mode;

/// What is kept of each topic, about: an entry of a map, and one of the course.
const TOPIC_BYTES: usize = 64;
/// A burst may need one part in so many of the ring; the others are the time to read it.
const RING_PART: u64 = 4;

/// Events between a cursor and the present; see the module.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Everything up to here has been read.
    position: u64,
    /// Everything up to here is to be read.
    end: u64,
    /// Where the hub was when it was made.
    since: u64,
    /// What is subscribed with the cursor; each from after it.
    fresh: BTreeSet<Topic>,
    /// What else the session is subscribed to; each from after this offset.
    others: BTreeMap<Topic, u64>,
    /// Whether it stays when everything has been read, so that new events are left in the ring for good.
    follows: bool,
    /// The way from one wanted event to the next, when it has been begun.
    course: Option<Course>,
    /// In mode `latest`, the newest event of each topic.
    newest: BTreeMap<Topic, Conflated>,
    /// For events of a burst that an outbox had no room for: how long it may become.
    leeway: Option<Leeway>,
}

/// How far the session of a burst may fall behind, in the ring, before it counts as slow: the events of this burst come at
/// no pace that it could keep; of later ones as many as an outbox holds, and those that it has read count no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leeway {
    burst: u64,
    events: u64,
    events_max: u64,
    /// How much of the ring it may need, bursts included.
    offsets_max: u64,
    /// Once an event was refused, none may follow.
    is_over: bool,
}

impl Leeway {
    /// Returns the leeway for the burst of which the event at `offset` is.
    pub(super) fn new(shared: &OutboxShared, offset: u64) -> Self {
        let events_max = shared.push.outbox_events_max as u64;
        let offsets_max = shared.ring.borrow().capacity() as u64 / RING_PART;
        let burst = shared.burst.get().number_at(offset).unwrap_or_default();
        Self { burst, events: events_max, events_max, offsets_max, is_over: false }
    }
}

/// How much may be read, and how much has been.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reading {
    /// Events, and topics, that may be looked at.
    pub(super) scanned_max: usize,
    /// Events, and topics, that have been looked at.
    pub(super) scanned: usize,
    /// Events that have been given.
    pub(super) events: u64,
}

/// What has come of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Everything has been read.
    Done,
    /// More may be read later: the sink is full, it is the turn of others, or there is nothing more yet.
    Paused,
    /// The ring has forgotten what was still to be read.
    Overtaken,
}

impl Replay {
    /// Returns the events of the topics `fresh` after the offset `after` up to the hub's position `since`. What the session
    /// is subscribed to besides goes on after the offsets of `others`; where both name a topic, it goes by `others`.
    pub(super) fn new(after: u64, since: u64, fresh: BTreeSet<Topic>, others: BTreeMap<Topic, u64>) -> Self {
        let end = after.max(since);
        let position = if fresh.is_empty() { end } else { after };
        let (course, newest) = (None, BTreeMap::new());
        Self { position, end, since, fresh, others, follows: false, course, newest, leeway: None }
    }

    /// Returns the events of the topics after the offset `after`, which the session's outbox has no room for as they come
    /// all at once. There is none until [`Self::extend`] adds the first.
    pub(super) fn burst(after: u64, topics: BTreeMap<Topic, u64>, leeway: Leeway) -> Self {
        Self { leeway: Some(leeway), ..Self::new(after, after, BTreeSet::new(), topics) }
    }

    /// Returns whether it stands for events of a burst, not for a recovery.
    pub(super) fn is_burst(&self) -> bool {
        self.leeway.is_some()
    }

    /// Makes it the only source of its session: whatever comes, nothing is queued, and nothing can be lost to a full queue.
    pub fn follow(&mut self) {
        self.follows = true;
    }

    /// Returns about how many bytes it keeps at the most.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + (self.fresh.len() + self.others.len()) * TOPIC_BYTES
    }

    /// Returns whether it has nothing to give and never will.
    pub(super) fn is_idle(&self) -> bool {
        !self.follows && !self.is_burst() && !self.is_behind()
    }

    /// Returns whether something is still to be given.
    pub fn is_behind(&self) -> bool {
        self.position < self.end || !self.newest.is_empty()
    }

    /// Leaves an event of the session in the ring, to be read with the rest. Returns false when that would be too much.
    pub(super) fn extend(&mut self, offset: u64, burst: Option<u64>) -> bool {
        // What lies between is nobody's here, and the ring may forget it.
        let position = if self.position < self.end { self.position } else { offset - 1 };
        if let Some(leeway) = &mut self.leeway {
            let is_free = burst == Some(leeway.burst);
            if offset - position > leeway.offsets_max.max(1) || (!is_free && leeway.events == 0) {
                leeway.is_over = true;
            }
            if leeway.is_over {
                return false;
            }
            leeway.events -= u64::from(!is_free);
        }
        (self.position, self.end) = (position, offset);
        true
    }

    /// Takes note that so many events have been given.
    pub(super) fn gave(&mut self, events: u64) {
        if let Some(leeway) = &mut self.leeway {
            leeway.events = leeway.events_max.min(leeway.events + events);
        }
    }

    /// Takes out everything that is left to be read, as items of a queue; `None` when the ring has forgotten some of it.
    pub(super) fn take_items(
        &mut self,
        ring: &Ring,
        conflation: Option<&Conflation>,
        merged: &mut Merged,
    ) -> Option<Vec<Item>> {
        let batches = ring.batches_after(self.position, self.end)?;
        let mut items = Vec::new();
        let (position, end) = (self.position, self.end);
        for (batch, index) in batches.flat_map(|batch| (0..batch.len()).map(move |index| (batch, index))) {
            let event = &batch[index].event;
            if event.offset <= position || event.offset > end || !self.wants(event) {
                continue;
            }
            let delivery = Rc::new(Delivery::new(batch.clone(), index));
            if conflation.is_some_and(|conflation| is_latest(conflation, event)) {
                self.conflate(delivery, merged);
                continue;
            }
            items.extend(self.newest.remove(&delivery.topic()).map(Item::from));
            items.push(Item::Event(delivery));
        }
        self.position = end;
        items.extend(std::mem::take(&mut self.newest).into_values().map(Item::from));
        items.sort_by_key(Item::order);
        Some(items)
    }

    /// Takes over events that a rate has held back: what is read of their topics makes them obsolete.
    pub(super) fn take_over(&mut self, conflated: impl IntoIterator<Item = Conflated>) {
        self.newest.extend(conflated.into_iter().map(|each| (each.delivery.topic(), each)));
    }

    /// Returns the offset up to which everything has been read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns its place among the items of a queue: no event that has been read stands behind it.
    pub(super) fn order(&self) -> u64 {
        self.position.max(self.since)
    }

    /// Returns the offset up to which everything has been given; `None` when nothing is left to be given.
    pub(super) fn cursor(&self) -> Option<u64> {
        let first = self.newest.values().map(|each| each.first).min();
        let given = first.map_or(self.position, |first| self.position.min(first - 1));
        self.is_behind().then_some(given)
    }

    /// Gives the next events to the sink, and adds to `reading` how many.
    pub(super) fn read(
        &mut self,
        ring: &Ring,
        conflation: Option<&Conflation>,
        merged: &mut Merged,
        sink: &mut impl Sink,
        reading: &mut Reading,
    ) -> Progress {
        let mut near = 0;
        while self.position < self.end {
            let Some(mut course) = self.course.take().or_else(|| self.plan(ring, reading)) else {
                return Progress::Overtaken;
            };
            while let Some(offset) = course.next() {
                if sink.is_full() || reading.scanned >= reading.scanned_max {
                    self.course = Some(course);
                    return Progress::Paused;
                }
                let Some((batch, index)) = ring.find(offset, &mut near) else { return Progress::Overtaken };
                course.advance(ring);
                reading.scanned += 1;
                self.position = offset;
                let event = &batch[index].event;
                if !self.wants(event) {
                    continue;
                }
                if conflation.is_some_and(|conflation| is_latest(conflation, event)) {
                    self.conflate(Rc::new(Delivery::new(batch.clone(), index)), merged);
                } else {
                    reading.events += self.give_held(event, sink) + 1;
                    sink.event(&batch[index], 0);
                }
            }
            self.position = course.end();
        }
        reading.events += self.give_newest(sink);
        if self.follows || !self.newest.is_empty() { Progress::Paused } else { Progress::Done }
    }

    /// Plans the way to the end; `None` when the ring has forgotten where it begins.
    fn plan(&self, ring: &Ring, reading: &mut Reading) -> Option<Course> {
        if !ring.goes_back_to(self.position, self.end) {
            return None;
        }
        let topics: Vec<_> = self
            .fresh
            .iter()
            .map(|topic| (*topic, 0))
            .chain(self.others.iter().map(|(topic, after)| (*topic, *after)))
            .collect();
        reading.scanned += topics.len();
        Some(Course::plan(ring, self.position, self.end, topics.into_iter()))
    }

    fn wants(&self, event: &Event) -> bool {
        let channel = event.channel();
        let carriers = || channel.carriers().iter();
        let topics = || carriers().flat_map(|each| [Topic::symbol(event.id, *each), Topic::all(*each)]);
        match topics().filter_map(|topic| self.others.get(&topic)).min() {
            Some(after) => event.offset > *after,
            None => topics().any(|topic| self.fresh.contains(&topic)),
        }
    }

    fn conflate(&mut self, delivery: Rc<Delivery>, merged: &mut Merged) {
        match self.newest.entry(delivery.topic()) {
            Entry::Occupied(mut newest) => newest.get_mut().replace(delivery, merged),
            Entry::Vacant(none) => _ = none.insert(Conflated::new(delivery)),
        }
    }

    /// Gives what is held of a topic before another event of it, whose mode is `all` by now: nothing may be skipped any more.
    fn give_held(&mut self, event: &Event, sink: &mut impl Sink) -> u64 {
        let held = if self.newest.is_empty() { None } else { self.newest.remove(&topic(event)) };
        held.map_or(0, |held| {
            sink.delivery(&held.delivery, held.skipped);
            1
        })
    }

    /// Gives what is held, in the order of the stream and as much as fits into the write; the rest is there for the next one.
    fn give_newest(&mut self, sink: &mut impl Sink) -> u64 {
        // Not sorted: of many, one write takes a few.
        let place = |(topic, each): (&Topic, &Conflated)| Reverse((each.delivery.offset(), *topic));
        let mut places: BinaryHeap<_> = self.newest.iter().map(place).collect();
        let mut events = 0;
        while !sink.is_full()
            && let Some(Reverse((_, topic))) = places.pop()
            && let Some(each) = self.newest.remove(&topic)
        {
            sink.delivery(&each.delivery, each.skipped);
            events += 1;
        }
        events
    }
}

fn is_latest(conflation: &Conflation, event: &Event) -> bool {
    conflation.mode_of(topic(event), event.channel()) != Mode::All
}

/// Returns the topic of an event.
fn topic(event: &Event) -> Topic {
    Topic::symbol(event.id, event.channel())
}

#[cfg(test)]
#[path = "replay_test.rs"]
mod tests;
