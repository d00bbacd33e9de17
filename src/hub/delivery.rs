//! What travels through an outbox: events, answers, control items; and the `Sink` that takes them out.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{Snapshot, Symbol};
use crate::hub::index::Topic;
use crate::hub::merged::Merged;
use crate::hub::replay::Replay;
use crate::hub::snapshots::Snapshots;
use crate::protocol::native::encode_snapshot;
use crate::protocol::{CloseReason, Publication};

/// Nearly every snapshot has fewer bytes as a message.
const SNAPSHOT_BYTES: usize = 512;

/// One event on its way to sessions of one hub: made once per event and worker, then only its reference is counted.
#[derive(Debug)]
pub struct Delivery {
    batch: Arc<[Publication]>,
    index: usize,
    offset: u64,
    topic: Topic,
}

impl Delivery {
    /// Returns the delivery of the batch's event at `index`.
    pub fn new(batch: Arc<[Publication]>, index: usize) -> Self {
        let event = &batch[index].event;
        Self { offset: event.offset, topic: Topic::symbol(event.id, event.channel()), batch, index }
    }

    /// Returns the event with its encoded bytes.
    pub fn publication(&self) -> &Publication {
        &self.batch[self.index]
    }

    /// Returns the same event without the others of its batch; `None` when there are none.
    pub(super) fn copy(&self) -> Option<Self> {
        (self.batch.len() > 1).then(|| Self::new(Arc::new([self.publication().clone()]), 0))
    }

    /// Returns the event's offset, without a look at the event.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the event's symbol and channel.
    pub const fn topic(&self) -> Topic {
        self.topic
    }
}

/// What goes to the front of an outbox and is never dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A message of the dialect: an error, a `pong`, a heartbeat, `goodbye`.
    Message(Vec<u8>),
    /// A text message as it is, joined with no other: for programs that embed the server and answer in their own way.
    Text(Bytes),
    /// A binary message, likewise.
    Binary(Bytes),
    /// A transport-level ping.
    Ping,
    /// The answer to a transport-level ping, with the same payload.
    Pong(Bytes),
    /// The end: nothing follows it.
    Close(CloseReason),
    /// The answer to a client's close, and the end: with its code, if it had one.
    CloseAnswer(Option<u16>),
}

impl Control {
    /// Returns the bytes that it keeps: an encoder's vector has room for more than is in it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.capacity(),
            Self::Text(bytes) | Self::Binary(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Ping | Self::Close(_) | Self::CloseAnswer(_) => 0,
        }
    }
}

/// An answer that keeps its place among the events: `welcome`, `subscribed`.
#[derive(Debug)]
pub struct Reply {
    /// The position of the stream at which it was made.
    pub offset: u64,
    /// The encoded message.
    pub bytes: Vec<u8>,
    /// Whether it says that nothing is lost of what stands before it, so that none of that may be merged away any more.
    pub vouches: bool,
}

/// The newest event of a topic in mode `latest`, and what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Conflated {
    pub(super) delivery: Rc<Delivery>,
    /// How many events it has made obsolete.
    pub(super) skipped: u32,
    /// The offset of the first of them; its own when there is none.
    pub(super) first: u64,
}

impl Conflated {
    /// Returns an event that stands for itself alone.
    pub(super) fn new(delivery: Rc<Delivery>) -> Self {
        Self { first: delivery.offset(), delivery, skipped: 0 }
    }

    /// Puts a newer event of the topic in its place.
    pub(super) fn replace(&mut self, newer: Rc<Delivery>, merged: &mut Merged) {
        merged.insert(newer.topic(), self.delivery.offset());
        self.delivery = newer;
        self.skipped = self.skipped.saturating_add(1);
    }
}

/// An entry of an outbox's queue.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Event(Rc<Delivery>),
    /// An event in mode `latest` that stands for itself alone.
    Latest(Rc<Delivery>),
    /// One that stands for others too; in a box, as most do not.
    Conflated(Box<Conflated>),
    Reply(Rc<Reply>),
    /// What follows an answer.
    Snapshots(Box<Snapshots>),
    /// Events that are still in the ring.
    Replay(Box<Replay>),
}

/// What has become of an event that was given to an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits, or the session does not want it.
    Taken,
    /// It is one of a burst that the outbox has no room for: it is to be left in the ring, by a [`Replay`] that begins with it.
    Overflows,
    /// The outbox is full, and the session wants to be closed then.
    Refused,
}

impl From<Conflated> for Item {
    fn from(conflated: Conflated) -> Self {
        if conflated.skipped == 0 { Self::Latest(conflated.delivery) } else { Self::Conflated(Box::new(conflated)) }
    }
}

impl Item {
    /// Returns whether it is one event.
    pub(super) fn is_event(&self) -> bool {
        matches!(self, Self::Event(_)) || self.is_latest()
    }

    /// Returns whether it is one event in mode `latest`.
    pub(super) fn is_latest(&self) -> bool {
        matches!(self, Self::Latest(_) | Self::Conflated(_))
    }

    /// Sorts items as the stream has them: a reply follows the event at whose position it was made, a replay what was there
    /// before it.
    pub(super) fn order(&self) -> (u64, bool) {
        match self {
            Self::Event(delivery) | Self::Latest(delivery) => (delivery.offset, false),
            Self::Conflated(conflated) => (conflated.delivery.offset, false),
            Self::Reply(reply) => (reply.offset, true),
            Self::Snapshots(snapshots) => (snapshots.offset(), true),
            Self::Replay(replay) => (replay.order(), true),
        }
    }
}

/// Takes what an outbox gives, in the order in which it must be sent.
pub trait Sink {
    /// Takes a control item.
    fn control(&mut self, control: Control);
    /// Takes one message of the dialect.
    fn message(&mut self, bytes: &[u8]);
    /// Takes one event, and how many it has made obsolete in mode `latest`.
    fn event(&mut self, publication: &Publication, skipped: u32);
    /// Takes one event that it may keep; see [`Self::event`].
    fn delivery(&mut self, delivery: &Rc<Delivery>, skipped: u32) {
        self.event(delivery.publication(), skipped);
    }
    /// Takes the state of a symbol right after the event `offset`. It may keep that, too.
    fn snapshot(&mut self, symbol: Symbol, offset: u64, snapshot: &Arc<Snapshot>) {
        let mut bytes = Vec::with_capacity(SNAPSHOT_BYTES);
        encode_snapshot(symbol, offset, snapshot, &mut bytes);
        self.message(&bytes);
    }
    /// Returns whether this is enough for one write.
    fn is_full(&self) -> bool;
}
