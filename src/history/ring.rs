//! `Ring`: a bounded buffer of the newest events of the stream, read by offset. It holds references to shared batches,
//! no copies.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::Topic;
use crate::history::Offsets;
use crate::protocol::Publication;

/// The newest events, oldest first, without a hole.
#[derive(Clone, Debug)]
pub struct Ring {
    batches: VecDeque<Arc<[Publication]>>,
    /// The newest offset of each batch, in a list of its own, so that a binary search does not load the batches.
    ends: VecDeque<u64>,
    events: usize,
    events_max: usize,
    /// Index of the offsets of each topic, for readers that want the events of some topics.
    offsets: Option<Offsets>,
}

impl Ring {
    /// Returns an empty ring that keeps at least `events_max` events once it is full, and at most one batch more.
    pub fn new(events_max: usize) -> Self {
        Self { batches: VecDeque::new(), ends: VecDeque::new(), events: 0, events_max, offsets: None }
    }

    /// Returns the ring with an index of offsets, with room for this many symbols.
    #[must_use]
    pub fn with_offsets(mut self, symbols: usize) -> Self {
        let mut offsets = Offsets::new(symbols);
        self.batches.iter().flat_map(|batch| batch.iter()).for_each(|each| offsets.push(&each.event));
        self.offsets = Some(offsets);
        self
    }

    /// Appends a batch, whose first offset follows the newest one of the ring, and evicts the oldest events over the
    /// limit.
    pub fn push(&mut self, batch: Arc<[Publication]>) {
        self.push_keeping(batch, u64::MAX);
    }

    /// Appends a batch like [`Self::push`], but evicts no event after the offset `needed`, even if the ring exceeds its
    /// limit.
    pub fn push_keeping(&mut self, batch: Arc<[Publication]>, needed: u64) {
        let Some(last) = batch.last() else { return };
        if let Some(offsets) = &mut self.offsets {
            batch.iter().for_each(|each| offsets.push(&each.event));
        }
        self.events += batch.len();
        self.ends.push_back(last.event.offset);
        self.batches.push_back(batch);
        while let Some(oldest) = self.batches.front()
            && self.events - oldest.len() >= self.events_max
            && oldest.last().is_none_or(|last| last.event.offset <= needed)
        {
            self.events -= oldest.len();
            if let Some(offsets) = &mut self.offsets {
                oldest.iter().for_each(|each| offsets.pop(each));
            }
            self.batches.pop_front();
            self.ends.pop_front();
        }
    }

    /// Returns the offset up to which the ring would evict its events if this many were added; see
    /// [`Self::push_keeping`].
    pub fn would_evict(&self, added: usize, needed: u64) -> Option<u64> {
        let (mut events, mut evicted) = (self.events + added, None);
        for (batch, end) in self.batches.iter().zip(&self.ends) {
            events -= batch.len();
            if events < self.events_max || *end > needed {
                break;
            }
            evicted = Some(*end);
        }
        evicted
    }

    /// Returns the newest event of a topic, which has this offset, like [`Self::find`], even if the ring has evicted it. Needs
    /// the index of offsets; `None` if the topic has a newer event and the ring has evicted this one.
    pub fn find_newest(&self, topic: Topic, offset: u64, near: &mut usize) -> Option<(&Arc<[Publication]>, usize)> {
        let evicted = || self.offsets.as_ref()?.last(topic).filter(|last| last[0].event.offset == offset);
        self.find(offset, near).or_else(|| evicted().map(|last| (last, 0)))
    }

    /// Returns the offset of the newest event; `None` if the ring is empty.
    pub fn newest(&self) -> Option<u64> {
        self.batches.back().and_then(|batch| batch.last()).map(|last| last.event.offset)
    }

    /// Returns the offset of the oldest event; `None` if the ring is empty.
    pub fn oldest(&self) -> Option<u64> {
        self.batches.front().and_then(|batch| batch.first()).map(|first| first.event.offset)
    }

    /// Returns the least number of events that a full ring keeps.
    pub fn capacity(&self) -> usize {
        self.events_max
    }

    /// Returns the number of events.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Returns whether the ring has no event.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Returns the index of offsets per topic, if the ring has one.
    pub fn offsets(&self) -> Option<&Offsets> {
        self.offsets.as_ref()
    }

    /// Returns whether the ring has every event after `offset`. `newest` is the offset up to which the caller has
    /// pushed.
    pub fn goes_back_to(&self, offset: u64, newest: u64) -> bool {
        offset.saturating_add(1) >= self.oldest().unwrap_or(newest + 1)
    }

