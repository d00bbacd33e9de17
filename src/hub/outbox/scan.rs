//! `Scan`: the part of the stream that one session has still to read from the ring, event by event. While there is one, nothing is
//! queued: however many events a burst has, they cost their session a position.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Event;
use crate::history::Ring;
use crate::hub::OutboxShared;
use crate::hub::index::{Links, Topic};
use crate::protocol::Publication;

/// A burst may need one part in so many of the ring; the others are the time to read it.
const RING_PART: u64 = 4;
/// Of events that are not part of the burst, so many outboxes full may wait.
const LEEWAY_OUTBOXES: u64 = 2;

/// Why events are read from the ring.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A client has asked for what it missed: until it has caught up nothing is skipped.
    Recovery,
    /// Everything is read from the ring, also when the session has caught up.
    Follow,
    /// More events have come together than the queue has room for. The session may fall behind by so much.
    Burst(Leeway),
}

/// How far the session of a burst may fall behind, in the ring, before it counts as slow: the events of this burst come at
/// no pace that it could keep, nor do those of the next one if it has read of this. Of others as many as two outboxes hold may wait, and
/// those that it has read count no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leeway {
    burst: u64,
    /// Whether the session has read since the burst began.
    has_read: bool,
    events: u64,
    events_max: u64,
    /// How much of the ring it may need, bursts included.
    offsets_max: u64,
}

impl Leeway {
    /// Returns the leeway for the burst with this number.
    pub(super) fn new(shared: &OutboxShared, burst: u64) -> Self {
        let events_max = LEEWAY_OUTBOXES * shared.push.outbox_events_max as u64;
        let offsets_max = (shared.ring.borrow().capacity() as u64 / RING_PART).max(1);
        Self { burst, has_read: false, events: events_max, events_max, offsets_max }
    }
}

/// What a look for the next event gives.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// An event that the session wants: its batch, and its index there.
    Event(&'a Arc<[Publication]>, usize),
    /// There is none up to the limit.
    None,
    /// Enough has been looked at: others have their turn.
    Paused,
    /// The ring has forgotten what was to be read.
    Overtaken,
}

/// The part of the stream after [`read`](Self::read) and up to `end`.
#[derive(Debug)]
pub(super) struct Scan {
    read: u64,
    end: u64,
    kind: Kind,
    /// After which offset a subscription begins that is younger than the scan.
    begins: BTreeMap<Topic, u64>,
    /// Up to which offset the events of a topic have been sent or merged in mode `latest`, which is over.
    merged: BTreeMap<Topic, u64>,
    /// Where in the ring the last event was found.
    near: usize,
}

impl Scan {
    /// Returns a scan of nothing, after this offset.
    pub(super) fn new(read: u64, kind: Kind) -> Self {
        Self { read, end: read, kind, begins: BTreeMap::new(), merged: BTreeMap::new(), near: 0 }
    }

    /// Returns up to where everything has been read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Returns whether something is still to be read.
    pub(super) fn is_behind(&self) -> bool {
        self.read < self.end
    }

    /// Returns whether it is for a burst, not for a recovery.
    pub(super) fn is_burst(&self) -> bool {
        matches!(self.kind, Kind::Burst(_))
    }

    /// Returns whether it has come to its end and every subscription has begun, when the session has `seen` so much.
    pub(super) fn is_over(&self, seen: u64) -> bool {
        let has_begun = self.begins.values().all(|begin| *begin <= seen);
        !self.is_behind() && !matches!(self.kind, Kind::Follow) && has_begun
    }

