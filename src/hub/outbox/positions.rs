//! `Positions`: how far one session has got with each of its topics while it reads from the ring. While they exist no event in mode
//! `all` is queued, and in a recovery none is merged in mode `latest` before it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::domain::{Channel, Event, SymbolTable};
use crate::history::{Offsets, Ring};
use crate::hub::OutboxShared;
use crate::hub::index::{Links, Topic, topic};
use crate::hub::outbox::Recovery;

/// A burst may span one part in this many of the ring; the rest is the time to read it.
const RING_PART: u64 = 4;
/// Most unread events that are not part of a burst, in full outboxes.
const LEEWAY_OUTBOXES: u64 = 2;

/// Why a session reads from the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A recovery: no event is skipped until the session has caught up.
    Recovery,
    /// A poll: all events are read from the ring, also after the session has caught up.
    Follow,
    /// A burst: more events than the queue has room for. No client could keep up with them, so they do not make the
    /// session slow. Of `others`, unread events that are not part of it, there may be only so many.
    Burst { others: u64 },
}

/// The position of a session in the events of one topic.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// The events up to this offset have been sent, or are not for the session.
    after: u64,
    /// The same for the topic's own events. While a burst is read, those in mode `latest` do not wait for that.
    own_after: u64,
    /// The same for days and gaps, which belong to every channel: they are not sent again if a topic steps back.
    days_after: u64,
    /// The offset after which the topic began: it has sent no event before that.
    began: u64,
    /// The offset of the next event; `None` if there is none yet.
    next: Option<u64>,
    /// The number of the queued recovery that begins here.
    recovery: Option<u32>,
}

/// The positions of one session. A topic without one has none of its events in the ring still to be sent.
#[derive(Debug)]
pub(super) struct Positions {
    purpose: Purpose,
    /// A symbol that is not named any more, but still served by the wildcard, keeps its position.
    topics: BTreeMap<Topic, Position>,
    /// The next events, in the order of the stream. One event may be the next one of several topics.
    order: BTreeSet<(u64, Topic)>,
    /// The number of the last recovery.
    recoveries: u32,
    /// By the number of a recovery that has not begun, its topics; some may have ended.
    waiting: BTreeMap<u32, Vec<Topic>>,
}

impl Positions {
    /// Returns the positions of a session that has been sent everything.
    pub(super) fn new(purpose: Purpose) -> Self {
        Self { purpose, topics: BTreeMap::new(), order: BTreeSet::new(), recoveries: 0, waiting: BTreeMap::new() }
    }

    /// Returns whether the session reads a burst, and nothing that may not be skipped.
    pub(super) fn is_burst(&self) -> bool {
        matches!(self.purpose, Purpose::Burst { .. })
    }

