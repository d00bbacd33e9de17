//! Routing of arrived events, in turns with the sessions of the thread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::hub::SessionKey;
use crate::hub::delivery::Delivery;
use crate::hub::router::{Entry, Router};
use crate::protocol::Publication;

/// Events that may wait to be routed even if the ring is shorter.
const UNROUTED_EVENTS_MAX: usize = 65_536;

impl Router {
    /// Appends a batch that follows [`Self::newest`] to the ring, which keeps it until [`Self::route_turn`] has routed
    /// it.
    pub fn accept(&mut self, batch: Arc<[Publication]>) {
        self.save_bursts(batch.len());
        self.shared.ring.borrow_mut().push_keeping(batch, self.offset());
    }

    /// Queues unread events of bursts, or begins a lag, before the ring evicts them.
    fn save_bursts(&mut self, added: usize) {
        if self.shared.bursts.borrow().is_empty() {
            return;
        }
        let Some(evicted) = self.shared.ring.borrow().would_evict(added, self.offset()) else { return };
        let keys: Vec<_> = self.shared.bursts.borrow().iter().copied().collect();
        for key in keys {
            self.sessions[key.index()].outbox.borrow_mut().save_burst(evicted);
        }
    }

    /// Returns the offset of the newest event or restart that has arrived, routed or not.
    pub fn newest(&self) -> u64 {
        let restart = self.restarts.back().map(|restart| restart.offset);
        let newest = self.shared.ring.borrow().newest().max(restart).unwrap_or(0);
        newest.max(self.offset())
    }

    /// Returns whether more events wait to be routed than the ring holds, so that the router cannot catch up.
    pub(in crate::hub) fn is_overrun(&self) -> bool {
        let events_max = self.shared.ring.borrow().capacity().max(UNROUTED_EVENTS_MAX);
        self.newest() - self.offset() > events_max as u64
    }

    /// Routes the next events that have arrived, as many as the sessions can handle in one turn (see
    /// [`PushConfig::turn_events_max`](crate::hub::PushConfig::turn_events_max)). Returns whether there are more.
    pub fn route_turn(&mut self, now: Instant) -> bool {
        let shared = self.shared.clone();
        let ring = shared.ring.borrow();
        let (offset, newest) = (self.offset(), self.newest());
        let turn = shared.config.push.turn_events_max();
        if shared.config.is_lossless {
            if offset < newest && self.is_jammed() {
                return false;
            }
        } else if newest.saturating_sub(offset) > turn as u64 {
            shared.burst_end.set(newest);
        }
        let end = self.next_restart().unwrap_or(u64::MAX);
        if offset + 1 == end {
            self.begin_epoch(now);
            self.tell_notices(now);
            return end < newest;
        }
        let Some(batches) = ring.batches_after(offset, newest) else { return false };
        let after = |batch: &Arc<[Publication]>| batch.partition_point(|each| each.event.offset <= offset);
        let events = batches.flat_map(|batch| (after(batch)..batch.len()).map(move |index| (batch, index)));
        let events = events.take_while(|(batch, index)| batch[*index].event.offset < end);
        // No event is routed before a notice that precedes it has been told.
        let place = self.notices.front().map_or(u64::MAX, |(place, _)| *place);
        let turn = turn.min(usize::try_from(place.saturating_sub(offset)).unwrap_or(usize::MAX));
        for (batch, index) in events.take(turn) {
            let id = batch[index].event.id;
            // The other tasks of the thread run after each new symbol, because many sessions may get it.
            let ends = self.growth.begins(id) && self.begin_symbol(id);
            self.route(batch, index, now);
            if ends {
                break;
            }
        }
        self.show_progress();
        self.tell_notices(now);
        self.close_lagging(now);
        self.offset() < newest
    }

    /// Returns whether a session could not follow if more events were routed: its queue is half full, or it reads far back in the ring.
    /// Only a router that may lose nothing waits for it.
    pub(in crate::hub) fn is_jammed(&self) -> bool {
        let behind_max = self.shared.ring.borrow().capacity() as u64 / 2;
        let is_jammed = |entry: &Entry| entry.outbox.borrow().is_jammed(self.newest(), behind_max);
        self.config().is_lossless && self.sessions.iter().any(|(_, entry)| is_jammed(entry))
    }

    /// Does the next writes to sessions with data due, as many as [`PushConfig::turn_writes_max`](crate::hub::PushConfig). Returns
    /// whether there are more.
    pub(in crate::hub) fn write_turn(&self, now: Instant) -> bool {
        let (pass, writes_max) = (&self.shared.pass, self.config().push.turn_writes_max);
        // A session that has left writes by itself.
        let writer = |key: SessionKey| self.sessions.get(key.index()).and_then(|entry| entry.writer.as_ref());
        pass.look_ahead(writes_max, |key| writer(*key).into_iter().for_each(|writer| writer.load()));
        for key in (0..writes_max).map_while(|_| pass.next()) {
            if writer(key).is_some_and(|writer| writer.write(now)) {
                pass.add(key);
            }
        }
        let has_more = pass.len() > 0;
        self.config().metrics.write_turns_full.inc_by(u64::from(has_more));
        has_more
    }

    /// Appends the next event of the stream to the outboxes of the subscribed sessions.
    fn route(&mut self, batch: &Arc<[Publication]>, index: usize, now: Instant) {
        let publication = &batch[index];
        self.values.apply(publication);
        let mut delivery = None;
        let mut prepared: Option<fn(&Publication)> = None;
        // A session may match more than once; its outbox ignores duplicates.
        for topic in publication.event.topics() {
            for key in self.index.sessions(topic) {
                let delivery = delivery.get_or_insert_with(|| Rc::new(Delivery::new(batch.clone(), index)));
                let Entry { outbox, prepare, .. } = &self.sessions[key.index()];
                // Once for neighbours with the same dialect; it does nothing the second time.
                if prepared.is_none_or(|done| !std::ptr::fn_addr_eq(done, *prepare)) {
                    prepare(publication);
                    prepared = Some(*prepare);
                }
                outbox.borrow_mut().push_event(delivery, now);
            }
        }
    }
}
