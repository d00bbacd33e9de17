//! `Snapshots`: the states of symbols that follow an answer, encoded one by one as the socket accepts them.

use std::mem::size_of;
use std::sync::Arc;
use std::vec::IntoIter;

use crate::domain::{Snapshot, Symbol};
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
    bytes: usize,
}

impl Snapshots {
    /// Returns these states, all of them directly after the event `offset`.
    pub fn new(offset: u64, states: Vec<State>) -> Self {
        let bytes = size_of::<Self>() + states.capacity() * size_of::<State>();
        Self { offset, states: states.into_iter(), bytes }
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
            sink.message(&ServerMessage::Snapshot { symbol, offset: self.offset, state });
            messages += 1;
        }
        messages
    }

    /// Returns whether all states have been sent.
    pub(super) fn is_empty(&self) -> bool {
        self.states.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Bar, Price, Quote, Size, Timestamp};
    use crate::hub::Control;
    use crate::protocol::Publication;

    /// Accepts two messages per write.
    #[derive(Default)]
    struct Sent(Vec<ServerMessage>);

    impl Sink for Sent {
        fn control(&mut self, _: Control) {}

        fn message(&mut self, message: &ServerMessage) {
            self.0.push(message.clone());
        }

        fn event(&mut self, _: &Publication, _: u32) {}

        fn is_full(&self) -> bool {
            self.0.len() == 2
        }
    }

    fn snapshot(price: Price) -> Arc<Snapshot> {
        let (ts, size) = (Timestamp::from_micros(1), Size::new(1));
        let bar = Bar { ts, open: price, high: price, low: price, close: price, volume: 1, trades: 1, vwap: price };
        let quote = Quote { ts, bid: price, bid_size: size, ask: price, ask_size: size };
        Arc::new(Snapshot::new(&bar, price, &quote, size))
    }

    #[test]
    fn snapshots_are_encoded_when_drained_from_the_states_as_they_were() {
        let mut values: Vec<_> = (1..=3).map(|dollars| snapshot(Price::from_cents(dollars * 100))).collect();
        let symbols = ["A", "B", "C"].map(|name| name.parse::<Symbol>().unwrap());
        let mut snapshots = Snapshots::new(7, symbols.into_iter().zip(values.iter().cloned()).collect());
        Arc::make_mut(&mut values[2]).price = Price::from_cents(900);
        let (mut first, mut second) = (Sent::default(), Sent::default());
        assert_eq!((snapshots.drain(&mut first), snapshots.is_empty()), (2, false));
        assert_eq!((snapshots.drain(&mut second), snapshots.is_empty()), (1, true));
        let sent = |symbol, dollars: i64| {
            let state = snapshot(Price::from_cents(dollars * 100));
            ServerMessage::Snapshot { symbol, offset: 7, state }
        };
        assert_eq!(first.0, [sent(symbols[0], 1), sent(symbols[1], 2)]);
        assert_eq!(second.0, [sent(symbols[2], 3)]);
    }
}
