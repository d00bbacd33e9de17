//! The part of a router that routes what has arrived, in turns with the sessions of its thread.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::hub::End;
use crate::hub::delivery::{Delivery, Pushed};
use crate::hub::index::{SessionKey, Topic};
use crate::hub::replay::{Leeway, Replay};
use crate::hub::router::Router;
use crate::protocol::{CloseReason, Dialect, Publication};

/// Events that may wait to be routed although the ring is made for fewer.
const UNROUTED_EVENTS_MAX: usize = 65_536;

impl Router {
    /// Takes in a batch that follows [`Self::newest`]; [`Self::route_turn`] routes it. The ring keeps it until then. What it
    /// forgets for it of bursts is queued first.
    pub fn accept(&mut self, batch: Arc<[Publication]>) {
        let forgotten = self.shared.ring.borrow().would_forget(batch.len(), self.offset());
        self.save_bursts(forgotten.unwrap_or_default());
        self.shared.ring.borrow_mut().push_keeping(batch, self.offset());
    }

    fn save_bursts(&mut self, forgotten: u64) {
        let next = || self.shared.bursts.borrow().first().copied().filter(|(position, _)| *position < forgotten);
        while let Some((_, key)) = next() {
            if self.sessions[key.index()].outbox.borrow_mut().save_burst(forgotten) == Pushed::Refused {
                self.overrun.push(key);
            }
        }
    }

    /// Returns the offset of the newest event that has arrived; it may still have to be routed.
    pub fn newest(&self) -> u64 {
        self.shared.ring.borrow().newest().map_or(self.offset(), |newest| newest.max(self.offset()))
    }

    /// Returns whether so many events wait to be routed that the router cannot hope to get there: more than the ring holds.
    pub(in crate::hub) fn is_overrun(&self) -> bool {
        let events_max = self.shared.ring.borrow().capacity().max(UNROUTED_EVENTS_MAX);
        self.newest() - self.offset() > events_max as u64
    }

    /// Routes the next events that have arrived, as many as the sessions can take in one turn (see
    /// [`PushConfig::turn_events_max`](crate::hub::PushConfig::turn_events_max)). Returns whether there are more.
    pub fn route_turn(&mut self, now: Instant) -> bool {
        let shared = self.shared.clone();
        let ring = shared.ring.borrow();
        let (offset, newest) = (self.offset(), self.newest());
        let turn = shared.push.turn_events_max();
        if newest.saturating_sub(offset) > turn as u64 {
            let mut burst = shared.burst.get();
            burst.grow(offset, newest, now);
            shared.burst.set(burst);
        }
        let Some(batches) = ring.batches_after(offset, newest) else { return false };
        let after = |batch: &Arc<[Publication]>| batch.partition_point(|each| each.event.offset <= offset);
        let events = batches.flat_map(|batch| (after(batch)..batch.len()).map(move |index| (batch, index)));
        for (batch, index) in events.take(turn) {
            self.route(batch, index, now);
        }
        self.show_progress();
        for key in std::mem::take(&mut self.overrun) {
            self.end(key, &End { reason: CloseReason::Lagging, farewell: None }, now);
        }
        self.offset() < newest
    }

    /// Appends the event, the next one after the router's position, to the outboxes of those that want it.
    fn route(&mut self, batch: &Arc<[Publication]>, index: usize, now: Instant) {
        let publication = &batch[index];
        self.values.apply(publication);
        let event = &publication.event;
        while let Some((key, topic)) = self.pending.take_begun(event.offset) {
            self.index.insert(topic, key, &mut self.sessions[key.index()].links);
        }
        let mut delivery = None;
        let mut refused = std::mem::take(&mut self.overrun);
        // A session may be found more than once; its outbox takes the event once.
        for carrier in event.channel().carriers() {
            let named = self.index.sessions(Topic::symbol(event.id, *carrier));
            let all = self.index.sessions(Topic::all(*carrier));
            for key in named.iter().chain(all) {
                let delivery = delivery.get_or_insert_with(|| {
                    publication.encoded(Dialect::Native);
                    Rc::new(Delivery::new(batch.clone(), index))
                });
                if self.push(*key, delivery, now) == Pushed::Refused {
                    refused.push(*key);
                }
            }
        }
        self.overrun = refused;
    }

    /// Appends an event to the outbox of one session, or leaves it in the ring for it.
    #[inline]
    fn push(&self, key: SessionKey, delivery: &Rc<Delivery>, now: Instant) -> Pushed {
        let entry = &self.sessions[key.index()];
        let mut outbox = entry.outbox.borrow_mut();
        let pushed = outbox.push_event(delivery, now);
        if pushed != Pushed::Overflows {
            return pushed;
        }
        self.metrics.bursts.inc();
        let before = delivery.offset() - 1;
        let mut topics: BTreeMap<_, _> = entry.links.topics().map(|topic| (topic, before)).collect();
        topics.extend(self.pending.of(key));
        let leeway = Leeway::new(&self.shared, delivery.offset());
        outbox.push_replay(Box::new(Replay::burst(before, topics, leeway)), now);
        outbox.push_event(delivery, now)
    }
}
