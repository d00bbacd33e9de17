//! Draining of events that are read from the ring: those at the positions, and the newest events of topics. Reads are limited by the
//! hub's turn.

use std::time::Instant;

use crate::history::Ring;
use crate::hub::delivery::Sink;
use crate::hub::outbox::Outbox;
use crate::hub::outbox::drain::Drained;
use crate::hub::outbox::lag::Unannounced;
use crate::protocol::{Mode, Publication};

/// Least cost of a read from the ring, in events read: for the search, and for the write.
const READ_WORK_MIN: usize = 64;
/// Most events of a burst that are read in one turn.
const BURST_SCAN_MAX: usize = 4_096;

/// Events that may be read from the ring in this drain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    max: usize,
    left: usize,
    /// Whether they are part of the hub's turn. Events of a burst are not, because they replace queued events and no
    /// request caused them.
    is_turn: bool,
}

impl Outbox {
    /// Reads the next event from the ring and drains it, if it is still to be sent. Returns false if the session must wait
    /// for its turn, or be closed.
    pub(super) fn read_next(&mut self, ring: &Ring, now: Instant, sink: &mut impl Sink, drained: &mut Drained) -> bool {
        if !self.may_read(now, drained) {
            return false;
        }
        let (Some(offset), Some(positions)) = (self.next_read(), &mut self.positions) else { return false };
        let Some((batch, index)) = ring.find(offset, &mut self.near) else {
            self.close_lagging();
            return false;
        };
        let carriers = positions.advance(ring);
        drained.reads.iter_mut().for_each(|reads| reads.left -= 1);
        if positions.wants(&batch[index].event, &carriers, &self.links) {
            self.drain_read(&batch[index], now, sink, drained);
        }
        true
    }

    /// Drains an event that was read from the ring, or merges it if its topic is in mode `latest` by now.
    fn drain_read(&mut self, publication: &Publication, now: Instant, sink: &mut impl Sink, drained: &mut Drained) {
        let event = &publication.event;
        if self.latest.is_none() || !self.merge_latest(event.topic(), event.offset, now) {
            drained.read += 1;
            if drained.count(publication, sink) {
                sink.event(publication, 0);
            }
        }
    }

    /// Drains the next event that is the newest of its topic.
    pub(super) fn drain_newest(
        &mut self,
        ring: &Ring,
        now: Instant,
        sink: &mut impl Sink,
        drained: &mut Drained,
    ) -> bool {
        let Some(((offset, topic), unsent)) = self.newest.pop_first() else { return false };
        let found = ring.find_newest(topic, offset, &mut self.near);
        if found.is_none() && self.is_recovering() && self.mode_of(topic) == Mode::All {
            self.newest.insert((offset, topic), unsent);
            self.close_lagging();
            return false;
        }
        if let (Some(_), Some(latest)) = (unsent, &mut self.latest) {
            latest.sent(topic, now);
            self.rearm(now);
        }
        let (first, skipped) = unsent.map_or((offset, 0), |unsent| (unsent.first, unsent.skipped));
        if let Some((batch, index)) = found {
            if drained.count_live(&batch[index], sink) {
                sink.event(&batch[index], skipped);
            }
        } else {
            // The event was evicted, because a newer one of its topic is about to arrive.
            self.skip(topic, offset, Unannounced { skipped: u64::from(skipped) + 1, since_offset: first });
            self.announce_skipped(sink, drained);
        }
        true
    }

    /// Returns whether the session may read from the ring; takes its part of the turn for that. If not, records that
    /// the session is paused.
    fn may_read(&mut self, now: Instant, drained: &mut Drained) -> bool {
        let is_turn = self.is_recovering();
        let reads = drained.reads.get_or_insert_with(|| {
            let max = if is_turn { self.shared.turn.borrow_mut().take(self.key, now) } else { BURST_SCAN_MAX };
            Reads { max, left: max, is_turn }
        });
        drained.is_paused = reads.left == 0;
        !drained.is_paused
    }

    /// Charges the events read to the turn and to the session.
    pub(super) fn settle(&mut self, drained: &Drained) {
        let Some(Reads { max, left, is_turn }) = drained.reads else { return };
        self.shared.config.metrics.replay_events_scanned.inc_by((max - left) as u64);
        if is_turn && max > 0 {
            let used = (max - left).max(READ_WORK_MIN);
            self.shared.turn.borrow_mut().settle(max, used);
            self.work += used as u64;
        }
    }
}
