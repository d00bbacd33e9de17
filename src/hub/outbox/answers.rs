//! Answers in an outbox: those at an offset among the events, and control items before all events. They are never
//! dropped, so a client that sends requests without reading must be closed in time.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::hub::delivery::{Control, Sink};
use crate::hub::index::Topic;
use crate::hub::outbox::{Life, Outbox, Positions, Purpose, Snapshots};
use crate::protocol::{CloseReason, ServerMessage};

/// Memory of an answer beside its bytes, estimated.
const OVERHEAD_BYTES: usize = 128;
/// Most queued pongs per session. A few pings that arrive together are answered one by one.
const PONGS_MAX: usize = 16;
/// A socket that has accepted no data for this time is jammed: of the queued pongs only the newest is useful.
const PONG_PATIENCE: Duration = Duration::from_millis(100);

/// A recovery that is to begin. None of its events is skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The topics, which may be wildcards; all are new to the session.
    pub topics: BTreeSet<Topic>,
    /// The client's cursor: the offset after which the events are missed.
    pub after: u64,
    /// Other subscriptions to the same symbols, or to all, that began later, and the offset after which they began: they have not sent
    /// the days and gaps before that.
    pub later: Vec<(Topic, u64)>,
}

/// An item at an offset among the events: it follows every event up to that offset.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) offset: u64,
    pub(super) body: Body,
}

/// Content of an answer.
#[derive(Debug)]
pub(super) enum Body {
    /// `welcome`, `subscribed` and the like.
    Reply(ServerMessage),
    /// The snapshots after a reply.
    Snapshots(Box<Snapshots>),
    /// The beginning of the recovery with this number, after the client's cursor.
    Recovery { number: u32, after: u64 },
}

impl Answer {
    /// Returns the memory of the answer in bytes, estimated.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Reply(message) => message.bytes(),
            Body::Snapshots(snapshots) => snapshots.bytes(),
            Body::Recovery { .. } => 0,
        }
    }

    /// Returns the offset after which the first event of the recovery can be that begins here.
    pub(super) fn recovers_after(&self) -> Option<u64> {
        if let Body::Recovery { after, .. } = self.body { Some(after) } else { None }
    }
}

impl Outbox {
    /// Appends an answer, which follows every event up to `offset`, the hub's. It does not wait for a window, nor do the events before it.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] if the queued answers already exceed `push.outbox_reply_bytes_max`.
    pub fn push_reply(&mut self, message: ServerMessage, offset: u64, now: Instant) -> Result<(), CloseReason> {
        self.push_replies([message], offset, now)
    }

    /// Appends the messages of one answer, as [`Self::push_reply`].
    ///
    /// # Errors
    ///
    /// See [`Self::push_reply`].
    pub fn push_replies(
        &mut self,
        messages: impl IntoIterator<Item = ServerMessage>,
        offset: u64,
        now: Instant,
    ) -> Result<(), CloseReason> {
        self.check_replies()?;
        for message in messages {
            self.push_answer(Answer { offset, body: Body::Reply(message) }, now);
        }
        Ok(())
    }

    /// Appends the snapshots that follow a reply, which bounds them: at most one per symbol.
    pub fn push_snapshots(&mut self, snapshots: Snapshots, now: Instant) {
        self.push_answer(Answer { offset: snapshots.offset(), body: Body::Snapshots(Box::new(snapshots)) }, now);
    }

    /// Appends a recovery, which follows the queued answers and precedes every event after `offset`, the hub's offset.
    /// From now on no event is skipped until the session has caught up; if it `follows`, none ever is.
    pub fn push_recovery(&mut self, recovery: Recovery, offset: u64, follows: bool, now: Instant) {
        if self.life >= Life::Closing {
            return;
        }
        self.end_lag();
        self.pass_over(offset);
        let purpose = if follows { Purpose::Follow } else { Purpose::Recovery };
        let positions = self.positions.get_or_insert_with(|| Box::new(Positions::new(purpose)));
        positions.protect(purpose);
        // The first missed event of no topic.
        let after = if recovery.topics.is_empty() { u64::MAX } else { recovery.after };
        let number = positions.recover(recovery, self.seen, &self.shared.ring.borrow());
        self.count_positions();
        self.push_answer(Answer { offset, body: Body::Recovery { number, after } }, now);
    }

    fn push_answer(&mut self, answer: Answer, now: Instant) {
        if self.life >= Life::Closing {
            return;
        }
        self.hold(answer.bytes());
        self.answers.push_back(answer);
        self.gate.set_urgent();
        self.wake(now);
    }

    /// Queues a control item before all events and answers. After a close frame nothing is added or sent. Only the most
    /// recent ping must be answered (RFC 6455 section 5.5.3): while the socket accepts no data, one pong is queued.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] if the queued answers already exceed `push.outbox_reply_bytes_max`; a
    /// close frame is never refused.
    pub fn push_control(&mut self, control: Control, now: Instant) -> Result<(), CloseReason> {
        if self.life >= Life::Closing {
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
            self.life = Life::Closing;
            self.forget_events();
        }
        self.wake(now);
        Ok(())
    }

    /// Makes room for a pong: drops the oldest over the limit, or all if the socket is jammed.
    fn forget_pongs(&mut self, now: Instant) {
        let is_pong = |control: &Control| matches!(control, Control::Pong(_));
        let kept = if self.overdue(now) < PONG_PATIENCE { PONGS_MAX - 1 } else { 0 };
        let waiting = self.front.iter().filter(|control| is_pong(control)).count();
        for _ in kept..waiting {
            if let Some(index) = self.front.iter().position(is_pong)
                && let Some(pong) = self.front.remove(index)
            {
                self.release_bytes(pong.bytes());
                self.shared.config.metrics.pongs_skipped.inc();
            }
        }
    }

    fn check_replies(&self) -> Result<(), CloseReason> {
        let is_full = self.held_bytes() >= self.shared.config.push.outbox_reply_bytes_max;
        if is_full { Err(CloseReason::UnreadReplies) } else { Ok(()) }
    }

    /// Drains control items into the sink, up to one write. Returns their number.
    pub(super) fn drain_front(&mut self, sink: &mut impl Sink) -> u64 {
        let mut messages = 0;
        while !sink.is_full()
            && let Some(control) = self.front.pop_front()
        {
            self.release_bytes(control.bytes());
            sink.control(control);
            messages += 1;
        }
        messages
    }

    /// Counts an answer of this many bytes as sent.
    pub(super) fn release_bytes(&mut self, bytes: usize) {
        self.held.remove(bytes + OVERHEAD_BYTES);
    }

    /// Counts an answer of this many bytes as queued. If the limit of all clients is exceeded, all hubs are notified.
    fn hold(&mut self, bytes: usize) {
        self.held.add(bytes + OVERHEAD_BYTES);
        self.shared.notify_if_crowded();
    }

    /// Counts the bytes again after everything but the control items was dropped.
    pub(super) fn count_front(&mut self) {
        self.held.set(self.front.iter().map(|control| control.bytes() + OVERHEAD_BYTES).sum());
    }

    /// Returns the bytes of the queued answers, and of the positions.
    pub fn held_bytes(&self) -> usize {
        self.held.bytes() + self.held_behind.bytes()
    }

    /// Stops counting the bytes of a session that is about to be ended and freed.
    pub(in crate::hub) fn stop_counting(&mut self) {
        self.held.set(0);
        self.held_behind.set(0);
    }

    /// Drops the queued control items of a client that has left too much unread: the close frame is the next item.
    pub fn forget_front(&mut self) {
        self.front = VecDeque::new();
    }
}
