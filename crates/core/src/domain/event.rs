//! What happens in the market: `Trade`, `Quote`, `Day`, and the `Event` that places one of them in the stream.

use crate::domain::{Bar, Channel, Interval, Price, Size, Symbol, SymbolId, Timestamp};

/// One execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trade {
    /// When it happened.
    pub ts: Timestamp,
    /// Price per share.
    pub price: Price,
    /// Shares that changed hands, at least one.
    pub size: Size,
}

/// The best bid and ask after a change of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quote {
    /// When it changed.
    pub ts: Timestamp,
    /// The highest price somebody would pay.
    pub bid: Price,
    /// Shares wanted at the bid.
    pub bid_size: Size,
    /// The lowest price somebody would sell at; above the bid.
    pub ask: Price,
    /// Shares offered at the ask.
    pub ask_size: Size,
}

/// The beginning of a day of one symbol: until it trades, its first, highest, lowest and last price are `prev_close`, and
/// its volume is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Day {
    /// When the day begins: midnight UTC.
    pub ts: Timestamp,
    /// The last price before.
    pub prev_close: Price,
}

/// Time that the market has left out: nothing has happened in it, and bars and volumes know nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Where the market broke off.
    pub since: Timestamp,
    /// Where it goes on.
    pub ts: Timestamp,
}

/// What an [`Event`] is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventBody {
    /// A trade.
    Trade(Trade),
    /// A quote.
    Quote(Quote),
    /// A bar that has closed. Boxed: bars are rare and three times the size of the rest.
    Bar(Interval, Box<Bar>),
    /// A day that begins.
    Day(Day),
    /// Time that was left out.
    Gap(Gap),
}

/// One thing that happened, at its place in the stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Its number in the whole stream: 1 for the first event of the process, without holes.
    pub offset: u64,
    /// Its number among the events of its symbol and channel: from 1, without holes.
    pub seq: u64,
    /// The symbol's number.
    pub id: SymbolId,
    /// The symbol.
    pub symbol: Symbol,
    /// What happened.
    pub body: EventBody,
}

impl Event {
    /// Returns the channel that carries the event.
    pub const fn channel(&self) -> Channel {
        match self.body {
            EventBody::Trade(_) => Channel::Trades,
            EventBody::Quote(_) => Channel::Quotes,
            EventBody::Bar(interval, _) => Channel::Bars(interval),
            EventBody::Day(_) => Channel::Day,
            EventBody::Gap(_) => Channel::Gap,
        }
    }

    /// Returns the time stamp on the wire: when a trade or quote happened, when a bar or a day began, when a
    /// gap ended.
    pub const fn ts(&self) -> Timestamp {
        match &self.body {
            EventBody::Trade(trade) => trade.ts,
            EventBody::Quote(quote) => quote.ts,
            EventBody::Bar(_, bar) => bar.ts,
            EventBody::Day(day) => day.ts,
            EventBody::Gap(gap) => gap.ts,
        }
    }
}
