//! The part of an outbox that takes answers: those that keep their place among the events, and those that go first. They are
//! never dropped, so a client that asks and does not read must be closed in time.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::hub::delivery::{Control, Item, Reply, Sink};
use crate::hub::outbox::Outbox;
use crate::hub::snapshots::Snapshots;
use crate::protocol::CloseReason;

/// What an answer takes beside its bytes, about.
const OVERHEAD_BYTES: usize = 128;
/// What an event keeps in memory, about, with its part of a batch that the ring has let go.
const EVENT_BYTES: usize = 256;
/// Pongs that wait for one session, at most. Pings that arrive together are answered one by one, as long as they are few.
const PONGS_MAX: usize = 16;
/// A socket that has taken nothing for so long is jammed: of the pongs that wait only the newest is of use.
const PONG_PATIENCE: Duration = Duration::from_millis(100);

impl Outbox {
    /// Appends an answer that keeps its place. It is sent at once, and what stands before it goes along.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] when the answers that wait take `push.outbox_reply_bytes_max` already.
    pub fn push_reply(&mut self, reply: Rc<Reply>, now: Instant) -> Result<(), CloseReason> {
        self.check_replies()?;
        if reply.vouches
            && let Some(lag) = &mut self.lag
        {
            lag.keep_all();
        }
        self.push_answer(reply.bytes.capacity(), Item::Reply(reply), now);
        Ok(())
    }

    /// Appends the snapshots that follow an answer. They are bounded by that: at most one for each symbol.
    pub fn push_snapshots(&mut self, snapshots: Snapshots, now: Instant) {
        self.push_answer(snapshots.bytes(), Item::Snapshots(Box::new(snapshots)), now);
    }

    fn push_answer(&mut self, bytes: usize, item: Item, now: Instant) {
        if self.closing {
            return;
        }
        self.hold(bytes);
        self.queue.push_back(item);
        self.urgent = true;
        self.wake(now);
    }

    /// Puts a control item before everything that waits. After a close nothing else goes in or out. Only the
    /// most recent ping must be answered (RFC 6455 section 5.5.3): while the socket takes nothing, one pong waits.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] when the answers that wait take `push.outbox_reply_bytes_max` already; a
    /// close is never refused.
    pub fn push_control(&mut self, control: Control, now: Instant) -> Result<(), CloseReason> {
        if self.closing {
            return Ok(());
        }
        let closes = matches!(control, Control::Close(_) | Control::CloseAnswer(_));
        if !closes {
            self.check_replies()?;
        }
        if matches!(control, Control::Pong(_)) {
            self.forget_pongs(now);
        }
        self.hold(control.bytes());
        self.front.push_back(control);
        if closes {
            self.closing = true;
            self.forget_queue();
        }
        self.wake(now);
        Ok(())
    }

    /// Makes room for a pong: the oldest go when as many wait as may, all of them when the socket is jammed.
    fn forget_pongs(&mut self, now: Instant) {
        let is_pong = |control: &Control| matches!(control, Control::Pong(_));
        let kept = if self.overdue(now) < PONG_PATIENCE { PONGS_MAX - 1 } else { 0 };
        let waiting = self.front.iter().filter(|control| is_pong(control)).count();
        for _ in kept..waiting {
            if let Some(place) = self.front.iter().position(is_pong)
                && let Some(pong) = self.front.remove(place)
            {
                self.drained_reply(pong.bytes());
                self.shared.metrics.pongs_skipped.inc();
            }
        }
    }

    /// Events beyond the bound, and beyond one for each topic, are there because an answer follows them: they count with it.
    fn check_replies(&self) -> Result<(), CloseReason> {
        let newest = self.lag.as_ref().map_or(0, |lag| lag.topics());
        let pinned = (self.events + self.latest).saturating_sub(self.shared.push.outbox_events_max + newest);
        let is_full = self.held.bytes() + pinned * EVENT_BYTES >= self.shared.push.outbox_reply_bytes_max;
        if is_full { Err(CloseReason::UnreadReplies) } else { Ok(()) }
    }

    /// Gives what is at the front to the sink, as much as fits into one write. Returns how much that was.
    pub(super) fn drain_front(&mut self, sink: &mut impl Sink) -> u64 {
        let mut messages = 0;
        while !sink.is_full()
            && let Some(control) = self.front.pop_front()
        {
            self.drained_reply(control.bytes());
            sink.control(control);
            messages += 1;
        }
        messages
    }

    /// Takes note that an answer of so many bytes waits no more.
    pub(super) fn drained_reply(&mut self, bytes: usize) {
        self.held.remove(bytes + OVERHEAD_BYTES);
    }

    /// Takes note that an answer of so many bytes waits. When too much waits in the whole process, all hubs are told.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.held.add(bytes + OVERHEAD_BYTES);
        if self.shared.is_crowded() {
            self.shared.crowded.notify_waiters();
        }
    }

    /// Counts what is held anew when nothing but the front is left.
    pub(super) fn count_front(&mut self) {
        self.held.set(self.front.iter().map(|control| control.bytes() + OVERHEAD_BYTES).sum());
    }

    /// Returns what the answers that wait take, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.held.bytes()
    }

    /// Counts what is held no more: the session is told to end, and it is about to be freed.
    pub(in crate::hub) fn write_off(&mut self) {
        self.held.set(0);
    }

    /// Forgets what waits at the front: the client leaves too much unread, and gets nothing but the close that follows.
    pub fn forget_front(&mut self) {
        self.front = VecDeque::new();
    }
}