    /// Returns all batches, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = &Arc<[Publication]>> {
        self.batches.iter()
    }

    /// Returns the batches with every event after `offset`, or `None` if one of them has been evicted. The first batch
    /// may begin at or before `offset`. `newest` is the offset up to which the caller has pushed.
    pub fn batches_after(&self, offset: u64, newest: u64) -> Option<impl Iterator<Item = &Arc<[Publication]>>> {
        if !self.goes_back_to(offset, newest) {
            return None;
        }
        let start = self.ends.partition_point(|end| *end <= offset);
        Some(self.batches.range(start..))
    }

    /// Returns the event at `offset`: its batch, and its index there; `None` if it has been evicted or not been pushed
    /// yet. `near` is the result of the last search, where the next search begins, because most are close by.
    pub fn find(&self, offset: u64, near: &mut usize) -> Option<(&Arc<[Publication]>, usize)> {
        let begins_before = |place: usize| place.checked_sub(1).is_none_or(|last| self.ends[last] < offset);
        let holds = |place: usize| self.ends.get(place).is_some_and(|end| *end >= offset && begins_before(place));
        if !holds(*near) {
            *near += 1;
            if !holds(*near) {
                *near = self.ends.partition_point(|end| *end < offset);
            }
        }
        let batch = self.batches.get(*near)?;
        let index = usize::try_from(offset.checked_sub(batch.first()?.event.offset)?).ok()?;
        Some((batch, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Channel, Event, EventBody, Price, Size, SymbolId, Timestamp, Topic, Trade};
    use proptest::prelude::*;

    fn batch(first: u64, len: u64) -> Arc<[Publication]> {
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(1), size: Size::new(1) };
        let publication = |offset| {
            let symbol = "AAPL".parse().unwrap();
            Publication::new(Event { offset, seq: offset, id: id(offset), symbol, body: EventBody::Trade(trade) })
        };
        (first..first + len).map(publication).collect()
    }

    /// Most events are of one symbol, some of another.
    fn id(offset: u64) -> SymbolId {
        SymbolId(u32::from(offset.is_multiple_of(5)))
    }

    proptest! {
        #[test]
        fn a_read_returns_every_event_after_the_cursor_or_nothing(
            lens in prop::collection::vec(1u64..7, 0..40),
            events_max in 1usize..50,
            cursor in 0u64..200,
        ) {
            let (before, after) = lens.split_at(lens.len() / 2);
            let mut ring = Ring::new(events_max);
            let mut newest = 0;
            for len in before {
                ring.push(batch(newest + 1, *len));
                newest += len;
            }
            // The other symbol was added.
            ring = ring.with_offsets(1);
            for len in after.iter().copied() {
                let pushed = batch(newest + 1, len);
                let evicted = ring.would_evict(pushed.len(), u64::MAX);
                let oldest = |ring: &Ring| ring.batches().next().map_or(1, |oldest| oldest[0].event.offset);
                let before = oldest(&ring);
                ring.push(pushed);
                prop_assert_eq!(evicted, Some(oldest(&ring) - 1).filter(|_| oldest(&ring) > before));
                newest += len;
                prop_assert!(ring.len() < events_max + 7, "bounded");
            }
            let kept = (events_max as u64).min(newest);
            let oldest = newest - ring.len() as u64 + 1;
            let offsets = ring.offsets().unwrap();
            let [one, other, all] = [Some(SymbolId(0)), Some(SymbolId(1)), None].map(|symbol| {
                let trades = Channel::Trades;
                let topic = symbol.map_or(Topic::all(trades), |symbol| Topic::symbol(symbol, trades));
                let places = offsets.index_after(topic, cursor)..offsets.index_after(topic, newest);
                (symbol, places.filter_map(|place| offsets.at(topic, place)).collect::<Vec<_>>())
            });
            for (symbol, found) in [one, other, all] {
                let wanted = (oldest..=newest).filter(|offset| *offset > cursor);
                let wanted = wanted.filter(|offset| symbol.is_none_or(|symbol| id(*offset) == symbol));
                prop_assert_eq!(found, wanted.collect::<Vec<_>>(), "of this topic, all that is kept");
            }
            let mut near = 0;
            for symbol in [SymbolId(0), SymbolId(1)] {
                let last = (1..=newest).rev().find(|offset| id(*offset) == symbol);
                let found = |offset| ring.find_newest(Topic::symbol(symbol, Channel::Trades), offset, &mut 0);
                // Of events before the index was made, nothing is kept.
                if let Some(last) = last.filter(|last| *last > before.iter().sum()) {
                    let offset = found(last).map(|(batch, index)| batch[index].event.offset);
                    prop_assert_eq!(offset, Some(last), "even if it was evicted");
                    prop_assert!(last < 6 || last - 5 >= oldest || found(last - 5).is_none(), "but no older one");
                }
            }
            for offset in (0..newest + 3).chain([cursor, 1, 0, newest]) {
                let found = ring.find(offset, &mut near).map(|(batch, index)| batch[index].event.offset);
                prop_assert_eq!(found, (oldest..=newest).contains(&offset).then_some(offset));
            }
            match ring.batches_after(cursor, newest) {
                Some(batches) => {
                    let offsets = batches.flat_map(|batch| batch.iter()).map(|each| each.event.offset);
                    let offsets: Vec<_> = offsets.filter(|offset| *offset > cursor).collect();
                    prop_assert_eq!(offsets, (cursor + 1..=newest).collect::<Vec<_>>());
                }
                None => prop_assert!(cursor < newest - kept, "forgets no more than it must"),
            }
        }
    }
}
