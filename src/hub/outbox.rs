//! `Outbox`: what one session has still to be sent. Bounded; conflates when its session falls behind; tells when a write
//! is due. It is drained by the transport, which knows how messages become bytes on a socket.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::domain::Channel;
use crate::hub::PushConfig;
use crate::protocol::native::encode_lag;
use crate::protocol::{CloseReason, Dialect, Publication};

/// Queues keep room for this many entries when they are empty, and give back what they grew beyond it.
const IDLE_CAPACITY: usize = 32;

/// One event on its way to sessions of one hub: made once per event and worker, then only its reference is counted.
#[derive(Debug)]
pub struct Delivery {
    batch: Arc<[Publication]>,
    index: usize,
    /// The event's offset.
    offset: u64,
    /// Symbol and channel in one number.
    key: usize,
}

impl Delivery {
    /// Returns the delivery of the batch's event at `index`.
    pub fn new(batch: Arc<[Publication]>, index: usize) -> Self {
        let event = &batch[index].event;
        Self { offset: event.offset, key: event.id.index() * Channel::COUNT + event.channel().index(), batch, index }
    }

    /// Returns the event with its encoded bytes.
    pub fn publication(&self) -> &Publication {
        &self.batch[self.index]
    }
}

/// What goes to the front of an outbox and is never dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A message of the dialect: an error, a `pong`, a heartbeat, `goodbye`.
    Message(Vec<u8>),
    /// A transport-level ping.
    Ping,
    /// The answer to a transport-level ping, with the same payload.
    Pong(Bytes),
    /// The end: nothing follows it.
    Close(CloseReason),
}

/// An answer that keeps its place among the events: `subscribed`, `snapshot`.
#[derive(Debug)]
pub struct Reply {
    /// The position of the stream at which it was made.
    pub offset: u64,
    /// The encoded message.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
enum Item {
    Event(Rc<Delivery>),
    Reply(Rc<Reply>),
}

impl Item {
    /// Sorts items as the stream has them: a reply follows the event at whose position it was made.
    fn order(&self) -> (u64, bool) {
        match self {
            Self::Event(delivery) => (delivery.offset, false),
            Self::Reply(reply) => (reply.offset, true),
        }
    }
}

/// What has been merged away since the outbox was full.
#[derive(Debug, Default)]
struct Lag {
    /// Where in the queue the newest event of each key stands.
    newest: HashMap<usize, usize>,
    skipped: u64,
    since_offset: u64,
}

/// Takes what an outbox gives, in the order in which it must be sent.
pub trait Sink {
    /// Takes a control item.
    fn control(&mut self, control: Control);
    /// Takes one message of the dialect.
    fn message(&mut self, bytes: &[u8]);
    /// Takes one event.
    fn event(&mut self, publication: &Publication);
    /// Returns whether this is enough for one write.
    fn is_full(&self) -> bool;
}

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

    /// Appends an event; when the outbox is full, the oldest values make room.
    #[inline]
    pub fn push_event(&mut self, delivery: &Rc<Delivery>, now: Instant) {
        if delivery.offset <= self.seen || self.closing {
            return;
        }
        self.seen = delivery.offset;
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
    /// Returns [`CloseReason::UnreadReplies`] when `push.outbox_replies_max` are waiting already.
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
        self.urgent = true;
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
            self.window = !self.config.coalesce().is_zero();
            shrink(&mut self.queue);
            shrink(&mut self.front);
        }
        Poll::Ready(Some(Drained { events, opens_window: self.window && !was_open }))
    }

    fn drain_queue(&mut self, sink: &mut impl Sink) -> u64 {
        if let Some(lag) = self.lag.take() {
            sink.message(&encode_lag(lag.skipped, lag.since_offset));
            self.queue.make_contiguous().sort_by_key(Item::order);
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

    /// Keeps the newest event of each key only, and counts the others. The queue then holds one event for each
    /// subscription at the most.
    fn merge(&mut self, delivery: &Rc<Delivery>) {
        if self.lag.is_none() {
            self.fall_behind();
        }
        let Some(lag) = &mut self.lag else { return };
        if let Some(place) = lag.newest.get(&delivery.key) {
            self.queue[*place] = Item::Event(delivery.clone());
            lag.skipped += 1;
            self.skipped_total += 1;
        } else {
            lag.newest.insert(delivery.key, self.queue.len());
            self.queue.push_back(Item::Event(delivery.clone()));
            self.events += 1;
        }
    }

    fn fall_behind(&mut self) {
        let mut last = HashMap::new();
        for (place, item) in self.queue.iter().enumerate() {
            if let Item::Event(delivery) = item {
                last.insert(delivery.key, place);
            }
        }
        let mut lag = Lag::default();
        let mut kept = VecDeque::with_capacity(last.len());
        for (place, item) in self.queue.drain(..).enumerate() {
            match &item {
                Item::Event(delivery) if last[&delivery.key] != place => {
                    lag.since_offset = if lag.skipped == 0 { delivery.offset } else { lag.since_offset };
                    lag.skipped += 1;
                }
                Item::Event(delivery) => {
                    lag.newest.insert(delivery.key, kept.len());
                    kept.push_back(item);
                }
                Item::Reply(_) => kept.push_back(item),
            }
        }
        self.skipped_total += lag.skipped;
        self.lags_total += 1;
        if lag.skipped == 0 {
            lag.since_offset = self.seen;
        }
        self.queue = kept;
        self.events = lag.newest.len();
        self.lag = Some(Box::new(lag));
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

    /// Returns whether the end has been asked for.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Returns how many events wait.
    pub fn events(&self) -> usize {
        self.events
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
