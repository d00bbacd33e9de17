//! `Outbox`: what one session has still to be sent. Bounded; conflates when its session falls behind; tells when a write
//! is due. It is drained by the transport, which knows how messages become bytes on a socket.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::hub::PushConfig;
use crate::hub::delivery::{Control, Delivery, Item, Reply, Sink};
use crate::hub::lag::Lag;
use crate::protocol::native::encode_lag;
use crate::protocol::{CloseReason, Dialect};

/// Queues keep room for this many entries when they are empty, and give back what they grew beyond twice of it.
const IDLE_CAPACITY: usize = 32;

/// What one drain has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// How many events.
    pub events: u64,
    /// Whether a window is open now, which [`Outbox::end_window`] must end after `push.coalesce_ms`.
    pub opens_window: bool,
}

/// What one session has still to be sent; see the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, each documented")]
pub struct Outbox {
    config: Rc<PushConfig>,
    front: VecDeque<Control>,
    queue: VecDeque<Item>,
    events: usize,
    lag: Option<Box<Lag>>,
    /// The newest offset that was pushed or passed over: what comes twice, or from before a cursor, is not sent.
    seen: u64,
    /// Whether a write was less than `push.coalesce_ms` ago: events wait for the window to end.
    window: bool,
    /// Something is there that waits for no window.
    urgent: bool,
    /// Nothing more goes in.
    closing: bool,
    /// Nothing more comes out.
    finished: bool,
    due_since: Option<Instant>,
    last_drain: Instant,
    waker: Option<Waker>,
    skipped_total: u64,
    lags_total: u64,
}

impl Outbox {
    /// Returns an empty outbox that passes over everything up to the offset `seen`.
    pub fn new(config: Rc<PushConfig>, seen: u64, now: Instant) -> Self {
        Self {
            config,
            front: VecDeque::new(),
            queue: VecDeque::new(),
            events: 0,
            lag: None,
            seen,
            window: false,
            urgent: false,
            closing: false,
            finished: false,
            due_since: None,
            last_drain: now,
            waker: None,
            skipped_total: 0,
            lags_total: 0,
        }
    }

    /// Appends an event; when the outbox is full, obsolete ones make room.
    #[inline]
    pub fn push_event(&mut self, delivery: &Rc<Delivery>, now: Instant) {
        if delivery.offset() <= self.seen || self.closing {
            return;
        }
        self.seen = delivery.offset();
        if self.lag.is_none() && self.events < self.config.outbox_events_max {
            self.queue.push_back(Item::Event(delivery.clone()));
            self.events += 1;
        } else {
            self.merge(delivery);
        }
        if !self.window {
            self.wake(now);
        }
    }

    #[cold]
    fn merge(&mut self, delivery: &Rc<Delivery>) {
        let (queue, lags_total) = (&mut self.queue, &mut self.lags_total);
        let lag = self.lag.get_or_insert_with(|| {
            *lags_total += 1;
            Box::new(Lag::begin(queue))
        });
        lag.push(delivery, queue);
        self.events = lag.events();
    }

    /// Appends an answer that keeps its place. It is sent at once, and what stands before it goes along.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] when `push.outbox_replies_max` are waiting already.
    pub fn push_reply(&mut self, reply: Rc<Reply>, now: Instant) -> Result<(), CloseReason> {
        if self.queue.len() - self.events >= self.config.outbox_replies_max {
            return Err(CloseReason::UnreadReplies);
        }
        if !self.closing {
            self.queue.push_back(Item::Reply(reply));
            self.urgent = true;
            self.wake(now);
        }
        Ok(())
    }

