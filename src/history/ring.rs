//! The newest events of the stream, bounded, read by cursor. Holds references to shared batches, no copies.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::Publication;

/// The newest events, oldest first, without a hole.
#[derive(Clone, Debug)]
pub struct Ring {
    batches: VecDeque<Arc<[Publication]>>,
    events: usize,
    events_max: usize,
}

impl Ring {
    /// Returns an empty ring that keeps at least `events_max` events once it is full, and at most one batch more.
    pub fn new(events_max: usize) -> Self {
        Self { batches: VecDeque::new(), events: 0, events_max }
    }

    /// Appends a batch, whose first offset follows the newest one of the ring, and forgets what is too old.
    pub fn push(&mut self, batch: Arc<[Publication]>) {
        self.events += batch.len();
        self.batches.push_back(batch);
        while let Some(oldest) = self.batches.front()
            && self.events - oldest.len() >= self.events_max
        {
            self.events -= oldest.len();
            self.batches.pop_front();
        }
    }

    /// Returns how many events are kept.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Returns whether no event is kept.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Returns the batches that hold everything after `offset`, or `None` when some of it is forgotten. The first batch
    /// may begin at or before `offset`. `newest` is the offset up to which the caller has pushed.
    pub fn batches_after(&self, offset: u64, newest: u64) -> Option<impl Iterator<Item = &Arc<[Publication]>>> {
        let oldest =
            self.batches.front().and_then(|batch| batch.first()).map_or(newest + 1, |first| first.event.offset);
        if offset + 1 < oldest {
            return None;
        }
        let start = self.batches.partition_point(|batch| batch.last().is_none_or(|last| last.event.offset <= offset));
        Some(self.batches.range(start..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Event, EventBody, Price, Size, SymbolId, Timestamp, Trade};
    use proptest::prelude::*;

    fn batch(first: u64, len: u64) -> Arc<[Publication]> {
        let trade = Trade { ts: Timestamp::default(), price: Price::from_cents(1), size: Size::new(1) };
        let publication = |offset| {
            let symbol = "AAPL".parse().unwrap();
            Publication::new(Event { offset, seq: offset, id: SymbolId(0), symbol, body: EventBody::Trade(trade) })
        };
        (first..first + len).map(publication).collect()
    }

    proptest! {
        #[test]
        fn a_read_gives_everything_after_the_cursor_or_says_that_it_cannot(
            lens in prop::collection::vec(1u64..7, 0..40),
            events_max in 1usize..50,
            cursor in 0u64..200,
        ) {
            let mut ring = Ring::new(events_max);
            let mut newest = 0;
            for len in lens {
                ring.push(batch(newest + 1, len));
                newest += len;
                prop_assert!(ring.len() < events_max + 7, "bounded");
            }
            let kept = (events_max as u64).min(newest);
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
