//! The part of an outbox that takes answers: those that keep their place among the events, and those that go first. They are
//! never dropped, so a client that asks and does not read must be closed in time.

use std::rc::Rc;
use std::time::Instant;

use crate::hub::delivery::{Control, Item, Reply, Sink};
use crate::hub::outbox::Outbox;
use crate::protocol::CloseReason;

/// What an answer takes beside its bytes, about.
const OVERHEAD_BYTES: usize = 64;
/// What an event keeps in memory, about, with its part of a batch that the ring has let go.
const EVENT_BYTES: usize = 256;

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
        self.push_snapshot(reply, now);
        Ok(())
    }

    /// Appends a snapshot, which follows an answer and is bounded by that: by one for each symbol.
    pub fn push_snapshot(&mut self, reply: Rc<Reply>, now: Instant) {
        if self.closing {
            return;
        }
        self.reply_bytes += reply.bytes.len() + OVERHEAD_BYTES;
        self.queue.push_back(Item::Reply(reply));
        self.urgent = true;
        self.wake(now);
    }

    /// Puts a control item before everything that waits. After a close nothing else goes in or out.
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
        self.reply_bytes += control.len() + OVERHEAD_BYTES;
        self.front.push_back(control);
        if closes {
            self.closing = true;
            self.forget_queue();
        }
        self.wake(now);
        Ok(())
    }

    /// Events beyond the bound, and beyond one for each topic, are there because an answer follows them: they count with it.
    fn check_replies(&self) -> Result<(), CloseReason> {
        let newest = self.lag.as_ref().map_or(0, |lag| lag.topics());
        let pinned = self.events.saturating_sub(self.shared.push.outbox_events_max + newest);
        let is_full = self.reply_bytes + pinned * EVENT_BYTES >= self.shared.push.outbox_reply_bytes_max;
        if is_full { Err(CloseReason::UnreadReplies) } else { Ok(()) }
    }

    /// Gives what is at the front to the sink, as much as fits into one write. Returns how much that was.
    pub(super) fn drain_front(&mut self, sink: &mut impl Sink) -> u64 {
        let mut messages = 0;
        while !sink.is_full()
            && let Some(control) = self.front.pop_front()
        {
            self.drained_reply(control.len());
            sink.control(control);
            messages += 1;
        }
        messages
    }

    /// Takes note that an answer of so many bytes waits no more.
    pub(super) fn drained_reply(&mut self, bytes: usize) {
        self.reply_bytes = self.reply_bytes.saturating_sub(bytes + OVERHEAD_BYTES);
    }
}
