//! `Row`: one event of a file, before it has a number in a stream.

use tickcast_core::domain::{CancelKind, Price, Symbol, Timestamp};

use tickcast_core::domain::Size;

/// One event of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Time of the event; of a bar, the start of its interval. Finer times of the file are rounded down.
    pub ts: Timestamp,
    /// The instrument.
    pub symbol: Symbol,
    /// Kind and values.
    pub body: Body,
}

/// The kind and the values of a [`Row`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// One execution.
    Trade {
        /// Price per share, above 0.
        price: Price,
        /// Shares traded, above 0.
        size: Size,
        /// Number among the trades of its symbol in the recorded stream, to which corrections and cancellations refer; 0 in other files.
        seq: u64,
    },
    /// The best bid and ask. They may be crossed: that happens.
    Quote {
        /// Highest price of a buyer, above 0.
        bid: Price,
        /// Shares wanted at the bid.
        bid_size: Size,
        /// Lowest price of a seller, above 0.
        ask: Price,
        /// Shares offered at the ask.
        ask_size: Size,
    },
    /// A bar that takes the place of the trades of its interval. Boxed, like all that are rarer and larger than a quote.
    Bar(Box<InputBar>),
    /// A correction of a trade.
    Correction(Box<Correction>),
    /// A trade that is cancelled.
    Cancel(Box<Cancel>),
}

/// A bar as a file has it: `low` ≤ `open`, `close` ≤ `high`, and a volume above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputBar {
    /// Length of the interval in microseconds, from a second to a day.
    pub span_micros: i64,
    /// Price of the first trade.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Price of the last trade.
    pub close: Price,
    /// Shares traded. Four shares if the file has no volumes.
    pub volume: Size,
    /// Number of trades, if the file has it.
    pub trades: Option<u64>,
    /// Volume-weighted average price, if the file has it.
    pub vwap: Option<Price>,
}

/// The trade to which a correction or a cancellation refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amended {
    /// The `seq` of the trade in the recorded stream.
    pub seq: u64,
    /// Time of the trade.
    pub ts: Timestamp,
    /// Price per share as it was published.
    pub price: Price,
    /// Shares as they were published.
    pub size: Size,
}

/// A trade that was reported wrongly, and its right values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The trade as it was published.
    pub trade: Amended,
    /// Right price per share.
    pub price: Price,
    /// Right number of shares.
    pub size: Size,
}

/// A trade that does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The trade as it was published.
    pub trade: Amended,
    /// The reason.
    pub kind: CancelKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_small_because_files_may_be_read_into_memory() {
        assert_eq!(size_of::<Row>(), 64);
    }
}
