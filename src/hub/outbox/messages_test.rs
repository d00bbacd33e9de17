//! Messages for the tests of outboxes.

use std::sync::Arc;

use crate::domain::{Channel, ChannelSet, Price, Quote, Size, Snapshot, Timestamp};
use crate::protocol::{ErrorCode, Mistake, Pong, ServerMessage, Subscribed, Times};

/// The state of a symbol that has had so many trades.
pub(super) fn state(trades: u64) -> Arc<Snapshot> {
    let (price, size, ts) = (Price::from_cents(100), Size::new(1), Timestamp::default());
    let quote = Quote { ts, bid: price, bid_size: size, ask: price, ask_size: size };
    let mut state = Snapshot::untraded(price, &quote, size);
    state.seq[Channel::Trades.index()] = trades;
    Arc::new(state)
}

pub(super) fn snapshot(symbol: u32, trades: u64, offset: u64) -> ServerMessage {
    let channels = ChannelSet::from_iter([Channel::Trades]);
    let (symbol, shown) = (format!("S{symbol}").parse().unwrap(), ChannelSet::ALL);
    ServerMessage::Snapshot { symbol, offset, state: state(trades), channels, shown }
}

pub(super) fn pong() -> ServerMessage {
    let times = Times { server: Timestamp::default(), market: Timestamp::default() };
    ServerMessage::Pong(Pong { id: None, ts: None, times, offset: 0 }.into())
}

/// An answer that keeps at least so many bytes.
pub(super) fn long_answer(bytes: usize) -> ServerMessage {
    let mistake = Mistake::new(ErrorCode::BadRequest, " ".repeat(bytes));
    ServerMessage::Error { id: None, mistake: mistake.into() }
}

/// An answer without subscriptions.
pub(super) fn subscribed() -> ServerMessage {
    ServerMessage::Subscribed(Subscribed { id: None, items: Vec::new(), recovered: None }.into())
}
