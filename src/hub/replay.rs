//! `Replay`: the missed events of a session that has come back with a cursor. It stands in the session's outbox for events
//! that are in the ring, and is read as fast as the socket takes them: however many they are, none of them is queued.
//!
//! While nothing stands behind it, new events of the session are left in the ring too, so that a long recovery loses
//! nothing. Which cursors can be served is decided by `session`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::domain::Event;
use crate::history::Ring;
use crate::hub::conflation::Conflation;
use crate::hub::delivery::{Delivery, Item, Sink};
use crate::hub::index::Topic;
use crate::hub::merged::Merged;
use crate::protocol::Mode;

/// Events that are looked at before others have their turn: less than a millisecond.
const SCAN_EVENTS_MAX: usize = 16_384;

/// Events between a cursor and the present; see the module.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The cursor.
    after: u64,
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
    /// In mode `latest`, the newest event of each topic, and how many it has made obsolete.
    newest: BTreeMap<Topic, (Rc<Delivery>, u32)>,
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
        Self { after, position, end, since, fresh, others, follows: false, newest: BTreeMap::new() }
    }

    /// Makes it the only source of its session: whatever comes, nothing is queued, and nothing can be lost to a full queue.
    pub fn follow(&mut self) {
        self.follows = true;
    }

    /// Returns whether it has nothing to give and never will.
    pub(super) fn is_idle(&self) -> bool {
        !self.follows && !self.is_behind()
    }

    /// Returns whether something is still to be read.
    pub fn is_behind(&self) -> bool {
        self.position < self.end
    }

    /// Leaves an event of the session in the ring, to be read with the rest.
    pub(super) fn extend(&mut self, offset: u64) {
        self.end = offset;
    }

    /// Takes over events that a rate has held back: what is read of their topics makes them obsolete.
    pub(super) fn take_over(&mut self, conflated: impl IntoIterator<Item = Item>) {
        for item in conflated {
            if let Item::Event { delivery, skipped } = item {
                self.newest.insert(delivery.topic(), (delivery, skipped));
            }
        }
    }

    /// Returns its place among the items of a queue: no event that has been read stands behind it.
    pub(super) fn order(&self) -> u64 {
        self.position.max(self.since)
    }

    /// Returns the offset up to which everything has been given; `None` when nothing is left to be given.
    pub(super) fn cursor(&self) -> Option<u64> {
        // What waits in `newest` may stand for the first event that was read.
        let given = if self.newest.is_empty() { self.position } else { self.after };
        self.is_behind().then_some(given)
    }

    /// Gives the next events to the sink. Adds to `events` how many.
    pub(super) fn read(
        &mut self,
        ring: &Ring,
        conflation: Option<&Conflation>,
        merged: &mut Merged,
        sink: &mut impl Sink,
        events: &mut u64,
    ) -> Progress {
        let Some(batches) = ring.batches_after(self.position, self.end) else { return Progress::Overtaken };
        let mut scanned = 0;
        for batch in batches {
            for (index, publication) in batch.iter().enumerate() {
                let offset = publication.event.offset;
                if offset > self.end {
                    break;
                }
                if offset <= self.position {
                    continue;
                }
                if sink.is_full() {
                    return Progress::Paused;
                }
                if scanned == SCAN_EVENTS_MAX {
                    return Progress::Paused;
                }
                scanned += 1;
                self.position = offset;
                if !self.wants(&publication.event) {
                    continue;
                }
                let delivery = || Rc::new(Delivery::new(batch.clone(), index));
                if conflation.is_some_and(|conflation| self.is_latest(conflation, &publication.event)) {
                    self.conflate(delivery(), merged);
                } else {
                    sink.event(publication, 0);
                    *events += 1;
                }
            }
        }
        self.position = self.end;
        *events += self.give_newest(sink);
        if self.follows { Progress::Paused } else { Progress::Done }
    }

    fn wants(&self, event: &Event) -> bool {
        let (named, all) = topics(event);
        let goes_on = self.others.get(&named).into_iter().chain(self.others.get(&all)).min();
        match goes_on {
            Some(after) => event.offset > *after,
            None => self.fresh.contains(&named) || self.fresh.contains(&all),
        }
    }

    fn is_latest(&self, conflation: &Conflation, event: &Event) -> bool {
        let (named, _) = topics(event);
        self.newest.contains_key(&named) || conflation.mode_of(named, event.channel()) != Mode::All
    }

    fn conflate(&mut self, delivery: Rc<Delivery>, merged: &mut Merged) {
        let topic = delivery.topic();
        let skipped = self.newest.get(&topic).map_or(0, |(obsolete, skipped)| {
            merged.insert(topic, obsolete.offset());
            skipped.saturating_add(1)
        });
        self.newest.insert(topic, (delivery, skipped));
    }

    fn give_newest(&mut self, sink: &mut impl Sink) -> u64 {
        let mut newest: Vec<_> = std::mem::take(&mut self.newest).into_values().collect();
        newest.sort_by_key(|(delivery, _)| delivery.offset());
        for (delivery, skipped) in &newest {
            sink.event(delivery.publication(), *skipped);
        }
        newest.len() as u64
    }
}

/// Returns the topics that carry an event: that of its symbol, and that of every symbol.
fn topics(event: &Event) -> (Topic, Topic) {
    (Topic::symbol(event.id, event.channel()), Topic::all(event.channel()))
}