    /// Puts a control item before everything that waits. After [`Control::Close`] nothing else goes in or out.
    ///
    /// # Errors
    ///
    /// Returns [`CloseReason::UnreadReplies`] when `push.outbox_replies_max` are waiting already; a close is never
    /// refused.
    pub fn push_control(&mut self, control: Control, now: Instant) -> Result<(), CloseReason> {
        if self.closing {
            return Ok(());
        }
        let closes = matches!(control, Control::Close(_));
        if !closes && self.front.len() >= self.config.outbox_replies_max {
            return Err(CloseReason::UnreadReplies);
        }
        self.front.push_back(control);
        if closes {
            self.closing = true;
            self.forget_queue();
        }
        self.wake(now);
        Ok(())
    }

    /// Ends the outbox: once what waits at the front is drained, the drain is told that there is no more.
    pub fn finish(&mut self, now: Instant) {
        self.closing = true;
        self.finished = true;
        self.forget_queue();
        self.wake(now);
    }

    /// Ends the outbox and frees everything that waits in it.
    pub fn abandon(&mut self, now: Instant) {
        self.front = VecDeque::new();
        self.finish(now);
    }

    /// Passes over everything up to this offset.
    pub fn pass_over(&mut self, offset: u64) {
        self.seen = self.seen.max(offset);
    }

    /// Ends the window that a write has opened: what has come since is due now.
    pub fn end_window(&mut self, now: Instant) {
        self.window = false;
        if !self.queue.is_empty() {
            self.wake(now);
        }
    }

    /// Gives what is due to the sink, as much as fits into one write, and keeps the waker when nothing is.
    ///
    /// Returns `Ready(None)` when there is nothing more and never will be.
    pub fn poll_drain(&mut self, cx: &Context<'_>, now: Instant, sink: &mut impl Sink) -> Poll<Option<Drained>> {
        let due = !self.front.is_empty() || (!self.queue.is_empty() && (self.urgent || !self.window));
        if !due {
            self.due_since = None;
            if self.finished {
                return Poll::Ready(None);
            }
            if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                self.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        for control in self.front.drain(..) {
            sink.control(control);
        }
        let events = self.drain_queue(sink);
        self.last_drain = now;
        self.due_since = None;
        let was_open = self.window;
        if self.queue.is_empty() {
            self.urgent = false;
            self.window |= events > 0 && !self.config.coalesce().is_zero();
            shrink(&mut self.queue);
            shrink(&mut self.front);
        }
        Poll::Ready(Some(Drained { events, opens_window: self.window && !was_open }))
    }

    fn drain_queue(&mut self, sink: &mut impl Sink) -> u64 {
        if let Some(lag) = self.lag.take()
            && let Some((skipped, since_offset)) = lag.end(&mut self.queue)
        {
            self.skipped_total += skipped;
            sink.message(&encode_lag(skipped, since_offset));
        }
        let before = self.events;
        while !sink.is_full()
            && let Some(item) = self.queue.pop_front()
        {
            match item {
                Item::Event(delivery) => {
                    self.events -= 1;
                    sink.event(delivery.publication());
                }
                Item::Reply(reply) => sink.message(&reply.bytes),
            }
        }
        (before - self.events) as u64
    }

    fn forget_queue(&mut self) {
        self.queue = VecDeque::new();
        self.events = 0;
        self.lag = None;
    }

    fn wake(&mut self, now: Instant) {
        self.due_since.get_or_insert(now);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns for how long something has been due without being drained.
    pub fn overdue(&self, now: Instant) -> Duration {
        self.due_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Returns when something was last drained.
    pub fn last_drain(&self) -> Instant {
        self.last_drain
    }

    /// Returns how many events were skipped and how often the session fell behind since the last call.
    pub fn take_lag_counts(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.skipped_total), std::mem::take(&mut self.lags_total))
    }

    /// Returns the dialect that the session speaks.
    pub fn dialect(&self) -> Dialect {
        Dialect::Native
    }
}

fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > IDLE_CAPACITY * 2 {
        queue.shrink_to(IDLE_CAPACITY);
    }
}

#[cfg(test)]
#[path = "outbox_test.rs"]
mod tests;
