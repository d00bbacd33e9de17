//! `Snapshots`: the states of symbols that follow an answer, encoded one by one as the socket accepts them.

use std::mem::size_of;
use std::sync::Arc;
use std::vec::IntoIter;

use crate::domain::{ChannelSet, Snapshot, Symbol};
use crate::hub::delivery::Sink;
use crate::protocol::ServerMessage;

/// A symbol and its state.
type State = (Symbol, Arc<Snapshot>);

/// The states of some symbols at one offset of the stream. They are shared with the router and other sessions until
/// their symbol's next event: a queued snapshot costs a few bytes, and is encoded once.
#[derive(Clone, Debug)]
pub struct Snapshots {
    offset: u64,
    states: IntoIter<State>,
    channels: ChannelSet,
    shown: ChannelSet,
    bytes: usize,
}

impl Snapshots {
    /// Returns these states, all of them directly after the event `offset`, for a subscription to these channels, with the values
    /// of the channels in `shown`.
    pub fn new(offset: u64, states: Vec<State>, channels: ChannelSet, shown: ChannelSet) -> Self {
        let bytes = size_of::<Self>() + states.capacity() * size_of::<State>();
        Self { offset, states: states.into_iter(), channels, shown, bytes }
    }

    /// Returns the offset.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the memory of the references in bytes, without the shared states.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Encodes messages into the sink until it is full. Returns their number.
    pub(super) fn drain(&mut self, sink: &mut impl Sink) -> u64 {
        let mut messages = 0;
        while !sink.is_full()
            && let Some((symbol, state)) = self.states.next()
        {
            let (offset, channels, shown) = (self.offset, self.channels, self.shown);
            sink.message(&ServerMessage::Snapshot { symbol, offset, state, channels, shown });
            messages += 1;
        }
        messages
    }

    /// Returns whether all states have been sent.
    pub(super) fn is_empty(&self) -> bool {
        self.states.len() == 0
    }
}
