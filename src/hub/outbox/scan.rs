//! `Scan`: a position in the ring from which one session reads the stream, event by event. While it exists no event is
//! queued, and none is merged in mode `latest` before it is read: however many events a burst has, they cost the session
//! one position.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Event;
use crate::history::Ring;
use crate::hub::OutboxShared;
use crate::hub::index::{Links, Topic};
use crate::protocol::Publication;

/// A burst may span one part in this many of the ring; the rest is the time to read it.
const RING_PART: u64 = 4;
/// Most unread events that are not part of the burst, in full outboxes.
const LEEWAY_OUTBOXES: u64 = 2;

/// Purpose of a scan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A recovery: no event is skipped until the session has caught up.
    Recovery,
    /// A poll: all events are read from the ring, also after the session has caught up.
    Follow,
    /// A burst: more events than the queue has room for. The session may fall behind by this much.
    Burst(Leeway),
}

/// How far the session of a burst may fall behind in the ring before it counts as slow. Events of the burst are free,
/// because no client could keep up with them; those of the next burst, too, if the session has read since this one.
/// Other unread events are limited to two full outboxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leeway {
    burst: u64,
    /// Whether the session has read since the burst began.
    has_read: bool,
    events: u64,
    events_max: u64,
    /// Most offsets between the position and the end of the scan, bursts included.
    offsets_max: u64,
}

impl Leeway {
    /// Returns the leeway for the burst with this number.
    pub(super) fn new(shared: &OutboxShared, burst: u64) -> Self {
        let events_max = LEEWAY_OUTBOXES * shared.config.push.outbox_events_max as u64;
        let offsets_max = (shared.ring.borrow().capacity() as u64 / RING_PART).max(1);
        Self { burst, has_read: false, events: events_max, events_max, offsets_max }
    }
}

/// Result of a search for the next event.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// An event that the session wants: its batch, and its index there.
    Event(&'a Arc<[Publication]>, usize),
    /// No event up to the limit.
    None,
    /// The number of reads is used up: other tasks run first.
    Paused,
    /// The ring has evicted events that were to be read.
    Overtaken,
}

/// A scan of the stream after [`read`](Self::read) and up to `end`.
#[derive(Debug)]
pub(super) struct Scan {
    read: u64,
    end: u64,
    kind: Kind,
    /// Offset after which the scan sends the events of a subscription that is younger than the scan. `None` for a
    /// symbol that has no position of its own, because the wildcard served it when it was named. A symbol that is no
    /// longer named, but still served by the wildcard, keeps its position.
    begins: BTreeMap<Topic, Option<u64>>,
    /// Place in the ring of the last event.
    near: usize,
}

impl Scan {
    /// Returns an empty scan after this offset.
    pub(super) fn new(read: u64, kind: Kind) -> Self {
        Self { read, end: read, kind, begins: BTreeMap::new(), near: 0 }
    }

    /// Returns the offset up to which all events have been read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Returns whether events are still to be read.
    pub(super) fn is_behind(&self) -> bool {
        self.read < self.end
    }

    /// Returns whether the scan is for a burst, not for a recovery.
    pub(super) fn is_burst(&self) -> bool {
        matches!(self.kind, Kind::Burst(_))
    }

    /// Returns whether the scan has reached its end and every subscription has begun, for a session with the high-water
    /// mark `seen`.
    pub(super) fn is_over(&self, seen: u64) -> bool {
        let has_begun = self.begins.values().flatten().all(|begin| *begin <= seen);
        !self.is_behind() && !matches!(self.kind, Kind::Follow) && has_begun
    }

    /// Changes the purpose to a recovery, of which no event may be skipped.
    pub(super) fn protect(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// Leaves an event in the ring, to be read with the rest. Returns false if the session falls behind too far, unless
    /// the event may be skipped.
    pub(super) fn extend(&mut self, offset: u64, burst: Option<u64>, may_skip: bool) -> bool {
        // No event between the old end and this one belongs to this session, so the ring may evict them.
        let read = if self.is_behind() { self.read } else { offset - 1 };
        if let Kind::Burst(leeway) = &mut self.kind
            && !may_skip
        {
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

    /// Records that this many events have been sent.
    pub(super) fn sent(&mut self, events: u64) {
        if let Kind::Burst(leeway) = &mut self.kind {
            leeway.has_read |= events > 0;
            leeway.events = leeway.events_max.min(leeway.events + events);
        }
    }

    /// Begins a subscription after this offset.
    pub(super) fn begin(&mut self, topic: Topic, after: u64) {
        self.begins.insert(topic, Some(after));
    }

    /// Begins a subscription by name to a symbol that the wildcard serves, which goes on.
    pub(super) fn join(&mut self, topic: Topic) {
        if self.begins.contains_key(&topic.wildcard()) {
            self.begins.entry(topic).or_insert(None);
        }
    }

    /// Returns whether a symbol that is named has no position of its own.
    pub(super) fn has_joined(&self, topic: Topic) -> bool {
        self.begins.get(&topic) == Some(&None)
    }

    /// Returns the offset after which the events of a subscription begin.
    pub(super) fn begins(&self, topic: Topic) -> u64 {
        let served_by = if self.has_joined(topic) { topic.wildcard() } else { topic };
        self.begins.get(&served_by).copied().flatten().unwrap_or_default()
    }

    /// Ends a subscription by name to a symbol that the wildcard serves on: its position stays.
    pub(super) fn leave(&mut self, topic: Topic) {
        if self.begins.contains_key(&topic.wildcard()) {
            self.begins.entry(topic).or_insert(Some(0));
        }
    }

    /// Ends a subscription, and of a wildcard that of every symbol that is not named, too. A symbol that had joined the
    /// wildcard goes on from its position.
    pub(super) fn end(&mut self, topic: Topic, links: &Links) {
        let ended = self.begins.remove(&topic).flatten();
        self.begins.retain(|each, _| each.wildcard() != topic || links.contains(*each));
        let heirs = self.begins.iter_mut().filter(|(each, begin)| each.wildcard() == topic && begin.is_none());
        heirs.for_each(|(_, begin)| *begin = ended);
    }

    /// Returns the number of topics with an entry.
    pub(super) fn topics(&self) -> usize {
        self.begins.len()
    }

    /// Returns the offset after which a topic begins; `None` if the session has no position for it.
    pub(super) fn position(&self, topic: Topic, links: &Links) -> Option<u64> {
        match self.begins.get(&topic) {
            None => links.contains(topic).then_some(0),
            Some(begin) => *begin,
        }
    }

    /// Returns whether an event that is read must be sent.
    fn wants(&self, event: &Event, links: &Links) -> bool {
        event.topics().filter_map(|topic| self.position(topic, links)).any(|after| event.offset > after)
    }

    /// Reads up to the next event at or before the offset `limit` that must be sent, with at most `looks` reads.
    pub(super) fn next<'a>(&mut self, ring: &'a Ring, limit: u64, links: &Links, looks: &mut usize) -> Next<'a> {
        while self.read < limit.min(self.end) {
            if *looks == 0 {
                return Next::Paused;
            }
            let Some((batch, index)) = ring.find(self.read + 1, &mut self.near) else { return Next::Overtaken };
            *looks -= 1;
            self.read += 1;
            if self.wants(&batch[index].event, links) {
                return Next::Event(batch, index);
            }
        }
        Next::None
    }
}
