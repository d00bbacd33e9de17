//! The contents of an outbox: events and control items; and `Sink`, the trait of the writers that drain it.

use std::sync::Arc;

use bytes::Bytes;

use crate::domain::Event;
use crate::hub::index::Topic;
use crate::protocol::{CloseReason, Publication, ServerMessage};

/// A reference to one event for the sessions of one hub: created once per event and worker, then shared by reference
/// counting.
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
        Self { offset: event.offset, topic: event.topic(), batch, index }
    }

    /// Returns the event with its encoded bytes.
    pub fn publication(&self) -> &Publication {
        &self.batch[self.index]
    }

    /// Returns the event's offset, without loading the event.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the event's symbol and channel.
    pub const fn topic(&self) -> Topic {
        self.topic
    }
}

/// An item that is sent before all events and answers, and never dropped.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// An error, a `pong`, a heartbeat, `goodbye`.
    Message(ServerMessage),
    /// A text message in a frame of its own: for programs that embed the server and have their own protocol.
    Text(Bytes),
    /// A binary message, for the same.
    Binary(Bytes),
    /// A transport-level ping.
    Ping,
    /// The answer to a transport-level ping, with the same payload.
    Pong(Bytes),
    /// A close frame; nothing follows it.
    Close(CloseReason),
    /// The answer to a client's close frame, with its code if it had one; nothing follows it.
    CloseAnswer(Option<u16>),
}

impl Control {
    /// Returns the memory of the item in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.bytes(),
            Self::Text(bytes) | Self::Binary(bytes) | Self::Pong(bytes) => bytes.len(),
            Self::Ping | Self::Close(_) | Self::CloseAnswer(_) => 0,
        }
    }
}

/// Receives the contents of an outbox in the order in which they must be sent.
pub trait Sink {
    /// Appends a control item.
    fn control(&mut self, control: Control);
    /// Appends one message. The sink may keep a copy.
    fn message(&mut self, message: &ServerMessage);
    /// Returns whether the sink can write the event: false if its dialect has no such event.
    fn has(&self, _: &Event) -> bool {
        true
    }
    /// Appends one event that it has, with the number of events that it replaces in mode `latest`.
    fn event(&mut self, publication: &Publication, skipped: u32);
    /// Returns whether the sink has enough for one write.
    fn is_full(&self) -> bool;
}
