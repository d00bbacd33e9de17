//! What travels through an outbox: events and control items; and the `Sink` that takes them out.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use crate::domain::{Snapshot, Symbol};
use crate::hub::index::Topic;
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

/// What has become of an event that was given to an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits, or the session does not want it.
    Taken,
    /// The outbox is full, and the session wants to be closed then.
    Refused,
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