    /// Changes the purpose.
    pub(super) fn protect(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// Returns the number of positions.
    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    /// Returns the offset of the first event that is still to be sent, for a session with the high-water mark `seen`.
    pub(super) fn first(&self, seen: u64) -> Option<u64> {
        self.order.first().map(|(offset, _)| *offset).filter(|offset| *offset <= seen)
    }

    /// Returns whether every topic has caught up with the high-water mark `seen`.
    pub(super) fn is_over(&self, seen: u64) -> bool {
        let has_caught_up = |position: &Position| position.after <= seen && position.recovery.is_none();
        self.purpose != Purpose::Follow && self.first(seen).is_none() && self.topics.values().all(has_caught_up)
    }

    /// Returns whether an event may be left in the ring, although the session is not to skip it: false if it falls
    /// behind too far.
    pub(super) fn has_room(&mut self, offset: u64, is_burst: bool, seen: u64, shared: &OutboxShared) -> bool {
        let read = self.first(seen).unwrap_or(offset) - 1;
        let Purpose::Burst { others } = &mut self.purpose else { return true };
        *others += u64::from(!is_burst);
        let offsets_max = (shared.ring.borrow().capacity() as u64 / RING_PART).max(1);
        offset - read <= offsets_max && *others <= LEEWAY_OUTBOXES * shared.config.push.outbox_events_max as u64
    }

    /// Records that this many events have been sent.
    pub(super) fn sent(&mut self, events: u64) {
        if let Purpose::Burst { others } = &mut self.purpose {
            *others = others.saturating_sub(events);
        }
    }

    /// Leaves an event in the ring: the topics that carry it get a position if they have none.
    pub(super) fn leave(&mut self, event: &Event, links: &Links, ring: &Ring) {
        for topic in event.topics() {
            match self.topics.get(&topic) {
                Some(position) if position.next.is_some() || position.recovery.is_some() => {}
                Some(position) => self.find_next(topic, position.after, ring),
                None if links.contains(topic) => self.insert(topic, Position::has_sent(event.offset - 1), ring),
                None => {}
            }
        }
    }

    /// Records that an event of a topic in mode `latest` does not wait until it is read.
    pub(super) fn pass_over(&mut self, topic: Topic, offset: u64, links: &Links) {
        let holder = if self.has_own(topic, links) { topic } else { topic.wildcard() };
        self.topics.entry(holder).and_modify(|position| position.own_after = offset);
    }

    /// Begins a subscription after this offset.
    pub(super) fn begin(&mut self, topic: Topic, after: u64, ring: &Ring) {
        self.insert(topic, Position::after(after), ring);
    }

    /// Begins a subscription by name to a symbol that the wildcard has served so far.
    pub(super) fn begin_named(&mut self, topic: Topic, ring: &Ring) {
        if let (None, Some(position)) = (self.topics.get(&topic), self.topics.get(&topic.wildcard())) {
            let position = *position;
            if let Some(topics) = position.recovery.and_then(|recovery| self.waiting.get_mut(&recovery)) {
                topics.push(topic);
            }
            self.insert(topic, position, ring);
        }
    }

    /// Ends a subscription by name to a symbol that the wildcard serves on. Events up to `seen` have been sent unless
    /// the symbol has a position.
    pub(super) fn end_named(&mut self, topic: Topic, seen: u64, ring: &Ring) {
        if !self.topics.contains_key(&topic) && self.topics.contains_key(&topic.wildcard()) {
            self.insert(topic, Position::has_sent(seen), ring);
        }
    }

    /// Ends a subscription, and of a wildcard that of every symbol that is not named.
    pub(super) fn end(&mut self, ended: Topic, links: &Links) {
        for topic in self.covered(ended).into_iter().filter(|topic| !links.contains(*topic)) {
            if let Some(offset) = self.topics.remove(&topic).and_then(|position| position.next) {
                self.order.remove(&(offset, topic));
            }
        }
    }

    /// Begins a subscription anew at this offset, if its position is ahead of that; of a wildcard those of the named symbols,
    /// too.
    pub(super) fn restart(&mut self, topic: Topic, offset: u64, ring: &Ring) {
        for topic in self.covered(topic) {
            if self.topics.get(&topic).is_some_and(|position| position.after > offset) {
                self.begin(topic, offset, ring);
            }
        }
    }

    /// Adds a recovery, which [`start`](Self::start) begins. Returns its number.
    pub(super) fn recover(&mut self, Recovery { topics, after, later }: Recovery, seen: u64, ring: &Ring) -> u32 {
        self.recoveries += 1;
        for (topic, began) in later {
            let position = self.topics.entry(topic).or_insert(Position::has_sent(seen));
            position.began = began.max(position.began);
        }
        for topic in &topics {
            self.insert(*topic, Position { recovery: Some(self.recoveries), ..Position::after(after) }, ring);
        }
        self.waiting.insert(self.recoveries, topics.into_iter().collect());
        self.recoveries
    }

    /// Returns whether topics wait for the beginning of a recovery.
    pub(super) fn is_waiting(&self, recovery: u32) -> bool {
        self.waiting.get(&recovery).is_some_and(|topics| topics.iter().any(|topic| self.waits(*topic, recovery)))
    }

    /// Returns the number of recoveries that have not begun.
    #[cfg(test)]
    pub(super) fn recoveries_waiting(&self) -> usize {
        self.waiting.len()
    }

    fn waits(&self, topic: Topic, recovery: u32) -> bool {
        self.topics.get(&topic).is_some_and(|position| position.recovery == Some(recovery))
    }

    /// Begins a recovery. Returns the number of its topics.
    pub(super) fn start(&mut self, recovery: u32, ring: &Ring) -> usize {
        let topics = self.waiting.remove(&recovery).unwrap_or_default();
        for topic in &topics {
            if self.waits(*topic, recovery) {
                let position = Position { recovery: None, ..self.topics[topic] };
                self.insert(*topic, position, ring);
            }
        }
        topics.len()
    }

    /// Sends the events of a topic after this offset again, which had been read, but not sent.
    pub(super) fn step_back(&mut self, topic: Topic, after: u64, seen: u64, ring: &Ring) {
        let position = self.topics.get(&topic).or_else(|| self.topics.get(&topic.wildcard()));
        let position = position.copied().unwrap_or(Position::has_sent(seen));
        if position.recovery.is_none() {
            let days_after = position.days_after.max(position.after);
            // Days and gaps before the topic's own events may be unread.
            let before = after.min(position.after);
            self.insert(topic, Position { after: before, own_after: after, days_after, ..position }, ring);
        }
    }

    /// Returns the unread events of a burst up to `seen`, by their topics: places in the logs of the ring, which number them. Costs time
    /// in topics, not in events.
    pub(super) fn unread(
        &self,
        seen: u64,
        links: &Links,
        table: &SymbolTable,
        offsets: &Offsets,
    ) -> BTreeMap<Topic, Range<u64>> {
        let places = |log, after| offsets.index_after(log, after)..offsets.index_after(log, seen);
        let mut unread = BTreeMap::<Topic, Range<u64>>::new();
        for (of, position) in &self.topics {
            let others = || table.ids().filter(|id| !self.has_own(of.of(*id), links)).collect();
            let ids: Vec<_> = of.id().map_or_else(others, |id| vec![id]);
            for log in logs(of.wildcard()).into_iter().filter(|all| !places(*all, position.after).is_empty()) {
                for log in ids.iter().map(|id| log.of(*id)) {
                    let is_own = log.wildcard() == of.wildcard();
                    let places = places(log, position.after.max(position.sent_up_to(is_own)));
                    if !places.is_empty() {
                        // A day is unread if one of the channels that carry it has not got there.
                        let start = places.start;
                        let begin = &mut unread.entry(log).or_insert(places).start;
                        *begin = start.min(*begin);
                    }
                }
            }
        }
        unread
    }

    /// Moves every topic that carries the next event past it. Returns them.
    pub(super) fn advance(&mut self, ring: &Ring) -> Vec<Topic> {
        let mut carriers = Vec::new();
        let Some((offset, _)) = self.order.first().copied() else { return carriers };
        while let Some((_, topic)) = self.order.first().copied().filter(|(next, _)| *next == offset) {
            self.order.pop_first();
            self.topics.entry(topic).and_modify(|position| position.after = offset);
            self.find_next(topic, offset, ring);
            carriers.push(topic);
        }
        carriers
    }

    /// Returns whether an event must be sent that these topics carry: not if another topic has sent it. A wildcard sends
    /// the events of the symbols that are not named and have no position. Days and gaps belong to several topics of a
    /// symbol.
    pub(super) fn wants(&self, event: &Event, carriers: &[Topic], links: &Links) -> bool {
        let has_sent = |topic: Topic| {
            let topic = if self.has_own(topic, links) { topic } else { topic.wildcard() };
            let is_own = topic.wildcard() == event.topic().wildcard();
            match self.topics.get(&topic) {
                Some(position) if carriers.contains(&topic) => event.offset <= position.sent_up_to(is_own),
                Some(position) => position.recovery.is_none() && position.began < event.offset,
                None => links.contains(topic),
            }
        };
        !event.topics().filter(|topic| topic.id().is_some()).any(has_sent)
    }

    /// Returns whether a symbol's channel has been subscribed to by name, and is not part of what the wildcard sends.
    fn has_own(&self, topic: Topic, links: &Links) -> bool {
        links.contains(topic) || self.topics.contains_key(&topic)
    }

    /// Returns the topics to which a subscription applies: its own, and of a wildcard those of symbols with a position.
    fn covered(&self, topic: Topic) -> Vec<Topic> {
        if topic.id().is_some() {
            return vec![topic];
        }
        self.topics.keys().copied().filter(|each| each.wildcard() == topic).collect()
    }

    fn insert(&mut self, topic: Topic, position: Position, ring: &Ring) {
        let before = self.topics.insert(topic, Position { next: None, ..position }).and_then(|before| before.next);
        if let Some(offset) = before {
            self.order.remove(&(offset, topic));
        }
        if position.recovery.is_none() {
            self.find_next(topic, position.after, ring);
        }
    }

    /// Finds the next event of the topic after this offset that has not been sent.
    fn find_next(&mut self, topic: Topic, after: u64, ring: &Ring) {
        let Some(position) = self.topics.get(&topic).copied() else { return };
        let next = ring.offsets().and_then(|offsets| {
            let unsent = |log| offsets.index_after(log, after.max(position.sent_up_to(log == topic)));
            logs(topic).into_iter().filter_map(|log| offsets.at(log, unsent(log))).min()
        });
        if let Some(offset) = next {
            self.order.insert((offset, topic));
        }
        self.topics.entry(topic).and_modify(|position| position.next = next);
    }
}

/// Returns the topics of the events that come with a subscription: its own, and the days and gaps of its symbol.
fn logs(of: Topic) -> [Topic; 3] {
    [of, topic(of.id(), Channel::Day), topic(of.id(), Channel::Gap)]
}

impl Position {
    /// Returns the position of a topic that begins after this offset.
    const fn after(offset: u64) -> Self {
        Self { after: offset, own_after: offset, days_after: offset, began: offset, next: None, recovery: None }
    }

    /// Returns the position of a topic of which everything up to this offset has been sent.
    const fn has_sent(offset: u64) -> Self {
        Self { began: 0, ..Self::after(offset) }
    }

    /// Returns the offset up to which the topic's own events have been sent, or else its days and gaps.
    const fn sent_up_to(&self, is_own: bool) -> u64 {
        if is_own { self.own_after } else { self.days_after }
    }
}