    /// Makes it one for a recovery, which nothing may be skipped of.
    pub(super) fn protect(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// Leaves an event of the session in the ring, to be read with the rest. Returns false when that would be too much.
    pub(super) fn extend(&mut self, offset: u64, burst: Option<u64>) -> bool {
        // What lies between is nobody's here, and the ring may forget it.
        let read = if self.is_behind() { self.read } else { offset - 1 };
        if let Kind::Burst(leeway) = &mut self.kind {
            if let Some(next) = burst.filter(|next| *next > leeway.burst && leeway.has_read) {
                (leeway.burst, leeway.has_read) = (next, false);
            }
            let is_free = burst == Some(leeway.burst);
            if offset - read > leeway.offsets_max || (!is_free && leeway.events == 0) {
                return false;
            }
            leeway.events -= u64::from(!is_free);
        }
        (self.read, self.end) = (read, offset);
        true
    }

    /// Takes note that so many events have been sent.
    pub(super) fn sent(&mut self, events: u64) {
        if let Kind::Burst(leeway) = &mut self.kind {
            leeway.has_read |= events > 0;
            leeway.events = leeway.events_max.min(leeway.events + events);
        }
    }

    /// Lets a subscription begin after this offset, not before.
    pub(super) fn begin(&mut self, topic: Topic, after: u64) {
        self.begins.insert(topic, after);
    }

    /// Returns the offset after which a subscription begins.
    pub(super) fn begins(&self, topic: Topic) -> u64 {
        self.begins.get(&topic).copied().unwrap_or_default()
    }

    /// Passes over the events of a topic up to this offset: mode `latest` has merged them.
    pub(super) fn pass_over(&mut self, topic: Topic, merged: u64) {
        self.merged.insert(topic, merged);
    }

    /// Lets the events of a topic, or of those that a wildcard stands for, be sent again that mode `latest` has merged.
    pub(super) fn bring_back(&mut self, wanted: Topic) {
        self.merged.retain(|topic, _| *topic != wanted && topic.wildcard() != wanted);
    }

    /// Reads everything after `place`, of which nothing has been sent, up to `end` at least.
    pub(super) fn reach(&mut self, place: u64, end: u64) {
        self.read = if self.is_behind() { self.read.min(place) } else { place };
        self.end = self.end.max(end);
    }

    /// Ends a subscription. One by name that goes on by the wildcard stays: what is unread of it is still wanted.
    pub(super) fn end(&mut self, topic: Topic, links: &Links) {
        if links.contains(topic.wildcard()) {
            self.begins.entry(topic).or_default();
        } else {
            self.begins.retain(|each, _| links.contains(*each) || (*each != topic && each.wildcard() != topic));
        }
    }

    /// Returns of how many topics something is kept.
    pub(super) fn topics(&self) -> usize {
        self.begins.len() + self.merged.len()
    }

    /// Returns whether an event that is read is to be sent.
    pub(super) fn wants(&self, event: &Event, links: &Links) -> bool {
        let begin = |topic: Topic| match self.begins.get(&topic) {
            None if links.contains(topic) => Some(0),
            begin => begin.copied(),
        };
        let Some(after) = carriers(event).filter_map(begin).min() else { return false };
        event.offset > after && !self.is_merged(event, links)
    }

    /// Returns whether mode `latest` has merged the event.
    pub(super) fn is_merged(&self, event: &Event, links: &Links) -> bool {
        let topic = Topic::symbol(event.id, event.channel());
        let by_all = || self.merged.get(&topic.wildcard()).filter(|_| !links.contains(topic));
        let merged = if self.merged.is_empty() { None } else { self.merged.get(&topic).or_else(by_all) };
        merged.is_some_and(|merged| event.offset <= *merged)
    }

    /// Looks for the next wanted event up to the offset `limit`, and goes past it; with so many looks at most.
    pub(super) fn next<'a>(
        &mut self,
        ring: &'a Ring,
        limit: u64,
        wants: impl Fn(&Self, &Event) -> bool,
        looks: &mut usize,
    ) -> Next<'a> {
        while self.read < limit.min(self.end) {
            if *looks == 0 {
                return Next::Paused;
            }
            let Some((batch, index)) = ring.find(self.read + 1, &mut self.near) else { return Next::Overtaken };
            *looks -= 1;
            self.read += 1;
            if wants(self, &batch[index].event) {
                return Next::Event(batch, index);
            }
        }
        Next::None
    }
}

/// Returns the topics that carry an event: those of its symbol, and those of every symbol.
pub(super) fn carriers(event: &Event) -> impl Iterator<Item = Topic> {
    let id = event.id;
    let channel = event.channel();
    let count = channel.carriers().len();
    (0..count).flat_map(move |place| {
        let each = channel.carriers()[place];
        [Topic::symbol(id, each), Topic::all(each)]
    })
}
