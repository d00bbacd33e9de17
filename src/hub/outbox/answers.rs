//! The part of an outbox that takes answers: those that keep their place among the events, and those that go first. They are
//! never dropped, so a client that asks and does not read must be closed in time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::hub::delivery::{Control, Sink};
use crate::hub::index::Topic;
use crate::hub::outbox::scan::{Kind, Scan};
use crate::hub::outbox::{Life, Outbox, Snapshots};
use crate::protocol::CloseReason;

/// What an answer takes beside its bytes, about.
const OVERHEAD_BYTES: usize = 128;
/// What is kept of each topic of a recovery that waits, about.
const TOPIC_BYTES: usize = 64;
/// Pongs that wait for one session, at most. Pings that arrive together are answered one by one, as long as they are few.
const PONGS_MAX: usize = 16;
/// A socket that has taken nothing for so long is jammed: of the pongs that wait only the newest is of use.
const PONG_PATIENCE: Duration = Duration::from_millis(100);

/// An answer that keeps its place among the events: `welcome`, `subscribed`.
#[derive(Debug)]
pub struct Reply {
    /// The position of the stream at which it was made: every event up to there goes before it.
    pub offset: u64,
    /// The encoded message.
    pub bytes: Vec<u8>,
}

/// What a session has missed of some topics: the events after an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// The offset.
    pub after: u64,
    /// The topics, which may be wildcards.
    pub topics: BTreeSet<Topic>,
    /// What the session gets already, and has unsent events after these offsets: none of them is skipped.
    pub unsent: BTreeMap<Topic, u64>,
}

/// Something that has its place among the events: it follows every event up to its offset.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) offset: u64,
    pub(super) body: Body,
}

/// What has its place among the events.
#[derive(Debug)]
pub(super) enum Body {
    Reply(Rc<Reply>),
    /// What follows a reply.
    Snapshots(Box<Snapshots>),
    /// Missed events follow.
    Rewind(Box<Rewind>),
}

impl Answer {
    /// Returns about how many bytes it keeps.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Reply(reply) => reply.bytes.capacity(),
            Body::Snapshots(snapshots) => snapshots.bytes(),
            Body::Rewind(rewind) => size_of::<Rewind>() + (rewind.topics.len() + rewind.unsent.len()) * TOPIC_BYTES,
        }
    }
}

impl Outbox {
    /// Appends an answer that keeps its place. It is sent at once, and what stands before it goes along.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] when the answers that wait take `push.outbox_reply_bytes_max` already.
    pub fn push_reply(&mut self, reply: Rc<Reply>, now: Instant) -> Result<(), CloseReason> {
        self.check_replies()?;
        self.push_answer(Answer { offset: reply.offset, body: Body::Reply(reply) }, now);
        Ok(())
    }

    /// Appends the snapshots that follow a reply. They are bounded by that: at most one for each symbol.
    pub fn push_snapshots(&mut self, snapshots: Snapshots, now: Instant) {
        self.push_answer(Answer { offset: snapshots.offset(), body: Body::Snapshots(Box::new(snapshots)) }, now);
    }

    /// Appends what the session has missed: it follows the answers that wait, and comes before everything after `offset`, the
    /// hub's position. From now on nothing is skipped, until the session has caught up; if it `follows`, for good.
    pub fn push_rewind(&mut self, rewind: Rewind, offset: u64, follows: bool, now: Instant) {
        if self.life >= Life::Closing {
            return;
        }
        self.end_lag();
        let kind = if follows { Kind::Follow } else { Kind::Recovery };
        match &mut self.scan {
            Some(scan) => scan.protect(kind),
            None => self.scan = Some(Box::new(Scan::new(offset, kind))),
        }
        for topic in rewind.topics.iter().chain(rewind.unsent.keys()) {
            self.begin_topic(*topic, offset.max(rewind.after));
        }
        self.push_answer(Answer { offset, body: Body::Rewind(Box::new(rewind)) }, now);
    }

    fn push_answer(&mut self, answer: Answer, now: Instant) {
        if self.life >= Life::Closing {
            return;
        }
        self.hold(answer.bytes());
        self.answers.push_back(answer);
        self.gate.hurry();
        self.gate.wake(now);
    }

    /// Puts a control item before everything that waits. After a close nothing else goes in or out. Only the
    /// most recent ping must be answered (RFC 6455 section 5.5.3): while the socket takes nothing, one pong waits.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] when the answers that wait take `push.outbox_reply_bytes_max` already; a
    /// close is never refused.
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
        self.gate.wake(now);
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
                self.release_bytes(pong.bytes());
                self.shared.metrics.pongs_skipped.inc();
            }
        }
    }

    fn check_replies(&self) -> Result<(), CloseReason> {
        let is_full = self.held.bytes() >= self.shared.push.outbox_reply_bytes_max;
        if is_full { Err(CloseReason::UnreadReplies) } else { Ok(()) }
    }

    /// Gives what is at the front to the sink, as much as fits into one write. Returns how much that was.
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

    /// Takes note that an answer of so many bytes waits no more.
    pub(super) fn release_bytes(&mut self, bytes: usize) {
        self.held.remove(bytes + OVERHEAD_BYTES);
    }

    /// Takes note that an answer of so many bytes waits. When too much waits in the whole process, all hubs are told.
    fn hold(&mut self, bytes: usize) {
        self.held.add(bytes + OVERHEAD_BYTES);
        self.shared.tell_crowded();
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
